import { describe, expect, it } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import type { DiskOperation } from '../../src/group/disk.ts';
import { SimulatedDisk, type Survival } from '../../src/sim/simulated-disk.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const write = (file: string, offset: number, text: string): DiskOperation => ({ kind: 'write', file, offset, bytes: bytes(text) });
const create = (file: string): DiskOperation => ({ kind: 'create', file });
const sync = (file: string): DiskOperation => ({ kind: 'sync', file });
const rename = (file: string, to: string): DiskOperation => ({ kind: 'rename', file, to });
const cut = (file: string, lengthBytes: number): DiskOperation => ({ kind: 'truncate', file, lengthBytes });

const keep = (count: number): Survival => (_file, unsynced) => Math.min(count, unsynced);
const everything: Survival = (_file, unsynced) => unsynced;

function text(disk: SimulatedDisk, file: string): string | undefined {
  const content = disk.read(file);
  return content === undefined ? undefined : new TextDecoder().decode(content);
}

/** With a durable file `a` that says "0123456789". */
function makeDisk(seed = 1): SimulatedDisk {
  const disk = new SimulatedDisk({ random: createRandom(seed) });
  disk.run([create('new'), write('new', 0, '0123456789'), sync('new'), rename('new', 'a')]);
  return disk;
}

describe('a simulated disk', () => {
  it('shows the process what it wrote, synced or not', () => {
    const disk = makeDisk();
    disk.run([write('a', 8, 'xyz'), create('b'), write('b', 0, 'b'), cut('a', 9)]);
    expect([text(disk, 'a'), text(disk, 'b'), text(disk, 'c'), disk.files]).toEqual(['01234567x', 'b', undefined, ['a', 'b']]);
  });

  it('loses at a crash what was not synced: all of it, or all but a prefix', () => {
    for (let kept = 0; kept <= 7; kept++) {
      const disk = makeDisk();
      disk.run([write('a', 8, 'wxyz'), cut('a', 4), write('a', 4, '!?')]);
      expect(disk.unsyncedBytes('a')).toBe(7);
      disk.crash([], keep(kept));
      const expected = ['0123456789', '01234567w9', '01234567wx', '01234567wxy', '01234567wxyz', '0123', '0123!', '0123!?'];
      expect(text(disk, 'a'), `${kept} bytes`).toBe(expected[kept]);
    }
  });

  it('keeps what was synced, whatever comes after', () => {
    const disk = makeDisk();
    disk.run([write('a', 10, 'x'), sync('a'), write('a', 11, 'y')]);
    disk.crash([], keep(0));
    disk.crash([], everything);
    expect(text(disk, 'a')).toBe('0123456789x');
    expect(disk.isDurable('a')).toBe(true);
  });

  it('loses a file whose name was never synced, though its content was', () => {
    const disk = makeDisk();
    disk.run([create('b'), write('b', 0, 'b'), sync('b')]);
    expect(disk.isDurable('b')).toBe(false);
    disk.crash([], keep(0));
    expect(disk.files).toEqual(['a']);
  });

  it('keeps a rename, and of the file what was synced before it', () => {
    const disk = makeDisk();
    disk.run([create('b'), write('b', 0, 'new'), rename('b', 'a')]);
    expect([disk.isDurable('a'), text(disk, 'a')]).toEqual([false, 'new']);
    disk.crash([], keep(0));
    expect([disk.files, text(disk, 'a')]).toEqual([['a'], '']);
  });

  it('a file made over another one may be the old one again', () => {
    const disk = makeDisk();
    disk.run([create('a'), write('a', 0, 'new')]);
    disk.crash([], keep(0));
    expect(text(disk, 'a')).toBe('0123456789');
  });

  it('without a say, sometimes loses all, and sometimes tears', () => {
    const found = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const disk = makeDisk(seed);
      disk.run([write('a', 10, 'xyz')]);
      disk.crash();
      found.add(text(disk, 'a')!.slice(10));
    }
    expect([...found].sort()).toEqual(['', 'x', 'xy', 'xyz']);
  });

  it('crashes, or loses its process, in the middle of a batch', () => {
    const crashed = new Set<string>();
    const killed = new Set<string>();
    for (let seed = 0; seed < 300; seed++) {
      const batch = [write('a', 10, 'xy'), sync('a'), write('a', 12, 'z'), sync('a')];
      const disk = makeDisk(seed);
      disk.crash(batch, keep(0));
      crashed.add(text(disk, 'a')!.slice(10));
      const other = makeDisk(seed);
      other.kill(batch);
      killed.add(text(other, 'a')!.slice(10));
    }
    expect([...crashed].sort()).toEqual(['', 'xy', 'xyz']);
    expect([...killed].sort()).toEqual(['', 'x', 'xy', 'xyz']);
  });

  it('flips a bit on demand', () => {
    const disk = makeDisk();
    disk.flip('a', 3, 0);
    expect(text(disk, 'a')).toBe('0122456789');
    disk.crash();
    expect(text(disk, 'a')).toBe('0122456789');
    expect(() => disk.flip('a', 10)).toThrow(RangeError);
    expect(() => disk.flip('b', 0)).toThrow(RangeError);
  });

  it('fails on demand: EIO in everything, ENOSPC in what needs room', () => {
    const disk = makeDisk();
    disk.fail('ENOSPC');
    expect(() => disk.run([sync('a'), write('a', 10, 'x')])).toThrow('ENOSPC: no space left on device, write a');
    disk.run([cut('a', 3), sync('a')]);
    disk.fail('EIO');
    expect(() => disk.run([sync('a')])).toThrow('EIO: i/o error, sync a');
    disk.crash([write('a', 3, 'x')]);
    disk.fail(undefined);
    disk.run([write('a', 3, 'x')]);
    expect(text(disk, 'a')).toBe('012x');
  });

  it('does what is asked in order, and stops at the first that fails', () => {
    const disk = makeDisk();
    expect(() => disk.run([write('a', 10, 'x'), write('b', 0, 'x'), write('a', 11, 'y')])).toThrow('ENOENT: no such file, write b');
    expect(text(disk, 'a')).toBe('0123456789x');
    expect(() => disk.run([write('a', 12, 'x')])).toThrow('a hole before offset 12 of a');
    expect(() => disk.run([cut('a', 12)])).toThrow('a cannot be cut to 12');
  });

  it('takes its time, more when it is slow; the same seed, the same times', () => {
    const draw = (slowness: number): number[] => {
      const disk = new SimulatedDisk({ random: createRandom(3), maxDelayMs: 4 });
      disk.slowness = slowness;
      return Array.from({ length: 50 }, () => disk.drawDelayMs());
    };
    expect(Math.max(...draw(1))).toBeLessThanOrEqual(4);
    expect(Math.max(...draw(1))).toBeGreaterThan(3);
    expect(draw(10)).toEqual(draw(1).map((delayMs) => delayMs * 10));
  });

  it('wiped is empty', () => {
    const disk = makeDisk();
    disk.wipe();
    expect(disk.files).toEqual([]);
    disk.crash([], everything);
    expect(disk.read('a')).toBeUndefined();
  });
});
