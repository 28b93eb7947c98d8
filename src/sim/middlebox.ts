import type { Random } from '../core/random.ts';
import { decodeInto, encodeInto, headerBytes, OK } from '../wire/codec.ts';
import { ABSENT, FIN, PSH, Segment, SYN } from '../wire/segment.ts';
import { seqAdd } from '../wire/sequence.ts';
import type { StrippedOption } from './scenario.ts';

/**
 * A box on the path that knows TCP. It removes options from SYNs, so that the ends agree to do without them: how a peer
 * without SACK, timestamps, window scaling or integrity looks. And it splits segments in two, as boxes that gather and
 * segment do, so that retransmissions overlap what came in part. It makes the CRC right again.
 */
export class Middlebox {
  readonly #strips: readonly StrippedOption[];
  readonly #splitProbability: number;
  readonly #random: Random;
  readonly #segment = new Segment();

  /** `splitProbability` of a segment with two bytes or more, in [0, 1]. */
  constructor(strips: readonly StrippedOption[], splitProbability: number, random: Random) {
    this.#strips = strips;
    this.#splitProbability = splitProbability;
    this.#random = random;
  }

  /** The datagrams that go on instead of this one: itself, if nothing is to be changed. */
  pass(datagram: Uint8Array): readonly Uint8Array[] {
    const splits = this.#splitProbability > 0 && this.#random.chance(this.#splitProbability);
    const isSyn = datagram.length > 1 && (datagram[1]! & SYN) !== 0;
    if (!(isSyn ? this.#strips.length > 0 : splits)) return [datagram];
    const segment = this.#segment;
    if (decodeInto(segment, datagram) !== OK) return [datagram];
    if (!isSyn) return segment.payloadLength < 2 ? [datagram] : this.#split(segment);
    for (const option of this.#strips) strip(segment, option);
    return [encode(segment)];
  }

  #split(segment: Segment): readonly Uint8Array[] {
    const { seq, flags, payloadStart, payloadEnd } = segment;
    const at = payloadStart + 1 + this.#random.below(payloadEnd - payloadStart - 1);
    // Only the second half ends the message, or the stream.
    segment.flags = flags & ~(FIN | PSH);
    segment.payloadEnd = at;
    const first = encode(segment);
    segment.flags = flags;
    segment.seq = seqAdd(seq, at - payloadStart);
    segment.payloadStart = at;
    segment.payloadEnd = payloadEnd;
    return [first, encode(segment)];
  }
}

function encode(segment: Segment): Uint8Array {
  const datagram = new Uint8Array(headerBytes(segment) + segment.payloadLength);
  encodeInto(segment, datagram);
  return datagram;
}

function strip(segment: Segment, option: StrippedOption): void {
  switch (option) {
    case 'mss':
      segment.mss = ABSENT;
      break;
    case 'window-scale':
      segment.windowShift = ABSENT;
      break;
    case 'sack':
      segment.sackPermitted = false;
      break;
    case 'timestamps':
      segment.hasTimestamps = false;
      break;
    case 'capability':
      segment.capabilities = ABSENT;
      segment.hasCrc = false;
      break;
  }
}
