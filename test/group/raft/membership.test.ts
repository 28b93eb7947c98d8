import { describe, expect, it } from 'vitest';

import { peer } from '../replica-cluster.ts';
import { Cluster } from './cluster.ts';
import { checkTrace } from './invariants.ts';

function fill(cluster: Cluster, client: string, from: number, to: number): void {
  for (let serial = from; serial <= to; serial++) {
    cluster.propose(cluster.leader()!, { clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
    cluster.run(20);
  }
}

function voters(cluster: Cluster): string[] {
  return cluster.replica(cluster.leader()!).status().members.filter(({ isVoter }) => isVoter).map(({ id }) => id);
}

describe('members come and go', () => {
  it('a new one learns first, and votes when it has caught up', () => {
    const cluster = new Cluster({ size: 3, joiners: 1 });
    const client = cluster.open();
    fill(cluster, client, 1, 20);
    const leader = cluster.replica(cluster.leader()!);
    expect(cluster.replica('m4').status()).toMatchObject({ role: 'learner', members: [] });
    expect(leader.addMember(peer(4), cluster.now)).toBe('the change is on its way');
    expect(leader.status().members.find(({ id }) => id === 'm4')?.isVoter).toBe(false);
    cluster.run(2000);
    expect(voters(cluster)).toEqual(['m1', 'm2', 'm3', 'm4']);
    expect(cluster.node('m4').machine.items.length).toBe(20);
    expect(cluster.replica('m4').status()).toMatchObject({ role: 'follower', problem: undefined });
  });

  it('by a snapshot, when the log does not reach back, while writes go on and messages are lost', () => {
    const cluster = new Cluster({ size: 3, joiners: 1, config: { snapshotBytes: 2000, keptEntries: 2 } });
    const client = cluster.open();
    fill(cluster, client, 1, 100);
    cluster.run(500);
    cluster.fate = () => (cluster.random.chance(0.1) ? 0 : 1);
    expect(cluster.replica(cluster.leader()!).addMember(peer(4), cluster.now)).toBe('the change is on its way');
    fill(cluster, client, 101, 200);
    cluster.fate = () => 1;
    cluster.run(5000);
    expect(voters(cluster)).toContain('m4');
    expect(cluster.node('m4').machine.items).toEqual(Array.from({ length: 200 }, (_, i) => String(i + 1)));
    expect(cluster.replica('m4').status().counters['snapshotsReceived']).toBeGreaterThan(0);
    checkTrace(cluster.events.map(({ event }) => event));
  });

  /** m4 is far away from the others. */
  const far = (_random: unknown, { from, to }: { readonly from: string; readonly to: string }): number => (from === 'm4' || to === 'm4' ? 30 : 1);

  it('far away, while writes never pause: it is always a little behind, and gets its vote', () => {
    const cluster = new Cluster({ size: 3, joiners: 1, delayMs: far });
    const client = cluster.open();
    const leader = cluster.replica(cluster.leader()!);
    leader.addMember(peer(4), cluster.now);
    let least = Infinity;
    for (let serial = 1; serial <= 1500; serial++) {
      cluster.propose(cluster.leader()!, { clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
      cluster.run(2);
      if (serial > 100) least = Math.min(least, leader.status().counters['lag m4']!);
    }
    expect(least).toBeGreaterThan(0);
    expect(voters(cluster)).toContain('m4');
  });

  it('far away, while the log is compacted all the time: one snapshot is enough', () => {
    const cluster = new Cluster({ size: 3, joiners: 1, delayMs: far, config: { snapshotBytes: 2000, keptEntries: 2 } });
    const client = cluster.open();
    const write = (from: number, to: number): void => {
      for (let serial = from; serial <= to; serial++) {
        cluster.propose(cluster.leader()!, { clientId: client, serial, acknowledged: serial - 1, text: `+${'y'.repeat(200)}` });
        cluster.run(3);
      }
    };
    write(1, 300);
    const leader = cluster.replica(cluster.leader()!);
    const { snapshotsTaken } = leader.status().counters;
    leader.addMember(peer(4), cluster.now);
    write(301, 2000);
    const { counters } = leader.status();
    expect(counters['snapshotsTaken']! - snapshotsTaken!).toBeGreaterThan(2);
    expect(counters['snapshotsSent']).toBe(1);
    expect(voters(cluster)).toContain('m4');
  });

  it.each(['m4', 'leader'])('%s falls in the middle of a snapshot\'s transfer: it begins anew, and is not mixed', (who) => {
    const cluster = new Cluster({ size: 3, joiners: 1, config: { snapshotBytes: 2000, keptEntries: 2 }, delayMs: (random) => random.exponential(5) });
    const client = cluster.open();
    fill(cluster, client, 1, 150);
    let chunks = 0;
    cluster.fate = (_flight, message) => {
      if (message?.kind === 'chunk') chunks++;
      return cluster.random.chance(0.2) ? 0 : 1;
    };
    cluster.replica(cluster.leader()!).addMember(peer(4), cluster.now);
    expect(cluster.run(5000, () => chunks > 60)).toBe(true);
    expect(cluster.node('m4').machine.items).toEqual([]);
    const victim = who === 'leader' ? cluster.leader()! : who;
    cluster.crash(victim);
    cluster.start(victim);
    cluster.run(3000);
    cluster.fate = () => 1;
    const leader = cluster.elect();
    fill(cluster, client, 151, 155);
    expect(cluster.run(5000, () => voters(cluster).includes('m4'))).toBe(true);
    cluster.run(1000);
    expect(cluster.node('m4').machine.items).toEqual(Array.from({ length: 155 }, (_, i) => String(i + 1)));
    expect(cluster.replica('m4').status().digest).toBe(cluster.replica(leader).status().digest);
    checkTrace(cluster.events.map(({ event }) => event));
  });

  it('a learner that does not catch up gets no vote, and holds nobody up', () => {
    const cluster = new Cluster({ size: 3, joiners: 1 });
    const client = cluster.open();
    cluster.fate = ({ from, to }) => (from === 'm4' || to === 'm4' ? 0 : 1);
    cluster.replica(cluster.leader()!).addMember(peer(4), cluster.now);
    fill(cluster, client, 1, 10);
    cluster.run(5000);
    expect(voters(cluster)).toEqual(['m1', 'm2', 'm3']);
    expect(cluster.replies.filter(({ reply }) => reply.status === 'ok').length).toBeGreaterThanOrEqual(10);
  });

  it('one at a time, and not before the leader knows what is committed', () => {
    const cluster = new Cluster({ size: 3, joiners: 2 });
    cluster.elect();
    const leader = cluster.replica(cluster.leader()!);
    cluster.fate = () => 0;
    expect(leader.addMember(peer(4), cluster.now)).toBe('the change is on its way');
    expect(leader.addMember(peer(5), cluster.now)).toMatch(/another change/);
    expect(leader.addMember(peer(4), cluster.now)).toBe('the change is on its way');
    const follower = [...cluster.nodes.values()].find(({ replica }) => replica!.status().role === 'follower')!;
    expect(follower.replica!.addMember(peer(5), cluster.now)).toMatch(/does not lead/);
    expect([leader, follower.replica!].map((replica) => replica.status().counters['refusedChanges'])).toEqual([1, 1]);
  });

  it('none while a new leader does not know what is committed', () => {
    const cluster = new Cluster({ size: 3, joiners: 1 });
    cluster.crash(cluster.elect());
    cluster.run(10_000, () => cluster.leader() !== undefined);
    const leader = cluster.replica(cluster.leader()!);
    cluster.fate = (_flight, message) => (message?.kind === 'append' && message.entries.length > 0 ? 0 : 1);
    cluster.run(300);
    expect(leader.addMember(peer(4), cluster.now)).toMatch(/leader is new/);
    cluster.fate = () => 1;
    cluster.run(300);
    expect(leader.addMember(peer(4), cluster.now)).toBe('the change is on its way');
  });

  it('a change that was not committed is undone with its entry', () => {
    const cluster = new Cluster({ size: 3, joiners: 1 });
    cluster.elect();
    const leader = cluster.leader()!;
    cluster.fate = ({ from, to }) => ((from === leader) === (to === leader) ? 1 : 0);
    cluster.replica(leader).addMember(peer(4), cluster.now);
    cluster.run(50);
    expect(cluster.replica(leader).status().members.length).toBe(4);
    cluster.run(5000);
    cluster.fate = () => 1;
    cluster.run(3000);
    expect([...cluster.nodes].filter(([id]) => id !== 'm4').map(([, { replica }]) => replica!.status().members.length)).toEqual([3, 3, 3]);
  });

  it('one that is removed does not disturb the others', () => {
    const cluster = new Cluster({ size: 4 });
    cluster.elect();
    const leader = cluster.leader()!;
    const other = ['m1', 'm2', 'm3', 'm4'].find((id) => id !== leader)!;
    expect(cluster.replica(leader).removeMember(other, cluster.now)).toBe('the change is on its way');
    cluster.run(30_000);
    expect(cluster.replica(leader).removeMember(other, cluster.now)).toBeUndefined();
    expect(voters(cluster)).not.toContain(other);
    expect([cluster.leader(), cluster.replica(leader).status().term]).toEqual([leader, 1]);
  });

  it('one that is removed and never hears of it, either', () => {
    const cluster = new Cluster({ size: 4 });
    const client = cluster.open();
    const leader = cluster.leader()!;
    const other = ['m1', 'm2', 'm3', 'm4'].find((id) => id !== leader)!;
    const { term } = cluster.replica(leader).status();
    cluster.fate = ({ from, to }) => (from === other || to === other ? 0 : 1);
    cluster.run(3000);
    expect(cluster.replica(leader).removeMember(other, cluster.now)).toBe('the change is on its way');
    cluster.run(1000);
    // It can be heard again, still believes in its vote, and asks for others'.
    cluster.fate = () => 1;
    fill(cluster, client, 1, 10);
    cluster.run(30_000);
    expect(cluster.replica(other).status().counters['preVotes']).toBeGreaterThan(5);
    expect([cluster.leader(), cluster.replica(leader).status().term]).toEqual([leader, term]);
    // Not even when there is no leader: what was committed without it, it has not.
    cluster.crash(leader);
    cluster.run(20_000);
    expect(cluster.leader()).toBeDefined();
    expect(cluster.leader()).not.toBe(other);
    checkTrace(cluster.events.map(({ event }) => event));
  });

  it('a leader that removes itself goes when that is committed, and the others go on', () => {
    const cluster = new Cluster({ size: 3 });
    const client = cluster.open();
    const leader = cluster.leader()!;
    expect(cluster.replica(leader).removeMember(leader, cluster.now)).toBe('the change is on its way');
    cluster.run(1000);
    expect(cluster.replica(leader).status().role).not.toBe('leader');
    cluster.run(10_000, () => cluster.leader() !== undefined);
    expect(cluster.leader()).not.toBe(leader);
    fill(cluster, client, 1, 3);
    expect(cluster.node(cluster.leader()!).machine.items).toEqual(['1', '2', '3']);
  });

  it('the last voter stays', () => {
    const cluster = new Cluster({ size: 1 });
    cluster.elect();
    expect(cluster.replica('m1').removeMember('m1', cluster.now)).toMatch(/nobody would be left/);
  });
});
