import { assert } from '../core/assert.ts';
import type { StoredEntry } from './storage.ts';

/** Bytes that an entry takes besides its own, on the way and on disk. */
const ENTRY_OVERHEAD_BYTES = 32;

/** The log in memory: what follows a base, which a snapshot stands for. */
export class EntryLog {
  #baseIndex: number;
  #baseTerm: number;
  /** The entry of index i is at i − base − 1. */
  #entries: StoredEntry[] = [];
  /** Bytes of all entries up to and including each; counted from some point in the past. */
  #bytes: number[] = [];
  #baseBytes = 0;

  constructor(baseIndex: number, baseTerm: number, entries: readonly StoredEntry[]) {
    this.#baseIndex = baseIndex;
    this.#baseTerm = baseTerm;
    for (const entry of entries) this.append(entry);
  }

  get baseIndex(): number {
    return this.#baseIndex;
  }

  get lastIndex(): number {
    return this.#baseIndex + this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#baseTerm;
  }

  /** Undefined where the log does not reach, or no longer. */
  termAt(index: number): number | undefined {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#entries[index - this.#baseIndex - 1]?.term;
  }

  at(index: number): StoredEntry | undefined {
    return this.#entries[index - this.#baseIndex - 1];
  }

  append(entry: StoredEntry): void {
    assert(entry.index === this.lastIndex + 1, `entry ${entry.index} follows ${this.lastIndex}`);
    this.#bytes.push((this.#bytes.at(-1) ?? this.#baseBytes) + entry.bytes.length + ENTRY_OVERHEAD_BYTES);
    this.#entries.push(entry);
  }

  /** From `index` on, as many as fit in `maxBytes` and at least one, if there is any. */
  slice(index: number, maxBytes: number): StoredEntry[] {
    const first = index - this.#baseIndex - 1;
    let end = first;
    for (let bytes = 0; end < this.#entries.length && (end === first || bytes + this.#entries[end]!.bytes.length <= maxBytes); end++) {
      bytes += this.#entries[end]!.bytes.length + ENTRY_OVERHEAD_BYTES;
    }
    return this.#entries.slice(first, end);
  }

  after(index: number): StoredEntry[] {
    return this.#entries.slice(index - this.#baseIndex);
  }

  /** Of the entries in (from, to]. */
  bytesBetween(from: number, to: number): number {
    return this.#bytesUpTo(to) - this.#bytesUpTo(from);
  }

  /** Entries from `index` on are gone. */
  truncate(index: number): void {
    const length = Math.max(0, index - this.#baseIndex - 1);
    this.#entries.length = Math.min(this.#entries.length, length);
    this.#bytes.length = this.#entries.length;
  }

  /** Forgets entries up to and including `index`, which a snapshot holds. */
  compact(index: number): void {
    if (index <= this.#baseIndex) return;
    const count = index - this.#baseIndex;
    assert(count <= this.#entries.length, `compaction to ${index} of a log that ends at ${this.lastIndex}`);
    this.#baseTerm = this.#entries[count - 1]!.term;
    this.#baseBytes = this.#bytes[count - 1]!;
    this.#entries = this.#entries.slice(count);
    this.#bytes = this.#bytes.slice(count);
    this.#baseIndex = index;
  }

  /** A snapshot from elsewhere takes the place of everything. */
  reset(index: number, term: number): void {
    this.#baseIndex = index;
    this.#baseTerm = term;
    this.#entries = [];
    this.#bytes = [];
    this.#baseBytes = 0;
  }

  /** Last index in (base, upTo] whose term is at most `term`; the base if there is none. */
  lastIndexOfTermAtMost(term: number, upTo: number): number {
    let index = Math.min(upTo, this.lastIndex);
    while (index > this.#baseIndex && this.termAt(index)! > term) index--;
    return index;
  }

  #bytesUpTo(index: number): number {
    return index <= this.#baseIndex ? this.#baseBytes : (this.#bytes[index - this.#baseIndex - 1] ?? this.#bytes.at(-1) ?? this.#baseBytes);
  }
}
