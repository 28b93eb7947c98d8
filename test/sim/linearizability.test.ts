import { describe, expect, it } from 'vitest';

import { createRandom, type Random } from '../../src/core/random.ts';
import type { HistoryEvent, HistoryOp, HistoryValue } from '../../src/group/history.ts';
import { stepKey, type KeyState } from '../../src/sim/kv-model.ts';
import { checkLinearizability } from '../../src/sim/linearizability.ts';
import { append, cas, del, get, history, put, refused } from './history-words.ts';

/** Tries every order, and every choice of what the unknown operations did. The definition, as slow as it is. */
function bruteForce(events: readonly HistoryEvent[]): boolean {
  const relevant = events.filter(({ ok }) => ok !== false);
  const mustPrecede = (a: HistoryEvent, b: HistoryEvent): boolean =>
    a !== b && a.complete !== null && (a.complete < b.invoke || (a.process === b.process && a.complete === b.invoke && relevant.indexOf(a) < relevant.indexOf(b)));
  const place = (left: readonly HistoryEvent[], state: KeyState): boolean => {
    if (left.every(({ ok }) => ok === null)) return true;
    return left.some((event) => {
      if (left.some((other) => mustPrecede(other, event))) return false;
      const next = stepKey(state, event);
      return next !== undefined && place(left.filter((other) => other !== event), next);
    });
  };
  return place(relevant, null);
}

const MIXES: readonly (readonly HistoryOp[])[] = [['get', 'get', 'put', 'cas', 'append', 'del'], ['get', 'put'], ['get', 'append'], ['get', 'put', 'cas', 'del']];
const WORDS = ['a', 'ab', 'b', '', 'aba', 'é'];

/** Up to seven operations of a few processes, with results that are often possible and often not. */
function smallHistory(random: Random): HistoryEvent[] {
  const ops = MIXES[random.below(MIXES.length)]!;
  const unknown = [0, 0.15, 0.5][random.below(3)]!;
  const isUnique = random.chance(0.3);
  const clients = Array.from({ length: 1 + random.below(4) }, (_, process) => ({ process, freeAt: random.below(4) }));
  const written: string[] = [];
  const fresh = (): string => (isUnique && random.chance(0.7) ? `u${written.length}` : WORDS[random.below(WORDS.length)]!);
  const seen = (mayJoin: boolean): string | null => {
    if (random.chance(0.15)) return null;
    if (written.length === 0 || random.chance(0.2)) return fresh();
    return mayJoin && random.chance(0.3) ? written.slice(-2).join('') : written[random.below(written.length)]!;
  };
  return Array.from({ length: 1 + random.below(7) }, (_, i): HistoryEvent => {
    const client = clients[random.below(clients.length)]!;
    const { process } = client;
    const invoke = client.freeAt + random.below(3);
    client.freeAt = invoke + random.below(8);
    const complete = client.freeAt;
    const op = ops[random.below(ops.length)]!;
    const value = op === 'get' || op === 'del' ? null : fresh();
    if (value !== null) written.push(value);
    const event = { process, key: 'x', op, value, old: op === 'cas' ? seen(false) : null, result: null, invoke };
    if (random.chance(unknown)) {
      client.process = 100 + i;
      return { ...event, complete: null, ok: null };
    }
    if (random.chance(0.03)) return { ...event, complete, ok: false };
    const results: Record<HistoryOp, () => HistoryValue> = {
      get: () => seen(true), put: () => null, cas: () => random.chance(0.5), append: () => (random.chance(0.5) ? null : random.below(5)),
      del: () => (random.chance(0.3) ? null : random.chance(0.5)),
    };
    return { ...event, result: results[op](), complete, ok: true };
  });
}

describe('the checker and the definition', () => {
  it('agree on 10,000 random histories, a good part of them bad', () => {
    const random = createRandom(7);
    const counts = { judged: 0, bad: 0, unknownMattered: 0 };
    while (counts.judged < 10_000) {
      const events = smallHistory(random);
      const verdict = checkLinearizability(events);
      if (verdict.kind === 'not-judged') continue;
      counts.judged++;
      const isGood = bruteForce(events);
      if (!isGood) counts.bad++;
      else if (!bruteForce(events.filter(({ ok }) => ok !== null))) counts.unknownMattered++;
      if (verdict.kind !== (isGood ? 'linearizable' : 'violation')) expect.fail(`${verdict.kind}, but it is ${isGood ? 'good' : 'bad'}: ${JSON.stringify(events)}`);
      // The evidence is bad by itself, and the order that was found is one.
      if (verdict.kind === 'violation') expect(bruteForce(verdict.evidence)).toBe(false);
    }
    expect(counts.bad / counts.judged).toBeGreaterThan(0.3);
    expect(counts.bad / counts.judged).toBeLessThan(0.8);
    expect(counts.unknownMattered).toBeGreaterThan(200);
  });
});

describe('histories from the literature', () => {
  it.each([
    ['a stale read', history([0, 0, 1, put('a')], [0, 2, 3, put('b')], [1, 4, 5, get('a')])],
    ['a lost update: both cas succeed', history([0, 0, 1, put('a')], [1, 2, 9, cas('a', 'b', true)], [2, 3, 8, cas('a', 'c', true)])],
    ['a lost update: what one appended is gone', history([0, 0, 5, append('x')], [1, 0, 5, append('y')], [2, 6, 7, get('y')])],
    ['reads that go back', history([0, 0, 9, put('b')], [1, 1, 2, get('b')], [1, 3, 4, get(null)])],
    ['reads that go back, by two readers', history([0, 0, 20, put('b')], [1, 1, 2, get('b')], [2, 3, 4, get(null)])],
    ['two readers who saw two writes in opposite orders', history([0, 0, 9, put('a')], [1, 0, 9, put('b')], [2, 1, 2, get('a')], [2, 3, 8, get('b')], [3, 1, 3, get('b')], [3, 4, 8, get('a')])],
    ['split brain: each side reads its own', history([0, 0, 1, put('a')], [1, 0, 1, put('b')], [2, 2, 3, get('a')], [3, 2, 3, get('b')], [2, 4, 5, get('a')])],
    ['split brain: both sides grant the lock', history([0, 0, 9, cas(null, 'A', true)], [1, 0, 9, cas(null, 'B', true)])],
    ['an append that was carried out twice', history([0, 0, 1, append('x', 1)], [1, 2, 3, get('xx')])],
    ['an append that was carried out twice, by its length', history([0, 0, 1, append('x', 1)], [0, 2, 3, append('y', 3)])],
    ['a retried append whose first try had an unknown outcome, counted as one', history([0, 0, null, append('x')], [1, 2, 3, get('xx')])],
    ['a value that nobody wrote', history([0, 0, 1, put('a')], [1, 2, 3, get('z')])],
    ['a value before it was written', history([1, 0, 1, get('a')], [0, 2, 3, put('a')])],
    ['an acknowledged write that is gone', history([0, 0, 1, put('a')], [1, 2, 3, get(null)])],
    ['what was refused is there', history([0, 0, 1, refused(put('a'))], [1, 2, 3, get('a')])],
    ['a cas that failed though its value was there', history([0, 0, 1, put('a')], [1, 2, 3, cas('a', 'b', false)])],
    ['a delete of nothing that found something', history([0, 0, 1, del(true)])],
    ['an unknown write that happened before it was asked for', history([0, 0, 1, get('a')], [1, 2, null, put('a')])],
    ['an unknown write that happened twice', history([0, 0, null, put('a')], [1, 1, 2, get('a')], [1, 3, 4, put('b')], [1, 5, 6, get('b')], [1, 7, 8, get('a')])],
    ['etcd #741: foo, bar, and then foo again, read from the leader itself', history([0, 0, 1, put('foo')], [0, 2, 3, put('bar')], [1, 4, 5, get('bar')], [1, 6, 7, get('foo')])],
    ['a process whose read comes at the instant at which its write ended', history([0, 0, 5, put('a')], [0, 5, 6, get(null)])],
  ])('%s is refused', (_name, events) => {
    expect(checkLinearizability(events).kind).toBe('violation');
    expect(bruteForce(events)).toBe(false);
  });

  it.each([
    ['operations at the same time may come in any order', history([0, 0, 9, put('a')], [1, 0, 9, put('b')], [2, 1, 8, get('a')], [3, 10, 11, get('a')])],
    ['an unknown write that is seen later', history([0, 0, null, put('a')], [1, 1, 2, get(null)], [1, 3, 4, get('a')])],
    ['an unknown write that is never seen', history([0, 0, null, put('a')], [1, 1, 2, get(null)], [1, 3, 4, get(null)])],
    ['an unknown write after a known one that came later', history([0, 0, null, put('a')], [1, 1, 2, put('b')], [1, 3, 4, get('b')], [1, 5, 6, get('a')])],
    ['an unknown cas explains why another failed', history([0, 0, 1, put('a')], [1, 2, null, cas('a', 'b', null)], [2, 3, 4, cas('a', 'c', false)], [2, 5, 6, get('b')])],
    ['an unknown put that nobody ever read explains why a cas failed', history([0, 0, 1, put('a')], [1, 2, null, put('b')], [2, 3, 4, cas('a', 'c', false)])],
    ['an unknown put that nobody ever read explains what a delete found', history([0, 0, null, put('a')], [1, 1, 2, del(true)])],
    ['an unknown append explains a length', history([0, 0, null, append('a')], [1, 1, 2, append('b', 2)])],
    ['a chain of unknown ones', history([0, 0, null, cas(null, 'a', null)], [1, 0, null, cas('a', 'b', null)], [2, 0, null, append('c')], [3, 1, 2, get('bc')])],
    ['an unknown read', history([0, 0, 1, put('a')], [1, 0, null, get(null)])],
    ['a write at the instant at which it is read', history([0, 0, 5, put('a')], [1, 5, 6, get('a')])],
    ['a read at the instant at which a write by another ended', history([0, 0, 5, put('a')], [1, 5, 6, get(null)])],
    ['delete and put', history([0, 0, 1, put('a')], [0, 2, 3, del(true)], [1, 4, 5, get(null)], [1, 6, 7, del(false)])],
    ['a failed cas is a read that says no', history([0, 0, 1, put('a')], [1, 2, 3, cas('b', 'c', false)], [1, 4, 5, get('a')])],
    ['keys do not mix', [...history([0, 0, 1, put('a')]), ...history([1, 2, 3, get(null)]).map((event) => ({ ...event, key: 'y' }))]],
    ['numbers, and what is appended to them', history([0, 0, 1, { op: 'put', value: 1 }], [0, 2, 3, get(1)], [0, 4, 5, append('2', 2)], [0, 6, 7, get('12')])],
  ])('%s', (_name, events) => {
    expect(checkLinearizability(events).kind).toBe('linearizable');
  });
});

describe('a violation', () => {
  it('says where it got stuck, without what came too late to matter', () => {
    const verdict = checkLinearizability(history([0, 0, 1, put('a')], [0, 2, 3, put('b')], [1, 4, 5, get('a')], [2, 4, 9, put('c')], [0, 6, 7, get('c')]));
    expect(verdict).toMatchObject({
      kind: 'violation', key: 'x', state: 'c', values: ['c', 'b'], blocked: { op: 'get', result: 'a' }, prefix: [{ value: 'a' }, { value: 'b' }, { value: 'c' }],
      explanation: 'key "x", process 1, get: "a": the key can hold only one of "c", "b" there',
    });
    if (verdict.kind !== 'violation') return;
    expect(verdict.stuck.map(({ op }) => op)).toEqual(['get']);
    expect(verdict.evidence.map(({ op, value }) => value ?? op)).toEqual(['a', 'b', 'get', 'c']);
  });

  it('of several keys is the one that went wrong first', () => {
    const late = history([0, 0, 1, put('a')], [1, 8, 9, get(null)]);
    const early = history([2, 0, 1, put('a')], [3, 2, 3, get('z')]).map((event) => ({ ...event, key: 'y' }));
    expect(checkLinearizability([...late, ...early])).toMatchObject({ key: 'y', explanation: 'key "y", process 3, get: "z": nobody had written that' });
  });
});

describe('what is not judged', () => {
  it.each([
    ['nothing', []],
    ['only unknown outcomes', history([0, 0, null, put('a')], [1, 0, null, get(null)])],
    ['only what surely did not happen', history([0, 0, 1, refused(put('a'))])],
    ['neither one nor the other', history([0, 0, 1, refused(put('a'))], [1, 0, null, put('b')])],
  ])('%s', (_name, events) => {
    expect(checkLinearizability(events).kind).toBe('not-judged');
  });

  it.each([
    ['a process that did two things at a time', history([0, 0, 5, put('a')], [0, 3, 6, put('b')]), /begins before it has ended/],
    ['a process that went on after an unknown outcome', history([0, 0, null, put('a')], [0, 3, 6, put('b')]), /goes on after an unknown outcome/],
    ['an answer before the question', history([0, 5, 3, put('a')]), /completes before it is invoked/],
  ])('%s is the recorder\'s mistake', (_name, events, reason) => {
    const verdict = checkLinearizability(events);
    expect(verdict).toMatchObject({ kind: 'invalid', reason: expect.stringMatching(reason) });
  });

  it('a search that is given up is not taken for good, nor for bad', () => {
    const rows = Array.from({ length: 14 }, (_, i) => [i, 0, 100, put(`v${i % 7}`)] as const);
    const looks = Array.from({ length: 7 }, (_, i) => [20, 200 + 2 * i, 201 + 2 * i, cas(`v${i}`, 'w', false)] as const);
    const events = history(...rows, ...looks, [20, 300, 301, get('nobody')]);
    expect(checkLinearizability(events, { maxVisited: 100 })).toMatchObject({ kind: 'unfinished', reason: 'more than 100 places in the search for key "x"' });
    expect(checkLinearizability(events).kind).toBe('violation');
    const other = history([30, 0, 1, get('a')]).map((event) => ({ ...event, key: 'y' }));
    expect(checkLinearizability([...events, ...other], { maxVisited: 100 })).toMatchObject({ kind: 'violation', key: 'y' });
  });
});
