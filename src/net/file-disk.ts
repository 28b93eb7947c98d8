import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { open, readdir, rename, rm, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { DiskOperation } from '../group/disk.ts';
import { FILES_FOLDER, PART_SUFFIX } from '../group/file-store-operation.ts';
import { lockDirectory, type DirectoryLock } from './directory-lock.ts';
import { makeDirectory, syncDirectory, writeAll } from './output-file.ts';

/** What a replica may call a file in a directory. */
const FILE_NAME = /^[a-z][a-z0-9.-]{0,63}$/;
/** Longer ones the system may refuse. */
const MAX_NAME_BYTES = 255;

/** Paths by the replica's own names. */
type Places = Pick<ReadonlyMap<string, string>, 'get'>;

/** Carries out a replica's disk writes on real files. One run() at a time. Its errors name the file. */
export class FileDisk {
  readonly #places: Places;
  readonly #lock: DirectoryLock | undefined;
  /** One for each name, kept from one run to the next. */
  readonly #open = new Map<string, FileHandle>();
  /** Made here, and not known to be in their directory on disk. */
  readonly #isNew = new Set<string>();

  /** Where the files lie that the replica names. */
  constructor(places: Places, lock?: DirectoryLock) {
    this.#places = places;
    this.#lock = lock;
  }

  /**
   * Opens a directory for one replica, which is alone in it until close(). It is made when it is not there. Rejects with the
   * system's error, or with DirectoryInUseError, which says who is in it.
   */
  static async open(directory: string): Promise<FileDisk> {
    await named(directory, makeDirectory(directory));
    const lock = lockDirectory(directory);
    return new FileDisk({ get: (file) => (FILE_NAME.test(file) || isInFolder(file) ? join(directory, file) : undefined) }, lock);
  }

  /** A folder for files whose names others choose, in a directory that is open. What an earlier life has left there incomplete is removed. */
  static async makeFolder(directory: string, folder: string): Promise<void> {
    const path = join(directory, folder);
    await named(path, makeDirectory(path));
    for (const name of await readdir(path)) if (name.endsWith(PART_SUFFIX)) await rm(join(path, name), { force: true });
  }

  /** In order. Rejects with the system's error at the first that fails; those before it are done. */
  async run(operations: readonly DiskOperation[]): Promise<void> {
    for (const [i, operation] of operations.entries()) {
      const path = this.#path(operation.file);
      await named(path, this.#one(operation, path, () => operations.slice(i + 1)));
    }
  }

  /** Exactly [offset, offset + length) of the first of `files` that is there. Throws what the system throws, and Error when there is less. */
  read(files: readonly string[], offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const { path, fd } = this.#openFirst(files);
    try {
      for (let filled = 0; filled < length;) {
        const count = readSync(fd, bytes, filled, length - filled, offset + filled);
        if (count === 0) throw new Error(`${path} ends at ${offset + filled}`);
        filled += count;
      }
    } finally {
      closeSync(fd);
    }
    return bytes;
  }

  /** A ReadFile. Throws the system's error, except that there is no such file; for 2 GiB and more, too. */
  readonly readFile = (file: string): Uint8Array | undefined => {
    const path = this.#path(file);
    try {
      return readFileSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw withPath(path, error);
    }
  };

  /** Closes and deletes a file that is not wanted any more; that it is not there is no error. */
  async discard(file: string): Promise<void> {
    const handle = this.#open.get(file);
    this.#open.delete(file);
    this.#isNew.delete(file);
    if (handle === undefined) return;
    await handle.close().catch(() => {});
    await unlink(this.#path(file)).catch(() => {});
  }

  /** Lets go of everything. What is not synced is not synced by this. */
  async close(): Promise<void> {
    const handles = [...this.#open.values()];
    this.#open.clear();
    for (const handle of handles) await handle.close().catch(() => {});
    this.#lock?.release();
  }

  /** Also while one is being renamed to the next. */
  #openFirst(files: readonly string[]): { readonly path: string; readonly fd: number } {
    for (const [i, file] of files.entries()) {
      const path = this.#path(file);
      try {
        return { path, fd: openSync(path, 'r') };
      } catch (error) {
        if (i === files.length - 1 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw withPath(path, error);
      }
    }
    throw new Error('no file is named');
  }

  async #one(operation: DiskOperation, path: string, later: () => readonly DiskOperation[]): Promise<void> {
    const { file } = operation;
    switch (operation.kind) {
      case 'create':
        await this.#close(file);
        this.#open.set(file, await open(path, 'w'));
        this.#isNew.add(file);
        break;
      case 'write':
        await writeAll(await this.#handle(file), operation.bytes, operation.offset);
        break;
      case 'truncate': {
        const handle = await this.#handle(file);
        const { size } = await handle.stat();
        if (size < operation.lengthBytes) throw new Error(`cannot be cut to ${operation.lengthBytes} bytes: it has ${size}`);
        await handle.truncate(operation.lengthBytes);
        break;
      }
      case 'sync':
        await (await this.#handle(file)).sync();
        // A content without a name is lost; but a rename to come will sync the directory anyway.
        if (!this.#isNew.has(file) || later().some((next) => next.kind === 'rename' && next.file === file)) break;
        await syncDirectory(dirname(path));
        this.#isNew.delete(file);
        break;
      case 'rename': {
        const to = this.#path(operation.to);
        await this.#close(file);
        // Its handle leads to the file that is replaced.
        await this.#close(operation.to);
        await rename(path, to);
        // A rename is on disk only when its directory is.
        await syncDirectory(dirname(to));
        this.#isNew.delete(file);
        break;
      }
      case 'remove':
        await this.#close(file);
        this.#isNew.delete(file);
        await rm(path, { force: true });
        break;
    }
  }

  async #close(file: string): Promise<void> {
    const handle = this.#open.get(file);
    this.#open.delete(file);
    await handle?.close();
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
    const path = this.#places.get(file);
    if (path === undefined) throw new Error(`no place is known for the file "${file}"`);
    return path;
  }
}

/** Whoever asks has looked at the name; here it is only kept from leading elsewhere. */
function isInFolder(file: string): boolean {
  const name = file.startsWith(FILES_FOLDER) ? file.slice(FILES_FOLDER.length) : '';
  return name !== '' && !name.startsWith('.') && !/[/\\\0]/.test(name) && Buffer.byteLength(name) <= MAX_NAME_BYTES;
}

async function named<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw withPath(path, error);
  }
}

/** The system names the path when it opens a file, and not when it writes to it. */
function withPath(path: string, error: unknown): Error {
  const { message, code } = error as NodeJS.ErrnoException;
  if (message.includes(path)) return error as Error;
  return Object.assign(new Error(`${path}: ${message}`, { cause: error }), code === undefined ? {} : { code });
}
