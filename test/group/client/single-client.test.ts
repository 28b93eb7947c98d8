import { describe, expect, it } from 'vitest';

import { createRandom } from '../../../src/core/random.ts';
import { SingleClient } from '../../../src/group/client/single-client.ts';
import type { ClientOptions } from '../../../src/group/client/client-options.ts';
import { bytes, options, reply, Table } from './script.ts';

function table(changes: Partial<ClientOptions> = {}, ...connected: readonly number[]): Table<SingleClient> {
  return new Table(new SingleClient(options(changes)), ...connected);
}

/** With a session, and something answered in it. */
function begun(changes: Partial<ClientOptions> = {}, ...connected: readonly number[]): Table<SingleClient> {
  const t = table(changes, ...connected);
  t.submit('first');
  const [opening] = t.take();
  t.answer(opening!.target, opening!.request, reply('ok', '', 7));
  const [first] = t.take();
  t.answer(first!.target, first!.request, reply('ok'));
  expect(t.outcomes()).toHaveLength(1);
  return t;
}

describe('the session of a single client', () => {
  it('is opened by the first operation that needs one, and numbers what follows', () => {
    const t = table({}, 0);
    expect(t.leaves()).toEqual([]);
    t.submit('x');
    t.submit('y');
    expect(t.leaves()).toEqual(['0 me/0']);
    expect(t.leaves()).toEqual([]);
    t.answer(0, { clientId: 'me', serial: 0 }, reply('ok', '', 7));
    expect(t.leaves()).toEqual(['0 #7/1 x']);
    t.answer(0, { clientId: '#7', serial: 1 }, reply('ok', 'X'));
    expect(t.ends()).toEqual(['1 ok X']);
    expect(t.leaves()).toEqual(['0 #7/2 y']);
    expect(t.client.pending).toBe(1);
    expect(t.client.counters).toMatchObject({ submitted: 2, answered: 1, sessions: 1, sent: 3, retries: 0 });
  });

  it('is not needed by reads, which have serials of their own', () => {
    const t = table({}, 0);
    t.submit('?x');
    expect(t.leaves()).toEqual(['0 me/1 ?x']);
    t.answer(0, { clientId: 'me', serial: 1 }, reply('ok', 'X'));
    t.client.submit(bytes('?y'), t.now, { isStale: true });
    const [stale] = t.take();
    expect(stale!.request).toMatchObject({ serial: 2, isStale: true });
    expect(t.ends()).toEqual(['1 ok X']);
  });

  it('that has expired: unknown for what had left, another session for what comes', () => {
    const t = begun({}, 0);
    t.submit('x');
    t.submit('y');
    expect(t.leaves()).toEqual(['0 #7/2 x']);
    t.answer(0, { clientId: '#7', serial: 2 }, reply('expired'));
    expect(t.ends()).toEqual(['2 unknown: the session has expired']);
    expect(t.leaves()).toEqual(['0 me/0']);
    // An echo of the first opening names a session that is gone.
    t.answer(0, { clientId: 'me', serial: 0 }, reply('ok', '', 7));
    expect(t.leaves()).toEqual([]);
    t.answer(0, { clientId: 'me', serial: 0 }, reply('ok', '', 30));
    expect(t.leaves()).toEqual(['0 #30/1 y']);
  });

  it('is asked for again when its opening is lost, and not any more when nobody wants it', () => {
    const t = table({ operationTimeoutMs: 4000 }, 0);
    t.submit('x');
    expect(t.leaves()).toEqual(['0 me/0']);
    expect(t.wait()).toBe(1000);
    expect(t.leaves()).toEqual(['0 me/0']);
    t.waitUntil(t.now + 3000);
    expect(t.ends()).toEqual(['1 not-executed: no session was opened in 4000 ms (asked a:1; nobody was heard)']);
    expect(t.client.nextTimeout()).toBe(Infinity);
    expect(t.leaves()).toEqual([]);
    expect(t.client.pending).toBe(0);
  });

  it('tells what it has: the lowest serial without an answer, less one', () => {
    const t = begun({ window: 3 }, 0);
    for (const text of ['x', 'y', 'z']) t.submit(text);
    expect(t.take().map(({ request }) => [request.serial, request.acknowledged])).toEqual([[2, 1], [3, 1], [4, 1]]);
    t.answer(0, { clientId: '#7', serial: 3 }, reply('ok'));
    t.submit('u');
    expect(t.take().map(({ request }) => [request.serial, request.acknowledged])).toEqual([[5, 1]]);
    t.answer(0, { clientId: '#7', serial: 2 }, reply('ok'));
    t.submit('v');
    expect(t.take().map(({ request }) => [request.serial, request.acknowledged])).toEqual([[6, 3]]);
  });
});

describe('where a single client asks', () => {
  it('waits for a connection, and stays where it is', () => {
    const t = table();
    t.submit('?x');
    expect(t.leaves()).toEqual([]);
    t.client.connected(1, t.now);
    t.client.connected(0, t.now);
    expect(t.leaves()).toEqual(['0 me/1 ?x']);
    t.answer(0, { clientId: 'me', serial: 1 }, reply('ok'));
    t.client.connected(2, t.now);
    t.submit('?y');
    expect(t.leaves()).toEqual(['0 me/2 ?y']);
  });

  it('follows a hint at once', () => {
    const t = begun({}, 0, 1, 2);
    t.submit('x');
    t.take();
    t.answer(0, { clientId: '#7', serial: 2 }, reply('not-leader', 'c:1'));
    expect(t.leaves()).toEqual(['2 #7/2 x']);
    expect(t.client.counters).toMatchObject({ redirects: 1, retries: 1 });
    t.answer(2, { clientId: '#7', serial: 2 }, reply('ok'));
    t.submit('y');
    expect(t.leaves()).toEqual(['2 #7/3 y']);
  });

  it('goes to the next after a rest when there is no hint, and rests longer the longer nobody knows', () => {
    const t = begun({}, 0, 1, 2);
    t.submit('x');
    const rests: number[] = [];
    const asked: number[] = [];
    for (let i = 0; i < 12; i++) {
      const [sending, ...others] = t.take();
      expect(others).toEqual([]);
      asked.push(sending!.target);
      t.answer(sending!.target, sending!.request, reply(i % 2 === 0 ? 'unavailable' : 'not-leader', i % 2 === 0 ? 'no quorum' : ''));
      expect(t.leaves()).toEqual([]);
      rests.push(t.wait());
    }
    expect(asked).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
    rests.forEach((rest, i) => {
      const most = 20 * 2 ** Math.floor(i / 3);
      expect(rest).toBeGreaterThanOrEqual(most / 2);
      expect(rest).toBeLessThanOrEqual(most);
    });
    // What is accepted ends that.
    const [sending] = t.take();
    t.answer(sending!.target, sending!.request, reply('ok'));
    t.submit('y');
    const [next] = t.take();
    t.answer(next!.target, next!.request, reply('unavailable'));
    expect(t.wait()).toBeLessThanOrEqual(20);
  });

  it('does not run in circles when members name each other', () => {
    const t = begun({}, 0, 1);
    t.submit('x');
    let hops = 0;
    for (; hops < 50; hops++) {
      const [sending] = t.take();
      if (sending === undefined) break;
      t.answer(sending.target, sending.request, reply('not-leader', sending.target === 0 ? 'b:1' : 'a:1'));
    }
    expect(hops).toBeLessThanOrEqual(4);
    expect(t.wait()).toBeGreaterThan(0);
    expect(t.take()).toHaveLength(1);
  });

  it('goes to whom a hint named as soon as there is a connection', () => {
    const t = begun({}, 0);
    t.submit('x');
    t.take();
    t.answer(0, { clientId: '#7', serial: 2 }, reply('not-leader', 'b:1'));
    expect(t.leaves()).toEqual([]);
    t.client.connected(2, t.now);
    expect(t.leaves()).toEqual([]);
    t.client.connected(1, t.now);
    expect(t.leaves()).toEqual(['1 #7/2 x']);
  });

  it('waits where it is for a member that has too much to do', () => {
    const t = begun({}, 0, 1);
    t.submit('x');
    t.take();
    t.answer(0, { clientId: '#7', serial: 2 }, reply('busy'));
    expect(t.leaves()).toEqual([]);
    t.wait();
    expect(t.leaves()).toEqual(['0 #7/2 x']);
    // A service that is full says why, and means it.
    t.answer(0, { clientId: '#7', serial: 2 }, reply('busy', 'the store is full'));
    expect(t.ends()).toEqual(['2 busy the store is full']);
  });

  it('goes on at the next when one is silent, with more patience each time', () => {
    const t = begun({ operationTimeoutMs: 60_000 }, 0, 1, 2);
    t.submit('x');
    const silences: number[] = [];
    for (const target of [0, 1, 2, 0, 1]) {
      expect(t.leaves()).toEqual([`${target} #7/2 x`]);
      silences.push(t.wait());
    }
    expect(silences).toEqual([1000, 1000, 1000, 2000, 2000]);
    expect(t.client.counters).toMatchObject({ timeouts: 5, retries: 4 });
  });

  it('has time to ask everybody once, however little an operation has', () => {
    const t = begun({ operationTimeoutMs: 1000 }, 0, 1, 2);
    t.submit('x');
    const asked: number[] = [];
    while (t.client.pending > 0) {
      asked.push(...t.take().map(({ target }) => target));
      t.wait();
    }
    expect(asked).toEqual([0, 1, 2, 0]);
  });

  it('begins anywhere: clients that have little time and begin anew do not all meet the same silent place', () => {
    const begun = new Set<number>();
    for (let seed = 0; seed < 30; seed++) {
      const t = table({ random: createRandom(seed) }, 0, 1, 2);
      t.submit('?x');
      for (const { target } of t.take()) begun.add(target);
    }
    expect([...begun].sort()).toEqual([0, 1, 2]);
  });

  it('asks a place that is alone again and again', () => {
    const t = begun({}, 1);
    t.submit('x');
    expect(t.leaves()).toEqual(['1 #7/2 x']);
    t.wait();
    expect(t.leaves()).toEqual(['1 #7/2 x']);
    t.answer(1, { clientId: '#7', serial: 2 }, reply('unavailable'));
    t.wait();
    expect(t.leaves()).toEqual(['1 #7/2 x']);
  });

  it('goes on elsewhere at once when a connection is lost, or over the next one to the same place', () => {
    const t = begun({}, 0, 1);
    t.submit('x');
    t.take();
    t.client.disconnected(0, t.now);
    expect(t.leaves()).toEqual(['1 #7/2 x']);
    t.client.disconnected(1, t.now);
    expect(t.leaves()).toEqual([]);
    // Nobody is asked, so nobody is silent: only the operation's own time runs.
    expect(t.client.nextTimeout()).toBe(t.now + 10_000);
    t.client.connected(1, t.now);
    expect(t.leaves()).toEqual(['1 #7/2 x']);
  });

  it('takes a late answer from wherever it comes, and no late refusal', () => {
    const t = begun({}, 0, 1);
    t.submit('x');
    t.take();
    t.wait();
    expect(t.leaves()).toEqual(['1 #7/2 x']);
    t.answer(0, { clientId: '#7', serial: 2 }, reply('unavailable'));
    expect(t.leaves()).toEqual([]);
    expect(t.client.nextTimeout()).toBe(t.now + 1000);
    t.answer(0, { clientId: '#7', serial: 2 }, reply('ok', 'X'));
    expect(t.ends()).toEqual(['2 ok X']);
    t.answer(1, { clientId: '#7', serial: 2 }, reply('ok', 'X'));
    expect(t.client.counters.lateReplies).toBe(2);
    expect(t.ends()).toEqual([]);
  });

  it('asks others what became of it when a disk has failed', () => {
    const t = begun({}, 0, 1);
    t.submit('x');
    t.take();
    t.answer(0, { clientId: '#7', serial: 2 }, reply('disk-error', 'no space'));
    t.wait();
    expect(t.leaves()).toEqual(['1 #7/2 x']);
  });
});

describe('how operations of a single client end without an answer', () => {
  it('unknown when they have left, not executed when they have not', () => {
    const t = begun({ attemptTimeoutMs: 60_000 }, 0);
    t.submit('x');
    t.now += 1;
    t.submit('y');
    t.take();
    t.waitUntil(t.now + 20_000);
    expect(t.ends()).toEqual(['2 unknown: no answer in 10000 ms (asked a:1; last heard: a:1, 10s ago)', '3 not-executed: not sent in 10000 ms (asked a:1; last heard: a:1, 10s ago)']);
    expect(t.client.pending).toBe(0);
    expect(t.client.counters).toMatchObject({ unknown: 1, notExecuted: 1 });
  });

  it('not executed without any connection', () => {
    const t = table();
    t.submit('x');
    t.submit('?x');
    expect(t.wait()).toBe(10_000);
    expect(t.ends()).toEqual(['1', '2'].map((ticket) => `${ticket} not-executed: not sent in 10000 ms (no connection to a:1, b:1, c:1; nobody was heard)`));
  });

  it('at once when there are too many, or one is too long', () => {
    const t = table({ maxPending: 2 }, 0);
    for (const text of ['x', 'y', 'z']) t.submit(text);
    expect(t.ends()).toEqual(['3 not-executed: 2 operations are under way']);
    const long = table();
    long.client.submit(new Uint8Array(256 * 1024), 0);
    expect(long.ends()).toEqual(['1 not-executed: an operation of 262144 bytes: the most is 258048']);
  });

  it('never twice', () => {
    const t = begun({}, 0);
    t.submit('x');
    t.take();
    t.waitUntil(t.now + 10_000);
    t.answer(0, { clientId: '#7', serial: 2 }, reply('ok'));
    expect(t.ends()).toEqual(['2 unknown: no answer in 10000 ms (asked a:1; last heard: a:1, 10s ago)']);
  });

  it('with what was said instead of an answer', () => {
    const t = begun({ operationTimeoutMs: 2000, attemptTimeoutMs: 60_000 }, 0);
    t.submit('?x');
    t.take();
    t.now += 500;
    t.answer(0, { clientId: 'me', serial: 1 }, reply('unavailable', 'there is no leader'));
    t.client.disconnected(0, t.now);
    t.waitUntil(t.now + 1500);
    expect(t.ends()).toEqual(['2 unknown: no answer in 2000 ms (no connection to a:1, b:1, c:1; last heard: a:1, 1.5s ago: unavailable "there is no leader")']);
  });
});

describe('a window above 1', () => {
  it('sends in the order of serials over one connection, once something has been answered there', () => {
    const t = table({ window: 3 }, 0);
    for (const text of ['w', 'x', 'y', 'z']) t.submit(text);
    t.take();
    t.answer(0, { clientId: 'me', serial: 0 }, reply('ok', '', 7));
    expect(t.leaves()).toEqual(['0 #7/1 w', '0 #7/2 x', '0 #7/3 y']);
    t.answer(0, { clientId: '#7', serial: 2 }, reply('ok'));
    expect(t.leaves()).toEqual(['0 #7/4 z']);
  });

  it('begins anew with the oldest after a change of place, and waits for its answer before it sends the others', () => {
    const t = begun({ window: 3 }, 0, 1);
    for (const text of ['x', 'y', 'z']) t.submit(text);
    expect(t.take()).toHaveLength(3);
    t.answer(0, { clientId: '#7', serial: 2 }, reply('not-leader', 'b:1'));
    expect(t.leaves()).toEqual(['1 #7/2 x']);
    // The same refusal of the others is no news.
    t.answer(0, { clientId: '#7', serial: 3 }, reply('not-leader', 'b:1'));
    t.answer(0, { clientId: '#7', serial: 4 }, reply('not-leader', ''));
    expect(t.leaves()).toEqual([]);
    t.answer(1, { clientId: '#7', serial: 2 }, reply('unavailable'));
    t.wait();
    expect(t.leaves()).toEqual(['0 #7/2 x']);
    t.answer(0, { clientId: '#7', serial: 2 }, reply('ok'));
    expect(t.leaves()).toEqual(['0 #7/3 y', '0 #7/4 z']);
  });

  it('sends everything again in order over another connection to the same place', () => {
    const t = begun({ window: 3 }, 0);
    for (const text of ['x', 'y', 'z']) t.submit(text);
    t.take();
    t.client.disconnected(0, t.now);
    t.client.connected(0, t.now);
    expect(t.leaves()).toEqual(['0 #7/2 x']);
    t.answer(0, { clientId: '#7', serial: 2 }, reply('ok'));
    expect(t.leaves()).toEqual(['0 #7/3 y', '0 #7/4 z']);
  });

  it('ends an operation unknown that was overtaken, and says so', () => {
    const t = begun({ window: 2 }, 0);
    t.submit('x');
    t.submit('y');
    t.take();
    t.answer(0, { clientId: '#7', serial: 2 }, reply('busy'));
    t.answer(0, { clientId: '#7', serial: 3 }, reply('ok', 'Y'));
    t.wait();
    expect(t.leaves()).toEqual(['0 #7/2 x']);
    t.answer(0, { clientId: '#7', serial: 2 }, reply('expired'));
    expect(t.ends()).toEqual(['3 ok Y', '2 unknown: the session has expired']);
  });
});

it.each<Partial<ClientOptions>>([
  { clientId: '' }, { clientId: 'ä'.repeat(33) }, { targets: [] }, { window: 0 }, { window: 1.5 }, { window: 257 }, { maxPending: 0 }, { operationTimeoutMs: 0 },
  { attemptTimeoutMs: NaN }, { backoffMs: -1 },
])('a single client cannot be made with %j', (changes) => {
  expect(() => table(changes)).toThrow(RangeError);
});
