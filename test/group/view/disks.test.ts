import { describe, expect, it, vi } from 'vitest';

import { ByteReader } from '../../../src/group/byte-codec.ts';
import { PerfectDetector } from '../../../src/group/detector.ts';
import { LOG, openStorage } from '../../../src/group/disk-storage.ts';
import { readRecords } from '../../../src/group/record-file.ts';
import { readView } from '../../../src/group/view/view.ts';
import type { ViewMode } from '../../../src/group/view/view-replica.ts';
import { Cluster } from './cluster.ts';

const MODES: readonly ViewMode[] = ['primary-backup', 'sequencer', 'active'];

function write(cluster: Cluster, clientId: string, serial: number): void {
  cluster.call({ clientId, serial, acknowledged: serial - 1, text: `+${serial}` });
}

/** The last `count` records of a member's log can no longer be read. The member is down. */
function damageEnd(cluster: Cluster, id: string, count: number): void {
  const { disk } = cluster.node(id);
  const bytes = disk.read(LOG.file)!;
  const { offset } = readRecords(LOG.file, bytes).records.at(-count)!;
  disk.run([{ kind: 'write', file: LOG.file, offset, bytes: bytes.slice(offset).fill(0x5a) }, { kind: 'sync', file: LOG.file }]);
}

function recordsSince(cluster: Cluster, id: string, before: number): number {
  return records(cluster, id) - before;
}

function records(cluster: Cluster, id: string): number {
  return readRecords(LOG.file, cluster.node(id).disk.read(LOG.file)!).records.length;
}

describe.each(MODES)('%s: disks', (mode) => {
  it('a disk that has lost its end, in the view that it knows: it counts for nothing, and is let in again', () => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    for (let serial = 1; serial <= 5; serial++) write(cluster, client, serial);
    cluster.run(500);
    cluster.crash('m2');
    damageEnd(cluster, 'm2', 1);
    cluster.start('m2');
    cluster.run(50);
    expect(cluster.replica('m2').status().problem).toMatch(/disk/);
    cluster.settle();
    write(cluster, client, 6);
    cluster.run(500);
    expect(cluster.node('m2').machine.items).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(cluster.views.view.members.map(({ id }) => id)).toEqual(['m1', 'm3', 'm2']);
  });

  it('a disk that has lost its end, and nobody else is left, which its member knows for sure: it does not go on alone', () => {
    const dead = new Set<string>();
    const cluster = new Cluster({ mode, size: 2, detector: () => new PerfectDetector((id) => dead.has(id)) });
    const client = cluster.open();
    for (let serial = 1; serial <= 5; serial++) write(cluster, client, serial);
    cluster.run(500);
    for (const id of ['m1', 'm2']) {
      dead.add(id);
      cluster.crash(id);
    }
    damageEnd(cluster, 'm2', 1);
    cluster.start('m2');
    cluster.run(10_000);
    expect(cluster.views.view.number).toBe(1);
    expect(cluster.replica('m2').status()).toMatchObject({ problem: expect.stringMatching(/disk/), commitIndex: 0 });
    dead.delete('m1');
    cluster.start('m1');
    cluster.settle();
    for (const id of ['m1', 'm2']) expect(cluster.node(id).machine.items).toEqual(['1', '2', '3', '4', '5']);
  });

  it('the view in which one goes on alone is on its disk before it answers anything in it', () => {
    const cluster = new Cluster({ mode, size: 2 });
    const client = cluster.open();
    write(cluster, client, 1);
    cluster.run(500);
    cluster.crash('m2');
    // On its disk long before the view, so that nothing but the view is to be written.
    cluster.propose('m1', { clientId: client, serial: 2, acknowledged: 1, text: '+2' });
    const before = cluster.replies.length;
    expect(cluster.run(5000, () => cluster.replies.length > before)).toBe(true);
    expect(cluster.replies[before]).toMatchObject({ memberId: 'm1', reply: { status: 'ok' } });
    const { state } = openStorage((file) => cluster.node('m1').disk.read(file));
    expect(readView(new ByteReader(state!))).toMatchObject({ number: 2, members: [{ id: 'm1' }] });
  });

  it('a disk that stands still for longer than a timeout: its member leaves nobody out, since it hears them when it goes on', () => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    write(cluster, client, 1);
    cluster.run(500);
    // The others cannot ask for a view without it, meanwhile.
    let questions = 0;
    cluster.fate = ({ from, to }) => {
      if (from === 'm1' && to === 'v1') questions++;
      return (from === 'v1' && to !== 'm1') || (to === 'v1' && from !== 'm1') ? 0 : 1;
    };
    vi.spyOn(cluster.node('m1').disk, 'drawDelayMs').mockReturnValueOnce(1500);
    cluster.ask({ clientId: client, serial: 2, acknowledged: 1, text: '+2' });
    expect(cluster.run(1400, () => cluster.replica('m1').status().suspected.length === 2)).toBe(true);
    cluster.run(4000);
    expect(questions).toBeGreaterThan(0);
    expect(cluster.views.view).toMatchObject({ number: 1, members: [{ id: 'm1' }, { id: 'm2' }, { id: 'm3' }] });
    cluster.fate = () => 1;
    write(cluster, client, 2);
    cluster.run(500);
    for (const { machine } of cluster.nodes.values()) expect(machine.items).toEqual(['1', '2']);
  });

  it.each([false, true])('a disk that has lost its end and with it the view that counts on it: the same (the other is down: %s)', (isAlone) => {
    const cluster = new Cluster({ mode, size: 2 });
    const client = cluster.open();
    cluster.settle();
    cluster.run(500);
    cluster.crash('m2');
    cluster.start('m2');
    cluster.settle();
    expect(cluster.views.view).toMatchObject({ number: 2, members: [{ id: 'm1' }, { id: 'm2' }] });
    const before = records(cluster, 'm2');
    for (let serial = 1; serial <= 5; serial++) write(cluster, client, serial);
    cluster.run(500);
    cluster.crash('m2');
    if (isAlone) cluster.crash('m1');
    // Back to before the view that both are in.
    damageEnd(cluster, 'm2', recordsSince(cluster, 'm2', before) + 4);
    cluster.start('m2');
    cluster.run(10_000);
    if (isAlone) {
      expect(cluster.views.view.number).toBe(2);
      expect(cluster.replica('m2').status().problem).toMatch(/disk/);
      cluster.start('m1');
    }
    cluster.settle();
    write(cluster, client, 6);
    cluster.run(500);
    for (const id of ['m1', 'm2']) expect(cluster.node(id).machine.items).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  it('a disk that has lost its end, outside, and is let in without hearing of it: it asks nobody to let it in, so that the view notices', () => {
    const cluster = new Cluster({ mode, size: 2 });
    const client = cluster.open();
    for (let serial = 1; serial <= 5; serial++) write(cluster, client, serial);
    cluster.run(500);
    cluster.crash('m2');
    damageEnd(cluster, 'm2', 1);
    cluster.run(3000);
    expect(cluster.views.view).toMatchObject({ number: 2, members: [{ id: 'm1' }] });
    let isStruck = false;
    cluster.fate = ({ from, to }) => {
      if (!isStruck && from === 'v1' && to === 'm1' && cluster.views.view.number === 3) {
        isStruck = true;
        cluster.crash('m2');
        cluster.start('m2');
      }
      return 1;
    };
    cluster.start('m2');
    cluster.run(10_000);
    expect(isStruck).toBe(true);
    cluster.settle();
    write(cluster, client, 6);
    cluster.run(500);
    for (const id of ['m1', 'm2']) expect(cluster.node(id).machine.items).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  it('a disk that fails while it asks for another view: it has failed for good, whatever the answer is', () => {
    const cluster = new Cluster({ mode, size: 2 });
    const client = cluster.open();
    write(cluster, client, 1);
    cluster.run(500);
    cluster.crash('m2');
    // It proposes to go on alone, and that is decided; while the answer is on its way, its disk fails.
    let before = Infinity;
    cluster.fate = ({ from, to }) => {
      if (from === 'v1' && to === 'm1' && cluster.views.view.number === 2 && before === Infinity) {
        cluster.propose('m1', { clientId: client, serial: 2, acknowledged: 1, text: '+2' });
        cluster.replica('m1').persistFailed('i/o error', cluster.now);
        before = cluster.replies.length;
      }
      return 1;
    };
    cluster.run(5000);
    expect(cluster.views.view.number).toBe(2);
    expect(cluster.replica('m1').status()).toMatchObject({ role: 'failed', term: 1, problem: 'i/o error' });
    expect(cluster.node('m1').machine.items).toEqual(['1']);
    expect(cluster.replies.slice(before).filter(({ reply }) => reply.status === 'ok')).toEqual([]);
  });

  it('a disk that fails: what was not said yet is taken back, and the others go on', () => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    write(cluster, client, 1);
    cluster.replica('m1').persistFailed('no space left on device', cluster.now);
    expect(cluster.replica('m1').status()).toMatchObject({ role: 'failed', problem: 'no space left on device' });
    expect(cluster.replica('m1').nextTimeout()).toBe(Infinity);
    const before = cluster.replies.length;
    write(cluster, client, 2);
    cluster.run(1000);
    expect(cluster.replies.slice(before).filter(({ memberId, reply }) => memberId === 'm1' && reply.status === 'ok')).toEqual([]);
    for (const id of ['m2', 'm3']) expect(cluster.node(id).machine.items).toEqual(['1', '2']);
  });
});
