import { describe, expect, it } from 'vitest';

import { VoteClient, type VoteClientOptions } from '../../../src/group/client/vote-client.ts';
import { bytes, options, reply, Table } from './script.ts';

function table(changes: Partial<VoteClientOptions> = {}, ...connected: readonly number[]): Table<VoteClient> {
  return new Table(new VoteClient({ ...options(), members: 3, ...changes }), ...connected);
}

const OPENING = { clientId: 'me', serial: 0 };
const READ = { clientId: 'me', serial: 1 };

describe('what a voting client believes', () => {
  it('is what a majority says alike, without the digest', () => {
    const t = table({}, 0, 1, 2);
    t.submit('?x');
    expect(t.leaves()).toEqual(['0 me/1 ?x', '1 me/1 ?x', '2 me/1 ?x']);
    t.answer(0, READ, { ...reply('ok', 'X'), digest: bytes('1') });
    t.answer(1, READ, reply('ok', 'wrong'));
    expect(t.outcomes()).toEqual([]);
    t.answer(2, READ, { ...reply('ok', 'X'), digest: bytes('2') });
    expect(t.outcomes()).toEqual([{ ticket: 1, kind: 'answered', reply: reply('ok', 'X') }]);
    t.answer(1, READ, reply('ok', 'X'));
    expect(t.client.counters).toMatchObject({ answered: 1, lateReplies: 1, sent: 3 });
  });

  it('is nothing that one member says twice, or over two connections', () => {
    const t = table({}, 0, 1);
    t.submit('?x');
    t.take();
    t.answer(0, READ, reply('ok', 'X'), 'm1');
    t.answer(0, READ, reply('ok', 'X'), 'm1');
    t.answer(1, READ, reply('ok', 'X'), 'm1');
    expect(t.outcomes()).toEqual([]);
    // One place with many members behind it.
    t.answer(0, READ, reply('ok', 'X'), 'm2');
    expect(t.ends()).toEqual(['1 ok X']);
  });

  it('can be decided by as many as one likes', () => {
    const first = table({ votes: 1 }, 0);
    first.submit('?x');
    first.take();
    first.answer(0, READ, reply('ok', 'X'));
    expect(first.ends()).toEqual(['1 ok X']);
    const all = table({ votes: 3 }, 0, 1, 2);
    all.submit('?x');
    all.take();
    all.answer(0, READ, reply('ok', 'X'));
    all.answer(1, READ, reply('ok', 'X'));
    expect(all.ends()).toEqual([]);
    all.answer(2, READ, reply('ok', 'Y'));
    expect(all.ends()).toEqual(['1 unknown: no majority: m0 and m1: ok "X"; m2: ok "Y"']);
  });

  it('is nothing when there is no majority, and then it says who said what', () => {
    const t = table({}, 0, 1, 2);
    t.submit('?x');
    t.take();
    t.answer(0, READ, reply('ok', 'X'));
    t.answer(1, READ, reply('ok', 'Y'));
    expect(t.outcomes()).toEqual([]);
    t.answer(2, READ, reply('refused', 'Z'));
    expect(t.ends()).toEqual(['1 unknown: no majority: m0: ok "X"; m1: ok "Y"; m2: refused "Z"']);
    expect(t.client.counters.disagreements).toBe(1);
  });

  it('is what one member says where an answer may be old: members need not have the same, and a balancer asks one only', () => {
    const t = table({}, 0);
    t.client.submit(bytes('?x'), t.now, { isStale: true });
    expect(t.take().map(({ request }) => request.isStale)).toEqual([true]);
    t.answer(0, READ, reply('unavailable'));
    expect(t.outcomes()).toEqual([]);
    t.answer(0, READ, reply('ok', 'old'), 'm2');
    expect(t.ends()).toEqual(['1 ok old']);
    // Writes are voted on all the same.
    t.client.submit(bytes('+y'), t.now, { isStale: true });
    t.take();
    t.answer(0, OPENING, reply('ok', '', 7), 'm1');
    expect(t.client.counters.sessions).toBe(0);
  });

  it('is what k+1 say, even if they all lie', () => {
    const t = table({}, 0, 1, 2);
    t.submit('?x');
    t.take();
    t.answer(0, READ, reply('ok', 'lie'));
    t.answer(2, READ, reply('ok', 'lie'));
    expect(t.ends()).toEqual(['1 ok lie']);
  });
});

describe('the session of a voting client', () => {
  it('is voted on, too', () => {
    const t = table({}, 0, 1, 2);
    t.submit('x');
    expect(t.leaves()).toEqual(['0 me/0', '1 me/0', '2 me/0']);
    t.answer(0, OPENING, reply('ok', '', 99));
    t.answer(1, OPENING, reply('ok', '', 7));
    expect(t.leaves()).toEqual([]);
    t.answer(2, OPENING, reply('ok', '', 7));
    expect(t.leaves()).toEqual(['0 #7/1 x', '1 #7/1 x', '2 #7/1 x']);
  });

  it('may have been opened several times: members name them all, and the first that enough of them name is taken', () => {
    const t = table({}, 0, 1, 2);
    t.submit('x');
    t.take();
    t.answer(0, OPENING, reply('ok', '', 5));
    t.wait();
    expect(t.leaves()).toEqual(['0 me/0', '1 me/0', '2 me/0']);
    t.answer(0, OPENING, reply('ok', '', 9));
    t.answer(1, OPENING, reply('ok', '', 9));
    expect(t.leaves()).toEqual(['0 #9/1 x', '1 #9/1 x', '2 #9/1 x']);
    t.answer(1, OPENING, reply('ok', '', 5));
    expect(t.leaves()).toEqual([]);
  });

  it('has expired when a majority says so, not when a liar does', () => {
    const t = table({}, 0, 1, 2);
    t.submit('x');
    t.take();
    for (const target of [0, 1]) t.answer(target, OPENING, reply('ok', '', 7));
    t.take();
    t.submit('y');
    const first = { clientId: '#7', serial: 1 };
    t.answer(0, first, reply('expired'));
    expect(t.outcomes()).toEqual([]);
    t.answer(1, first, reply('expired'));
    expect(t.ends()).toEqual(['1 unknown: the session has expired']);
    expect(t.leaves()).toEqual(['0 me/0', '1 me/0', '2 me/0']);
    // Echoes of the first opening are no votes.
    for (const target of [0, 1, 2]) t.answer(target, OPENING, reply('ok', '', 7));
    expect(t.leaves()).toEqual([]);
    t.waitUntil(t.now + 1000);
    t.take();
    for (const target of [2, 1]) t.answer(target, OPENING, reply('ok', '', 30));
    expect(t.leaves()).toEqual(['0 #30/1 y', '1 #30/1 y', '2 #30/1 y']);
  });
});

describe('whom a voting client asks', () => {
  it('is everybody who is connected, and whoever comes later', () => {
    const t = table();
    t.submit('?x');
    expect(t.leaves()).toEqual([]);
    t.client.connected(1, t.now);
    expect(t.leaves()).toEqual(['1 me/1 ?x']);
    t.client.connected(0, t.now);
    expect(t.leaves()).toEqual(['0 me/1 ?x']);
    t.client.disconnected(1, t.now);
    t.client.connected(1, t.now);
    expect(t.leaves()).toEqual(['1 me/1 ?x']);
  });

  it('is everybody again after a silence, ever more patiently, with the same serial', () => {
    const t = table({ operationTimeoutMs: 60_000 }, 0, 1);
    t.submit('?x');
    const silences: number[] = [];
    for (let i = 0; i < 5; i++) {
      expect(t.leaves()).toEqual(['0 me/1 ?x', '1 me/1 ?x']);
      silences.push(t.wait());
    }
    expect(silences).toEqual([1000, 2000, 4000, 8000, 8000]);
    expect(t.client.counters).toMatchObject({ timeouts: 5, retries: 8 });
  });

  it('is whoever could not say, again after a rest; that is no vote', () => {
    const t = table({}, 0, 1, 2);
    t.submit('?x');
    t.take();
    t.answer(0, READ, reply('unavailable', 'no view'));
    t.answer(1, READ, reply('busy'));
    expect(t.leaves()).toEqual([]);
    expect(t.wait()).toBeLessThanOrEqual(20);
    expect(t.leaves()).toEqual(['0 me/1 ?x', '1 me/1 ?x']);
    t.answer(0, READ, reply('unavailable'));
    expect(t.wait()).toBeLessThanOrEqual(40);
    expect(t.leaves()).toEqual(['0 me/1 ?x']);
    // Those that were silent are not forgotten over it.
    while (t.client.counters.timeouts === 0) t.wait();
    expect(t.leaves()).toEqual(['0 me/1 ?x', '1 me/1 ?x', '2 me/1 ?x']);
    t.answer(0, READ, reply('ok', 'X'));
    t.answer(1, READ, reply('ok', 'X'));
    expect(t.ends()).toEqual(['1 ok X']);
  });

  it('is nobody any more when time is up, and then it says who said what', () => {
    const t = table({}, 0, 1, 2);
    t.submit('?x');
    t.take();
    t.answer(0, READ, reply('ok', '\u0001X'));
    t.answer(1, READ, reply('unavailable', 'no view'));
    t.waitUntil(t.now + 10_000);
    expect(t.ends()).toEqual(['1 unknown: no answer in 10000 ms (it takes 2 alike; m0: ok "X"; m1: unavailable "no view")']);
    expect(t.client.nextTimeout()).toBe(Infinity);
    expect(t.client.pending).toBe(0);
  });

  it('is nobody without a connection: not executed', () => {
    const t = table();
    t.submit('x');
    t.wait();
    expect(t.ends()).toEqual(['1 not-executed: not sent in 10000 ms (no connection to a:1, b:1, c:1)']);
  });

  it('does not spin when everybody is lost', () => {
    const t = table({}, 0);
    t.submit('?x');
    t.take();
    t.client.disconnected(0, t.now);
    let timeouts = 0;
    for (; t.client.nextTimeout() !== Infinity; timeouts++) t.wait();
    expect(timeouts).toBeLessThan(10);
    expect(t.ends()).toHaveLength(1);
  });
});

it.each<Partial<VoteClientOptions>>([{ members: 0 }, { members: 65 }, { votes: 0 }, { votes: 4 }, { targets: [] }])('a voting client cannot be made with %j', (changes) => {
  expect(() => table(changes)).toThrow(RangeError);
});
