import { describe, expect, it } from 'vitest';

import type { BalancerReport } from '../../../src/group/balancer/balancer-report.ts';
import { BalancerWorld, request, statusOf } from './balancer-world.ts';

const NAMES = ['m1', 'm2', 'm3'];

function led(options: ConstructorParameters<typeof BalancerWorld>[1] = {}): BalancerWorld {
  const world = new BalancerWorld(NAMES, options);
  world.lead('m1', 1);
  world.run(500);
  return world;
}

describe('requests to the leader', () => {
  it('go to whoever says that it leads, and its reply comes back to the client that asked', () => {
    const world = led();
    world.balancer.clientOpened(2);
    world.ask(1);
    world.ask(1, { clientId: 'd' }, 2);
    expect([world.got('m1'), world.got('m2'), world.got('m3')]).toEqual([[1, 1], [], []]);
    world.reply('m1', 1, 'ok', '', 'd');
    world.reply('m1', 1);
    expect(world.heard(1)).toEqual(['m1 1 ok']);
    expect(world.heard(2)).toEqual(['m1 1 ok']);
    expect(world.balancer.inFlight).toBe(0);
  });

  it('wait for a leader, a short time, in their order', () => {
    const world = new BalancerWorld(NAMES, { waitMs: 1000 });
    world.run(500);
    world.ask(1);
    world.run(600);
    world.ask(2);
    world.run(500);
    expect(world.heard()).toEqual(['b 1 unavailable']);
    world.lead('m2', 1);
    world.run(200);
    expect(world.got('m2')).toEqual([2]);
    expect(world.balancer.report(world.now).counters).toMatchObject({ waited: 2, refusedTimeout: 1 });
  });

  it('are sent again, with the same serial, to the next leader when the connection to the first breaks', () => {
    const world = led();
    world.ask(1);
    world.ask(2);
    expect(world.got('m1')).toEqual([1, 2]);
    world.leave('m1');
    expect(world.balancer.leader).toBeUndefined();
    world.lead('m3', 2);
    world.run(200);
    expect(world.got('m3')).toEqual([1, 2]);
    world.reply('m3', 1);
    expect(world.heard()).toEqual(['m3 1 ok']);
  });

  it('are sent again when the leader changes although its connection stands, and a late answer of the old one counts', () => {
    const world = led();
    world.ask(1);
    world.ask(2);
    world.got('m1');
    world.lead('m2', 2);
    world.run(200);
    expect(world.got('m2')).toEqual([1, 2]);
    world.reply('m1', 1);
    world.reply('m2', 1);
    world.reply('m1', 2, 'unavailable');
    expect(world.heard()).toEqual(['m1 1 ok']);
    expect(world.balancer.counters.lateReplies).toBe(2);
  });

  it('follow a hint at once; two members that name each other do not keep a request in the air', () => {
    const world = led({ pauseMs: 50 });
    world.ask(1);
    world.got('m1');
    world.reply('m1', 1, 'not-leader', 'm2:1');
    expect(world.got('m2')).toEqual([1]);
    expect(world.heard()).toEqual([]);
    world.reply('m2', 1, 'not-leader', 'm1:1');
    expect(world.got('m1')).toEqual([1]);
    world.reply('m1', 1, 'not-leader', 'm2:1');
    world.reply('m2', 1, 'not-leader', 'm1:1');
    world.reply('m1', 1, 'not-leader', 'm2:1');
    let turns = 0;
    for (const until = world.now + 500; world.now < until; world.run(10)) {
      for (const name of ['m1', 'm2']) for (const _ of world.got(name)) {
        turns++;
        world.reply(name, 1, 'not-leader', name === 'm1' ? 'm2:1' : 'm1:1');
      }
    }
    expect(turns).toBeLessThan(40);
    world.lead('m3', 4);
    world.run(300);
    expect(world.got('m3')).toEqual([1]);
  });

  it('wait a little when the leader cannot say, and none overtakes another', () => {
    const world = led({ pauseMs: 50 });
    world.ask(1);
    world.got('m1');
    world.reply('m1', 1, 'unavailable');
    world.ask(2);
    expect(world.got('m1')).toEqual([]);
    world.run(60);
    expect(world.got('m1')).toEqual([1, 2]);
  });

  it('with the higher term is the leader; one that is cut off and counts terms for itself is not', () => {
    const world = led();
    world.statuses.set('m2', statusOf('m2', { role: 'leader', term: 3 }));
    world.run(200);
    expect(world.balancer.leader).toBe('m2');
    world.statuses.set('m3', statusOf('m3', { role: 'candidate', term: 9 }));
    world.run(200);
    expect(world.balancer.leader).toBe('m2');
    // A follower knows whom the others have elected before he says so himself.
    world.awake.delete('m3');
    world.statuses.set('m2', statusOf('m2', { role: 'follower', term: 3 }));
    world.run(100);
    expect(world.balancer.leader).toBeUndefined();
    world.statuses.set('m1', statusOf('m1', { role: 'follower', term: 4, leader: 'm3' }));
    world.run(200);
    expect(world.balancer.leader).toBe('m3');
  });

  it('are asked again by their client: from another connection the reply goes there', () => {
    const world = led();
    world.balancer.clientOpened(2);
    world.ask(1);
    world.ask(1, {}, 2);
    expect(world.got('m1')).toEqual([1, 1]);
    world.reply('m1', 1);
    world.reply('m1', 1);
    expect(world.heard(1)).toEqual([]);
    expect(world.heard(2)).toEqual(['m1 1 ok']);
    world.balancer.clientClosed(1);
    expect(world.balancer.inFlight).toBe(0);
  });

  it('that nobody answers end after a while', () => {
    const world = led({ requestTimeoutMs: 3000 });
    world.ask(1);
    world.run(2999);
    expect(world.heard()).toEqual([]);
    world.run(1);
    expect(world.heard()).toEqual(['b 1 unavailable']);
    expect(world.balancer.inFlight).toBe(0);
  });
});

describe('requests to all', () => {
  it('go to every member that can be reached, and each reply to the client under its member', () => {
    const world = new BalancerWorld(NAMES, { mode: 'active' });
    world.run(300);
    world.ask(1);
    for (const name of NAMES) expect(world.got(name)).toEqual([1]);
    world.reply('m2', 1);
    world.reply('m1', 1, 'refused');
    world.reply('m2', 1);
    expect(world.heard()).toEqual(['m2 1 ok', 'm1 1 refused']);
    expect(world.balancer.inFlight).toBe(1);
    world.leave('m3');
    expect(world.balancer.inFlight).toBe(0);
    expect(world.heard()).toEqual([]);
  });

  it('reach a member that comes back, and are refused when there is none', () => {
    const world = new BalancerWorld(NAMES, { mode: 'active' });
    world.run(300);
    world.leave('m3');
    world.ask(1);
    world.join('m3');
    world.pump();
    expect(world.got('m3')).toEqual([1]);
    for (const name of NAMES) world.leave(name);
    expect(world.heard()).toEqual(['b 1 unavailable']);
    world.ask(2);
    expect(world.heard()).toEqual(['b 2 unavailable']);
  });

  it('are given up for newer ones when one member is slow, and refused when all are', () => {
    const world = new BalancerWorld(NAMES, { mode: 'active', maxInFlight: 2 });
    world.run(300);
    world.ask(1);
    world.ask(2);
    world.ask(3);
    expect(world.heard()).toEqual(['b 3 unavailable']);
    world.reply('m1', 1);
    world.ask(4);
    expect(world.heard()).toEqual(['m1 1 ok']);
    expect(world.balancer.counters).toMatchObject({ evicted: 1, refusedFull: 1 });
    world.reply('m2', 1);
    expect(world.balancer.counters.lateReplies).toBe(1);
  });

  it('hold no more bytes than allowed', () => {
    const world = new BalancerWorld(NAMES, { mode: 'active', maxBytes: 100 });
    world.run(300);
    world.ask(1, { operation: new Uint8Array(60) });
    world.ask(2, { operation: new Uint8Array(60) });
    expect(world.heard()).toEqual(['b 2 unavailable']);
    for (const name of NAMES) world.reply(name, 1);
    world.ask(3, { operation: new Uint8Array(60) });
    expect(world.heard()).toEqual(['m1 1 ok', 'm2 1 ok', 'm3 1 ok']);
  });
});

describe('stale reads', () => {
  it('go to the member with the fewest requests outstanding, in turn among equals, and elsewhere if it fails', () => {
    const world = led();
    for (let serial = 1; serial <= 6; serial++) world.ask(serial, { isStale: true });
    expect(NAMES.map((name) => world.got(name).length)).toEqual([2, 2, 2]);
    for (const [serial, name] of [[1, 'm1'], [2, 'm2'], [3, 'm3'], [4, 'm1'], [5, 'm2'], [6, 'm3']] as const) world.reply(name, serial);
    const answered = world.heard().length;
    for (let serial = 11; serial <= 16; serial++) world.ask(serial, { isStale: true });
    const ofSecond = world.got('m2');
    for (const serial of ofSecond) world.reply('m2', serial);
    for (let serial = 21; serial <= 22; serial++) world.ask(serial, { isStale: true });
    expect(world.got('m2')).toEqual([21, 22]);
    for (const name of NAMES) {
      const serials = [...world.got(name), ...(name === 'm2' ? [21, 22] : [])];
      for (const serial of serials) world.reply(name, serial);
    }
    world.ask(7, { isStale: true });
    const asked = NAMES.find((name) => world.arrived.get(name)!.length > 0)!;
    world.leave(asked);
    expect(NAMES.filter((name) => name !== asked).flatMap((name) => world.got(name))).toEqual([7]);
    expect(answered).toBe(6);
  });

  it('avoid a suspected member, and try another one when a member cannot say', () => {
    const world = led();
    world.awake.delete('m2');
    world.run(600);
    expect(world.state('m2')).toBe('suspect');
    for (let serial = 1; serial <= 4; serial++) world.ask(serial, { isStale: true });
    world.awake.add('m2');
    world.pump();
    expect(world.got('m2')).toEqual([]);
    const [first] = ['m1', 'm3'].filter((name) => world.arrived.get(name)!.some(({ serial }) => serial === 4));
    for (const name of ['m1', 'm3']) world.got(name);
    world.reply(first!, 4, 'unavailable');
    expect(world.got(first === 'm1' ? 'm3' : 'm1')).toEqual([4]);
    world.reply(first === 'm1' ? 'm3' : 'm1', 4, 'unavailable');
    world.reply('m2', 4, 'unavailable');
    expect(world.heard()).toEqual(['b 4 unavailable']);
  });
});

describe('health and replacement', () => {
  it('a silent member is suspected, then down; back again it has to answer more than once', () => {
    const world = led();
    expect(NAMES.map((name) => world.state(name))).toEqual(['healthy', 'healthy', 'healthy']);
    world.awake.delete('m2');
    world.run(600);
    expect(world.state('m2')).toBe('suspect');
    world.run(800);
    expect(world.state('m2')).toBe('down');
    world.awake.add('m2');
    world.pump();
    expect(world.state('m2')).toBe('suspect');
    world.run(250);
    expect(world.state('m2')).toBe('healthy');
    expect(world.balancer.report(world.now).members[1]).toMatchObject({ falseSuspicions: 1, isConnected: true });
  });

  it('a member that is down for long is handed out, and again while it stays so, since a replacement may fail', () => {
    const world = led({ replaceAfterMs: 2000 });
    world.leave('m2');
    world.run(3000);
    expect(world.balancer.nextFailure()).toBeUndefined();
    world.run(400);
    expect(world.balancer.nextFailure()).toMatchObject({ name: 'm2', address: 'm2:1', id: 'm2' });
    world.run(1500);
    expect(world.balancer.nextFailure()).toBeUndefined();
    world.run(500);
    expect(world.balancer.nextFailure()).toMatchObject({ name: 'm2', downForMs: 4000 });
    world.run(20_000);
    expect([world.balancer.nextFailure()?.downForMs, world.balancer.nextFailure()?.downForMs, world.balancer.nextFailure()]).toEqual([8000, 16_000, undefined]);
    world.join('m2');
    world.run(20_000);
    expect(world.balancer.nextFailure()).toBeUndefined();
    world.leave('m2');
    world.run(5000);
    expect(world.balancer.nextFailure()).toMatchObject({ name: 'm2', downForMs: 2000 });
  });

  it('a member that has failed for good is handed out, though it answers', () => {
    const world = led({ replaceAfterMs: 2000 });
    world.statuses.set('m2', statusOf('m2', { role: 'failed', problem: 'EIO' }));
    world.run(1900);
    expect(world.balancer.nextFailure()).toBeUndefined();
    world.run(400);
    expect(world.balancer.nextFailure()).toMatchObject({ name: 'm2' });
    // One that is only not ready is given time, however long that takes.
    world.statuses.set('m3', statusOf('m3', { role: 'learner', problem: 'it catches up' }));
    world.statuses.set('m2', statusOf('m2'));
    world.run(20_000);
    expect(world.balancer.nextFailure()).toBeUndefined();
  });

  it('where one survivor is enough, it is believed when it says that it goes on without the others', () => {
    const world = new BalancerWorld(['m1', 'm2'], { mode: 'primary-backup', replaceAfterMs: 1000 });
    const members = ['m1', 'm2'].map((id) => ({ id, address: `${id}:1`, isVoter: true }));
    world.statuses.set('m1', statusOf('m1', { role: 'primary', members }));
    world.leave('m2');
    world.run(10_000);
    expect(world.balancer.nextFailure()).toBeUndefined();
    world.statuses.set('m1', statusOf('m1', { role: 'primary', term: 2, members: members.slice(0, 1) }));
    world.run(500);
    expect(world.balancer.nextFailure()).toMatchObject({ name: 'm2' });
  });

  it('a member that does not let the balancer in is down, and the report says why', () => {
    const world = led();
    world.leave('m2');
    world.balancer.refused('m2', 'cluster "a" instead of "b"');
    world.run(5000);
    expect(world.balancer.report(world.now).members[1]).toMatchObject({ state: 'down', problem: 'cluster "a" instead of "b"' });
    world.join('m2');
    expect(world.balancer.report(world.now).members[1]!.problem).toBeUndefined();
  });

  it('one that is not heard from the beginning has as much time as one that falls silent', () => {
    const world = led({ replaceAfterMs: 100 });
    world.balancer.addTarget('m4', 'm4:1', world.now);
    world.run(1200);
    expect(world.balancer.nextFailure()).toBeUndefined();
    world.run(200);
    expect(world.balancer.nextFailure()).toMatchObject({ name: 'm4' });
  });

  it('when most are down it is this balancer that is cut off: nobody is replaced', () => {
    const world = led({ replaceAfterMs: 1000 });
    world.leave('m1');
    world.leave('m2');
    world.run(10_000);
    expect(world.balancer.nextFailure()).toBeUndefined();
    expect(world.balancer.counters.failuresHeldBack).toBeGreaterThan(0);
    world.join('m1');
    world.run(2000);
    expect(world.balancer.nextFailure()).toMatchObject({ name: 'm2' });
  });

  it('a replacement takes the place of the one that failed', () => {
    const world = led();
    world.leave('m2');
    world.balancer.removeTarget('m2', world.now);
    world.balancer.addTarget('m4', 'm4:1', world.now);
    world.join('m4');
    world.run(500);
    expect(world.balancer.report(world.now).members.map(({ name, state }) => [name, state])).toEqual([['m1', 'healthy'], ['m3', 'healthy'], ['m4', 'healthy']]);
    expect(() => world.balancer.addTarget('m4', 'm4:1', world.now)).toThrow(RangeError);
  });

  it('a status that makes no sense is counted, and no sign of health', () => {
    const world = new BalancerWorld(['m1']);
    for (const json of ['', '{', '[]', '{}', JSON.stringify({ ...statusOf('m1'), term: -1 }), JSON.stringify({ ...statusOf('m1'), role: 'king' })]) {
      world.balancer.fromMember('m1', { kind: 'status', json }, world.now);
    }
    world.balancer.fromMember('nobody', { kind: 'status', json: '' }, world.now);
    expect(world.balancer.counters).toMatchObject({ malformedStatuses: 6, strayMessages: 1 });
  });

  it('a member that says it cannot serve is suspect, not down', () => {
    const world = led();
    world.statuses.set('m3', statusOf('m3', { problem: 'its log is damaged' }));
    world.run(5000);
    expect(world.state('m3')).toBe('suspect');
    expect(world.balancer.report(world.now)).toMatchObject({ health: { members: 3, serving: 2, sparesLeft: 0 } });
  });
});

describe('the report', () => {
  it('says who lives, lags and leads, and how many spares are left', () => {
    const world = led();
    const members = NAMES.map((name) => ({ id: name, address: `${name}:1`, isVoter: true }));
    world.statuses.set('m1', statusOf('m1', { role: 'leader', term: 2, commitIndex: 9, appliedIndex: 9, members }));
    world.statuses.set('m3', statusOf('m3', { term: 2, commitIndex: 7, appliedIndex: 6, members }));
    world.leave('m2');
    world.run(5000);
    world.ask(1);
    const report = world.balancer.report(world.now);
    expect(report).toMatchObject({ name: 'b', mode: 'raft', leader: 'm1', term: 2, health: { members: 3, serving: 2, sparesLeft: 0, differences: [] }, inFlight: 1, waiting: 0 });
    expect(report.members.map(({ name, state, lag, outstanding }) => [name, state, lag, outstanding])).toEqual([['m1', 'healthy', 0, 1], ['m2', 'down', 4, 0], ['m3', 'healthy', 3, 0]]);
    world.balancer.fromClient(1, { kind: 'status-request' }, world.now);
    expect((JSON.parse(world.heard()[0]!) as BalancerReport).leader).toBe('m1');
  });

  it('of a primary-backup group: all but one may stop', () => {
    const world = new BalancerWorld(NAMES, { mode: 'primary-backup' });
    world.run(500);
    expect(world.balancer.report(world.now).health.sparesLeft).toBe(2);
  });
});

describe('a reply in the name of another', () => {
  it('is no vote: who lies has one, however many names it says', () => {
    const world = new BalancerWorld(NAMES, { mode: 'active' });
    world.run(500);
    world.ask(1);
    const forged = { kind: 'reply' as const, memberId: 'm2', clientId: 'c', serial: 1, reply: { status: 'ok' as const, offset: 0, digest: new Uint8Array(0), body: new Uint8Array([1]) } };
    world.balancer.fromMember('m1', forged, world.now);
    expect(world.heard()).toEqual([]);
    expect(world.balancer.counters.strayMessages).toBe(1);
    world.balancer.fromMember('m2', forged, world.now);
    expect(world.heard()).toEqual(['m2 1 ok']);
  });
});

describe('clients', () => {
  it('that disconnect free everything; those that take no replies are heard no more; too many are refused', () => {
    const world = led({ maxClients: 2 });
    expect(world.balancer.clientOpened(2)).toBe(true);
    expect(world.balancer.clientOpened(3)).toBe(false);
    world.ask(1, {}, 3);
    expect(world.balancer.counters.strayMessages).toBe(1);
    world.ask(1);
    world.balancer.clientClosed(1);
    expect(world.balancer.inFlight).toBe(0);
    expect(world.balancer.report(world.now).members[0]!.outstanding).toBe(0);
    world.reply('m1', 1);
    expect(world.balancer.counters.lateReplies).toBe(1);
    for (let serial = 1; serial <= 1100; serial++) {
      world.balancer.fromClient(2, request(serial, { clientId: 'd' }), world.now);
      world.pump();
      world.reply('m1', serial, 'ok', '', 'd');
    }
    expect(world.balancer.wantsInput(2)).toBe(false);
    expect(world.heard(2)).toHaveLength(1100);
    expect(world.balancer.wantsInput(2)).toBe(true);
    expect(world.balancer.wantsInput(1)).toBe(false);
  });
});
