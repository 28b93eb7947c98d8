import type { Random } from '../src/core/random.ts';
import { encodeInto, HEADER_BYTES, MAX_HEADER_BYTES } from '../src/wire/codec.ts';
import { CAPABILITY_INTEGRITY } from '../src/wire/options.ts';
import { Segment, SYN } from '../src/wire/segment.ts';

const MAX_RANDOM_BYTES = 1452;
const MAX_PAYLOAD_BYTES = 200;

/**
 * Datagrams that nobody should send: random bytes, headers cut short, options that lie about their length, and, every
 * second one, segments in good order with a right CRC, blind sequence numbers and every combination of flags in turn.
 */
export class HostileDatagrams {
  readonly #random: Random;
  readonly #segment = new Segment();
  readonly #scratch = new Uint8Array(MAX_HEADER_BYTES + MAX_PAYLOAD_BYTES);
  readonly #payload = new Uint8Array(MAX_PAYLOAD_BYTES).fill(0x21);
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The next one, in a buffer of its own. */
  next(): Uint8Array {
    const n = this.#count++;
    if (n % 2 === 0) return this.#wellFormed(n >> 1);
    switch ((n >> 1) % 4) {
      case 0:
        return this.#noise(this.#random.below(MAX_RANDOM_BYTES));
      case 1:
        return this.#wellFormed(n >> 3).subarray(0, this.#random.below(HEADER_BYTES));
      case 2:
        return this.#lyingOptions(n >> 3);
      default:
        return this.#flipped(n >> 3);
    }
  }

  #noise(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.#random.below(256);
    return bytes;
  }

  #wellFormed(n: number): Uint8Array {
    const random = this.#random;
    const segment = this.#segment;
    segment.clear();
    segment.flags = n & 0xff;
    segment.seq = random.uint32();
    segment.ack = random.uint32();
    segment.window = random.below(65_536);
    segment.hasCrc = true;
    if (random.chance(0.5)) {
      segment.hasTimestamps = true;
      segment.tsVal = random.uint32();
      segment.tsEcr = random.uint32();
    }
    if (segment.has(SYN)) {
      segment.capabilities = random.chance(0.5) ? CAPABILITY_INTEGRITY : random.below(65_536);
      if (random.chance(0.5)) segment.mss = random.below(65_536);
      if (random.chance(0.5)) segment.windowShift = random.below(256);
      segment.sackPermitted = random.chance(0.5);
    } else if (random.chance(0.3)) {
      segment.sackCount = 1 + random.below(2);
      for (let i = 0; i < 2 * segment.sackCount; i++) segment.sack[i] = random.uint32();
    }
    if (random.chance(0.5)) {
      segment.payload = this.#payload;
      segment.payloadEnd = random.below(MAX_PAYLOAD_BYTES);
    }
    return this.#scratch.slice(0, encodeInto(segment, this.#scratch));
  }

  /** Kinds that exist, with any length, and a data offset that may point beyond the datagram. */
  #lyingOptions(n: number): Uint8Array {
    const bytes = this.#wellFormed(n);
    const options = Math.min(bytes.length - HEADER_BYTES, 40);
    if (this.#random.chance(0.3)) bytes[0] = this.#random.below(256);
    for (let at = HEADER_BYTES; at < HEADER_BYTES + options; at += 1 + this.#random.below(6)) bytes[at] = this.#random.below(10);
    return bytes;
  }

  #flipped(n: number): Uint8Array {
    const bytes = this.#wellFormed(n);
    const at = this.#random.below(bytes.length);
    bytes[at] = bytes[at]! ^ (1 << this.#random.below(8));
    return bytes;
  }
}
