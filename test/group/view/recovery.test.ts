import { describe, expect, it } from 'vitest';

import type { ViewMode } from '../../../src/group/view/view-replica.ts';
import { Cluster } from './cluster.ts';

const MODES: readonly ViewMode[] = ['primary-backup', 'sequencer', 'active'];
const MEMBERS = ['m1', 'm2', 'm3'];
const ORDERS = MEMBERS.flatMap((first) => MEMBERS.filter((id) => id !== first).map((second) => [first, second, MEMBERS.find((id) => id !== first && id !== second)!]));

function write(cluster: Cluster, clientId: string, serial: number): void {
  cluster.call({ clientId, serial, acknowledged: serial - 1, text: `+${serial}` });
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i + 1));
}

describe.each(MODES)('%s: a group that was killed', (mode) => {
  it.each(ORDERS)('all at once, by power failure, and started in the order %s, %s, %s: every answered write is there, once', (...order) => {
    const cluster = new Cluster({ mode, size: 3, config: { snapshotBytes: 1500, keptEntries: 5 } });
    const client = cluster.open();
    for (let serial = 1; serial <= 40; serial++) write(cluster, client, serial);
    // In the middle of something.
    cluster.ask({ clientId: client, serial: 41, acknowledged: 40, text: '+41' });
    cluster.run(7);
    for (const id of MEMBERS) cluster.crash(id);
    for (const id of order as string[]) {
      cluster.start(id);
      cluster.run(3000);
    }
    cluster.settle();
    // The same serial again: it is done now, or was done before.
    write(cluster, client, 41);
    write(cluster, client, 42);
    cluster.run(1000);
    for (const id of MEMBERS) expect(cluster.node(id).machine.items).toEqual(numbers(42));
  });

  it('one after the other: a member outside the last view refuses, and says whom it waits for; the last to fail knows', () => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    write(cluster, client, 1);
    cluster.crash('m3');
    write(cluster, client, 2);
    cluster.crash('m1');
    cluster.crash('m2');
    cluster.start('m3');
    cluster.run(10_000);
    const replies = cluster.replies.length;
    cluster.propose('m3', { clientId: client, serial: 3, acknowledged: 2, text: '+3' });
    cluster.run(1000);
    expect(cluster.replies.slice(replies).every(({ reply }) => reply.status === 'unavailable')).toBe(true);
    expect(cluster.replica('m3').status()).toMatchObject({ role: 'outside', problem: 'view 2 is without it: it waits until m1 or m2 has brought it up to date' });
    cluster.start('m2');
    write(cluster, client, 3);
    cluster.settle();
    expect(cluster.node('m3').machine.items).toEqual(numbers(3));
  });
});
