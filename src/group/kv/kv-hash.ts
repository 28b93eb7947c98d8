/**
 * A hash of one key with its value, in two lanes of 32 bits that share no constant. It tells states apart that should be equal
 * and are not; it is no protection from somebody who looks for a collision.
 */
export interface EntryHash {
  readonly high: number;
  readonly low: number;
}

/** Odd, with bits spread evenly: large primes, and multiples of the golden ratio. Two for each lane. */
const HIGH_SPREAD = 0x85ebca77;
const HIGH_MIX = 0x9e3779b1;
const LOW_SPREAD = 0xc2b2ae3d;
const LOW_MIX = 0x27d4eb2f;
/** Nothing begins with nothing, or an empty key with an empty value would not count. */
const HIGH_START = 0x243f6a88;
const LOW_START = 0x13198a2e;

/** Signed 32-bit numbers, so that they are stored without a box. */
export function hashEntry(key: string, value: Uint8Array): EntryHash {
  let high = HIGH_START ^ key.length;
  let low = LOW_START ^ value.length;
  for (let i = 0; i < key.length; i++) {
    high = mixHigh(high, key.charCodeAt(i));
    low = mixLow(low, key.charCodeAt(i));
  }
  const { length } = value;
  const words = length & ~3;
  let i = 0;
  for (; i < words; i += 4) {
    const word = value[i]! | (value[i + 1]! << 8) | (value[i + 2]! << 16) | (value[i + 3]! << 24);
    high = mixHigh(high, word);
    low = mixLow(low, word);
  }
  for (; i < length; i++) {
    high = mixHigh(high, value[i]!);
    low = mixLow(low, value[i]!);
  }
  return { high: avalanche(high ^ length), low: avalanche(low ^ key.length) };
}

/** Multiplied before and after the turn: else a word's highest bit would come out as one bit, and the next word could take it back. */
function mixHigh(lane: number, word: number): number {
  const sum = (lane + Math.imul(word, HIGH_SPREAD)) | 0;
  return Math.imul((sum << 13) | (sum >>> 19), HIGH_MIX);
}

function mixLow(lane: number, word: number): number {
  const sum = lane ^ Math.imul(word, LOW_SPREAD);
  return Math.imul((sum << 17) | (sum >>> 15), LOW_MIX);
}

/** Every bit in has a say in every bit out, so that sums of hashes are as good as the hashes. */
function avalanche(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}

/** The sum of hashes in each lane: it does not matter in which order they come, and each can be taken out again. */
export class HashSum {
  #high = 0;
  #low = 0;

  add({ high, low }: EntryHash): void {
    this.#high = (this.#high + high) | 0;
    this.#low = (this.#low + low) | 0;
  }

  subtract({ high, low }: EntryHash): void {
    this.#high = (this.#high - high) | 0;
    this.#low = (this.#low - low) | 0;
  }

  /** 16 hexadecimal digits. */
  toString(): string {
    return hex(this.#high) + hex(this.#low);
  }
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0');
}
