import { constants } from 'node:fs';
import { mkdir, open, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Writable } from 'node:stream';

import { openFifoWriter } from './fifo.ts';

/** Where received bytes go. `commit` resolves when they are safe there; until then nothing may be taken for delivered. */
export interface Output {
  /** Resolves when more may be written. Rejects when the bytes cannot be kept (disk full, reader gone). */
  write(bytes: Uint8Array): Promise<void>;
  commit(): Promise<void>;
  /** The transfer failed: what there is must not look complete. */
  discard(): Promise<void>;
}

/** A regular file: written as PATH.part, and PATH only once everything is on disk. */
class PartFile implements Output {
  readonly #path: string;
  readonly #file: FileHandle;

  constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await writeAll(this.#file, bytes);
  }

  async commit(): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
    await rename(partPath(this.#path), this.#path);
    await syncDirectory(dirname(this.#path));
  }

  async discard(): Promise<void> {
    await this.#file.close().catch(() => {});
    await unlink(partPath(this.#path)).catch(() => {});
  }
}

/** A device: written directly, with its own backpressure. */
class SpecialFile implements Output {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await writeAll(this.#file, bytes);
  }

  async commit(): Promise<void> {
    await this.#file.close();
  }

  async discard(): Promise<void> {
    await this.#file.close().catch(() => {});
  }
}

/** Standard output, which stays open, or a FIFO, which is closed at the end. */
class StreamOutput implements Output {
  readonly #stream: Writable;
  readonly #isOurs: boolean;
  #error: Error | undefined;

  constructor(stream: Writable, isOurs: boolean) {
    this.#stream = stream;
    this.#isOurs = isOurs;
    // Standard output has a listener of the command's own.
    if (isOurs) stream.on('error', (error) => (this.#error = error));
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  async commit(): Promise<void> {
    if (!this.#isOurs) return;
    if (this.#error === undefined) await new Promise<void>((resolve) => this.#stream.end(resolve));
    if (this.#error !== undefined) throw this.#error;
  }

  async discard(): Promise<void> {
    if (this.#isOurs) this.#stream.destroy();
  }
}

/** Opens `path`, `-` for `stdout`. Rejects with the system's error. A FIFO waits for its reader, until `signal` rejects with its reason. */
export async function openOutput(path: string, stdout: Writable, signal?: AbortSignal): Promise<Output> {
  if (path === '-') return new StreamOutput(stdout, false);
  const existing = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (existing?.isDirectory()) throw new Error(`${path} is a directory`);
  if (existing?.isFIFO()) return new StreamOutput(await openFifoWriter(path, signal), true);
  if (existing !== undefined && !existing.isFile()) return new SpecialFile(await open(path, constants.O_WRONLY));
  return new PartFile(path, await open(partPath(path), 'w'));
}

/** A regular file that has the old content or the new one, whatever happens meanwhile. */
export async function replaceFile(path: string, content: string): Promise<void> {
  const file = new PartFile(path, await open(partPath(path), 'w'));
  try {
    await file.write(new TextEncoder().encode(content));
    await file.commit();
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/** A FIFO or a device. False for what is not there. */
export async function isSpecialFile(path: string): Promise<boolean> {
  const status = await stat(path).catch(() => undefined);
  return status !== undefined && !status.isFile() && !status.isDirectory();
}

export function partPath(path: string): string {
  return `${path}.part`;
}

/**
 * With those around it that are not there. What was made is there after a power failure only if the directory around it says so; what is there
 * already was perhaps made by somebody who died before he had seen to that. Rejects with the system's error.
 */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return syncDirectory(dirname(resolve(path))).catch(ignoreUnreadable);
  for (let made = resolve(path); made !== dirname(resolve(first)); made = dirname(made)) await syncDirectory(dirname(made));
}

/** Whoever may not read a directory has not made anything in it that he could sync. */
function ignoreUnreadable(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
}

/** A rename is on disk only when its directory is. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** At `position` of the file; undefined: where the last write ended. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position?: number): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, offset, bytes.length - offset, position === undefined ? null : position + offset);
    offset += bytesWritten;
  }
}
