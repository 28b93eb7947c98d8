import { createHash, type Hash } from 'node:crypto';

import { assert } from '../core/assert.ts';
import { ByteReader, ByteWriter, encodeText } from './byte-codec.ts';
import type { DiskOperation } from './disk.ts';
import { decodeFileOperation, type FileOperation } from './file-operation.ts';
import { MAX_REASON_BYTES } from './message.ts';
import type { FileNames } from './record-file.ts';
import { SnapshotError, type Reply, type StateMachine, type Status } from './state-machine.ts';

/** The file while it is incomplete, and afterwards, in the words of DiskOperation. */
export const PART_FILE = 'part';
export const FINAL_FILE = 'file';

const SNAPSHOT_CHUNK_BYTES = 64 * 1024;
const SNAPSHOT_VERSION = 1;
/** Written and not synced at most: at the end, all of it at once would hold up everything else. */
const SYNC_BYTES = 8 * 1024 * 1024;

const PHASES = ['empty', 'open', 'committed'] as const;
type Phase = (typeof PHASES)[number];

/**
 * Bytes of a file, for snapshots: exactly [offset, offset + length), from the first of `files` that is there. Only what is on disk is asked
 * for: what takeWrites() returned counts as carried out once it is called again.
 */
export type ReadContent = (files: readonly string[], offset: number, length: number) => Uint8Array;

export interface FileSinkOptions {
  readonly readContent: ReadContent;
  /** What it calls its file while it is incomplete, and afterwards: PART_FILE and FINAL_FILE unless said otherwise. */
  readonly names?: FileNames;
}

/**
 * The receiver of one file as a state machine: open, append at exactly the end, commit with the right length and SHA-256.
 * The content itself goes to disk; in memory there are its length, its running hash, and what may not be on disk yet.
 *
 * Who opens it first has it, and everybody else is told `busy`. A sender that goes on elsewhere, or under a new session, asks where the file stands
 * with an append of nothing: its reply's offset is where the next byte belongs. Appends say where they belong and a commit may be repeated,
 * so what is asked twice is done once.
 *
 * After a restart it begins empty and is given the same operations again, or a snapshot and those after it: it writes the file anew,
 * from `create` on, and what an earlier life has left under that name is gone.
 */
export class FileSink implements StateMachine {
  readonly #readContent: ReadContent;
  readonly #names: FileNames;
  #phase: Phase = 'empty';
  #transferId = '';
  #length = 0;
  #hash: Hash = createHash('sha256');
  #unsyncedBytes = 0;
  #writes: DiskOperation[] = [];
  /** Handed out by the last takeWrites(); on disk when the next one is called. */
  #leaving: readonly DiskOperation[] = [];

  constructor(options: FileSinkOptions) {
    this.#readContent = options.readContent;
    this.#names = options.names ?? { part: PART_FILE, file: FINAL_FILE };
  }

  get isCommitted(): boolean {
    return this.#phase === 'committed';
  }

  get isOpen(): boolean {
    return this.#phase !== 'empty';
  }

  get length(): number {
    return this.#length;
  }

  /** Whose file it is; empty while there is none. */
  get transferId(): string {
    return this.#transferId;
  }

  /** SHA-256 of what is here. */
  get sha256(): Uint8Array {
    return this.#digest();
  }

  /** The same file goes on under another name of the transfer. It must be open. */
  handOver(transferId: string): void {
    assert(this.#phase === 'open', 'only what is open changes hands');
    this.#transferId = transferId;
  }

  apply(bytes: Uint8Array): Reply {
    const operation = decodeFileOperation(bytes);
    return operation === undefined ? this.#reply('refused', 'the operation is malformed') : this.carryOut(operation);
  }

  /** apply(), for whoever has read the operation already. */
  carryOut(operation: FileOperation): Reply {
    if (operation.kind === 'open') return this.#open(operation.transferId);
    if (this.#phase === 'empty') return this.#reply('refused', 'no file is open here: this member has not seen the beginning');
    if (operation.transferId !== this.#transferId) return this.#reply('busy', this.#holder('another transfer'));
    if (operation.kind === 'commit') return this.#commit(operation);
    return this.#phase === 'committed' ? this.#reply('refused', 'the file is committed already') : this.#append(operation);
  }

  /** Nobody reads from a sink. */
  isReadOnly(_operation: Uint8Array): boolean {
    return false;
  }

  query(_operation: Uint8Array): Reply {
    return this.#reply('refused', 'a sink is not read from');
  }

  takeWrites(): readonly DiskOperation[] {
    this.#leaving = this.#writes;
    this.#writes = [];
    return this.#leaving;
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  /** How many chunks snapshot() gives now. */
  get snapshotChunks(): number {
    return 1 + Math.ceil(this.#length / SNAPSHOT_CHUNK_BYTES);
  }

  /**
   * The content is read as it is asked for: appended bytes never change, so this is copy-on-write for nothing. Taking the last chunk throws
   * Error when the file is not what was written to it: whoever's disk it is stops, instead of passing it on.
   */
  snapshot(): Iterable<Uint8Array> {
    const length = this.#length;
    const sha256 = this.#digest();
    const header = new ByteWriter().u8(SNAPSHOT_VERSION).u8(PHASES.indexOf(this.#phase)).text(this.#transferId).u53(length).raw(sha256);
    return this.#chunks(header.finish(), length, sha256);
  }

  restore(chunks: Iterable<Uint8Array>): void {
    const hash = createHash('sha256');
    const writes: DiskOperation[] = [{ kind: 'create', file: this.#names.part }];
    let header: { phase: Phase; transferId: string; length: number; digest: Uint8Array } | undefined;
    let length = 0;
    for (const chunk of chunks) {
      if (header === undefined) {
        header = readHeader(chunk);
        continue;
      }
      hash.update(chunk);
      writes.push({ kind: 'write', file: this.#names.part, offset: length, bytes: chunk });
      length += chunk.length;
    }
    if (header === undefined) throw new SnapshotError('the snapshot is empty');
    if (length !== header.length) throw new SnapshotError(`the snapshot holds ${length} bytes of ${header.length}`);
    if (!isEqual(hash.copy().digest(), header.digest)) throw new SnapshotError('the content of the snapshot is not what its digest says');
    if (header.phase === 'committed') writes.push(...commitWrites(this.#names));
    this.#phase = header.phase;
    this.#transferId = header.transferId;
    this.#length = length;
    this.#hash = hash;
    // What was to be written for the state before is not wanted any more, and what is on disk is not of this one.
    this.#writes = header.phase === 'empty' ? [] : writes;
    this.#leaving = [];
  }

  *#chunks(header: Uint8Array, length: number, sha256: Uint8Array): Iterable<Uint8Array> {
    yield header;
    const hash = createHash('sha256');
    for (let offset = 0; offset < length; offset += SNAPSHOT_CHUNK_BYTES) {
      const bytes = this.#read(offset, Math.min(SNAPSHOT_CHUNK_BYTES, length - offset));
      hash.update(bytes);
      if (offset + bytes.length === length && !isEqual(hash.digest(), sha256)) throw new Error(`${this.#names.file} is damaged: its SHA-256 is not that of what was written`);
      yield bytes;
    }
  }

  /** From disk, as far as it is there, and from what is on its way there. */
  #read(offset: number, length: number): Uint8Array {
    const end = offset + length;
    const parts = [...this.#leaving, ...this.#writes].filter((write) => write.kind === 'write');
    const onDisk = Math.min(end, parts[0]?.offset ?? end);
    const { part, file } = this.#names;
    if (onDisk === end) return this.#readContent([part, file], offset, length);
    const bytes = new Uint8Array(length);
    if (offset < onDisk) bytes.set(this.#readContent([part, file], offset, onDisk - offset));
    for (const write of parts) {
      const from = Math.max(offset, write.offset);
      const to = Math.min(end, write.offset + write.bytes.length);
      if (from < to) bytes.set(write.bytes.subarray(from - write.offset, to - write.offset), from - offset);
    }
    return bytes;
  }

  #open(transferId: string): Reply {
    if (transferId === '') return this.#reply('refused', 'a transfer needs a name');
    if (this.#phase !== 'empty') return this.#reply('busy', this.#holder(transferId === this.#transferId ? 'this transfer' : 'another transfer'));
    this.#phase = 'open';
    this.#transferId = transferId;
    this.#writes.push({ kind: 'create', file: this.#names.part });
    return this.#reply('ok');
  }

  #append({ offset, bytes }: FileOperation & { kind: 'append' }): Reply {
    if (offset !== this.#length) return this.#reply('gap', `bytes at ${offset} do not follow the ${this.#length} that are here`);
    if (!Number.isSafeInteger(offset + bytes.length)) return this.#reply('refused', 'the file is too long');
    this.#hash.update(bytes);
    this.#length += bytes.length;
    this.#writes.push({ kind: 'write', file: this.#names.part, offset, bytes });
    this.#unsyncedBytes += bytes.length;
    if (this.#unsyncedBytes >= SYNC_BYTES) {
      this.#writes.push({ kind: 'sync', file: this.#names.part });
      this.#unsyncedBytes = 0;
    }
    return this.#reply('ok');
  }

  #commit({ length, sha256 }: FileOperation & { kind: 'commit' }): Reply {
    if (length !== this.#length) return this.#reply('mismatch', `the file has ${length} bytes, here are ${this.#length}`);
    if (!isEqual(sha256, this.#digest())) return this.#reply('mismatch', 'the bytes here have another SHA-256');
    if (this.#phase === 'open') this.#writes.push(...commitWrites(this.#names));
    this.#phase = 'committed';
    return this.#reply('committed');
  }

  #holder(who: string): string {
    return `${who} ${this.#phase === 'open' ? 'holds' : 'has filled'} this member: ${this.#transferId}, ${this.#length} bytes`;
  }

  #digest(): Uint8Array {
    return this.#hash.copy().digest();
  }

  #reply(status: Status, reason = ''): Reply {
    return { status, offset: this.#length, digest: this.#digest(), body: encodeText(reason, MAX_REASON_BYTES) };
  }
}

function commitWrites({ part, file }: FileNames): DiskOperation[] {
  return [{ kind: 'sync', file: part }, { kind: 'rename', file: part, to: file }];
}

function readHeader(chunk: Uint8Array): { phase: Phase; transferId: string; length: number; digest: Uint8Array } {
  const reader = new ByteReader(chunk);
  const version = reader.u8();
  if (version !== SNAPSHOT_VERSION) throw new SnapshotError(`snapshot version ${version} is unknown`);
  const phase = PHASES[reader.u8()];
  const header = { transferId: reader.text(0xffff), length: reader.u53(), digest: reader.rest() };
  if (phase === undefined || reader.isBroken) throw new SnapshotError('the header of the snapshot is damaged');
  return { phase, ...header };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
