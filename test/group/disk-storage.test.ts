import { describe, expect, it } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import type { DiskOperation } from '../../src/group/disk.ts';
import { openStorage } from '../../src/group/disk-storage.ts';
import { replayLog } from '../../src/group/log-replay.ts';
import { readRecords } from '../../src/group/record-file.ts';
import { CorruptLogError, type Storage } from '../../src/group/storage.ts';
import { SimulatedDisk } from '../../src/sim/simulated-disk.ts';
import { contentOf, crashPoints, filesOf, makeFiles, Script, type CrashPoint, type Files } from './storage-script.ts';

const MIB = 1024 * 1024;
const open = (files: Files): Storage => openStorage((file) => files[file]);
const kinds = (operations: readonly DiskOperation[]): string[] => operations.map(({ kind, file }) => `${kind} ${file}`);

/** Undefined when what is on disk after the crash is right. */
function complaint({ batch, where, disk }: CrashPoint, script: Script): string | undefined {
  let storage: Storage;
  try {
    storage = openStorage((file) => disk.read(file));
  } catch (error) {
    return `${where}: ${(error as Error).message}`;
  }
  if (storage.isSuspect) return `${where}: suspect`;
  const { state, entries } = contentOf(storage);
  if (!script.states.slice(batch.state, batch.lastState + 1).includes(state)) return `${where}: state "${state}"`;
  if (!script.logs.slice(batch.log, batch.lastLog + 1).includes(entries)) return `${where}: log "${entries}"`;
  return undefined;
}

describe('a storage', () => {
  it('is empty on an empty disk, and writes nothing unasked', () => {
    const { storage } = new Script();
    expect(contentOf(storage)).toEqual({ state: '', entries: '' });
    expect([storage.isSuspect, storage.isSavingSnapshot, storage.logBytes, storage.takeWrites()]).toEqual([false, false, 0, []]);
  });

  it('makes its log beside its place, and synced, before anything else', () => {
    const script = new Script().state('vote').write();
    expect(kinds(script.batches[0]!.operations)).toEqual(['create log.new', 'write log.new', 'sync log.new', 'rename log.new', 'write log', 'sync log']);
    expect(script.disk.isDurable('log')).toBe(true);
  });

  it('writes whatever was handed in with one write and one sync', () => {
    const script = new Script().state('a').write();
    script.append(1, 'x', 'y').state('b').append(2, 'z').truncate(3).append(3, 'w').write();
    expect(kinds(script.batches[1]!.operations)).toEqual(['write log', 'sync log']);
    expect(script.storage.takeWrites()).toEqual([]);
    expect(contentOf(openStorage((file) => script.disk.read(file)))).toEqual(script.content);
    expect(script.storage.logBytes).toBe(script.disk.read('log')!.length);
  });

  it('goes on after a restart, and lets go of what it found', () => {
    const script = new Script().append(1, 'a', 'b', 'c').write();
    script.storage = openStorage((file) => script.disk.read(file));
    expect(script.storage.entries).toHaveLength(3);
    script.truncate(3).append(2, 'd').write();
    expect(script.storage.entries).toHaveLength(0);
    expect(contentOf(openStorage((file) => script.disk.read(file)))).toEqual({ state: '', entries: '1:a 1:b 2:d' });
  });

  it('refuses what does not follow: that is the engine\'s mistake', () => {
    const script = new Script().append(1, 'a', 'b', 'c').snapshot(2).writeAll();
    const { storage } = script;
    const bytes = new Uint8Array(1);
    expect(() => storage.append([{ index: 5, term: 1, bytes }])).toThrow(RangeError);
    expect(() => storage.truncate(2)).toThrow(RangeError);
    expect(() => storage.truncate(5)).toThrow(RangeError);
    expect(() => storage.saveSnapshot({ index: 1, term: 1, meta: bytes }, [], () => [])).toThrow(RangeError);
    storage.truncate(4);
    expect(storage.takeWrites()).toEqual([]);
    storage.saveSnapshot({ index: 3, term: 1, meta: bytes }, [], () => [{ index: 5, term: 1, bytes }]);
    expect(() => storage.takeWrites()).toThrow('not those that were appended');
  });
});

describe('a snapshot', () => {
  it('takes the entries out of the log', () => {
    const script = new Script().state('s').append(1, 'a', 'b').append(2, 'c', 'd').write();
    const before = script.storage.logBytes;
    script.snapshot(3).writeAll();
    expect(script.storage.logBytes).toBeLessThan(before);
    expect(script.storage.logBytes).toBe(script.disk.read('log')!.length);
    const found = openStorage((file) => script.disk.read(file));
    expect(found.snapshot).toMatchObject({ index: 3, term: 2, meta: new TextEncoder().encode('m') });
    expect(found.entries.map(({ index }) => index)).toEqual([4]);
    expect(contentOf(found)).toEqual(script.content);
  });

  it('is written in bounded steps, while the log goes on; so is the log without it', () => {
    const script = new Script();
    const big = new Uint8Array(100_000).fill(7);
    const entries = Array.from({ length: 60 }, (_, i) => ({ index: i + 1, term: 1, bytes: big }));
    const { storage, disk } = script;
    storage.append(entries);
    disk.run(storage.takeWrites());
    const chunks = Array.from({ length: 100 }, () => new Uint8Array(64 * 1024).fill(3));
    storage.saveSnapshot({ index: 20, term: 1, meta: new Uint8Array(0) }, chunks, () => entries.slice(20));
    let steps = 0;
    for (; storage.isSavingSnapshot; steps++) {
      const entry = { index: entries.length + 1, term: 1, bytes: big };
      entries.push(entry);
      storage.append([entry]);
      const operations = storage.takeWrites();
      let bytes = 0;
      for (const operation of operations) if (operation.kind === 'write' && operation.file !== 'log') bytes += operation.bytes.length;
      expect(bytes).toBeLessThan(2.3 * MIB);
      disk.run(operations);
      expect(disk.isDurable('log')).toBe(true);
      if (disk.isDurable('snapshot')) expect(replayLog('log', disk.read('log')!).outline.baseIndex).toBe(20);
    }
    expect(steps).toBeGreaterThan(8);
    expect(steps).toBeLessThan(20);
    const found = openStorage((file) => disk.read(file));
    expect(Buffer.compare(Buffer.concat(found.snapshot!.chunks), Buffer.concat(chunks))).toBe(0);
    expect(found.entries.map(({ index }) => index)).toEqual(entries.slice(20).map(({ index }) => index));
    expect(found.entries.every(({ bytes }) => Buffer.compare(bytes, big) === 0)).toBe(true);
    // Whatever part of it is missing: it had been there when the log got its name.
    const log = disk.read('log')!;
    for (const part of [0.1, 0.3, 0.6, 0.9]) expect(open({ log: log.subarray(0, part * log.length), snapshot: disk.read('snapshot')! }).isSuspect).toBe(true);
  });

  it('that is begun while another is under way replaces it, and ends its iterator', () => {
    const script = new Script().append(1, 'a', 'b', 'c').write();
    let isReturned = false;
    let taken = 0;
    const endless: Iterable<Uint8Array> = {
      [Symbol.iterator]: () => ({
        next: () => ({ done: false, value: new Uint8Array(65_000 + taken++) }),
        return: () => ((isReturned = true), { done: true, value: undefined }),
      }),
    };
    script.storage.saveSnapshot({ index: 2, term: 1, meta: new Uint8Array(0) }, endless, () => []);
    script.write();
    expect([taken, isReturned]).toEqual([17, false]);
    script.snapshot(3).writeAll();
    expect(isReturned).toBe(true);
    expect(openStorage((file) => script.disk.read(file)).snapshot!.index).toBe(3);
  });

  it('from elsewhere replaces the log; what is appended on top is not on disk before it', () => {
    const script = new Script().append(1, 'a', 'b', 'c').write();
    script.install('2:p', '2:q').append(2, 'r').write();
    const operations = kinds(script.batches[1]!.operations);
    expect(operations.slice(0, 5)).toEqual(['create snapshot.new', 'write snapshot.new', 'sync snapshot.new', 'rename snapshot.new', 'write log']);
    script.writeAll();
    expect(contentOf(openStorage((file) => script.disk.read(file))).entries).toBe('2:p 2:q 2:r');
  });

  it('from elsewhere goes in steps, but all at once when something follows from it', () => {
    const chunks = Array.from({ length: 60 }, () => new Uint8Array(64 * 1024));
    const entry = { index: 8, term: 2, bytes: new Uint8Array(9) };
    for (const follows of [false, true]) {
      const { storage, disk } = new Script().append(1, 'a').write();
      const retained = follows ? [entry] : [];
      storage.saveSnapshot({ index: 7, term: 2, meta: new Uint8Array(0) }, chunks, () => retained);
      storage.saveState(new Uint8Array(1));
      if (follows) storage.append(retained);
      const operations = storage.takeWrites();
      expect(kinds(operations).includes('rename snapshot.new')).toBe(follows);
      disk.run(operations);
      const found = openStorage((file) => disk.read(file));
      expect([found.snapshot?.index, found.entries.map(({ index }) => index)]).toEqual(follows ? [7, [8]] : [undefined, [1]]);
    }
  });
});

/** Sequences that bring the storage into every phase; each takeWrites() is a point to crash in. */
const SCRIPTS: Readonly<Record<string, () => Script>> = {
  'appends, votes and truncations': () => new Script().state('t1').write().append(1, 'a', 'bb', 'ccc').write().state('t2').truncate(2).append(2, 'B').write()
    .append(2, 'C').state('t3').append(3, 'D').write().truncate(1).write().append(4, 'z').write(),
  'a snapshot and compaction': () => new Script().state('t1').append(1, 'a', 'b', 'c').write().append(2, 'd').snapshot(3).writeAll().append(2, 'e').write().state('t2').write(),
  'a snapshot of everything': () => new Script().append(1, 'a', 'b').snapshot(2).writeAll().append(2, 'c').write(),
  'snapshots one after the other': () => new Script().append(1, 'a', 'b').write().snapshot(1).writeAll().append(1, 'c').snapshot(2).write().append(1, 'd').snapshot(4).writeAll(),
  'a snapshot from elsewhere on an empty disk': () => new Script().install('1:a', '2:b').writeAll().append(2, 'c').write(),
  'a snapshot from elsewhere over other entries': () => new Script().state('t1').append(1, 'a', 'b', 'c', 'd').write().install('2:p', '2:q').state('t2').write().append(2, 'r').write().append(2, 's').writeAll(),
  'a snapshot from elsewhere far ahead, with appends at once': () => new Script().append(1, 'a').write().append(1, 'b').install('2:p', '2:q', '2:r').append(3, 's').state('t3').writeAll().append(3, 't').write(),
  'a snapshot from elsewhere, replaced by one of its own': () => new Script().append(1, 'a').write().install('2:p', '2:q').append(2, 'r').snapshot(3).append(2, 's').writeAll(),
};

describe.each(Object.entries(SCRIPTS))('a crash anywhere in: %s', (_name, make) => {
  it('leaves everything that was acknowledged, in order, and is no damage', () => {
    const script = make();
    expect(contentOf(openStorage((file) => script.disk.read(file)))).toEqual(script.content);
    let points = 0;
    for (const point of crashPoints(script.batches)) {
      points++;
      expect(complaint(point, script)).toBeUndefined();
    }
    expect(points).toBeGreaterThan(100);
  });

  it('leaves a disk on which the member goes on, through a second crash anywhere', () => {
    const script = make();
    const points = [...crashPoints(script.batches)];
    for (let i = 0; i < points.length; i += 3) {
      const files = filesOf(points[i]!.disk);
      const storage = open(files);
      const { entries } = contentOf(storage);
      const index = entries === '' ? 1 : entries.split(' ').length + 1;
      storage.append([{ index, term: 9, bytes: new TextEncoder().encode('new') }]);
      const operations = storage.takeWrites();
      for (let done = 0; done <= operations.length; done++) {
        const disk = new SimulatedDisk({ random: createRandom(done) });
        disk.run([...makeFiles(files), ...operations.slice(0, done)]);
        disk.crash();
        const found = contentOf(openStorage((file) => disk.read(file))).entries;
        const grown = `${entries} 9:new`.trim();
        expect(done === operations.length ? [grown] : [entries, grown], `${points[i]!.where}, then ${done}`).toContain(found);
      }
    }
  });

  it('shows a storage that does not sync', () => {
    const script = make();
    const complaints = [...crashPoints(script.batches, (operations) => operations.filter(({ kind }) => kind !== 'sync'))].map((point) => complaint(point, script));
    expect(complaints.filter((text) => text !== undefined)).not.toEqual([]);
  });
});

describe('damage', () => {
  const script = new Script().state('t1').append(1, 'a', 'b', 'c', 'd').write().snapshot(2).writeAll().state('t2').append(2, 'e').write();
  const log = script.disk.read('log')!;
  const snapshot = script.disk.read('snapshot')!;
  const records = readRecords('log', log).records;
  const last = records.at(-1)!.offset;
  /** What the log says without its last entry. */
  const shorter = { state: 't2', entries: '1:a 1:b 1:c 1:d' };

  it('of the last record: the member is suspect, and has the others', () => {
    for (let offset = last; offset < log.length; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = log.slice();
        bytes[offset]! ^= 1 << bit;
        const found = open({ log: bytes, snapshot });
        expect([found.isSuspect, contentOf(found)], `bit ${bit} of byte ${offset}`).toEqual([true, shorter]);
      }
    }
  });

  it('of any other: refused, with file, offset and reason', () => {
    for (let offset = 0; offset < last; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = log.slice();
        bytes[offset]! ^= 1 << bit;
        const record = records.filter((found) => found.offset <= offset).length - 1;
        try {
          open({ log: bytes, snapshot });
          expect.fail(`bit ${bit} of byte ${offset} is not noticed`);
        } catch (error) {
          expect(error, `bit ${bit} of byte ${offset}`).toBeInstanceOf(CorruptLogError);
          expect(error).toMatchObject({ file: 'log', offset: records[record]!.offset });
        }
      }
    }
  });

  it('of a snapshot: refused, wherever it is, and however it is cut', () => {
    for (let offset = 0; offset < snapshot.length; offset++) {
      expect(() => open({ log, snapshot: snapshot.subarray(0, offset) }), `${offset} bytes`).toThrow(CorruptLogError);
      for (let bit = 0; bit < 8; bit++) {
        const bytes = snapshot.slice();
        bytes[offset]! ^= 1 << bit;
        expect(() => open({ log, snapshot: bytes }), `bit ${bit} of byte ${offset}`).toThrow(/^snapshot, offset \d+: /);
      }
    }
  });

  it('by a cut at any byte: a prefix; suspect where the log had been complete when it got its name; refused without its beginning', () => {
    const header = records[1]!.offset;
    const isSafeAt = readRecords('log', log).records.find(({ content }) => content.length === 1)!.offset + 13;
    for (let length = 0; length <= log.length; length++) {
      if (length < header) {
        expect(() => open({ log: log.subarray(0, length), snapshot }), `${length} bytes`).toThrow('log, offset 0: the beginning is damaged');
        continue;
      }
      const found = open({ log: log.subarray(0, length), snapshot });
      expect(found.isSuspect, `${length} bytes`).toBe(length < isSafeAt);
      expect(script.content.entries.startsWith(contentOf(found).entries), `${length} bytes`).toBe(true);
    }
  });

  it('a member whose files do not belong together is refused', () => {
    expect(() => open({ snapshot })).toThrow('log, offset 0: there is none, but a snapshot');
    expect(() => open({ log })).toThrow('snapshot, offset 0: there is none, but the log begins after 2');
    const older = new Script().append(1, 'a').snapshot(1).writeAll().disk.read('snapshot')!;
    expect(() => open({ log, snapshot: older })).toThrow('snapshot, offset 0: it ends at 1, but the log begins after 2');
    expect(() => open({ log: snapshot })).toThrow('log, offset 0: the beginning is damaged, or this is no log');
    expect(() => open({ log, snapshot: log })).toThrow('snapshot, offset 0: ');
  });
});

describe('a suspect member', () => {
  /** With the last record damaged, and perhaps more behind it. */
  function damaged(more = 0): Script {
    const script = new Script().state('t1').append(1, 'a', 'b', 'the last entry').write();
    script.disk.flip('log', script.disk.read('log')!.length - 3);
    if (more > 0) script.disk.run([{ kind: 'write', file: 'log', offset: script.disk.read('log')!.length, bytes: new Uint8Array(more).fill(0x33) }, { kind: 'sync', file: 'log' }]);
    return script;
  }

  const reopened = (script: Script): Storage => openStorage((file) => script.disk.read(file));

  it.each([0, 1, 12, 13, 40])('is it until it has caught up, through two crashes anywhere (%i bytes of garbage)', (garbage) => {
    const base = damaged(garbage);
    /** Disks after a crash anywhere in the first writes of a restart. */
    const restart = (files: Files): Files[] => {
      const storage = open(files);
      expect(storage.isSuspect).toBe(true);
      expect(contentOf(storage)).toMatchObject({ state: expect.stringMatching(/t1|t2/) as string, entries: '1:a 1:b' });
      storage.saveState(new TextEncoder().encode('t2'));
      const nothing = { state: 0, log: 0, lastState: 0, lastLog: 0 };
      return [...crashPoints([{ operations: makeFiles(files), ...nothing }, { operations: storage.takeWrites(), ...nothing }])]
        .filter(({ where }) => where.startsWith('batch 1'))
        .map(({ disk }) => filesOf(disk));
    };
    let points = 0;
    for (const first of restart(filesOf(base.disk))) {
      for (const second of restart(first)) {
        expect(open(second).isSuspect).toBe(true);
        points++;
      }
    }
    expect(points).toBeGreaterThan(800);
  });

  it('is safe once that is on disk', () => {
    const script = damaged();
    script.storage = reopened(script);
    script.write();
    script.storage.markSafe();
    expect(script.storage.isSuspect).toBe(false);
    expect(reopened(script).isSuspect).toBe(true);
    script.write();
    expect(reopened(script).isSuspect).toBe(false);
    expect(contentOf(reopened(script)).entries).toBe('1:a 1:b');
    script.storage.markSafe();
    expect(script.storage.takeWrites()).toEqual([]);
  });

  it.each([false, true])('remembers it through a compaction (safe before its end: %s)', (isSafe) => {
    const script = damaged();
    script.storage = reopened(script);
    const { storage } = script;
    const bytes = new TextEncoder().encode('c');
    storage.append([{ index: 3, term: 2, bytes }]);
    storage.saveSnapshot({ index: 2, term: 1, meta: bytes }, [bytes, bytes], () => [{ index: 3, term: 2, bytes }]);
    if (isSafe) storage.markSafe();
    script.writeAll();
    expect(storage.isSavingSnapshot).toBe(false);
    expect([reopened(script).isSuspect, reopened(script).entries.length]).toEqual([!isSafe, 1]);
  });

  it('has cut off what was torn, on disk, before it writes there', () => {
    const script = new Script().append(1, 'a').write();
    const end = script.disk.read('log')!.length;
    script.append(1, 'b').write();
    const torn = script.disk.read('log')!.subarray(0, end + 20);
    const storage = open({ log: torn });
    storage.append([{ index: 2, term: 1, bytes: new Uint8Array(1) }]);
    const operations = storage.takeWrites();
    expect(kinds(operations)).toEqual(['truncate log', 'sync log', 'write log', 'sync log']);
    expect(operations[0]).toMatchObject({ lengthBytes: end });
    expect(operations[2]).toMatchObject({ offset: end });
  });
});
