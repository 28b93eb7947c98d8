import { describe, expect, it } from 'vitest';

import { createRandom, type Random } from '../../src/core/random.ts';
import type { HistoryEvent } from '../../src/group/history.ts';
import { stepKey, type KeyState } from '../../src/sim/kv-model.ts';
import { checkLinearizability } from '../../src/sim/linearizability.ts';

type Shape = Partial<HistoryEvent> & Pick<HistoryEvent, 'op'>;

/** [process, invoke, complete, what]: complete null is unknown. */
function history(...rows: readonly (readonly [number, number, number | null, Shape])[]): HistoryEvent[] {
  return rows.map(([process, invoke, complete, shape]) => ({ process, key: 'x', value: null, old: null, result: null, invoke, complete, ok: complete === null ? null : true, ...shape }));
}

const get = (result: string | null): Shape => ({ op: 'get', result });
const put = (value: string): Shape => ({ op: 'put', value });
const cas = (old: string | null, value: string, result: boolean | null): Shape => ({ op: 'cas', old, value, result });
const append = (value: string, result: number | null = null): Shape => ({ op: 'append', value, result });
const del = (result: boolean | null = null): Shape => ({ op: 'del', result });

/** Tries every order, and every choice of what the unknown operations did. The definition, as slow as it is. */
function bruteForce(events: readonly HistoryEvent[]): boolean {
  const relevant = events.filter(({ ok }) => ok !== false);
  const place = (left: readonly HistoryEvent[], state: KeyState): boolean => {
    if (left.every(({ ok }) => ok === null)) return true;
    return left.some((event) => {
      // Nobody may come before it who was answered before it was asked for.
      if (left.some((other) => other !== event && other.complete !== null && other.complete < event.invoke)) return false;
      const next = stepKey(state, event);
      return next !== undefined && place(left.filter((other) => other !== event), next);
    });
  };
  return place(relevant, null);
}

function randomHistory(random: Random): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  const count = 1 + random.below(7);
  const values = ['a', 'b', 'c'];
  const draw = (): string => values[random.below(values.length)]!;
  let time = 0;
  for (let i = 0; i < count; i++) {
    const invoke = random.below(2) === 0 ? time : Math.max(0, time - random.below(6));
    const complete = invoke + random.below(8);
    time = Math.max(time, complete) + random.below(3);
    const isUnknown = random.chance(0.15);
    const kind = random.below(10);
    const shape: Shape = kind < 4 ? get(random.chance(0.2) ? null : draw()) : kind < 6 ? put(draw()) : kind < 8 ? cas(random.chance(0.3) ? null : draw(), draw(), random.chance(0.5))
      : kind === 8 ? append(draw(), random.chance(0.5) ? 1 + random.below(3) : null) : del(random.chance(0.5) ? random.chance(0.5) : null);
    events.push(...history([i, invoke, isUnknown ? null : complete, isUnknown ? { ...shape, result: null } : shape]));
  }
  return events;
}

describe('the checker and the definition', () => {
  it('agree on 10,000 random histories, a good part of them bad', () => {
    const random = createRandom(7);
    let bad = 0;
    let judged = 0;
    while (judged < 10_000) {
      const events = randomHistory(random);
      const verdict = checkLinearizability(events);
      if (verdict.kind === 'not-judged') continue;
      judged++;
      const isGood = bruteForce(events);
      if (!isGood) bad++;
      expect([verdict.kind, JSON.stringify(events)]).toEqual([isGood ? 'linearizable' : 'violation', JSON.stringify(events)]);
    }
    expect(bad / judged).toBeGreaterThan(0.3);
    expect(bad / judged).toBeLessThan(0.9);
  });
});

describe('histories from the literature', () => {
  it.each([
    ['a stale read', history([0, 0, 1, put('a')], [0, 2, 3, put('b')], [1, 4, 5, get('a')])],
    ['a lost update: both cas succeed', history([0, 0, 1, put('a')], [1, 2, 9, cas('a', 'b', true)], [2, 3, 8, cas('a', 'c', true)])],
    ['reads that go back', history([0, 0, 9, put('b')], [1, 1, 2, get('b')], [1, 3, 4, get(null)])],
    ['split brain: each side reads its own', history([0, 0, 1, put('a')], [1, 0, 1, put('b')], [2, 2, 3, get('a')], [3, 2, 3, get('b')], [2, 4, 5, get('a')])],
    ['an append that was carried out twice', history([0, 0, 1, append('x', 1)], [1, 2, 3, get('xx')])],
    ['a value that nobody wrote', history([0, 0, 1, put('a')], [1, 2, 3, get('z')])],
    ['an acknowledged write that is gone', history([0, 0, 1, put('a')], [1, 2, 3, get(null)])],
    ['a cas that failed though its value was there', history([0, 0, 1, put('a')], [1, 2, 3, cas('a', 'b', false)])],
    ['etcd #741: foo, bar, and then foo again from the leader itself', history([0, 0, 1, put('foo')], [0, 2, 3, put('bar')], [1, 4, 5, get('bar')], [1, 6, 7, get('foo')])],
  ])('%s is refused', (_name, events) => {
    const verdict = checkLinearizability(events);
    expect(verdict.kind).toBe('violation');
  });

  it.each([
    ['operations at the same time may come in any order', history([0, 0, 9, put('a')], [1, 0, 9, put('b')], [2, 1, 8, get('a')], [3, 10, 11, get('a')])],
    ['an unknown write that is seen later', history([0, 0, null, put('a')], [1, 1, 2, get(null)], [1, 3, 4, get('a')])],
    ['an unknown write that is never seen', history([0, 0, null, put('a')], [1, 1, 2, get(null)], [1, 3, 4, get(null)])],
    ['an unknown cas explains why another failed', history([0, 0, 1, put('a')], [1, 2, null, cas('a', 'b', null)], [2, 3, 4, cas('a', 'c', false)], [2, 5, 6, get('b')])],
    ['a write at the instant at which it is read', history([0, 0, 5, put('a')], [1, 5, 6, get('a')])],
    ['delete and put', history([0, 0, 1, put('a')], [0, 2, 3, del(true)], [1, 4, 5, get(null)], [1, 6, 7, del(false)])],
  ])('%s', (_name, events) => {
    expect(checkLinearizability(events).kind).toBe('linearizable');
  });

  it('says where it got stuck', () => {
    const verdict = checkLinearizability(history([0, 0, 1, put('a')], [0, 2, 3, put('b')], [1, 4, 5, get('a')]));
    expect(verdict).toMatchObject({ kind: 'violation', key: 'x', state: 'b' });
    if (verdict.kind !== 'violation') return;
    expect(verdict.prefix.map(({ value }) => value)).toEqual(['a', 'b']);
    expect(verdict.stuck.map(({ op }) => op)).toEqual(['get']);
    expect(verdict.explanation).toMatch(/process 1 read "a"/);
  });
});

describe('what is not judged', () => {
  it.each([
    ['nothing', []],
    ['only unknown outcomes', history([0, 0, null, put('a')], [1, 0, null, get(null)])],
    ['only what surely did not happen', history([0, 0, 1, { ...put('a'), ok: false }])],
  ])('%s', (_name, events) => {
    expect(checkLinearizability(events).kind).toBe('not-judged');
  });

  it('a process that did two things at a time is the recorder\'s mistake', () => {
    expect(checkLinearizability(history([0, 0, 5, put('a')], [0, 3, 6, put('b')])).kind).toBe('invalid');
    expect(checkLinearizability(history([0, 0, null, put('a')], [0, 3, 6, put('b')])).kind).toBe('invalid');
  });

  it('a search that is given up is not taken for good', () => {
    const rows = Array.from({ length: 14 }, (_, i) => [i, 0, 100, put(`v${i}`)] as const);
    expect(checkLinearizability(history(...rows, [20, 200, 201, get('nobody')]), { maxVisited: 1000 }).kind).toBe('unfinished');
  });
});

describe('long histories', () => {
  /** What a good store gives to clients who wait a random time for each answer. */
  function simulate(seed: number, operations: number, clients: number, unknown: number): HistoryEvent[] {
    const random = createRandom(seed);
    const free = Array.from({ length: clients }, () => 0);
    const ids = free.map((_, i) => i);
    const events: (HistoryEvent & { at: number })[] = [];
    let nextId = clients;
    for (let i = 0; i < operations; i++) {
      const client = free.indexOf(Math.min(...free));
      const invoke = free[client]! + 1 + random.below(5);
      const complete = invoke + 1 + random.below(40);
      const isUnknown = random.chance(unknown);
      const at = invoke + (complete - invoke) * random.unit();
      const kind = random.below(10);
      const shape = kind < 3 ? get(null) : kind < 6 ? cas(`v${random.below(i + 1)}`, `v${i}`, null) : kind < 8 ? put(`v${i}`) : kind < 9 ? append(`+${i}`) : del();
      events.push({ ...history([ids[client]!, invoke, isUnknown ? null : complete, shape])[0]!, at });
      free[client] = complete;
      if (isUnknown) ids[client] = nextId++;
    }
    let state: KeyState = null;
    for (const event of [...events].sort((a, b) => a.at - b.at)) {
      if (event.ok === null && random.chance(0.5)) continue;
      const result: HistoryEvent['result'] = event.op === 'get' ? state : event.op === 'cas' ? state === event.old : event.op === 'del' ? state !== null : null;
      state = stepKey(state, { ...event, ok: null })!;
      if (event.ok === true) Object.assign(event, { result: event.op === 'append' ? state!.length : result });
    }
    return events;
  }

  it('of a good store are good: 100 of 300 operations, 8 clients, some outcomes unknown', () => {
    for (let seed = 1; seed <= 100; seed++) expect([seed, checkLinearizability(simulate(seed, 300, 8, 0.03)).kind]).toEqual([seed, 'linearizable']);
  });

  it('and the search visits few places more than there are operations', () => {
    const verdict = checkLinearizability(simulate(1, 1000, 8, 0.005));
    expect(verdict).toMatchObject({ kind: 'linearizable' });
    if (verdict.kind === 'linearizable') expect(verdict.visited).toBeLessThan(20_000);
  });

  it('a read that is replaced by one long past is found', () => {
    let found = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const events = simulate(seed, 300, 4, 0);
      const late = events.map(({ op, result }) => op === 'get' && result !== null).lastIndexOf(true);
      const early = events.find(({ op, result }) => op === 'get' && result !== null && result !== events[late]?.result);
      if (late < 0 || early === undefined) continue;
      events[late] = { ...events[late]!, result: early.result } as (typeof events)[number];
      if (checkLinearizability(events).kind === 'violation') found++;
    }
    expect(found).toBeGreaterThan(15);
  });
});
