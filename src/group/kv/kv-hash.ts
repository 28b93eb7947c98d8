/**
 * A hash of one key with its value, in two lanes of 32 bits that share no constant. It tells states apart that should be equal
 * and are not; it is no protection from somebody who looks for a collision.
 */
export interface EntryHash {
  readonly high: number;
  readonly low: number;
}

/** Odd numbers with bits spread evenly: the golden ratio, and large primes. */
const HIGH_FACTOR = 0x9e3779b1;
const LOW_FACTOR = 0xc2b2ae3d;

/** Signed 32-bit numbers, so that they are stored without a box. */
export function hashEntry(key: string, value: Uint8Array): EntryHash {
  let high = key.length;
  let low = value.length;
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    high = Math.imul(high ^ unit, HIGH_FACTOR);
    high ^= high >>> 15;
    low = Math.imul((low + unit) | 0, LOW_FACTOR);
    low = (low << 13) | (low >>> 19);
  }
  const { length } = value;
  const words = length & ~3;
  let i = 0;
  for (; i < words; i += 4) {
    const word = value[i]! | (value[i + 1]! << 8) | (value[i + 2]! << 16) | (value[i + 3]! << 24);
    high = Math.imul(high ^ word, HIGH_FACTOR);
    high ^= high >>> 15;
    low = Math.imul((low + word) | 0, LOW_FACTOR);
    low = (low << 13) | (low >>> 19);
  }
  for (; i < length; i++) {
    high = Math.imul(high ^ value[i]!, HIGH_FACTOR);
    high ^= high >>> 15;
    low = Math.imul((low + value[i]!) | 0, LOW_FACTOR);
    low = (low << 13) | (low >>> 19);
  }
  return { high: avalanche(high ^ length), low: avalanche(low ^ key.length) };
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
