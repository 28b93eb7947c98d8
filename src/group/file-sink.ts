import { createHash, type Hash } from 'node:crypto';

import { ByteReader, ByteWriter, encodeText } from './byte-codec.ts';
import type { DiskOperation } from './disk.ts';
import { decodeFileOperation, type FileOperation } from './file-operation.ts';
import { MAX_REASON_BYTES } from './message.ts';
import { SnapshotError, type Reply, type StateMachine, type Status } from './state-machine.ts';

/** The file while it is incomplete, and afterwards, in the words of DiskOperation. */
export const PART_FILE = 'part';
export const FINAL_FILE = 'file';

const SNAPSHOT_CHUNK_BYTES = 64 * 1024;
const SNAPSHOT_VERSION = 1;

const PHASES = ['empty', 'open', 'committed'] as const;
type Phase = (typeof PHASES)[number];

export interface FileSinkOptions {
  /** Bytes of the file already written, for snapshots: exactly [offset, offset + length). */
  readonly readContent: (offset: number, length: number) => Uint8Array;
}

/**
 * The receiver of one file as a state machine: open, append at exactly the end, commit with the right length and SHA-256.
 * The content itself goes to disk; in memory there are its length and its running hash.
 */
export class FileSink implements StateMachine {
  readonly #readContent: FileSinkOptions['readContent'];
  #phase: Phase = 'empty';
  #transferId = '';
  #length = 0;
  #hash: Hash = createHash('sha256');
  #writes: DiskOperation[] = [];

  constructor(options: FileSinkOptions) {
    this.#readContent = options.readContent;
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

  apply(bytes: Uint8Array): Reply {
    const operation = decodeFileOperation(bytes);
    if (operation === undefined) return this.#reply('refused', 'the operation is malformed');
    if (operation.kind === 'open') return this.#open(operation.transferId);
    if (this.#phase === 'empty') return this.#reply('refused', 'no file is open here: this member has not seen the beginning');
    if (operation.transferId !== this.#transferId) return this.#reply('busy', 'another transfer holds this member');
    if (this.#phase === 'committed') return this.#reply('refused', 'the file is committed already');
    return operation.kind === 'append' ? this.#append(operation) : this.#commit(operation);
  }

  /** Nobody reads from a sink. */
  isReadOnly(_operation: Uint8Array): boolean {
    return false;
  }

  query(_operation: Uint8Array): Reply {
    return this.#reply('refused', 'a sink is not read from');
  }

  takeWrites(): readonly DiskOperation[] {
    const writes = this.#writes;
    this.#writes = [];
    return writes;
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  /** The content is read as it is asked for: appended bytes never change, so this is copy-on-write for nothing. */
  *snapshot(): Iterable<Uint8Array> {
    const length = this.#length;
    const header = new ByteWriter().u8(SNAPSHOT_VERSION).u8(PHASES.indexOf(this.#phase)).text(this.#transferId).u53(length).raw(this.#digest());
    yield header.finish();
    for (let offset = 0; offset < length; offset += SNAPSHOT_CHUNK_BYTES) {
      yield this.#readContent(offset, Math.min(SNAPSHOT_CHUNK_BYTES, length - offset));
    }
  }

  restore(chunks: Iterable<Uint8Array>): void {
    const hash = createHash('sha256');
    const writes: DiskOperation[] = [{ kind: 'create', file: PART_FILE }];
    let header: { phase: Phase; transferId: string; length: number; digest: Uint8Array } | undefined;
    let length = 0;
    for (const chunk of chunks) {
      if (header === undefined) {
        header = readHeader(chunk);
        continue;
      }
      hash.update(chunk);
      writes.push({ kind: 'write', file: PART_FILE, offset: length, bytes: chunk });
      length += chunk.length;
    }
    if (header === undefined) throw new SnapshotError('the snapshot is empty');
    if (length !== header.length) throw new SnapshotError(`the snapshot holds ${length} bytes of ${header.length}`);
    if (!isEqual(hash.copy().digest(), header.digest)) throw new SnapshotError('the content of the snapshot is not what its digest says');
    if (header.phase === 'committed') writes.push(...commitWrites());
    this.#phase = header.phase;
    this.#transferId = header.transferId;
    this.#length = length;
    this.#hash = hash;
    this.#writes = header.phase === 'empty' ? [] : writes;
  }

  #open(transferId: string): Reply {
    if (transferId === '') return this.#reply('refused', 'a transfer needs a name');
    if (this.#phase !== 'empty') return this.#reply('busy', `another transfer ${this.#phase === 'open' ? 'holds' : 'has filled'} this member`);
    this.#phase = 'open';
    this.#transferId = transferId;
    this.#writes.push({ kind: 'create', file: PART_FILE });
    return this.#reply('ok');
  }

  #append({ offset, bytes }: FileOperation & { kind: 'append' }): Reply {
    if (offset !== this.#length) return this.#reply('gap', `bytes at ${offset} do not follow the ${this.#length} that are here`);
    if (!Number.isSafeInteger(offset + bytes.length)) return this.#reply('refused', 'the file is too long');
    this.#hash.update(bytes);
    this.#length += bytes.length;
    this.#writes.push({ kind: 'write', file: PART_FILE, offset, bytes });
    return this.#reply('ok');
  }

  #commit({ length, sha256 }: FileOperation & { kind: 'commit' }): Reply {
    if (length !== this.#length) return this.#reply('mismatch', `the file has ${length} bytes, here are ${this.#length}`);
    if (!isEqual(sha256, this.#digest())) return this.#reply('mismatch', 'the bytes here have another SHA-256');
    this.#phase = 'committed';
    this.#writes.push(...commitWrites());
    return this.#reply('committed');
  }

  #digest(): Uint8Array {
    return this.#hash.copy().digest();
  }

  #reply(status: Status, reason = ''): Reply {
    return { status, offset: this.#length, digest: this.#digest(), body: encodeText(reason, MAX_REASON_BYTES) };
  }
}

function commitWrites(): DiskOperation[] {
  return [{ kind: 'sync', file: PART_FILE }, { kind: 'rename', file: PART_FILE, to: FINAL_FILE }];
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
