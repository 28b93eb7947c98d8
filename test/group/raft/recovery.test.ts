import { describe, expect, it } from 'vitest';

import { LOG } from '../../../src/group/disk-storage.ts';
import { encodeRaftMessage } from '../../../src/group/raft/raft-message.ts';
import { CorruptLogError } from '../../../src/group/storage.ts';
import { Cluster } from './cluster.ts';
import { checkTrace } from './invariants.ts';

function permutations(items: readonly string[]): string[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));
}

/** A group of three in which `count` appends were answered, each with a snapshot now and then. */
function filled(count: number, seed = 1): { cluster: Cluster; client: string } {
  const cluster = new Cluster({ size: 3, seed, config: { snapshotBytes: 3000, keptEntries: 5 } });
  const client = cluster.open();
  for (let serial = 1; serial <= count; serial++) {
    cluster.propose(cluster.leader()!, { clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
    cluster.run(30);
  }
  return { cluster, client };
}

function acknowledged(cluster: Cluster, client: string): number {
  return Math.max(0, ...cluster.replies.filter(({ clientId, reply }) => clientId === client && reply.status === 'ok').map(({ serial }) => serial));
}

describe('a group that was killed', () => {
  it.each(permutations(['m1', 'm2', 'm3']))('all at once, by power failure, and started in the order %s, %s, %s: every answered write is there', (...order) => {
    const { cluster, client } = filled(60);
    // In the middle of something.
    cluster.propose(cluster.leader()!, { clientId: client, serial: 61, acknowledged: 60, text: '+61' });
    cluster.run(7);
    const answered = acknowledged(cluster, client);
    for (const id of ['m1', 'm2', 'm3']) cluster.crash(id);
    for (const id of order as string[]) {
      cluster.start(id);
      cluster.run(3000);
    }
    const leader = cluster.elect();
    cluster.run(3000);
    const { items } = cluster.node(leader).machine;
    expect(items.slice(0, answered)).toEqual(Array.from({ length: answered }, (_, i) => String(i + 1)));
    expect(answered).toBeGreaterThanOrEqual(60);
    // Exactly once survives, too: the sessions are in snapshots and log.
    cluster.propose(leader, { clientId: client, serial: 60, acknowledged: 59, text: '+60' });
    cluster.run(1000);
    expect(cluster.node(leader).machine.items.filter((item) => item === '60').length).toBe(1);
    checkTrace(cluster.events.map(({ event }) => event));
  });

  it('one of three serves nothing, and says so', () => {
    const { cluster } = filled(10);
    for (const id of ['m1', 'm2', 'm3']) cluster.crash(id);
    cluster.start('m2');
    cluster.run(10_000);
    expect(cluster.leader()).toBeUndefined();
    cluster.propose('m2', { clientId: 'x', serial: 1, text: '+x' });
    cluster.run(10);
    expect(cluster.replies.at(-1)!.reply.status).toBe('not-leader');
  });

  it('a member without its disk is no member: the others do not hear it', () => {
    const { cluster } = filled(10);
    const other = [...cluster.nodes.keys()].find((id) => id !== cluster.leader())!;
    cluster.crash(other);
    cluster.node(other).disk.wipe();
    // It would come with a new identity; a process that lies about that is what ids of one life are for.
    expect(cluster.node(other).disk.files).toEqual([]);
  });
});

describe('snapshots of its own', () => {
  it.each([false, true])('are as far apart as the state is large (after a restart: %s)', (restarts) => {
    const cluster = new Cluster({ size: 1, config: { snapshotBytes: 3000, keptEntries: 5 } });
    const client = cluster.open();
    let serial = 0;
    const write = (count: number): void => {
      for (let i = 0; i < count; i++) {
        serial++;
        cluster.propose('m1', { clientId: client, serial, acknowledged: serial - 1, text: `+${'x'.repeat(300)}` });
        cluster.run(10);
      }
    };
    const taken = (): number => cluster.replica('m1').status().counters['snapshotsTaken']!;
    // The state grows to 20 times the threshold, and then until a snapshot has just been taken.
    write(200);
    for (const before = taken(); taken() === before; ) write(1);
    write(2);
    if (restarts) {
      cluster.crash('m1');
      cluster.start('m1');
      cluster.elect();
    }
    const before = taken();
    // Three times the threshold, and far less than the state.
    write(30);
    expect(taken()).toBe(before);
    write(500);
    expect(taken()).toBeGreaterThan(before);
  });
});

describe('a damaged disk', () => {
  /** Flips a bit in the last record of a follower's log. */
  function damage(cluster: Cluster, id: string, fromEnd: number): void {
    const { disk } = cluster.node(id);
    disk.flip(LOG.file, disk.read(LOG.file)!.length - fromEnd, 0);
  }

  it('a complete last record with a bad CRC: the member does not vote before it has caught up', () => {
    const { cluster } = filled(20);
    cluster.run(3000);
    const [follower, third] = [...cluster.nodes.keys()].filter((id) => id !== cluster.leader());
    const leader = cluster.leader()!;
    cluster.crash(follower!);
    damage(cluster, follower!, 3);
    cluster.crash(leader);
    cluster.start(follower!);
    // The third and the damaged one would be a majority; but the damaged one may have lost what a majority was told.
    cluster.run(20_000);
    expect(cluster.leader()).toBeUndefined();
    expect(cluster.replica(follower!).status().problem).toMatch(/does not vote/);
    cluster.start(leader);
    cluster.run(10_000);
    expect(cluster.leader()).toBeDefined();
    expect(cluster.replica(follower!).status().problem).toBeUndefined();
    // It votes again: with the third alone there is a leader.
    cluster.crash(leader);
    expect(cluster.run(20_000, () => cluster.leader() !== undefined)).toBe(true);
    expect([follower, third]).toContain(cluster.leader());
    checkTrace(cluster.events.map(({ event }) => event));
  });

  it('what its leader had said before the damage, and comes late, proves nothing', () => {
    const cluster = new Cluster({ size: 3 });
    const client = cluster.open();
    const leader = cluster.leader()!;
    const [follower, third] = [...cluster.nodes.keys()].filter((id) => id !== leader) as [string, string];
    let late: Uint8Array | undefined;
    cluster.fate = ({ to, body }, message) => {
      if (to === follower && message?.kind === 'append' && message.entries.length === 0) late = body;
      return to === third ? 0 : 1;
    };
    cluster.run(400);
    const before = late!;
    // Only the leader and this follower have it; the follower's disk loses it.
    cluster.propose(leader, { clientId: client, serial: 1, text: '+a' });
    cluster.run(100);
    expect(acknowledged(cluster, client)).toBe(1);
    cluster.crash(follower);
    damage(cluster, follower, 3);
    cluster.crash(leader);
    cluster.start(follower);
    cluster.replica(follower).step(leader, before, cluster.now);
    cluster.fate = () => 1;
    cluster.run(20_000);
    expect(cluster.replica(follower).status().problem).toMatch(/does not vote/);
    expect(cluster.leader()).toBeUndefined();
    cluster.start(leader);
    cluster.run(10_000, () => cluster.leader() !== undefined);
    cluster.run(2000);
    expect([...cluster.nodes.values()].map(({ machine }) => machine.items)).toEqual([['a'], ['a'], ['a']]);
    checkTrace(cluster.events.map(({ event }) => event));
  });

  it('a vote that was the last record is forgotten; its term is not, and nobody else gets it', () => {
    const cluster = new Cluster({ size: 3 });
    cluster.fate = () => 0;
    const ask = (from: string): void => cluster.replica('m1').step(from, encodeRaftMessage({ kind: 'vote', term: 9, lastIndex: 0, lastTerm: 0 }), cluster.now);
    ask('m2');
    cluster.run(100);
    cluster.crash('m1', false);
    damage(cluster, 'm1', 3);
    cluster.start('m1');
    expect(cluster.replica('m1').status()).toMatchObject({ term: 9, problem: expect.stringMatching(/does not vote/) });
    ask('m3');
    cluster.run(100);
    const votes = cluster.events.filter(({ event }) => event.type === 'vote' && event['member'] === 'm1' && event['term'] === 9);
    expect(votes.map(({ event }) => event['candidate'])).toEqual(['m2']);
  });

  it('that it has caught up outlives another crash', () => {
    const { cluster } = filled(20);
    cluster.run(3000);
    const follower = [...cluster.nodes.keys()].find((id) => id !== cluster.leader())!;
    cluster.crash(follower);
    damage(cluster, follower, 3);
    cluster.start(follower);
    cluster.run(5000);
    cluster.crash(follower);
    cluster.start(follower);
    expect(cluster.replica(follower).status().problem).toBeUndefined();
  });

  it('a bad byte in the middle is refused, with file and offset', () => {
    const { cluster } = filled(20);
    cluster.run(3000);
    const follower = [...cluster.nodes.keys()].find((id) => id !== cluster.leader())!;
    cluster.crash(follower);
    damage(cluster, follower, 300);
    expect(() => cluster.start(follower)).toThrow(CorruptLogError);
    expect(() => cluster.start(follower)).toThrow(/^log, offset \d+: /);
  });

  it('a disk that fails takes its member out, loudly; the others go on', () => {
    const { cluster, client } = filled(5);
    const leader = cluster.leader()!;
    cluster.node(leader).disk.fail('EIO');
    cluster.propose(leader, { clientId: client, serial: 6, acknowledged: 5, text: '+6' });
    cluster.run(100);
    expect(cluster.replica(leader).status()).toMatchObject({ role: 'failed', problem: expect.stringMatching(/EIO/) });
    expect(cluster.run(20_000, () => cluster.leader() !== undefined)).toBe(true);
    cluster.propose(cluster.leader()!, { clientId: client, serial: 6, acknowledged: 5, text: '+6' });
    cluster.run(2000);
    expect(acknowledged(cluster, client)).toBe(6);
    expect(cluster.node(cluster.leader()!).machine.items).toEqual(['1', '2', '3', '4', '5', '6']);
  });
});
