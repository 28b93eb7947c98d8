import { HashSum, hashEntry, type EntryHash } from './kv-hash.ts';
import { entriesOf, SharedTree, type Frozen } from './shared-tree.ts';

/** What a key costs in memory besides its own bytes and its value's, about: the entry, its place in the tree, the headers of string and array. */
export const ENTRY_OVERHEAD_BYTES = 256;

export interface KvLimits {
  /** Of keys and values with ENTRY_OVERHEAD_BYTES for each. All members need the same, since it decides what they answer. */
  readonly maxBytes: number;
  readonly maxKeys: number;
}

export const DEFAULT_KV_LIMITS: KvLimits = { maxBytes: 1024 * 1024 * 1024, maxKeys: 1_000_000 };

interface Entry extends EntryHash {
  readonly value: Uint8Array;
  readonly keyBytes: number;
}

/** The state as it was at one moment. */
export interface FrozenStore {
  readonly entries: Iterable<readonly [key: string, value: Uint8Array]>;
  readonly size: number;
  readonly digest: string;
}

const encoder = new TextEncoder();

/** Keys and values, how much they are, and a digest that is kept up with every change. */
export class KvStore {
  readonly #limits: KvLimits;
  readonly #tree = new SharedTree<Entry>();
  readonly #sum = new HashSum();
  #bytes = 0;

  constructor(limits: KvLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#tree.size;
  }

  /** As KvLimits counts them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Not to be changed by whoever gets it. */
  get(key: string): Uint8Array | undefined {
    return this.#tree.get(key)?.value;
  }

  /** Keeps `value`, which must not change afterwards. A text instead: there is no room, and nothing has changed. */
  set(key: string, value: Uint8Array): string | undefined {
    const before = this.#tree.get(key);
    const keyBytes = before?.keyBytes ?? encoder.encode(key).length;
    const more = before === undefined ? costOf(keyBytes, value) : value.length - before.value.length;
    const full = lackOfRoom(this.#limits, this.#tree.size, this.#bytes, before === undefined, more);
    if (full !== undefined) return full;
    const { high, low } = hashEntry(key, value);
    const entry: Entry = { value, keyBytes, high, low };
    if (before !== undefined) this.#sum.subtract(before);
    this.#sum.add(entry);
    this.#bytes += more;
    this.#tree.set(key, entry);
    return undefined;
  }

  /** Whether it was there. */
  delete(key: string): boolean {
    const before = this.#tree.get(key);
    if (before === undefined) return false;
    this.#tree.delete(key);
    this.#sum.subtract(before);
    this.#bytes -= costOf(before.keyBytes, before.value);
    return true;
  }

  digest(): string {
    return this.#sum.toString();
  }

  /** Costs nothing now; changes made while somebody holds it copy what they touch. */
  freeze(): FrozenStore {
    return { entries: valuesOf(this.#tree.freeze()), size: this.#tree.size, digest: this.digest() };
  }
}

function* valuesOf(root: Frozen<Entry>): Generator<readonly [string, Uint8Array], void, undefined> {
  for (const [key, { value }] of entriesOf(root)) yield [key, value];
}

/**
 * Why a key cannot take `more` bytes where `keys` keys with `bytes` are; undefined: it can. What does not grow is never refused, so that a member that
 * had more before can go on.
 */
export function lackOfRoom({ maxKeys, maxBytes }: KvLimits, keys: number, bytes: number, isNew: boolean, more: number): string | undefined {
  if (isNew && keys >= maxKeys) return `the store is full: ${maxKeys} keys`;
  return more > 0 && bytes + more > maxBytes ? `the store is full: ${bytes} of ${maxBytes} bytes` : undefined;
}

function costOf(keyBytes: number, value: Uint8Array): number {
  return keyBytes + value.length + ENTRY_OVERHEAD_BYTES;
}
