import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { DiskOperation } from '../../src/group/disk.ts';
import { openStorage } from '../../src/group/disk-storage.ts';
import { FILES_FOLDER } from '../../src/group/file-store-operation.ts';
import { FileDisk } from '../../src/net/file-disk.ts';
import { Script } from '../group/storage-script.ts';

let directory: string;
let disk: FileDisk;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'failmask-disk-'));
  disk = await FileDisk.open(directory);
});

afterEach(async () => {
  await disk.close();
  rmSync(directory, { recursive: true, force: true });
});

const write = (file: string, offset: number, text: string): DiskOperation => ({ kind: 'write', file, offset, bytes: Buffer.from(text) });
const create = (file: string): DiskOperation => ({ kind: 'create', file });
const sync = (file: string): DiskOperation => ({ kind: 'sync', file });
const rename = (file: string, to: string): DiskOperation => ({ kind: 'rename', file, to });
const cut = (file: string, lengthBytes: number): DiskOperation => ({ kind: 'truncate', file, lengthBytes });
const text = (file: string): string | undefined => {
  const bytes = disk.readFile(file);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
};

describe('a file disk', () => {
  it('does what is asked, in order', async () => {
    await disk.run([create('log'), write('log', 0, 'hello world'), cut('log', 5), sync('log'), write('log', 5, '!')]);
    expect(text('log')).toBe('hello!');
    await disk.run([create('log')]);
    expect(text('log')).toBe('');
    expect(text('snapshot')).toBeUndefined();
  });

  it('goes on in the file that got the name, also when the one before it was open', async () => {
    await disk.run([create('log'), write('log', 0, 'old'), sync('log')]);
    await disk.run([create('log.new'), write('log.new', 0, 'new'), sync('log.new'), rename('log.new', 'log'), write('log', 3, '!'), sync('log')]);
    expect([text('log'), text('log.new')]).toEqual(['new!', undefined]);
    await disk.run([write('log', 4, '!'), create('log.new'), write('log.new', 0, 'x')]);
    expect([text('log'), text('log.new')]).toEqual(['new!!', 'x']);
  });

  it('finds after a restart what was there', async () => {
    await disk.run([create('log'), write('log', 0, 'abc'), sync('log')]);
    await disk.close();
    disk = await FileDisk.open(directory);
    await disk.run([write('log', 3, 'd'), cut('log', 4)]);
    expect(text('log')).toBe('abcd');
  });

  it('never makes a file longer by cutting it', async () => {
    await disk.run([create('log'), write('log', 0, 'abc')]);
    await expect(disk.run([cut('log', 4)])).rejects.toThrow(`${join(directory, 'log')}: cannot be cut to 4 bytes: it has 3`);
  });

  it('names the file in its errors', async () => {
    await expect(disk.run([write('log', 0, 'x')])).rejects.toThrow(/ENOENT.*failmask-disk-.*log/);
    const full = new FileDisk(new Map([['log', '/dev/full']]));
    const failure = full.run([write('log', 0, 'x')]);
    await expect(failure).rejects.toThrow(/^\/dev\/full: ENOSPC/);
    await expect(failure).rejects.toMatchObject({ code: 'ENOSPC' });
    await full.close();
    expect(() => new FileDisk(new Map([['log', directory]])).readFile('log')).toThrow(`${directory}: EISDIR`);
  });

  it('stops at the first that fails', async () => {
    await expect(disk.run([create('a'), write('a', 0, 'x'), write('b', 0, 'y'), write('a', 1, 'z')])).rejects.toThrow('ENOENT');
    expect(text('a')).toBe('x');
  });

  it.each(['../log', 'a/b', '', '.hidden', 'lock/..', 'LOG'])('knows no place outside its directory: "%s"', async (file) => {
    await expect(disk.run([create(file)])).rejects.toThrow('no place is known');
    expect(() => disk.readFile(file)).toThrow('no place is known');
  });

  it('syncs the directory for a new file, unless a rename is about to', async () => {
    const synced = await countSyncs(async () => {
      await disk.run([create('a'), write('a', 0, 'x'), sync('a')]);
      await disk.run([write('a', 1, 'x'), sync('a')]);
      await disk.run([create('b'), write('b', 0, 'x'), sync('b'), rename('b', 'c')]);
    });
    // a and its directory; a; b and, for the rename, its directory.
    expect(synced).toBe(5);
  });
});

/** Syncs of any file during `work`. */
async function countSyncs(work: () => Promise<void>): Promise<number> {
  const { open } = await import('node:fs/promises');
  const handle = await open(directory, 'r');
  const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, 'sync'>;
  await handle.close();
  const real = prototype.sync;
  let count = 0;
  prototype.sync = function (this: FileHandle) {
    count++;
    return real.call(this);
  };
  try {
    await work();
  } finally {
    prototype.sync = real;
  }
  return count;
}

describe('a storage on real files', () => {
  it('is what it is in the simulator, byte by byte', async () => {
    const script = new Script();
    script.state('t1').append(1, 'a', 'b', 'c').write().append(2, 'd').snapshot(3).writeAll().truncate(4).append(3, 'e').state('t2').write();
    for (const { operations } of script.batches) await disk.run(operations);
    for (const file of ['log', 'snapshot']) expect(Buffer.from(disk.readFile(file)!).equals(script.disk.read(file)!), file).toBe(true);
    expect(readdirSync(directory).filter((name) => !name.startsWith('lock.')).sort()).toEqual(['log', 'snapshot']);
    const storage = openStorage(disk.readFile);
    expect([storage.isSuspect, storage.entries.length, storage.snapshot?.index]).toEqual([false, 1, 3]);
  });
});

describe('a process that is killed while it writes', () => {
  const WRITER = fileURLToPath(new URL('disk-writer.ts', import.meta.url));

  it('has on disk whatever it had acknowledged, life after life', { timeout: 60_000 }, async () => {
    await disk.close();
    let acknowledged = 0;
    for (const enough of [1, 40, 150, 300]) {
      const writer = spawn(process.execPath, ['--import', 'tsx', WRITER, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
      const before = acknowledged;
      for await (const line of createInterface({ input: writer.stdout })) {
        acknowledged = Number(line);
        if (acknowledged >= before + enough) writer.kill('SIGKILL');
      }
      if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
      expect(writer.signalCode).toBe('SIGKILL');
      disk = await FileDisk.open(directory);
      const { entries, snapshot, isSuspect, state } = openStorage(disk.readFile);
      const last = entries.at(-1)?.index ?? snapshot?.index ?? 0;
      expect(isSuspect).toBe(false);
      expect(last).toBeGreaterThanOrEqual(acknowledged);
      expect(Number(Buffer.from(state!).toString())).toBeGreaterThanOrEqual(acknowledged);
      expect(entries.every(({ index, bytes }) => Buffer.from(bytes).toString().startsWith(`${index} `))).toBe(true);
      await disk.close();
    }
    expect(existsSync(join(directory, 'snapshot'))).toBe(true);
  });
});

describe('a data directory', () => {
  it('is made, with those around it', async () => {
    const path = join(directory, 'x', 'y', 'z');
    const made = await FileDisk.open(path);
    await made.run([create('log'), sync('log')]);
    expect(existsSync(join(path, 'log'))).toBe(true);
    await made.close();
  });

  it('that is a file is an error that names it', async () => {
    const path = join(directory, 'file');
    writeFileSync(path, '');
    await expect(FileDisk.open(path)).rejects.toThrow(path);
  });

  it('leaves no lock behind, and reads exactly what is asked for', async () => {
    await disk.run([create('log'), write('log', 0, 'abcdef')]);
    expect(Buffer.from(disk.read(['log'], 2, 3)).toString()).toBe('cde');
    expect(() => disk.read(['log'], 4, 3)).toThrow('ends at 6');
    // Of the first that is there: one may be renamed to the other meanwhile.
    expect(Buffer.from(disk.read(['log.new', 'log'], 0, 1)).toString()).toBe('a');
    expect(() => disk.read(['log.new', 'nothing'], 0, 1)).toThrow('ENOENT');
    await disk.close();
    await disk.close();
    expect(readdirSync(directory)).toEqual(['log']);
    expect(readFileSync(join(directory, 'log'), 'utf8')).toBe('abcdef');
  });

  it('is one replica\'s, under whatever name', async () => {
    const link = join(directory, 'link');
    symlinkSync(directory, link);
    await expect(FileDisk.open(directory)).rejects.toThrow(`${directory} is in use by this process`);
    await expect(FileDisk.open(link)).rejects.toMatchObject({ code: 'EBUSY', pid: process.pid });
    await disk.close();
    disk = await FileDisk.open(link);
  });

  it('keeps files under names that others choose in a folder, and nowhere else; what was left incomplete there goes', async () => {
    await FileDisk.makeFolder(directory, FILES_FOLDER);
    await disk.run([create('files/A photo.1.part'), write('files/A photo.1.part', 0, 'x'), sync('files/A photo.1.part'), rename('files/A photo.1.part', 'files/A photo'), create('files/b.2.part')]);
    expect(readdirSync(join(directory, 'files')).sort()).toEqual(['A photo', 'b.2.part']);
    for (const file of ['files/', 'files/..', 'files/../up', 'files/a/b', `files/${'x'.repeat(256)}`, 'files/a\0']) await expect(disk.run([create(file)]), file).rejects.toThrow('no place is known');
    await FileDisk.makeFolder(directory, FILES_FOLDER);
    expect(readdirSync(join(directory, 'files'))).toEqual(['A photo']);
    await disk.run([{ kind: 'remove', file: 'files/A photo' }, { kind: 'remove', file: 'files/A photo' }]);
    expect(readdirSync(join(directory, 'files'))).toEqual([]);
  });
});
