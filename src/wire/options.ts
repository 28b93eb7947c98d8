import { ABSENT, MAX_SACK_BLOCKS, SYN, type Segment } from './segment.ts';

/** Option kinds (RFC 9293, 3.2; RFC 7323; RFC 2018; RFC 6994 for the experimental one). */
const END = 0;
const NOP = 1;
const MSS = 2;
const WINDOW_SCALE = 3;
const SACK_PERMITTED = 4;
const SACK = 5;
const TIMESTAMPS = 8;
const EXPERIMENT = 253;

/** RFC 6994 experiment identifier of failmask's capability option ("FM"; not registered with IANA). */
const EXID = 0x464d;
/** Capability option on a SYN: kind, length, ExID, 16 flag bits, CRC. */
const CAPABILITY_LENGTH = 10;
/** The same option afterwards: kind, length, ExID, CRC. */
const CRC_LENGTH = 8;

/** Capability flag: I put a CRC-32 on every segment and want one on every segment of yours. */
export const CAPABILITY_INTEGRITY = 0x0001;

export const MAX_OPTION_BYTES = 40;
export const TIMESTAMPS_BYTES = 12;
export const CRC_BYTES = 8;

/** Bytes that `count` SACK blocks take, padding included. */
export function sackBytes(count: number): number {
  return count === 0 ? 0 : 4 + 8 * count;
}

/** Bytes that the segment's options take, padded to whole words. */
export function optionBytes(segment: Segment): number {
  let bytes = 0;
  if (segment.mss !== ABSENT) bytes += 4;
  if (segment.windowShift !== ABSENT) bytes += 4;
  if (segment.sackPermitted) bytes += segment.hasTimestamps ? 0 : 4;
  if (segment.hasTimestamps) bytes += TIMESTAMPS_BYTES;
  if (segment.capabilities !== ABSENT) bytes += CAPABILITY_LENGTH + 2;
  else if (segment.hasCrc) bytes += CRC_BYTES;
  return bytes + sackBytes(segment.sackCount);
}

/** Where encodeOptions left off: end of the options, and the offset of the CRC field (0: none). */
export const encoded = { end: 0, crcOffset: 0 };

/** Writes the options from `at` on and leaves the CRC field zero; the result is in `encoded`. */
export function encodeOptions(segment: Segment, target: Uint8Array, at: number): void {
  let o = at;
  encoded.crcOffset = 0;
  if (segment.mss !== ABSENT) {
    target[o++] = MSS;
    target[o++] = 4;
    target[o++] = segment.mss >>> 8;
    target[o++] = segment.mss;
  }
  if (segment.hasTimestamps) {
    // SACK-permitted takes the place of the two NOPs, as most stacks lay it out.
    target[o++] = segment.sackPermitted ? SACK_PERMITTED : NOP;
    target[o++] = segment.sackPermitted ? 2 : NOP;
    target[o++] = TIMESTAMPS;
    target[o++] = 10;
    o = put32(target, o, segment.tsVal);
    o = put32(target, o, segment.tsEcr);
  } else if (segment.sackPermitted) {
    target[o++] = NOP;
    target[o++] = NOP;
    target[o++] = SACK_PERMITTED;
    target[o++] = 2;
  }
  if (segment.windowShift !== ABSENT) {
    target[o++] = NOP;
    target[o++] = WINDOW_SCALE;
    target[o++] = 3;
    target[o++] = segment.windowShift;
  }
  if (segment.capabilities !== ABSENT || segment.hasCrc) {
    const onSyn = segment.capabilities !== ABSENT;
    if (onSyn) {
      target[o++] = NOP;
      target[o++] = NOP;
    }
    target[o++] = EXPERIMENT;
    target[o++] = onSyn ? CAPABILITY_LENGTH : CRC_LENGTH;
    target[o++] = EXID >>> 8;
    target[o++] = EXID & 0xff;
    if (onSyn) {
      target[o++] = segment.capabilities >>> 8;
      target[o++] = segment.capabilities;
    }
    encoded.crcOffset = o;
    o = put32(target, o, 0);
  }
  if (segment.sackCount > 0) {
    target[o++] = NOP;
    target[o++] = NOP;
    target[o++] = SACK;
    target[o++] = 2 + 8 * segment.sackCount;
    for (let i = 0; i < 2 * segment.sackCount; i++) o = put32(target, o, segment.sack[i]!);
  }
  encoded.end = o;
}

/**
 * Reads the options in source[at, end) into `segment`. Returns the offset of the CRC field, 0 when there is none,
 * or -1 when the list is malformed: a length below 2 or past the end, a wrong length for a known kind, a second CRC.
 * Unknown kinds are skipped (RFC 9293, MUST-6).
 */
export function decodeOptions(segment: Segment, source: Uint8Array, at: number, end: number): number {
  let crcOffset = 0;
  let o = at;
  while (o < end) {
    const kind = source[o]!;
    if (kind === END) break;
    if (kind === NOP) {
      o++;
      continue;
    }
    if (o + 1 >= end) return -1;
    const length = source[o + 1]!;
    if (length < 2 || o + length > end) return -1;
    switch (kind) {
      case MSS:
        if (length !== 4) return -1;
        // Only a SYN negotiates; elsewhere the option means nothing (RFC 9293, 3.7.1).
        if (segment.has(SYN)) segment.mss = (source[o + 2]! << 8) | source[o + 3]!;
        break;
      case WINDOW_SCALE:
        if (length !== 3) return -1;
        if (segment.has(SYN)) segment.windowShift = source[o + 2]!;
        break;
      case SACK_PERMITTED:
        if (length !== 2) return -1;
        if (segment.has(SYN)) segment.sackPermitted = true;
        break;
      case SACK:
        if (length < 10 || (length - 2) % 8 !== 0) return -1;
        segment.sackCount = Math.min((length - 2) / 8, MAX_SACK_BLOCKS);
        for (let i = 0; i < 2 * segment.sackCount; i++) segment.sack[i] = get32(source, o + 2 + 4 * i);
        break;
      case TIMESTAMPS:
        if (length !== 10) return -1;
        segment.hasTimestamps = true;
        segment.tsVal = get32(source, o + 2);
        segment.tsEcr = get32(source, o + 6);
        break;
      case EXPERIMENT: {
        if (length < 4 || ((source[o + 2]! << 8) | source[o + 3]!) !== EXID) break;
        if (crcOffset !== 0) return -1;
        const wanted = segment.has(SYN) ? CAPABILITY_LENGTH : CRC_LENGTH;
        if (length !== wanted) return -1;
        if (segment.has(SYN)) segment.capabilities = (source[o + 4]! << 8) | source[o + 5]!;
        crcOffset = o + length - 4;
        break;
      }
    }
    o += length;
  }
  return crcOffset;
}

export function put32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}

export function get32(source: Uint8Array, at: number): number {
  return ((source[at]! << 24) | (source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!) >>> 0;
}
