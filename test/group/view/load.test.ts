import { describe, expect, it } from 'vitest';

import { Cluster } from './cluster.ts';

const DELAY_MS = 5;

describe('answers of all members', () => {
  it.each(['sequencer', 'active'] as const)('%s: come as soon as the operation is stable, not with the next heartbeat', (mode) => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    cluster.settle();
    for (let serial = 1; serial <= 10; serial++) {
      cluster.run(7);
      const before = cluster.replies.length;
      const start = cluster.now;
      cluster.ask({ clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
      const isComplete = (): boolean => new Set(cluster.replies.slice(before).filter((reply) => reply.serial === serial).map(({ memberId }) => memberId)).size === 3;
      expect(cluster.run(1000, isComplete)).toBe(true);
      // Out, back, and out again, or as many in the agreed order once more, and the disks.
      expect(cluster.now - start).toBeLessThan(6 * DELAY_MS + 4 * 2 + 5);
    }
  });
});

describe('a request that only a backup got', () => {
  it('sequencer: is ordered all the same', () => {
    const cluster = new Cluster({ mode: 'sequencer', size: 3 });
    const client = cluster.open();
    cluster.settle();
    cluster.propose('m3', { clientId: client, serial: 1, text: '+1' });
    expect(cluster.run(2000, () => cluster.replies.filter(({ serial }) => serial === 1).length === 3)).toBe(true);
  });

  it.each(['sequencer', 'active'] as const)('%s: slow ways do not multiply requests: each is ordered once', (mode) => {
    const cluster = new Cluster({ mode, size: 4, delayMs: () => 150 });
    const clients = Array.from({ length: 5 }, () => cluster.open());
    cluster.settle();
    cluster.run(3000);
    const ordered = (): number => [...cluster.nodes.values()].reduce((sum, { replica }) => sum + replica!.status().counters['ordered']!, 0);
    const before = ordered();
    for (const clientId of clients) cluster.ask({ clientId, serial: 1, text: `+${clientId}` });
    cluster.run(5000);
    expect(cluster.node('m1').machine.items.length).toBe(5);
    expect(ordered() - before).toBe(5);
  });

  it('sequencer: what the others send on is bounded like what clients ask', () => {
    const cluster = new Cluster({ mode: 'sequencer', size: 2, config: { maxUnstable: 10 } });
    cluster.settle();
    const client = cluster.open();
    // Nothing becomes stable, since m2's acknowledgements are lost.
    cluster.fate = ({ from }, message) => (from === 'm2' && message?.kind === 'ack' ? 0 : 1);
    for (let serial = 1; serial <= 50; serial++) cluster.propose('m2', { clientId: client, serial, text: `+${serial}` });
    cluster.run(1000);
    const { lastIndex, commitIndex } = cluster.replica('m1').status();
    expect(lastIndex - commitIndex).toBeLessThanOrEqual(10);
  });
});

describe('a member that comes back and lacks more than may be on the way at a time', () => {
  it.each(['primary-backup', 'sequencer', 'active'] as const)('%s: is brought up to date, and nobody says the same without end', (mode) => {
    const cluster = new Cluster({ mode, size: 3, config: { maxInflightBytes: 100 } });
    const client = cluster.open();
    cluster.settle();
    cluster.crash('m3');
    for (let serial = 1; serial <= 40; serial++) cluster.call({ clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
    cluster.start('m3');
    cluster.settle();
    expect(cluster.run(5000, () => cluster.replica('m3').status().appliedIndex === cluster.replica('m1').status().appliedIndex)).toBe(true);
    expect(cluster.node('m3').machine.items).toEqual(cluster.node('m1').machine.items);
    expect(cluster.node('m3').machine.items).toHaveLength(40);
  });
});
