import { crc32 } from 'node:zlib';
import { decodeOptions, encoded, encodeOptions, get32, MAX_OPTION_BYTES, optionBytes, put32 } from './options.ts';
import type { Segment } from './segment.ts';

/**
 * The UDP payload of draft-cheshire-tcp-over-udp-00: a TCP header without ports, checksum and urgent pointer, its
 * third word first. Byte for byte what Linux' tcp-in-udp eBPF program speaks.
 */
export const HEADER_BYTES = 12;
/** The header that the data offset counts is TCP's own (RFC 9293, 3.1). */
const TCP_HEADER_BYTES = 20;
/** 65,535 − 20 (IPv4) − 8 (UDP). */
export const MAX_DATAGRAM_BYTES = 65_507;
/** The largest payload that fits a datagram without options: what a receiver can take at most (MSS). */
export const MAX_MSS = MAX_DATAGRAM_BYTES - HEADER_BYTES;

/** What decodeInto says of a datagram; everything but OK is a counted drop. */
export const OK = 0;
export const TOO_SHORT = 1;
export const BAD_OFFSET = 2;
export const BAD_OPTION = 3;
export const BAD_CRC = 4;
export type DecodeResult = 0 | 1 | 2 | 3 | 4;
export const DECODE_RESULT_NAMES = ['ok', 'too-short', 'bad-offset', 'bad-option', 'bad-crc'] as const;

/** Header and options bytes of the encoded segment, before its payload. */
export function headerBytes(segment: Segment): number {
  return HEADER_BYTES + optionBytes(segment);
}

/**
 * Writes the segment at the start of `target` and returns its length. `target` needs room for 12 + 40 bytes and
 * the payload. With `segment.hasCrc` the CRC-32 of the whole datagram, its own field taken as zero, is put in last.
 */
export function encodeInto(segment: Segment, target: Uint8Array): number {
  encodeOptions(segment, target, HEADER_BYTES);
  const start = encoded.end;
  const crcOffset = encoded.crcOffset;
  target[0] = ((TCP_HEADER_BYTES - HEADER_BYTES + start) >> 2) << 4;
  target[1] = segment.flags;
  target[2] = segment.window >>> 8;
  target[3] = segment.window;
  put32(target, 4, segment.seq);
  put32(target, 8, segment.ack);
  const length = start + segment.payloadEnd - segment.payloadStart;
  if (segment.payloadEnd > segment.payloadStart) {
    target.set(segment.payload.subarray(segment.payloadStart, segment.payloadEnd), start);
  }
  if (crcOffset !== 0) put32(target, crcOffset, crc32(target.subarray(0, length)));
  return length;
}

/**
 * Reads a datagram into `segment` and checks its CRC if it carries one. Never throws, whatever the bytes; the payload
 * is a view of `source`. `source` is written to for a moment (the CRC field) and is unchanged afterwards.
 */
export function decodeInto(segment: Segment, source: Uint8Array): DecodeResult {
  segment.clear();
  if (source.length < HEADER_BYTES) return TOO_SHORT;
  const start = (source[0]! >> 4) * 4 - (TCP_HEADER_BYTES - HEADER_BYTES);
  if (start < HEADER_BYTES || start > source.length) return BAD_OFFSET;
  segment.flags = source[1]!;
  segment.window = (source[2]! << 8) | source[3]!;
  segment.seq = get32(source, 4);
  segment.ack = get32(source, 8);
  segment.payload = source;
  segment.payloadStart = start;
  segment.payloadEnd = source.length;
  const crcOffset = start === HEADER_BYTES ? 0 : decodeOptions(segment, source, HEADER_BYTES, start);
  if (crcOffset < 0) return BAD_OPTION;
  if (crcOffset > 0) {
    const crc = get32(source, crcOffset);
    put32(source, crcOffset, 0);
    const actual = crc32(source);
    put32(source, crcOffset, crc);
    if (actual !== crc) return BAD_CRC;
    segment.hasCrc = true;
  }
  return OK;
}

/** Room that any header needs in front of a payload. */
export const MAX_HEADER_BYTES = HEADER_BYTES + MAX_OPTION_BYTES;
