import { seqAdd, type Seq } from './sequence.ts';

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;

/** Value of an option field that the segment does not carry. */
export const ABSENT = -1;

/** Four blocks are the most that 40 bytes of options can hold (RFC 2018, section 3). */
export const MAX_SACK_BLOCKS = 4;

const NO_BYTES = new Uint8Array(0);

/**
 * One TCP segment, parsed. A mutable scratch object: each endpoint owns two (in, out) and fills them again and again;
 * nobody keeps one. Every field is assigned in the constructor in fixed order, so that V8 sees one shape.
 */
export class Segment {
  seq: Seq = 0;
  ack: Seq = 0;
  flags = 0;
  /** As on the wire, not scaled. */
  window = 0;
  /** MSS option: the largest payload its sender can receive; ABSENT without. */
  mss = ABSENT;
  /** Window scale option, as on the wire (the codec does not clamp it); ABSENT without. */
  windowShift = ABSENT;
  sackPermitted = false;
  hasTimestamps = false;
  tsVal = 0;
  tsEcr = 0;
  /** SACK blocks: left and right edges, pairwise. */
  sackCount = 0;
  readonly sack = new Uint32Array(2 * MAX_SACK_BLOCKS);
  /** Flags of the capability option on a SYN; ABSENT when the segment has none. */
  capabilities = ABSENT;
  /** The segment carries (decode) or shall carry (encode) the integrity CRC. */
  hasCrc = false;
  /** Payload bytes are payload[payloadStart, payloadEnd). */
  payload: Uint8Array = NO_BYTES;
  payloadStart = 0;
  payloadEnd = 0;

  clear(): void {
    this.seq = 0;
    this.ack = 0;
    this.flags = 0;
    this.window = 0;
    this.mss = ABSENT;
    this.windowShift = ABSENT;
    this.sackPermitted = false;
    this.hasTimestamps = false;
    this.tsVal = 0;
    this.tsEcr = 0;
    this.sackCount = 0;
    this.capabilities = ABSENT;
    this.hasCrc = false;
    this.payload = NO_BYTES;
    this.payloadStart = 0;
    this.payloadEnd = 0;
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  get payloadLength(): number {
    return this.payloadEnd - this.payloadStart;
  }

  /** SEG.LEN: payload plus one for SYN and one for FIN (RFC 9293, section 3.3.1). */
  get length(): number {
    return this.payloadEnd - this.payloadStart + ((this.flags & SYN) !== 0 ? 1 : 0) + ((this.flags & FIN) !== 0 ? 1 : 0);
  }

  /** First sequence number after the segment. */
  get end(): Seq {
    return seqAdd(this.seq, this.length);
  }
}
