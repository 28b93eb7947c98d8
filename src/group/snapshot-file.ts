import { ByteReader, ByteWriter } from './byte-codec.ts';
import type { DiskOperation } from './disk.ts';
import { encodeRecords, readRecords, type FileNames } from './record-file.ts';
import { CorruptLogError, type SnapshotMark, type StoredSnapshot } from './storage.ts';

const SNAPSHOT_VERSION = 1;
/** "FMSN". */
const MAGIC = 0x464d534e;
const KIND = { header: 1, chunk: 2, end: 3 } as const;

/** Writes a snapshot in steps: records with a header, the chunks, and their count at the end, in a file that gets its name when it is complete. */
export class SnapshotWriter {
  readonly mark: SnapshotMark;
  readonly #names: FileNames;
  readonly #chunks: Iterator<Uint8Array>;
  /** Taken from `#chunks`, not yet written: it did not fit the step before. */
  #held: Uint8Array | undefined;
  #chunkCount = 0;
  #lengthBytes = 0;
  #isExhausted = false;

  constructor(mark: SnapshotMark, chunks: Iterable<Uint8Array>, names: FileNames) {
    this.mark = mark;
    this.#names = names;
    this.#chunks = chunks[Symbol.iterator]();
  }

  /** Adds the next chunks, `maxBytes` of them or one, to `operations`. True: the snapshot is durable once these are carried out. */
  step(maxBytes: number, operations: DiskOperation[]): boolean {
    const { part, file } = this.#names;
    const contents: Uint8Array[] = [];
    if (this.#lengthBytes === 0) {
      operations.push({ kind: 'create', file: part });
      contents.push(encodeHeader(this.mark));
    }
    this.#takeChunks(maxBytes, contents);
    if (this.#isExhausted) contents.push(new ByteWriter(16).u8(KIND.end).u53(this.#chunkCount).finish());
    const bytes = encodeRecords(contents, this.#lengthBytes);
    // Synced each time: one sync of the whole would stop everything else for as long as it takes.
    operations.push({ kind: 'write', file: part, offset: this.#lengthBytes, bytes }, { kind: 'sync', file: part });
    this.#lengthBytes += bytes.length;
    if (this.#isExhausted) operations.push({ kind: 'rename', file: part, to: file });
    return this.#isExhausted;
  }

  /** It will not be completed. */
  abandon(): void {
    if (!this.#isExhausted) this.#chunks.return?.();
  }

  #takeChunks(maxBytes: number, contents: Uint8Array[]): void {
    for (let taken = 0; ; ) {
      const chunk = this.#held ?? this.#nextChunk();
      this.#held = undefined;
      if (chunk === undefined) return;
      if (taken > 0 && taken + chunk.length > maxBytes) {
        this.#held = chunk;
        return;
      }
      contents.push(new ByteWriter(1 + chunk.length).u8(KIND.chunk).raw(chunk).finish());
      taken += chunk.length;
      this.#chunkCount++;
    }
  }

  #nextChunk(): Uint8Array | undefined {
    const { done, value } = this.#chunks.next();
    if (done !== true) return value;
    this.#isExhausted = true;
    return undefined;
  }
}

function encodeHeader({ index, term, meta }: SnapshotMark): Uint8Array {
  return new ByteWriter(32 + meta.length).u8(KIND.header).u32(MAGIC).u16(SNAPSHOT_VERSION).u53(index).u53(term).raw(meta).finish();
}

/** Chunks share memory with `bytes`. Throws CorruptLogError for anything but a complete snapshot: nothing interrupts a file that has its name. */
export function readSnapshot(file: string, bytes: Uint8Array): StoredSnapshot {
  const { records, lengthBytes, tail } = readRecords(file, bytes);
  if (tail !== 'clean') throw new CorruptLogError(file, lengthBytes, 'the end is damaged or cut off');
  const chunks: Uint8Array[] = [];
  let mark: SnapshotMark | undefined;
  let isComplete = false;
  for (const { offset, content } of records) {
    const reader = new ByteReader(content);
    const kind = reader.u8();
    const isFirst = offset === 0;
    if (isFirst && kind === KIND.header) mark = readMark(file, reader);
    else if (!isFirst && !isComplete && kind === KIND.chunk) chunks.push(reader.rest());
    else if (!isFirst && !isComplete && kind === KIND.end) isComplete = reader.u53() === chunks.length && reader.end();
    else throw new CorruptLogError(file, offset, 'a record that does not belong here');
  }
  if (mark === undefined || !isComplete) throw new CorruptLogError(file, lengthBytes, 'the end is missing');
  return { ...mark, chunks };
}

function readMark(file: string, reader: ByteReader): SnapshotMark {
  const isOurs = reader.u32() === MAGIC;
  const version = reader.u16();
  if (isOurs && version !== SNAPSHOT_VERSION) throw new CorruptLogError(file, 0, `format version ${version}, here ${SNAPSHOT_VERSION} is known`);
  const mark = { index: reader.u53(), term: reader.u53(), meta: reader.rest().slice() };
  if (!isOurs || reader.isBroken) throw new CorruptLogError(file, 0, 'the beginning is damaged, or this is no snapshot');
  return mark;
}
