import { closeSync, openSync, readSync } from 'node:fs';
import { open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { DiskOperation } from '../group/disk.ts';
import { syncDirectory, writeAll } from './output-file.ts';

/** Carries out a replica's disk writes on real files. One run() at a time. */
export class FileDisk {
  readonly #paths: ReadonlyMap<string, string>;
  readonly #open = new Map<string, FileHandle>();

  /** Where the files lie that the replica names. */
  constructor(paths: Readonly<Record<string, string>>) {
    this.#paths = new Map(Object.entries(paths));
  }

  /** In order. Rejects with the system's error at the first that fails; those before it are done. */
  async run(operations: readonly DiskOperation[]): Promise<void> {
    for (const operation of operations) await this.#one(operation);
  }

  /** Exactly [offset, offset + length). Throws what the system throws, and Error when there is less. */
  read(file: string, offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const fd = openSync(this.#path(file), 'r');
    try {
      for (let filled = 0; filled < length;) {
        const count = readSync(fd, bytes, filled, length - filled, offset + filled);
        if (count === 0) throw new Error(`${this.#path(file)} ends at ${offset + filled}`);
        filled += count;
      }
    } finally {
      closeSync(fd);
    }
    return bytes;
  }

  /** Closes and deletes a file that is not wanted any more; that it is not there is no error. */
  async discard(file: string): Promise<void> {
    const handle = this.#open.get(file);
    this.#open.delete(file);
    if (handle === undefined) return;
    await handle.close().catch(() => {});
    await unlink(this.#path(file)).catch(() => {});
  }

  async #one(operation: DiskOperation): Promise<void> {
    const path = this.#path(operation.file);
    switch (operation.kind) {
      case 'create':
        await this.#open.get(operation.file)?.close();
        this.#open.set(operation.file, await open(path, 'w'));
        break;
      case 'write':
        await writeAll(await this.#handle(operation.file), operation.bytes, operation.offset);
        break;
      case 'truncate':
        await (await this.#handle(operation.file)).truncate(operation.lengthBytes);
        break;
      case 'sync':
        await (await this.#handle(operation.file)).sync();
        break;
      case 'rename':
        await this.#open.get(operation.file)?.close();
        this.#open.delete(operation.file);
        await rename(path, this.#path(operation.to));
        // A rename is on disk only when its directory is.
        await syncDirectory(dirname(this.#path(operation.to)));
        break;
    }
  }

  async #handle(file: string): Promise<FileHandle> {
    let handle = this.#open.get(file);
    if (handle === undefined) {
      handle = await open(this.#path(file), 'r+');
      this.#open.set(file, handle);
    }
    return handle;
  }

  #path(file: string): string {
    const path = this.#paths.get(file);
    if (path === undefined) throw new Error(`no place is known for the file "${file}"`);
    return path;
  }
}
