import { createHash } from 'node:crypto';

import { ByteReader, ByteWriter } from '../byte-codec.ts';
import { DEFAULT_KV_LIMITS, ENTRY_OVERHEAD_BYTES, lackOfRoom, type KvLimits } from '../kv/kv-store.ts';
import { SnapshotError } from '../state-machine.ts';
import { readCell, writeCell, type Cell } from './quorum-operation.ts';
import { compareTags } from './tag.ts';

/** Chunks are filled up to here; one value that is longer makes a longer one. */
const CHUNK_BYTES = 60 * 1024;
const DIGEST_BYTES = 16;
/** What a cell takes in a chunk besides key and value: its tag and lengths, about. */
const CELL_OVERHEAD_BYTES = 64;

/** Some cells, one after the other, and where the next ones begin. */
export interface CellChunk {
  readonly bytes: Uint8Array;
  /** Cells before `next` have been given; equal to the number of keys at the end. */
  readonly next: number;
}

/** The registers of one member: the newest value of each key that it was told. Keys are never taken out, so each has a fixed number. */
export class RegisterStore {
  readonly #cells = new Map<string, Cell>();
  readonly #keys: string[] = [];
  readonly #digest = new Uint8Array(DIGEST_BYTES);
  readonly #limits: KvLimits;
  /** Of keys and values. */
  #bytes = 0;

  constructor(limits: Partial<KvLimits> = {}) {
    this.#limits = { ...DEFAULT_KV_LIMITS, ...limits };
  }

  get keys(): number {
    return this.#keys.length;
  }

  /** What a snapshot takes, about. */
  get bytes(): number {
    return this.#bytes + this.keys * CELL_OVERHEAD_BYTES;
  }

  get(key: string): Cell | undefined {
    return this.#cells.get(key);
  }

  /**
   * Why a client's write is not taken: there is no room for it. Undefined: there is, or it would change nothing. What other members have taken, and a
   * recovery or a read that writes back brings, is kept in any case: they had room for it, and it must be readable from any majority. Since no key
   * is ever taken out, a full member stays full.
   */
  refusal(cell: Cell): string | undefined {
    const known = this.#cells.get(cell.key);
    if (known !== undefined && compareTags(cell.tag, known.tag) <= 0) return undefined;
    const more = known === undefined ? contentBytes(cell) + ENTRY_OVERHEAD_BYTES : contentBytes(cell) - contentBytes(known);
    return lackOfRoom(this.#limits, this.keys, this.#bytes + this.keys * ENTRY_OVERHEAD_BYTES, known === undefined, more);
  }

  /** Keeps the newer one. False: what is here is as new or newer, and stays. The value is copied. */
  keep(cell: Cell): boolean {
    const known = this.#cells.get(cell.key);
    if (known !== undefined && compareTags(cell.tag, known.tag) <= 0) return false;
    const kept: Cell = { key: cell.key, tag: cell.tag, value: cell.value.slice() };
    if (known === undefined) this.#keys.push(cell.key);
    else this.#count(known, -1);
    this.#cells.set(cell.key, kept);
    this.#count(kept, 1);
    return true;
  }

  /** Equal at members that hold the same, in hexadecimal. */
  digest(): string {
    return Array.from(this.#digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  /** The cells from number `from` on, as many as fit a chunk and at least one if there is one. */
  chunk(from: number): CellChunk {
    const cells: Cell[] = [];
    for (let next = from, bytes = 0; next < this.#keys.length; next++) {
      const cell = this.#cells.get(this.#keys[next]!)!;
      bytes += cellBytes(cell);
      if (cells.length > 0 && bytes > CHUNK_BYTES) break;
      cells.push(cell);
    }
    const writer = new ByteWriter(CHUNK_BYTES).u32(cells.length);
    for (const cell of cells) writeCell(writer, cell);
    return { bytes: writer.finish(), next: from + cells.length };
  }

  /**
   * The keys that there are now, in chunks, each with its value as of the time when its chunk is taken. A newer value than
   * at the time of the call is no harm: keeping it twice is keeping it once.
   */
  *chunks(): Generator<Uint8Array> {
    const keys = this.#keys.length;
    for (let from = 0; from < keys;) {
      const { bytes, next } = this.chunk(from);
      yield bytes;
      from = next;
    }
  }

  #count(cell: Cell, sign: 1 | -1): void {
    this.#bytes += sign * contentBytes(cell);
    // Adding and taking out are the same with exclusive or.
    const hash = createHash('sha256').update(writeCell(new ByteWriter(cellBytes(cell)), cell).finish()).digest();
    for (let i = 0; i < DIGEST_BYTES; i++) this.#digest[i]! ^= hash[i]!;
  }
}

/** The cells of a chunk. Throws SnapshotError when it is none. They share memory with it. */
export function readChunk(bytes: Uint8Array): Cell[] {
  const reader = new ByteReader(bytes);
  const count = reader.u32();
  const cells: Cell[] = [];
  for (let i = 0; i < count && !reader.isBroken; i++) cells.push(readCell(reader));
  if (!reader.end()) throw new SnapshotError('a chunk of registers is cut short or damaged');
  return cells;
}

/** In a chunk, about. */
function cellBytes(cell: Cell): number {
  return CELL_OVERHEAD_BYTES + contentBytes(cell);
}

function contentBytes({ key, value }: Cell): number {
  return key.length + value.length;
}
