import { describe, expect, it } from 'vitest';

import { openStorage } from '../../../src/group/disk-storage.ts';
import { decodeViewMessage, type ViewMessage } from '../../../src/group/view/view-message.ts';
import type { ViewMode } from '../../../src/group/view/view-replica.ts';
import type { Flight } from '../replica-cluster.ts';
import { Cluster } from './cluster.ts';

const MODES: readonly ViewMode[] = ['primary-backup', 'sequencer', 'active'];

/** A session, and so many items. */
function write(cluster: Cluster, count: number): void {
  const client = cluster.open();
  for (let serial = 1; serial <= count; serial++) cluster.call({ clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
}

describe.each(MODES)('%s: who comes back, or in', (mode) => {
  it('one that wants to come in, and crashes while it is still outside, is let in when it comes back', () => {
    const cluster = new Cluster({ mode, size: 2, joiners: 1 });
    // Nobody lets it in before it crashes.
    cluster.fate = (_, message) => (message?.kind === 'join' ? 0 : 1);
    write(cluster, 80);
    cluster.run(2000);
    expect(cluster.replica('m3').status().role).toBe('outside');
    cluster.crash('m3');
    cluster.fate = () => 1;
    cluster.start('m3');
    cluster.run(5000);
    expect(cluster.views.view.members.map(({ id }) => id)).toContain('m3');
    expect(cluster.node('m3').machine.items.length).toBe(80);
  });

  it('one that comes back keeps what it has on disk, and is sent no more than it lacks', () => {
    const cluster = new Cluster({ mode, size: 3 });
    write(cluster, 20);
    cluster.run(1000);
    cluster.crash('m3');
    cluster.run(4000);
    expect(cluster.views.view.members.length).toBe(2);
    const before = cluster.replica('m1').status().lastIndex;
    let entries = 0;
    let chunks = 0;
    cluster.fate = ({ to }, message) => {
      if (to === 'm3' && message?.kind === 'order') entries += message.entries.length;
      if (to === 'm3' && message?.kind === 'chunk') chunks++;
      return 1;
    };
    cluster.start('m3');
    expect(cluster.replica('m3').status().lastIndex).toBe(before);
    cluster.settle();
    expect([entries, chunks]).toEqual([0, 0]);
    expect(cluster.node('m3').machine.items.length).toBe(20);
  });

  it('what it had alone gives way to a snapshot', () => {
    const cluster = new Cluster({ mode, size: 3 });
    write(cluster, 5);
    cluster.run(1000);
    // m1 leads, and what it orders from now on reaches nobody.
    cluster.fate = ({ from }) => (from === 'm1' ? 0 : 1);
    cluster.propose('m1', { clientId: '#1', serial: 6, acknowledged: 5, text: '+lost' });
    cluster.run(30);
    cluster.crash('m1');
    cluster.fate = () => 1;
    write(cluster, 5);
    cluster.start('m1');
    cluster.settle();
    write(cluster, 5);
    cluster.run(1000);
    expect(new Set([...cluster.nodes.values()].map(({ machine }) => machine.items.join())).size).toBe(1);
    expect(cluster.node('m1').machine.items.length).toBe(15);
  });
});

describe('snapshots on their way', () => {
  it('one that is doubled, and late, takes back nothing that was acknowledged since', () => {
    const cluster = new Cluster({ mode: 'sequencer', size: 2, joiners: 1, config: { snapshotBytes: 800, keptEntries: 1 } });
    const chunks: Flight[] = [];
    const keep = (flight: Flight, message: ViewMessage | undefined): void => {
      if (flight.to === 'm3' && message?.kind === 'chunk') chunks.push(flight);
    };
    cluster.crash('m3');
    write(cluster, 30);
    // It is told to come in, and stays a guest: the view that it would be in cannot be proposed.
    cluster.start('m3');
    cluster.fate = (flight, message) => {
      keep(flight, message);
      return flight.from === 'm1' && flight.to === 'v1' ? 0 : 1;
    };
    cluster.run(1500);
    expect(chunks.length).toBeGreaterThan(0);
    write(cluster, 10);
    cluster.run(500);
    const before = cluster.replica('m3').status();
    expect(before).toMatchObject({ role: 'outside', lastIndex: cluster.replica('m1').status().lastIndex });
    expect(decodeViewMessage(chunks[0]!.body)).toMatchObject({ view: before.term });
    for (const { from, body } of chunks) cluster.replica('m3').step(from, body, cluster.now);
    expect(cluster.replica('m3').status()).toMatchObject({ lastIndex: before.lastIndex, commitIndex: before.commitIndex });
  });

  it('a large one is on disk as a whole before its receiver says that it has it', () => {
    const cluster = new Cluster({ mode: 'sequencer', size: 2, joiners: 1, config: { snapshotBytes: 800, keptEntries: 1 } });
    cluster.crash('m3');
    const client = cluster.open();
    for (let serial = 1; serial <= 60; serial++) cluster.call({ clientId: client, serial, acknowledged: serial - 1, text: `+${'x'.repeat(40_000)}` });
    const found: (number | undefined)[] = [];
    cluster.fate = ({ from }, message) => {
      if (from === 'm3' && message?.kind === 'chunk-reply' && message.isComplete) found.push(openStorage((file) => cluster.node('m3').disk.read(file)).snapshot?.index);
      return 1;
    };
    cluster.start('m3');
    cluster.settle();
    expect(found.length).toBeGreaterThan(0);
    expect(found[0]).toBeGreaterThanOrEqual(60);
  });
});
