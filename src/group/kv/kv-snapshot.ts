import { ByteReader, ByteWriter } from '../byte-codec.ts';
import { DamagedStateError, SnapshotError } from '../state-machine.ts';
import { HashSum, hashEntry } from './kv-hash.ts';
import { decodeKey, MAX_KEY_BYTES, MAX_VALUE_BYTES } from './kv-operation.ts';
import { KvStore, type FrozenStore, type KvLimits } from './kv-store.ts';

export const SNAPSHOT_CHUNK_BYTES = 64 * 1024;

const VERSION = 1;
/** "FMKV" */
const MAGIC = 0x464d4b56;
const DIGEST_CHARACTERS = 16;

const encoder = new TextEncoder();

/**
 * The chunks of one snapshot: a header, and then one stream of all keys and values in their order, cut every 64 KiB. Equal
 * states give equal chunks. return() lets go of the state. On the way every key and value is hashed anew, 64 KiB at a time (a full scrub, about
 * 1 ms a MB in all): a state that has another digest than it should have never becomes a whole snapshot.
 */
export class KvSnapshot implements IterableIterator<Uint8Array> {
  #entries: Iterator<readonly [string, Uint8Array]> | undefined;
  #header: Uint8Array | undefined;
  /** Of the value that is being written. */
  #value: Uint8Array | undefined;
  #valueOffset = 0;
  /** What has not fitted into the last chunk of a key and a length. */
  #rest: Uint8Array | undefined;
  readonly #digest: string;
  /** Of what has been taken. */
  readonly #sum = new HashSum();
  readonly #ended: () => void;

  /** `ended` is called once, when all has been taken or nobody wants more. */
  constructor({ entries, size, digest }: FrozenStore, ended: () => void) {
    this.#entries = entries[Symbol.iterator]();
    this.#digest = digest;
    this.#header = new ByteWriter().u32(MAGIC).u8(VERSION).u53(size).text(digest).finish();
    this.#ended = ended;
  }

  [Symbol.iterator](): this {
    return this;
  }

  /** Throws DamagedStateError at the end. */
  next(): IteratorResult<Uint8Array, undefined> {
    const header = this.#header;
    if (header !== undefined) {
      this.#header = undefined;
      return { done: false, value: header };
    }
    const chunk = new Uint8Array(SNAPSHOT_CHUNK_BYTES);
    const length = this.#fill(chunk);
    if (length === 0) return this.#end();
    return { done: false, value: length === chunk.length ? chunk : chunk.slice(0, length) };
  }

  return(): IteratorResult<Uint8Array, undefined> {
    if (this.#entries !== undefined) this.#ended();
    this.#entries = undefined;
    this.#header = undefined;
    this.#value = undefined;
    this.#rest = undefined;
    return { done: true, value: undefined };
  }

  #end(): IteratorResult<Uint8Array, undefined> {
    const isWhole = this.#entries !== undefined;
    const ended = this.return();
    const found = this.#sum.toString();
    if (isWhole && found !== this.#digest) throw new DamagedStateError(`the store in memory has the digest ${found}, and should have ${this.#digest}`);
    return ended;
  }

  #fill(chunk: Uint8Array): number {
    let filled = 0;
    while (filled < chunk.length) {
      const part = this.#nextPart(chunk.length - filled);
      if (part === undefined) break;
      chunk.set(part, filled);
      filled += part.length;
    }
    return filled;
  }

  /** At most `maxBytes` of the stream; undefined at its end. */
  #nextPart(maxBytes: number): Uint8Array | undefined {
    const rest = this.#rest ?? (this.#value === undefined ? this.#nextEntry() : undefined);
    if (rest !== undefined) {
      this.#rest = rest.length > maxBytes ? rest.subarray(maxBytes) : undefined;
      return rest.subarray(0, maxBytes);
    }
    if (this.#value === undefined) return undefined;
    const part = this.#value.subarray(this.#valueOffset, this.#valueOffset + maxBytes);
    this.#valueOffset += part.length;
    if (this.#valueOffset === this.#value.length) this.#value = undefined;
    return part;
  }

  /** What stands in front of the next value. */
  #nextEntry(): Uint8Array | undefined {
    const next = this.#entries?.next();
    if (next === undefined || next.done === true) return undefined;
    const [key, value] = next.value;
    this.#sum.add(hashEntry(key, value));
    if (value.length > 0) this.#value = value;
    this.#valueOffset = 0;
    return new ByteWriter(6 + 3 * key.length).block(encoder.encode(key)).u32(value.length).finish();
  }
}

/** A store with what the chunks say. Throws SnapshotError for anything that a snapshot never says, and for more than the limits allow. */
export function readKvSnapshot(chunks: Iterable<Uint8Array>, limits: KvLimits): KvStore {
  const store = new KvStore(limits);
  let header: { readonly size: number; readonly digest: string } | undefined;
  let stream: Uint8Array = new Uint8Array(0);
  let lastKey: string | undefined;
  for (const chunk of chunks) {
    if (header === undefined) {
      header = readHeader(chunk);
      continue;
    }
    stream = stream.length === 0 ? chunk : concatenate(stream, chunk);
    let position = 0;
    for (let entry = readEntry(stream, position); entry !== undefined; entry = readEntry(stream, position)) {
      const { key, value, end } = entry;
      if (lastKey !== undefined && key <= lastKey) throw new SnapshotError('keys of the snapshot are out of order');
      const problem = store.set(key, value);
      if (problem !== undefined) throw new SnapshotError(problem);
      lastKey = key;
      position = end;
    }
    stream = stream.subarray(position);
  }
  if (header === undefined) throw new SnapshotError('the snapshot is empty');
  if (stream.length > 0) throw new SnapshotError('the snapshot is cut short');
  if (store.size !== header.size) throw new SnapshotError(`the snapshot holds ${store.size} keys of ${header.size}`);
  if (store.digest() !== header.digest) throw new SnapshotError('the content of the snapshot is not what its digest says');
  return store;
}

function readHeader(chunk: Uint8Array): { readonly size: number; readonly digest: string } {
  const reader = new ByteReader(chunk);
  if (reader.u32() !== MAGIC) throw new SnapshotError('this is no snapshot of a key-value store');
  const version = reader.u8();
  if (version !== VERSION) throw new SnapshotError(`snapshot version ${version} is unknown`);
  const header = { size: reader.u53(), digest: reader.text(DIGEST_CHARACTERS) };
  if (!reader.end()) throw new SnapshotError('the header of the snapshot is damaged');
  return header;
}

/** Undefined as long as the stream ends inside it. */
function readEntry(stream: Uint8Array, position: number): { readonly key: string; readonly value: Uint8Array; readonly end: number } | undefined {
  if (position === stream.length) return undefined;
  const reader = new ByteReader(stream.subarray(position));
  const keyBytes = reader.block(0xffff);
  const length = reader.u32();
  if (keyBytes.length > MAX_KEY_BYTES || length > MAX_VALUE_BYTES) throw new SnapshotError('a key or a value of the snapshot is too long');
  const value = reader.raw(length);
  if (reader.isBroken) return undefined;
  const key = decodeKey(keyBytes);
  if (key === undefined) throw new SnapshotError('a key of the snapshot is not UTF-8');
  return { key, value: new Uint8Array(value), end: position + 6 + keyBytes.length + length };
}

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
