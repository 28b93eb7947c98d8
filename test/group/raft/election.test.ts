import { describe, expect, it } from 'vitest';

import { encodeRaftMessage } from '../../../src/group/raft/raft-message.ts';
import { Cluster } from './cluster.ts';
import { checkTrace } from './invariants.ts';

/** Nothing gets through between the two sides. */
function cut(cluster: Cluster, ...side: string[]): void {
  cluster.fate = ({ from, to }) => (side.includes(from) === side.includes(to) ? 1 : 0);
}

function terms(cluster: Cluster): number[] {
  return [...cluster.nodes.values()].map(({ replica }) => replica!.status().term);
}

describe('elections', () => {
  it.each([1, 2, 3, 5, 7])('%i members elect one leader, and keep it', (size) => {
    const cluster = new Cluster({ size });
    const leader = cluster.elect();
    cluster.run(30_000);
    expect(cluster.leader()).toBe(leader);
    expect(new Set(terms(cluster))).toEqual(new Set([1]));
    const roles = [...cluster.nodes.values()].map(({ replica }) => replica!.status().role);
    expect(roles.filter((role) => role === 'leader').length).toBe(1);
  });

  it('when the leader crashes, another takes over in less than three election timeouts', () => {
    const cluster = new Cluster({ size: 3 });
    const first = cluster.elect();
    cluster.crash(first);
    const at = cluster.now;
    cluster.run(10_000, () => cluster.leader() !== undefined);
    expect(cluster.leader()).not.toBe(first);
    expect(cluster.now - at).toBeLessThan(3000);
  });

  it('a majority is needed: two of five elect nobody, and do not count up terms', () => {
    const cluster = new Cluster({ size: 5 });
    cluster.elect();
    for (const id of ['m1', 'm2', 'm3']) cluster.crash(id);
    cluster.run(60_000);
    expect(cluster.leader()).toBeUndefined();
    // Pre-vote: nobody has begun a term that nobody can win.
    expect(cluster.replica('m4').status().term).toBe(1);
  });

  it('a member that was cut off comes back without deposing anybody (pre-vote)', () => {
    const cluster = new Cluster({ size: 3 });
    const leader = cluster.elect();
    const other = ['m1', 'm2', 'm3'].find((id) => id !== leader)!;
    cut(cluster, other);
    cluster.run(30_000);
    cluster.fate = () => 1;
    cluster.run(10_000);
    expect(cluster.leader()).toBe(leader);
    expect(terms(cluster)).toEqual([1, 1, 1]);
  });

  it('whoever hears a leader gives no voice to one that does not, and its term is not taken over (Ongaro 2014, section 4.2.3)', () => {
    const cluster = new Cluster({ size: 3 });
    const leader = cluster.elect();
    const [follower, deaf] = ['m1', 'm2', 'm3'].filter((id) => id !== leader) as [string, string];
    // Its log is as good as theirs, and everything that it says is heard.
    cluster.fate = ({ from, to }) => (from === leader && to === deaf ? 0 : 1);
    cluster.run(20_000);
    expect(cluster.replica(deaf).status().counters['preVotes']).toBeGreaterThan(3);
    expect([cluster.leader(), ...terms(cluster)]).toEqual([leader, 1, 1, 1]);
    for (const id of [leader, follower]) cluster.replica(id).step(deaf, encodeRaftMessage({ kind: 'vote', term: 50, lastIndex: 100, lastTerm: 1 }), cluster.now);
    cluster.run(1000);
    expect([cluster.leader(), ...terms(cluster)]).toEqual([leader, 1, 1, 1]);
  });

  it('a leader that is cut off steps down in two election timeouts (check of the quorum)', () => {
    const cluster = new Cluster({ size: 3 });
    const leader = cluster.elect();
    cut(cluster, leader);
    cluster.run(2100);
    expect(cluster.replica(leader).status().role).not.toBe('leader');
    expect(cluster.run(5000, () => cluster.leader() !== undefined)).toBe(true);
    expect(cluster.leader()).not.toBe(leader);
    checkTrace(cluster.events.map(({ event }) => event));
  });

  it('a vote that comes twice is one vote', () => {
    const cluster = new Cluster({ size: 5 });
    // Only m1 is heard, and only m2 answers it: ten times.
    cluster.fate = ({ from, to }) => (from === 'm1' && to === 'm2' ? 1 : from === 'm2' && to === 'm1' ? 10 : 0);
    cluster.run(20_000);
    expect(cluster.leader()).toBeUndefined();
    expect(cluster.replica('m1').status().counters['preVotes']).toBeGreaterThan(0);
  });

  it('also in the vote itself', () => {
    const cluster = new Cluster({ size: 5 });
    // Everybody would vote for m1; but only m2's word comes, ten times.
    cluster.fate = ({ from, to }, message) => {
      if (from === 'm1') return 1;
      if (to !== 'm1' || message?.kind === 'pre-vote') return 0;
      return message?.kind !== 'vote-reply' ? 1 : from === 'm2' ? 10 : 0;
    };
    cluster.run(20_000);
    expect(cluster.leader()).toBeUndefined();
    expect(cluster.replica('m1').status().counters['elections']).toBeGreaterThan(0);
  });

  it.each([2, 3, 4, 5])('all %i at the same instant: the votes are split, and the next election is not', (size) => {
    const cluster = new Cluster({ size });
    // Longer than any election timeout: all are due at once.
    cluster.now = 2500;
    cluster.run(20_000, () => cluster.leader() !== undefined);
    const first = cluster.events.filter(({ event }) => event.type === 'vote' && event['term'] === 1);
    expect(first.map(({ event }) => event['candidate'])).toEqual(first.map(({ event }) => event['member']));
    expect(first.length).toBe(size);
    expect(cluster.replica(cluster.leader()!).status().term).toBeGreaterThan(1);
    expect(cluster.now).toBeLessThan(10_000);
  });

  it('a member votes once in a term, also when it crashed in between', () => {
    const cluster = new Cluster({ size: 3 });
    cluster.fate = () => 0;
    const ask = (from: string): void => cluster.replica('m1').step(from, encodeRaftMessage({ kind: 'vote', term: 9, lastIndex: 0, lastTerm: 0 }), cluster.now);
    ask('m2');
    cluster.run(100);
    cluster.crash('m1');
    cluster.start('m1');
    ask('m3');
    cluster.run(100);
    expect(cluster.events.filter(({ event }) => event.type === 'vote' && event['term'] === 9 && event['member'] === 'm1').map(({ event }) => event['candidate'])).toEqual(['m2']);
  });

  it('no vote for a log that is behind (section 5.4.1)', () => {
    const cluster = new Cluster({ size: 3 });
    const client = cluster.open();
    cut(cluster, 'm3');
    const leader = ['m1', 'm2'].includes(cluster.leader()!) ? cluster.leader()! : undefined;
    // The one that is cut off has missed this, and everything from here on.
    if (leader !== undefined) cluster.propose(leader, { clientId: client, serial: 1, text: '+a' });
    cluster.run(20_000, () => ['m1', 'm2'].includes(cluster.leader() ?? ''));
    const term = Math.max(...terms(cluster)) + 5;
    const before = cluster.events.length;
    cluster.fate = () => 0;
    cluster.run(1500);
    cluster.replica('m1').step('m3', encodeRaftMessage({ kind: 'vote', term, lastIndex: 1, lastTerm: 1 }), cluster.now);
    expect(cluster.events.slice(before).some(({ event }) => event.type === 'vote' && event['candidate'] === 'm3')).toBe(false);
  });

  it('one that sees only part of the others does not stop the group (Cloudflare 2020; Howard & Abraham)', () => {
    const cluster = new Cluster({ size: 5 });
    const leader = cluster.elect();
    const [a, b, c, d] = ['m1', 'm2', 'm3', 'm4', 'm5'].filter((id) => id !== leader);
    // a sees only b, c sees only d; the rest is connected.
    const pairs = [[a, leader], [a, c], [a, d], [c, leader], [c, b]].flatMap(([x, y]) => [`${x}${y}`, `${y}${x}`]);
    cluster.fate = ({ from, to }) => (pairs.includes(from + to) ? 0 : 1);
    cluster.run(20_000);
    const before = Math.max(...terms(cluster));
    cluster.run(60_000);
    expect(cluster.leader()).toBeDefined();
    expect(Math.max(...terms(cluster))).toBe(before);
  });

  /** Only these pairs see each other. */
  function connectOnly(cluster: Cluster, ...pairs: readonly (readonly [string, string])[]): void {
    cluster.fate = ({ from, to }) => (pairs.some(([a, b]) => (a === from && b === to) || (a === to && b === from)) ? 1 : 0);
  }

  it('the leader itself is the one that sees only one other (pre-vote alone would wait for ever)', () => {
    const cluster = new Cluster({ size: 5 });
    const leader = cluster.elect();
    const [a, b, c, down] = ['m1', 'm2', 'm3', 'm4', 'm5'].filter((id) => id !== leader) as [string, string, string, string];
    cluster.crash(down);
    // b goes on to hear the leader; without its voice a and c are no majority.
    connectOnly(cluster, [a, b], [b, c], [a, c], [b, leader]);
    expect(cluster.run(6000, () => [a, b, c].includes(cluster.leader() ?? ''))).toBe(true);
    const next = cluster.leader()!;
    const { term } = cluster.replica(next).status();
    cluster.run(30_000);
    expect([cluster.leader(), cluster.replica(next).status().term]).toEqual([next, term]);
  });

  it('the leader sees only one, another only a third: the three in the middle go on (check of the quorum, and pre-vote after it)', () => {
    const cluster = new Cluster({ size: 5 });
    const leader = cluster.elect();
    const [a, b, c, far] = ['m1', 'm2', 'm3', 'm4', 'm5'].filter((id) => id !== leader) as [string, string, string, string];
    connectOnly(cluster, [a, b], [b, c], [a, c], [b, leader], [c, far]);
    expect(cluster.run(6000, () => [a, b, c].includes(cluster.leader() ?? ''))).toBe(true);
    cluster.run(5000);
    const before = cluster.leader()!;
    const { term } = cluster.replica(before).status();
    cluster.run(60_000);
    expect([cluster.leader(), cluster.replica(before).status().term]).toEqual([before, term]);
    checkTrace(cluster.events.map(({ event }) => event));
  });

  it('a leader that nobody can answer gives way (half-cut link)', () => {
    const cluster = new Cluster({ size: 3 });
    const leader = cluster.elect();
    // It is heard, and hears nothing.
    cluster.fate = ({ to }) => (to === leader ? 0 : 1);
    cluster.run(10_000);
    expect(cluster.leader()).toBeDefined();
    expect(cluster.leader()).not.toBe(leader);
  });

  it('bytes that are no message are counted, and change nothing', () => {
    const cluster = new Cluster({ size: 3 });
    cluster.elect();
    const before = cluster.replica('m1').status();
    for (let i = 0; i < 500; i++) {
      const body = new Uint8Array(cluster.random.below(40)).map(() => cluster.random.below(256));
      if (body[0]! < 8) body[0] = 200;
      cluster.replica('m1').step('m2', body, cluster.now);
    }
    const after = cluster.replica('m1').status();
    expect(after.counters['strange']).toBe((before.counters['strange'] ?? 0) + 500);
    expect({ ...after, counters: {} }).toEqual({ ...before, counters: {} });
  });
});
