import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFifoReader, openFifoWriter } from '../../src/net/fifo.ts';
import { isSpecialFile, openOutput, partPath } from '../../src/net/output-file.ts';
import { collect } from './loopback.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'failmask-output-'));
  path = join(directory, 'file');
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const nowhere = new Writable();

describe('a regular file', () => {
  it('is PATH.part until it is committed', async () => {
    const output = await openOutput(path, nowhere);
    await output.write(Buffer.from('one '));
    await output.write(Buffer.from('two'));
    expect([existsSync(path), existsSync(partPath(path))]).toEqual([false, true]);
    await output.commit();
    expect([readFileSync(path, 'utf8'), existsSync(partPath(path))]).toEqual(['one two', false]);
  });

  it('replaces what was there only at the end', async () => {
    writeFileSync(path, 'old');
    const output = await openOutput(path, nowhere);
    await output.write(Buffer.from('new'));
    expect(readFileSync(path, 'utf8')).toBe('old');
    await output.commit();
    expect(readFileSync(path, 'utf8')).toBe('new');
  });

  it('that is discarded leaves nothing', async () => {
    const output = await openOutput(path, nowhere);
    await output.write(Buffer.from('half'));
    await output.discard();
    expect([existsSync(path), existsSync(partPath(path))]).toEqual([false, false]);
  });

  it('in a folder that does not exist, or a folder itself, is an error', async () => {
    await expect(openOutput(join(directory, 'no', 'file'), nowhere)).rejects.toThrow('ENOENT');
    mkdirSync(path);
    await expect(openOutput(path, nowhere)).rejects.toThrow('is a directory');
  });
});

describe('stdout', () => {
  it('is written with its own backpressure and stays open', async () => {
    const written: string[] = [];
    let release: () => void = () => {};
    const stdout = new Writable({
      write(chunk, _encoding, callback) {
        written.push(String(chunk));
        release = callback;
      },
    });
    const output = await openOutput('-', stdout);
    let isDone = false;
    const writing = output.write(Buffer.from('x')).then(() => (isDone = true));
    await Promise.resolve();
    expect([written, isDone]).toEqual([['x'], false]);
    release();
    await writing;
    await output.commit();
    expect(stdout.writableEnded).toBe(false);
  });
});

describe('special files', () => {
  it('a full device says so', async () => {
    const output = await openOutput('/dev/full', nowhere);
    await expect(output.write(Buffer.from('x'))).rejects.toThrow('ENOSPC');
    await output.discard();
  });

  it('are recognized', async () => {
    writeFileSync(path, '');
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    expect(await Promise.all([path, directory, fifo, '/dev/null', join(directory, 'none')].map(isSpecialFile))).toEqual([false, false, true, true, false]);
  });

  it('a FIFO waits for its reader, and ends with commit', async () => {
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const opening = openOutput(fifo, nowhere);
    const reading = collect(createReadStream(fifo));
    const output = await opening;
    const bytes = Buffer.alloc(300_000, 'fifo');
    await output.write(bytes);
    await output.commit();
    expect((await reading).equals(bytes)).toBe(true);
  });

  it('a FIFO whose reader leaves: an error, not a signal', async () => {
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const reader = openFifoReader(fifo);
    const output = await openOutput(fifo, nowhere);
    reader.destroy();
    await expect((async () => {
      for (;;) await output.write(Buffer.alloc(100_000));
    })()).rejects.toThrow('EPIPE');
    await expect(output.commit()).rejects.toThrow('EPIPE');
  });

  it('waiting for a reader can be given up', async () => {
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const controller = new AbortController();
    const opening = openFifoWriter(fifo, controller.signal);
    controller.abort(new Error('no patience'));
    await expect(opening).rejects.toThrow('no patience');
  });

  it('a FIFO reader waits for its writer', async () => {
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const reading = collect(openFifoReader(fifo));
    const writer = await openFifoWriter(fifo);
    writer.end('hello');
    expect(String(await reading)).toBe('hello');
  });
});
