import { describe, expect, it } from 'vitest';

import { checkTrace } from './invariants.ts';
import { Cluster } from './cluster.ts';

const SEEDS = 30;
const STEPS = 2000;

interface Run {
  readonly cluster: Cluster;
  readonly client: string;
}

const runs = new Map<number, Run>();

function tormented(seed: number): Run {
  const run = runs.get(seed) ?? torment(seed);
  runs.set(seed, run);
  return run;
}

/** What the group is put through. */
function torment(seed: number): Run {
  const cluster = new Cluster({ size: 5, seed, config: { electionTimeoutMs: 300, snapshotBytes: 2000, keptEntries: 5 }, delayMs: (random) => random.exponential(8) });
  const chaos = cluster.random.fork('chaos');
  const cuts = new Set<string>();
  cluster.fate = ({ from, to }) => {
    if (cuts.has(`${from}${to}`)) return 0;
    return chaos.chance(0.1) ? 0 : chaos.chance(0.05) ? 2 : 1;
  };
  const client = cluster.open();
  let serial = 0;
  const down = new Set<string>();
  for (let step = 0; step < STEPS; step++) {
    cluster.run(chaos.below(60));
    const id = `m${1 + chaos.below(5)}`;
    if (chaos.chance(0.05) && down.size < 2 && !down.has(id)) {
      down.add(id);
      cluster.crash(id, chaos.chance(0.5));
    } else if (down.has(id) && chaos.chance(0.3)) {
      down.delete(id);
      cluster.start(id);
    } else if (chaos.chance(0.05)) {
      cuts.clear();
      for (let i = chaos.below(4); i > 0; i--) cuts.add(`m${1 + chaos.below(5)}m${1 + chaos.below(5)}`);
    }
    const leader = cluster.leader();
    if (leader === undefined || !chaos.chance(0.6)) continue;
    if (cluster.replies.some(({ clientId, serial: answered }) => clientId === client && answered === serial) || serial === 0) serial++;
    cluster.propose(leader, { clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
  }
  cuts.clear();
  cluster.fate = () => 1;
  for (const member of down) cluster.start(member);
  return { cluster, client };
}

describe('a Raft group under loss, duplication, crashes and cuts', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('seed %i', (seed) => {
    const { cluster, client } = tormented(seed);
    const leader = cluster.elect();
    const before = cluster.replies.length;
    cluster.propose(leader, { clientId: client, serial: 1_000_000, text: '+end' });
    expect(cluster.run(20_000, () => cluster.replies.length > before)).toBe(true);
    cluster.run(5000);
    checkTrace(cluster.events.map(({ event }) => event));
    const lists = [...cluster.nodes.values()].map(({ machine }) => machine.items.join());
    expect(new Set(lists).size).toBe(1);
    // Each once, in order; what was acknowledged is there.
    const items = cluster.node('m1').machine.items;
    expect(new Set(items).size).toBe(items.length);
    for (const { clientId, serial, reply } of cluster.replies) {
      if (clientId === client && reply.status === 'ok' && serial !== 1_000_000) expect(items).toContain(String(serial));
    }
  });

  it('all of that really happened', () => {
    const counts = new Map<string, number>();
    const count = (name: string, by = 1): void => void counts.set(name, (counts.get(name) ?? 0) + by);
    for (let seed = 1; seed <= 5; seed++) {
      const { cluster } = tormented(seed);
      for (const { event } of cluster.events) count(event.type === 'become' ? String(event['role']) : event.type);
      for (const { replica } of cluster.nodes.values()) count('taken', replica!.status().counters['snapshotsTaken']!);
    }
    for (const name of ['crash', 'commit', 'apply', 'pre-candidate', 'candidate', 'leader', 'snapshot', 'taken']) expect([name, counts.get(name) ?? 0]).not.toEqual([name, 0]);
  });
});
