import { decodeInto, encodeInto, headerBytes, OK } from '../wire/codec.ts';
import { ABSENT, Segment, SYN } from '../wire/segment.ts';
import type { StrippedOption } from './scenario.ts';

/**
 * A box on the path that removes options from SYNs and makes the CRC right again, so that the ends agree to do without
 * them: how a peer without SACK, timestamps, window scaling or integrity looks. Other datagrams pass.
 */
export class Middlebox {
  readonly #strips: readonly StrippedOption[];
  readonly #segment = new Segment();

  constructor(strips: readonly StrippedOption[]) {
    this.#strips = strips;
  }

  /** The datagram as it goes on: the same object, or a changed copy. */
  pass(datagram: Uint8Array): Uint8Array {
    if (this.#strips.length === 0 || datagram.length < 2 || (datagram[1]! & SYN) === 0) return datagram;
    const segment = this.#segment;
    if (decodeInto(segment, datagram) !== OK) return datagram;
    for (const option of this.#strips) strip(segment, option);
    const changed = new Uint8Array(headerBytes(segment) + segment.payloadLength);
    encodeInto(segment, changed);
    return changed;
  }
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
