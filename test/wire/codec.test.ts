import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../../src/core/random.ts';
import {
  BAD_CRC, BAD_OFFSET, BAD_OPTION, decodeInto, encodeInto, headerBytes, MAX_HEADER_BYTES, MAX_MSS, OK, TOO_SHORT,
} from '../../src/wire/codec.ts';
import { optionBytes } from '../../src/wire/options.ts';
import { ABSENT, ACK, PSH, Segment, SYN } from '../../src/wire/segment.ts';

/** Any segment that we or a peer could build. */
function randomSegment(random: Random): Segment {
  const segment = new Segment();
  segment.seq = random.uint32();
  segment.ack = random.uint32();
  segment.flags = random.below(256);
  segment.window = random.below(65_536);
  segment.hasTimestamps = random.chance(0.5);
  if (segment.hasTimestamps) {
    segment.tsVal = random.uint32();
    segment.tsEcr = random.uint32();
  }
  if (segment.has(SYN)) {
    if (random.chance(0.7)) segment.mss = random.below(65_536);
    if (random.chance(0.5)) segment.windowShift = random.below(256);
    segment.sackPermitted = random.chance(0.5);
    if (random.chance(0.5)) {
      segment.capabilities = random.below(65_536);
      segment.hasCrc = true;
    }
  } else {
    segment.hasCrc = random.chance(0.5);
    const room = Math.floor((40 - optionBytes(segment) - 4) / 8);
    segment.sackCount = random.below(room + 1);
    for (let i = 0; i < 2 * segment.sackCount; i++) segment.sack[i] = random.uint32();
  }
  segment.payload = Uint8Array.from({ length: random.chance(0.3) ? 0 : random.below(200) }, () => random.below(256));
  segment.payloadStart = random.below(segment.payload.length + 1);
  segment.payloadEnd = segment.payload.length;
  return segment;
}

function fieldsOf(segment: Segment): unknown {
  const { payload: _payload, payloadStart, payloadEnd, sack, ...rest } = segment;
  return { ...rest, sack: [...sack.subarray(0, 2 * segment.sackCount)], data: [...segment.payload.subarray(payloadStart, payloadEnd)] };
}

function encode(segment: Segment): Uint8Array {
  const target = new Uint8Array(MAX_HEADER_BYTES + segment.payloadLength);
  return target.slice(0, encodeInto(segment, target));
}

describe('codec (draft-cheshire-tcp-over-udp-00)', () => {
  it('writes the bytes of a data segment, field by field', () => {
    const segment = new Segment();
    segment.seq = 0x01020304;
    segment.ack = 0xfffefdfc;
    segment.flags = ACK | PSH;
    segment.window = 0xabcd;
    segment.payload = Uint8Array.of(7, 8, 9);
    segment.payloadEnd = 3;
    expect([...encode(segment)]).toEqual([0x50, 0x18, 0xab, 0xcd, 1, 2, 3, 4, 0xff, 0xfe, 0xfd, 0xfc, 7, 8, 9]);
    expect(headerBytes(segment)).toBe(12);
  });

  it('writes a CRC-32 (IEEE 802.3) over the datagram with the field zero', () => {
    const segment = new Segment();
    segment.flags = ACK;
    segment.hasCrc = true;
    segment.payload = Buffer.from('123456789');
    segment.payloadEnd = 9;
    const bytes = encode(segment);
    // The check of the polynomial itself, computed bit by bit here.
    let crc = 0xffff_ffff;
    for (const [i, byte] of bytes.entries()) {
      crc ^= i >= 16 && i < 20 ? 0 : byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
    }
    expect(Buffer.from(bytes).readUInt32BE(16)).toBe(~crc >>> 0);
  });

  it('gives back every segment it is given', () => {
    const random = createRandom(1);
    const decoded = new Segment();
    for (let i = 0; i < 5000; i++) {
      const segment = randomSegment(random);
      const bytes = encode(segment);
      expect(bytes.length % 4).toBe((segment.payloadLength) % 4);
      expect(decodeInto(decoded, bytes)).toBe(OK);
      expect(fieldsOf(decoded)).toEqual(fieldsOf(segment));
    }
  });

  it('names what is wrong with a datagram', () => {
    const decoded = new Segment();
    expect(decodeInto(decoded, new Uint8Array(0))).toBe(TOO_SHORT);
    expect(decodeInto(decoded, new Uint8Array(11).fill(0x50))).toBe(TOO_SHORT);
    const header = Uint8Array.of(0x40, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    expect(decodeInto(decoded, header)).toBe(BAD_OFFSET);
    header[0] = 0x60;
    expect(decodeInto(decoded, header)).toBe(BAD_OFFSET);
    header[0] = 0x50;
    expect(decodeInto(decoded, header)).toBe(OK);
    expect([decoded.payloadLength, decoded.mss, decoded.hasCrc]).toEqual([0, ABSENT, false]);
    expect(decodeInto(decoded, Uint8Array.of(0x60, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 99, 1, 0, 0))).toBe(BAD_OPTION);
  });

  it('reads a header of any length that its data offset can name', () => {
    const bytes = new Uint8Array(80).fill(1);
    const decoded = new Segment();
    for (let words = 5; words <= 15; words++) {
      bytes[0] = words << 4;
      expect(decodeInto(decoded, bytes)).toBe(OK);
      expect(decoded.payloadLength).toBe(80 - (words * 4 - 8));
    }
  });

  it('sees every single flipped bit under a CRC', () => {
    const random = createRandom(2);
    const decoded = new Segment();
    for (let i = 0; i < 20; i++) {
      const segment = randomSegment(random);
      if (!segment.hasCrc) continue;
      const bytes = encode(segment);
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        // A flip in the option's own kind or length leaves a segment without CRC, which `required` drops.
        const result = decodeInto(decoded, bytes);
        if (result === OK && decoded.hasCrc) expect.fail(`bit ${bit} went unseen`);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
      }
      expect(decodeInto(decoded, bytes)).toBe(OK);
    }
  });

  it('tells a wrong CRC', () => {
    const segment = new Segment();
    segment.flags = ACK;
    segment.hasCrc = true;
    segment.payload = Uint8Array.of(1);
    segment.payloadEnd = 1;
    const bytes = encode(segment);
    bytes[bytes.length - 1]! ^= 1;
    expect(decodeInto(new Segment(), bytes)).toBe(BAD_CRC);
  });

  it('never throws and never changes its source: 200,000 random, truncated and mutated datagrams', () => {
    const random = createRandom(3);
    const decoded = new Segment();
    const seen = new Set<number>();
    for (let i = 0; i < 200_000; i++) {
      let bytes: Uint8Array;
      if (i % 3 === 0) {
        bytes = new Uint8Array(random.below(90));
        for (let j = 0; j < bytes.length; j++) bytes[j] = random.uint32();
        if (bytes.length > 0 && random.chance(0.7)) bytes[0] = (5 + random.below(11)) << 4;
      } else {
        bytes = encode(randomSegment(random));
        if (i % 3 === 1) bytes = bytes.slice(0, random.below(bytes.length + 1));
        else for (let flips = 1 + random.below(4); flips > 0; flips--) bytes[random.below(bytes.length)] = random.uint32();
      }
      const before = bytes.slice();
      const result = decodeInto(decoded, bytes);
      seen.add(result);
      if (Buffer.compare(before, bytes) !== 0) expect.fail(`datagram ${i} was changed`);
      if (result === OK && (decoded.payloadStart > decoded.payloadEnd || decoded.payloadEnd !== bytes.length || decoded.sackCount > 4)) {
        expect.fail(`datagram ${i} was read beyond its bounds`);
      }
    }
    expect([...seen].sort()).toEqual([OK, TOO_SHORT, BAD_OFFSET, BAD_OPTION, BAD_CRC]);
  });

  it('makes the largest payload fit the largest UDP datagram', () => {
    expect(12 + MAX_MSS).toBe(65_507);
  });
});
