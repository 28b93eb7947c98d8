import { createRandom } from '../core/random.ts';

/** Prime, so that a shift by a buffer, segment or window size never lands on equal bytes. */
const PERIOD_BYTES = 1_000_003;

let block: Uint8Array | undefined;

function sharedBlock(): Uint8Array {
  if (block !== undefined) return block;
  const random = createRandom(0x5eed);
  block = new Uint8Array(PERIOD_BYTES);
  for (let i = 0; i < PERIOD_BYTES; i++) block[i] = random.uint32() >>> 24;
  return block;
}

/** The bytes of one stream, as long as one likes, without storing them: byte i is a function of the stream's key and i. */
export class Pattern {
  readonly #start: number;

  /** Streams with different keys differ. */
  constructor(key: number) {
    this.#start = createRandom(key).below(PERIOD_BYTES);
  }

  /** Up to `length` bytes from `offset` on, as a view that must not be written to; shorter where the block ends. */
  view(offset: number, length: number): Uint8Array {
    const at = (this.#start + offset) % PERIOD_BYTES;
    return sharedBlock().subarray(at, Math.min(PERIOD_BYTES, at + length));
  }

  /** Offset in the stream of the first byte of `bytes` that is not the stream's; −1 when all are. */
  mismatch(offset: number, bytes: Uint8Array): number {
    const source = sharedBlock();
    let at = (this.#start + offset) % PERIOD_BYTES;
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== source[at]) return offset + i;
      if (++at === PERIOD_BYTES) at = 0;
    }
    return -1;
  }
}
