import { describe, expect, it } from 'vitest';

import { ByteWriter } from '../../../src/group/byte-codec.ts';
import { writeMembership } from '../../../src/group/raft/membership.ts';
import { encodeRaftMessage } from '../../../src/group/raft/raft-message.ts';
import { encodeCommand } from '../../../src/group/log-command.ts';
import { Service } from '../../../src/group/service.ts';
import { ListMachine } from '../list-machine.ts';
import { peer } from '../replica-cluster.ts';
import { Cluster } from './cluster.ts';
import { checkTrace } from './invariants.ts';

const NO_OP = encodeCommand({ kind: 'no-op' });

function answers(cluster: Cluster, client: string, serial: number): string[] {
  return cluster.replies.filter((reply) => reply.clientId === client && reply.serial === serial).map(({ reply }) => reply.status);
}

function lists(cluster: Cluster): string[] {
  return [...cluster.nodes.values()].map(({ machine }) => machine.items.join());
}

describe('the replicated log', () => {
  it('what is answered is on a majority of disks', () => {
    const cluster = new Cluster({ size: 5 });
    const client = cluster.open();
    const leader = cluster.leader()!;
    const others = [...cluster.nodes.keys()].filter((id) => id !== leader);
    // Only one follower is reached: two of five hold it.
    cluster.fate = ({ from, to }) => ([from, to].every((id) => id === leader || id === others[0]) ? 1 : 0);
    cluster.propose(leader, { clientId: client, serial: 1, text: '+a' });
    cluster.run(800);
    expect(answers(cluster, client, 1)).toEqual([]);
    cluster.fate = () => 1;
    cluster.run(1500);
    expect(answers(cluster, client, 1)).toEqual(['ok']);
  });

  it('a single member answers only when its own disk has it', () => {
    const cluster = new Cluster({ size: 1 });
    const client = cluster.open();
    cluster.node('m1').disk.slowness = 1000;
    cluster.propose('m1', { clientId: client, serial: 1, text: '+a' });
    cluster.run(0);
    expect(answers(cluster, client, 1)).toEqual([]);
    cluster.run(2100);
    expect(answers(cluster, client, 1)).toEqual(['ok']);
  });

  it('a request that comes twice is carried out once, and gets the same answer', () => {
    const cluster = new Cluster({ size: 3 });
    const client = cluster.open();
    for (let i = 0; i < 3; i++) cluster.propose(cluster.leader()!, { clientId: client, serial: 1, text: '+a' });
    cluster.run(1000);
    expect(answers(cluster, client, 1)).toEqual(['ok', 'ok', 'ok']);
    expect(new Set(lists(cluster))).toEqual(new Set(['a']));
  });

  it('also when another leader carries it out the second time', () => {
    const cluster = new Cluster({ size: 3 });
    const client = cluster.open();
    cluster.propose(cluster.leader()!, { clientId: client, serial: 1, text: '+a' });
    cluster.run(1000);
    cluster.crash(cluster.leader()!);
    const next = cluster.elect();
    cluster.propose(next, { clientId: client, serial: 1, text: '+a' });
    cluster.propose(next, { clientId: client, serial: 2, text: '+b' });
    cluster.run(1000);
    expect(cluster.node(next).machine.items).toEqual(['a', 'b']);
  });

  it('who does not lead says who does', () => {
    const cluster = new Cluster({ size: 3 });
    const client = cluster.open();
    cluster.run(1000);
    const leader = cluster.leader()!;
    const other = [...cluster.nodes.keys()].find((id) => id !== leader)!;
    cluster.propose(other, { clientId: client, serial: 1, text: '+a' });
    cluster.run(10);
    const { reply } = cluster.replies.at(-1)!;
    expect([reply.status, new TextDecoder().decode(reply.body)]).toEqual(['not-leader', cluster.node(leader).peer.address]);
  });

  it('a leader that is deposed owes an answer: ask elsewhere; the entry that it alone had is gone', () => {
    const cluster = new Cluster({ size: 3 });
    const client = cluster.open();
    const leader = cluster.leader()!;
    cluster.fate = ({ from, to }) => ((from === leader) === (to === leader) ? 1 : 0);
    cluster.propose(leader, { clientId: client, serial: 1, text: '+lost' });
    cluster.run(5000);
    expect(answers(cluster, client, 1)).toEqual(['not-leader']);
    const next = cluster.leader()!;
    cluster.propose(next, { clientId: client, serial: 1, text: '+kept' });
    cluster.run(1000);
    cluster.fate = () => 1;
    cluster.run(3000);
    expect(new Set(lists(cluster))).toEqual(new Set(['kept']));
    checkTrace(cluster.events.map(({ event }) => event));
  });

  it('figure 8: an entry of an earlier term is not committed by counting', () => {
    const cluster = new Cluster({ size: 3, config: { electionTimeoutMs: 1000 } });
    cluster.fate = () => 0;
    const at = (id: string, message: Parameters<typeof encodeRaftMessage>[0], from: string): void => cluster.replica(id).step(from, encodeRaftMessage(message), cluster.now);
    // m1 has an entry of term 2 that nobody else has, and becomes leader in term 4.
    at('m1', { kind: 'append', term: 2, prevIndex: 0, prevTerm: 0, commitIndex: 0, round: 1, lastIndex: 0, life: 0, entries: [{ index: 1, term: 2, bytes: NO_OP }] }, 'm3');
    cluster.run(10_000, () => cluster.replica('m1').status().role === 'pre-candidate');
    at('m1', { kind: 'pre-vote-reply', term: 3, isGranted: true }, 'm2');
    at('m1', { kind: 'vote-reply', term: 3, isGranted: true }, 'm2');
    cluster.run(50);
    expect(cluster.replica('m1').status()).toMatchObject({ role: 'leader', term: 3, lastIndex: 2, commitIndex: 0 });
    // m2 acknowledges the old entry only: a majority holds it, and it may still be lost.
    at('m1', { kind: 'append-reply', term: 3, isMatch: true, index: 1, hintTerm: 0, round: 1, life: 1 }, 'm2');
    cluster.run(50);
    expect(cluster.replica('m1').status().commitIndex).toBe(0);
    at('m1', { kind: 'append-reply', term: 3, isMatch: true, index: 2, hintTerm: 0, round: 1, life: 1 }, 'm2');
    cluster.run(50);
    expect(cluster.replica('m1').status().commitIndex).toBe(2);
  });

  it('figure 7: whatever a follower has too much or too little, it ends with the leader\'s log', () => {
    // Terms of the entries; the first is the leader's log.
    const leaderLog = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    const followers = [
      [1, 1, 1, 4, 4, 5, 5, 6, 6], [1, 1, 1, 4], [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6], [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7], [1, 1, 1, 4, 4, 4, 4], [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    const cluster = new Cluster({ size: 7 });
    cluster.fate = () => 0;
    [leaderLog, ...followers].forEach((log, i) => {
      const entries = log.map((term, j) => ({ index: j + 1, term, bytes: encodeCommand({ kind: 'request', request: { kind: 'request', clientId: 'x', serial: j + 1, acknowledged: 0, isStale: false, operation: new Uint8Array([0x2b, term]) } }) }));
      cluster.replica(`m${i + 1}`).step('m7', encodeRaftMessage({ kind: 'append', term: 7, prevIndex: 0, prevTerm: 0, commitIndex: 0, round: 1, lastIndex: 0, life: 0, entries }), cluster.now);
    });
    // m1 can be elected by those whose logs are no newer: b, e, f and a; they get through now.
    cluster.run(1);
    cluster.fate = ({ from, to }) => (from === 'm7' || to === 'm7' ? 0 : 1);
    for (const id of ['m4']) cluster.crash(id);
    cluster.run(30_000, () => cluster.leader() !== undefined);
    const leader = cluster.leader()!;
    cluster.start('m4');
    cluster.run(5000);
    const reference = cluster.replica(leader).status();
    for (const id of ['m1', 'm2', 'm3', 'm4', 'm5', 'm6']) {
      expect(cluster.replica(id).status()).toMatchObject({ lastIndex: reference.lastIndex, commitIndex: reference.commitIndex, digest: reference.digest });
    }
    checkTrace(cluster.events.map(({ event }) => event));
  });

  it('a snapshot that ends inside the log leaves what follows (section 7)', () => {
    const cluster = new Cluster({ size: 3 });
    cluster.fate = () => 0;
    const service = new Service(new ListMachine());
    for (let index = 1; index <= 4; index++) service.skip(index);
    const meta = new ByteWriter();
    writeMembership(meta, [1, 2, 3].map((i) => ({ ...peer(i), isVoter: true })));
    const at = (message: Parameters<typeof encodeRaftMessage>[0]): void => cluster.replica('m1').step('m2', encodeRaftMessage(message), cluster.now);
    const entries = [1, 2, 3, 4, 5, 6].map((index) => ({ index, term: 3, bytes: NO_OP }));
    at({ kind: 'append', term: 3, prevIndex: 0, prevTerm: 0, commitIndex: 2, round: 1, lastIndex: 6, life: 0, entries });
    cluster.run(20);
    const chunks = [...service.snapshot()];
    chunks.forEach((bytes, number) => {
      at({ kind: 'chunk', term: 3, transfer: 1, number, isLast: number === chunks.length - 1, index: 4, lastTerm: 3, meta: meta.finish(), bytes });
    });
    expect(cluster.replica('m1').status()).toMatchObject({ commitIndex: 4, lastIndex: 6 });
    cluster.run(20);
    cluster.crash('m1');
    cluster.start('m1');
    expect(cluster.replica('m1').status()).toMatchObject({ commitIndex: 4, lastIndex: 6 });
    checkTrace(cluster.events.map(({ event }) => event).filter(({ type }) => type !== 'snapshot'));
  });

  it('a snapshot whose members cannot be read is not taken', () => {
    const cluster = new Cluster({ size: 3 });
    cluster.fate = () => 0;
    const chunks = [...new Service(new ListMachine()).snapshot()];
    chunks.forEach((bytes, number) => {
      cluster.replica('m1').step('m2', encodeRaftMessage({
        kind: 'chunk', term: 3, transfer: 1, number, isLast: number === chunks.length - 1, index: 4, lastTerm: 3, meta: Uint8Array.of(1, 0, 9), bytes,
      }), cluster.now);
    });
    expect(cluster.replica('m1').status()).toMatchObject({ role: 'failed', problem: expect.stringMatching(/cannot be used: the members/) });
  });

  it('a slow follower costs the leader no more than its window', () => {
    const cluster = new Cluster({ size: 3, config: { maxInflightBytes: 4096 } });
    const client = cluster.open();
    const leader = cluster.leader()!;
    let bytes = 0;
    const slow = [...cluster.nodes.keys()].find((id) => id !== leader)!;
    cluster.fate = ({ to, body }, message) => {
      if (to === slow && message?.kind === 'append') bytes += body.length;
      return to === slow || false ? 0 : 1;
    };
    for (let serial = 1; serial <= 200; serial++) cluster.propose(leader, { clientId: client, serial, acknowledged: serial - 1, text: `+${'x'.repeat(500)}` });
    // The other one has the same window: so many round trips.
    cluster.run(1000, () => answers(cluster, client, 200).length > 0);
    expect(answers(cluster, client, 200)).toEqual(['ok']);
    expect(bytes).toBeLessThan(100_000);
  });

  it('a follower that is down is sent heartbeats only, and holds nothing back in the leader\'s memory', () => {
    const cluster = new Cluster({ size: 3, config: { snapshotBytes: 2000, keptEntries: 5, maxInflightBytes: 500 } });
    const client = cluster.open();
    const leader = cluster.leader()!;
    const down = [...cluster.nodes.keys()].find((id) => id !== leader)!;
    cluster.crash(down);
    cluster.run(1500);
    let bytes = 0;
    cluster.fate = ({ to, body }) => {
      if (to === down) bytes += body.length;
      return 1;
    };
    const since = cluster.now;
    for (let serial = 1; serial <= 500; serial++) {
      cluster.propose(leader, { clientId: client, serial, acknowledged: serial - 1, text: `+${'x'.repeat(100)}` });
      cluster.run(10);
    }
    const { counters } = cluster.replica(leader).status();
    expect(counters).toMatchObject({ snapshotsSent: 0, [`lag ${down}`]: expect.any(Number) });
    expect(counters['snapshotsTaken']).toBeGreaterThan(0);
    expect(counters['logEntries']).toBeLessThan(500);
    expect(counters[`lag ${down}`]).toBeGreaterThanOrEqual(500);
    expect(bytes / ((cluster.now - since) / 150)).toBeLessThan(100);
    cluster.start(down);
    cluster.run(3000);
    expect(new Set(lists(cluster)).size).toBe(1);
    expect(cluster.replica(leader).status().counters[`lag ${down}`]).toBe(0);
  });

  it('a follower that dies while it gets a snapshot is not waited for', () => {
    const cluster = new Cluster({ size: 3, config: { snapshotBytes: 2000, keptEntries: 5 } });
    const client = cluster.open();
    const leader = cluster.leader()!;
    const down = [...cluster.nodes.keys()].find((id) => id !== leader)!;
    const write = (from: number, to: number): void => {
      for (let serial = from; serial <= to; serial++) {
        cluster.propose(leader, { clientId: client, serial, acknowledged: serial - 1, text: `+${'x'.repeat(100)}` });
        cluster.run(10);
      }
    };
    cluster.crash(down);
    write(1, 200);
    cluster.start(down);
    cluster.run(1000, () => cluster.replica(leader).status().counters['snapshotsSent'] === 1);
    cluster.crash(down);
    write(201, 1400);
    const { counters } = cluster.replica(leader).status();
    expect(counters['snapshotsSent']).toBe(1);
    expect(counters['snapshotsTaken']).toBeGreaterThan(5);
    // What was written since the last snapshot, and not since the one that nobody took.
    expect(counters['logEntries']).toBeLessThan(1000);
    cluster.start(down);
    cluster.run(3000);
    expect(new Set(lists(cluster)).size).toBe(1);
  });

  it('more than it can hold uncommitted is told at once', () => {
    const cluster = new Cluster({ size: 3, config: { maxUncommittedEntries: 10 } });
    const client = cluster.open();
    const leader = cluster.leader()!;
    cluster.fate = () => 0;
    for (let serial = 1; serial <= 15; serial++) cluster.propose(leader, { clientId: client, serial, text: '+x' });
    cluster.run(10);
    expect(cluster.replies.filter(({ reply }) => reply.status === 'busy').map(({ serial }) => serial)).toEqual([11, 12, 13, 14, 15]);
  });
});

describe('reads', () => {
  it('are answered by a leader that a majority has just confirmed, without the log', () => {
    const cluster = new Cluster({ size: 3 });
    const client = cluster.open();
    cluster.propose(cluster.leader()!, { clientId: client, serial: 1, text: '+a' });
    cluster.run(1000);
    const { lastIndex } = cluster.replica(cluster.leader()!).status();
    cluster.propose(cluster.leader()!, { clientId: client, serial: 2, text: '?' });
    cluster.run(100);
    expect(new TextDecoder().decode(cluster.replies.at(-1)!.reply.body)).toBe('a');
    expect(cluster.replica(cluster.leader()!).status().lastIndex).toBe(lastIndex);
  });

  it('a deposed leader that does not know it answers nothing; a stale read it answers', () => {
    const cluster = new Cluster({ size: 3 });
    const client = cluster.open();
    const old = cluster.leader()!;
    cluster.propose(old, { clientId: client, serial: 1, text: '+a' });
    cluster.run(1000);
    cluster.fate = ({ from, to }) => ((from === old) === (to === old) ? 1 : 0);
    cluster.run(50);
    cluster.propose(old, { clientId: client, serial: 2, text: '?' });
    cluster.run(500);
    expect(answers(cluster, client, 2)).toEqual([]);
    cluster.propose(old, { clientId: client, serial: 3, text: '?', isStale: true });
    cluster.run(10);
    expect(answers(cluster, client, 3)).toEqual(['ok']);
    cluster.run(5000);
    expect(answers(cluster, client, 2)).toEqual(['not-leader']);
  });

  it.each([0, 30, 60, 90, 120, 150])('it does not take what was said before the read for an answer (cut off %i ms later)', (afterMs) => {
    const cluster = new Cluster({ size: 3 });
    const client = cluster.open();
    const old = cluster.leader()!;
    cluster.run(1000 + afterMs);
    cluster.fate = ({ from, to }) => ((from === old) === (to === old) ? 1 : 0);
    cluster.propose(old, { clientId: client, serial: 1, text: '?' });
    cluster.run(800);
    expect(answers(cluster, client, 1)).toEqual([]);
  });

  it('reads that never pause do not put off what has to be sent again', () => {
    const cluster = new Cluster({ size: 3, config: { snapshotBytes: 2000, keptEntries: 5 } });
    const client = cluster.open();
    const leader = cluster.leader()!;
    const down = [...cluster.nodes.keys()].find((id) => id !== leader)!;
    cluster.crash(down);
    for (let serial = 1; serial <= 200; serial++) {
      cluster.propose(leader, { clientId: client, serial, acknowledged: serial - 1, text: `+${'x'.repeat(100)}` });
      cluster.run(10);
    }
    // The snapshot that it needs is lost at first.
    let firstMs = Infinity;
    cluster.fate = ({ to }, message) => {
      if (to !== down || message?.kind !== 'chunk') return 1;
      firstMs = Math.min(firstMs, cluster.now);
      return cluster.now - firstMs < 50 ? 0 : 1;
    };
    cluster.start(down);
    for (let serial = 201; serial <= 800; serial++) {
      cluster.propose(leader, { clientId: client, serial, acknowledged: serial - 1, text: '?' });
      cluster.run(5);
    }
    expect(answers(cluster, client, 790)).toEqual(['ok']);
    expect(cluster.replica(leader).status().counters[`lag ${down}`]).toBe(0);
  });

  it('more than may wait are told so', () => {
    const cluster = new Cluster({ size: 3, config: { maxPendingReads: 10 } });
    const client = cluster.open();
    const leader = cluster.leader()!;
    cluster.fate = () => 0;
    for (let serial = 1; serial <= 15; serial++) cluster.propose(leader, { clientId: client, serial, text: '?' });
    cluster.run(10);
    expect(cluster.replies.filter(({ reply }) => reply.status === 'busy').map(({ serial }) => serial)).toEqual([11, 12, 13, 14, 15]);
  });

  it('many that wait share one round', () => {
    const cluster = new Cluster({ size: 3 });
    const client = cluster.open();
    cluster.run(1000);
    const leader = cluster.leader()!;
    let appends = 0;
    cluster.fate = (_flight, message) => {
      if (message?.kind === 'append') appends++;
      return 1;
    };
    for (let serial = 2; serial < 102; serial++) cluster.propose(leader, { clientId: client, serial, text: '?' });
    cluster.run(50);
    expect(cluster.replies.filter(({ serial, reply }) => serial >= 2 && reply.status === 'ok').length).toBe(100);
    expect(appends).toBeLessThanOrEqual(4);
  });

  it('a new leader waits until it knows what its predecessors have committed', () => {
    const cluster = new Cluster({ size: 3 });
    const client = cluster.open();
    cluster.propose(cluster.leader()!, { clientId: client, serial: 1, text: '+a' });
    cluster.run(1000);
    cluster.crash(cluster.leader()!);
    cluster.run(10_000, () => cluster.leader() !== undefined);
    const next = cluster.leader()!;
    // It is confirmed all the time, but nobody gets its no-op.
    cluster.fate = (_flight, message) => (message?.kind === 'append' && message.entries.length > 0 ? 0 : 1);
    cluster.propose(next, { clientId: client, serial: 2, text: '?' });
    cluster.run(700);
    expect([cluster.leader(), answers(cluster, client, 2)]).toEqual([next, []]);
    cluster.fate = () => 1;
    cluster.run(500);
    expect(new TextDecoder().decode(cluster.replies.at(-1)!.reply.body)).toBe('a');
  });
});
