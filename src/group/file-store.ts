import { createHash } from 'node:crypto';

import { ByteReader, ByteWriter, encodeText } from './byte-codec.ts';
import type { DiskOperation } from './disk.ts';
import type { FileOperation } from './file-operation.ts';
import { FileSink, type ReadContent } from './file-sink.ts';
import {
  decodeFileStoreOperation, encodeFileEntries, FILES_FOLDER, isFileRead, MAX_NAME_BYTES, PART_SUFFIX, problemOfName, type FileEntry, type FileStoreOperation,
} from './file-store-operation.ts';
import { MAX_REASON_BYTES } from './message.ts';
import type { FileNames } from './record-file.ts';
import { chunkReader, SnapshotError, type Reply, type StateMachine, type Status } from './state-machine.ts';

const SNAPSHOT_VERSION = 1;
const NOTHING = new Uint8Array(0);

export interface FileStoreLimits {
  /** Names, those of incomplete files included. */
  readonly maxFiles: number;
  /** Of all files together: a snapshot carries them, and a member that joins has it in memory. */
  readonly maxBytes: number;
}

export const DEFAULT_FILE_LIMITS: FileStoreLimits = { maxFiles: 256, maxBytes: 512 * 1024 * 1024 };

export interface FileStoreOptions {
  readonly readContent: ReadContent;
  readonly limits?: Partial<FileStoreLimits>;
}

interface Entry {
  readonly sink: FileSink;
  /** Each beginning of a file has its own, the same at all members: an incomplete file is never another's. */
  readonly number: number;
}

/**
 * The receiver of files, each under a name, as a state machine: what FileSink is for one. A name is written once. Who opens it has it, and everybody
 * else is told `busy`, with who holds it; the holder may ask to open it again, and hears where it stands, which is how a sender goes
 * on after it has lost an answer. A name that its sender has given up is taken over by whoever says from whom. There is no time in a state machine:
 * that a sender is gone is for people to say.
 *
 * Replies `ok` and `committed` carry where the file stands and the SHA-256 of what is there, so that a sender need not believe anybody.
 */
export class FileStore implements StateMachine {
  readonly #readContent: ReadContent;
  readonly #limits: FileStoreLimits;
  #files = new Map<string, Entry>();
  #nextNumber = 1;
  #bytes = 0;
  #openSnapshots = 0;
  /** Incomplete files that nobody wants any more. Snapshots under way may still read them. */
  #abandoned: string[] = [];

  constructor({ readContent, limits = {} }: FileStoreOptions) {
    this.#readContent = readContent;
    this.#limits = { ...DEFAULT_FILE_LIMITS, ...limits };
  }

  apply(bytes: Uint8Array): Reply {
    const operation = decodeFileStoreOperation(bytes);
    if (operation === undefined) return refusal('refused', 'the operation is malformed');
    switch (operation.kind) {
      case 'list':
        return this.query(bytes);
      case 'take-over':
        return this.#takeOver(operation);
      case 'file':
        return operation.operation.kind === 'open' ? this.#open(operation.name, operation.operation) : this.#carryOut(operation.name, operation.operation);
    }
  }

  isReadOnly(operation: Uint8Array): boolean {
    return isFileRead(operation);
  }

  query(operation: Uint8Array): Reply {
    if (!this.isReadOnly(operation)) return refusal('refused', 'a query that writes');
    return { status: 'ok', offset: 0, digest: NOTHING, body: encodeFileEntries(this.#entries()) };
  }

  takeWrites(): readonly DiskOperation[] {
    const writes: DiskOperation[] = [];
    for (const { sink } of this.#files.values()) writes.push(...sink.takeWrites());
    if (this.#openSnapshots > 0) return writes;
    for (const file of this.#abandoned.splice(0)) writes.push({ kind: 'remove', file });
    return writes;
  }

  digest(): string {
    return createHash('sha256').update(encodeFileEntries(this.#entries())).digest('hex');
  }

  snapshot(): IterableIterator<Uint8Array> {
    const header = new ByteWriter().u8(SNAPSHOT_VERSION).u53(this.#nextNumber).u16(this.#files.size).finish();
    const files = [...this.#files].map(([name, { sink, number }]) => ({
      header: new ByteWriter().text(name).u53(number).u53(sink.snapshotChunks).finish(), content: sink.snapshot(),
    }));
    this.#openSnapshots++;
    return new FileSnapshot(chunksOf(header, files), () => this.#openSnapshots--);
  }

  restore(chunks: Iterable<Uint8Array>): void {
    const iterator = chunks[Symbol.iterator]();
    const next = chunkReader(iterator);
    const header = new ByteReader(next());
    const version = header.u8();
    if (version !== SNAPSHOT_VERSION) throw new SnapshotError(`snapshot version ${version} is unknown`);
    const nextNumber = header.u53();
    const count = header.u16();
    if (!header.end()) throw new SnapshotError('the header of the snapshot is damaged');
    const files = new Map<string, Entry>();
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const reader = new ByteReader(next());
      const name = reader.text(MAX_NAME_BYTES);
      const number = reader.u53();
      const chunkCount = reader.u53();
      if (!reader.end() || problemOfName(name) !== undefined) throw new SnapshotError('the header of a file is damaged');
      const sink = this.#newSink(name, number);
      sink.restore(first(chunkCount, next));
      files.set(name, { sink, number });
      bytes += sink.length;
    }
    if (iterator.next().done !== true) throw new SnapshotError('more follows than the snapshot says');
    // Incomplete files of the state before that are none of this one's.
    for (const [name, { sink, number }] of this.#files) if (!sink.isCommitted && files.get(name)?.number !== number) this.#abandoned.push(namesOf(name, number).part);
    this.#files = files;
    this.#nextNumber = nextNumber;
    this.#bytes = bytes;
  }

  #open(name: string, operation: FileOperation & { readonly kind: 'open' }): Reply {
    const problem = problemOfName(name);
    if (problem !== undefined) return refusal('refused', problem);
    const entry = this.#files.get(name);
    if (entry !== undefined) return entry.sink.transferId === operation.transferId ? stand(entry.sink) : held(name, entry.sink);
    if (operation.transferId === '') return refusal('refused', 'a transfer needs a name');
    if (this.#files.size >= this.#limits.maxFiles) return refusal('refused', `the group holds ${this.#limits.maxFiles} files, and no more`);
    return this.#begin(name, operation.transferId);
  }

  #takeOver({ name, from, transferId, isAnew }: FileStoreOperation & { readonly kind: 'take-over' }): Reply {
    const entry = this.#files.get(name);
    if (entry === undefined || transferId === '') return refusal('refused', `nobody holds "${name}"`);
    const { sink, number } = entry;
    if (sink.transferId === transferId) return stand(sink);
    if (sink.isCommitted || sink.transferId !== from) return held(name, sink);
    if (!isAnew) {
      sink.handOver(transferId);
      return stand(sink);
    }
    this.#bytes -= sink.length;
    this.#abandoned.push(namesOf(name, number).part);
    return this.#begin(name, transferId);
  }

  #begin(name: string, transferId: string): Reply {
    const number = this.#nextNumber++;
    const sink = this.#newSink(name, number);
    this.#files.set(name, { sink, number });
    return answered(sink, sink.carryOut({ kind: 'open', transferId }));
  }

  #carryOut(name: string, operation: FileOperation): Reply {
    const sink = this.#files.get(name)?.sink;
    if (sink === undefined) return refusal('refused', `"${name}" is not open`);
    if (operation.transferId !== sink.transferId) return held(name, sink);
    if (operation.kind === 'append' && this.#bytes + operation.bytes.length > this.#limits.maxBytes) {
      return refusal('refused', `the group holds ${this.#limits.maxBytes} bytes of files, and no more`);
    }
    const before = sink.length;
    const reply = sink.carryOut(operation);
    this.#bytes += sink.length - before;
    return answered(sink, reply);
  }

  #newSink(name: string, number: number): FileSink {
    return new FileSink({ readContent: this.#readContent, names: namesOf(name, number) });
  }

  #entries(): FileEntry[] {
    return [...this.#files].map(([name, { sink }]) => ({ name, isCommitted: sink.isCommitted, length: sink.length, sha256: sink.sha256, transferId: sink.transferId }));
  }
}

/** Says when it is not read any more: at its end, or when its reader gives it back. */
class FileSnapshot implements IterableIterator<Uint8Array> {
  readonly #chunks: Iterator<Uint8Array>;
  #release: (() => void) | undefined;

  constructor(chunks: Iterator<Uint8Array>, release: () => void) {
    this.#chunks = chunks;
    this.#release = release;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Uint8Array> {
    const result = this.#chunks.next();
    if (result.done === true) this.#end();
    return result;
  }

  return(): IteratorResult<Uint8Array> {
    this.#end();
    return { done: true, value: undefined };
  }

  #end(): void {
    this.#release?.();
    this.#release = undefined;
  }
}

function* chunksOf(header: Uint8Array, files: readonly { readonly header: Uint8Array; readonly content: Iterable<Uint8Array> }[]): Generator<Uint8Array> {
  yield header;
  for (const file of files) {
    yield file.header;
    yield* file.content;
  }
}

function* first(count: number, next: () => Uint8Array): Generator<Uint8Array> {
  for (let i = 0; i < count; i++) yield next();
}

function namesOf(name: string, number: number): FileNames {
  return { part: `${FILES_FOLDER}${name}.${number}${PART_SUFFIX}`, file: `${FILES_FOLDER}${name}` };
}

/** What its holder hears of a file. */
function stand(sink: FileSink): Reply {
  return { status: sink.isCommitted ? 'committed' : 'ok', offset: sink.length, digest: NOTHING, body: sink.sha256 };
}

function answered(sink: FileSink, reply: Reply): Reply {
  return reply.status === 'ok' || reply.status === 'committed' ? stand(sink) : { ...reply, digest: NOTHING };
}

function held(name: string, { isCommitted, transferId, length }: FileSink): Reply {
  return refusal('busy', isCommitted ? `"${name}" is there already, ${length} bytes: a name is written once` : `"${name}" is another sender's, ${length} bytes so far: ${transferId}`);
}

function refusal(status: Status, reason: string): Reply {
  return { status, offset: 0, digest: NOTHING, body: encodeText(reason, MAX_REASON_BYTES) };
}
