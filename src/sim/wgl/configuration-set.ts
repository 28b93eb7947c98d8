/**
 * Configurations that a search has seen: which operations have their places, and the state after them. Exact, not by hash alone. A
 * configuration counts as seen also if one was seen that differs only in having used fewer operations of unknown outcome: whatever can be done
 * from here could be done from there.
 */
export class ConfigurationSet {
  /** Place of the first entry of each chain in the arena, +1; 0: none. */
  #heads = new Int32Array(1024);
  /** Entries: next (place + 1), state, first word, words, then the words of known operations, then those of unknown ones. */
  #arena = new Int32Array(16 * 1024);
  #end = 0;
  #count = 0;
  readonly #unknownWords: number;

  constructor(unknownWords: number) {
    this.#unknownWords = unknownWords;
  }

  get size(): number {
    return this.#count;
  }

  /** `known`: all words before `from` are full, and all from `to` on empty. Returns whether it is new; then it is in the set. */
  add(state: number, known: Int32Array, from: number, to: number, unknown: Int32Array): boolean {
    let hash = Math.imul(state ^ 0x9e3779b9, 0x85ebca6b) ^ from;
    for (let i = from; i < to; i++) hash = mix(hash, known[i]!);
    const slot = mix(hash, to) & (this.#heads.length - 1);
    for (let at = this.#heads[slot]! - 1; at >= 0; at = this.#arena[at]! - 1) if (this.#isCovered(at, state, known, from, to, unknown)) return false;
    this.#append(slot, state, known, from, to, unknown);
    if (this.#count > this.#heads.length) this.#rehash();
    return true;
  }

  #isCovered(at: number, state: number, known: Int32Array, from: number, to: number, unknown: Int32Array): boolean {
    const arena = this.#arena;
    if (arena[at + 1] !== state || arena[at + 2] !== from || arena[at + 3] !== to - from) return false;
    let place = at + 4;
    for (let i = from; i < to; i++) if (arena[place++] !== known[i]) return false;
    for (let i = 0; i < this.#unknownWords; i++) if ((arena[place++]! & ~unknown[i]!) !== 0) return false;
    return true;
  }

  #append(slot: number, state: number, known: Int32Array, from: number, to: number, unknown: Int32Array): void {
    const at = this.#end;
    const size = 4 + (to - from) + this.#unknownWords;
    if (at + size > this.#arena.length) {
      const larger = new Int32Array(2 * (this.#arena.length + size));
      larger.set(this.#arena);
      this.#arena = larger;
    }
    const arena = this.#arena;
    arena[at] = this.#heads[slot]!;
    arena[at + 1] = state;
    arena[at + 2] = from;
    arena[at + 3] = to - from;
    arena.set(known.subarray(from, to), at + 4);
    arena.set(unknown, at + 4 + to - from);
    this.#heads[slot] = at + 1;
    this.#end = at + size;
    this.#count++;
  }

  #rehash(): void {
    const heads = new Int32Array(4 * this.#heads.length);
    const arena = this.#arena;
    for (let at = 0; at < this.#end; ) {
      const from = arena[at + 2]!;
      const words = arena[at + 3]!;
      let hash = Math.imul(arena[at + 1]! ^ 0x9e3779b9, 0x85ebca6b) ^ from;
      for (let i = 0; i < words; i++) hash = mix(hash, arena[at + 4 + i]!);
      const slot = mix(hash, from + words) & (heads.length - 1);
      arena[at] = heads[slot]!;
      heads[slot] = at + 1;
      at += 4 + words + this.#unknownWords;
    }
    this.#heads = heads;
  }
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0xc2b2ae35);
  return mixed ^ (mixed >>> 15);
}
