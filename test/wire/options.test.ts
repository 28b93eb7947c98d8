import { describe, expect, it } from 'vitest';
import { decodeOptions, encoded, encodeOptions, get32, optionBytes, put32, sackBytes } from '../../src/wire/options.ts';
import { ABSENT, ACK, Segment, SYN } from '../../src/wire/segment.ts';

function encode(segment: Segment): number[] {
  const target = new Uint8Array(60);
  encodeOptions(segment, target, 12);
  return [...target.subarray(12, encoded.end)];
}

function decode(bytes: number[], flags: number): { segment: Segment; result: number } {
  const segment = new Segment();
  segment.flags = flags;
  return { segment, result: decodeOptions(segment, Uint8Array.from(bytes), 0, bytes.length) };
}

describe('options on the wire', () => {
  it('lays a SYN out as most stacks do, in whole words', () => {
    const segment = new Segment();
    segment.flags = SYN;
    segment.mss = 1460;
    segment.sackPermitted = true;
    segment.hasTimestamps = true;
    segment.tsVal = 0x01020304;
    segment.windowShift = 7;
    expect(encode(segment)).toEqual([2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7]);
    expect(optionBytes(segment)).toBe(20);
  });

  it('fits timestamps, CRC and two SACK blocks into 40 bytes exactly', () => {
    const segment = new Segment();
    segment.flags = ACK;
    segment.hasTimestamps = true;
    segment.hasCrc = true;
    segment.sackCount = 2;
    expect(encode(segment).length).toBe(40);
    expect(optionBytes(segment)).toBe(40);
    expect(sackBytes(0)).toBe(0);
    expect(sackBytes(4)).toBe(36);
  });

  it('puts the CRC field where it says, zero until it is known', () => {
    const segment = new Segment();
    segment.flags = ACK;
    segment.hasCrc = true;
    expect(encode(segment)).toEqual([253, 8, 0x46, 0x4d, 0, 0, 0, 0]);
    expect(encoded.crcOffset).toBe(16);
    segment.flags = SYN;
    segment.capabilities = 0x8001;
    expect(encode(segment)).toEqual([1, 1, 253, 10, 0x46, 0x4d, 0x80, 0x01, 0, 0, 0, 0]);
    expect(encoded.crcOffset).toBe(20);
  });

  it('writes and reads numbers with the top bit set', () => {
    const bytes = new Uint8Array(4);
    for (const value of [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      expect(put32(bytes, 0, value)).toBe(4);
      expect(get32(bytes, 0)).toBe(value);
    }
  });
});

describe('options from the network', () => {
  it.each<[string, number[], number]>([
    ['a kind without a length', [8], ACK],
    ['length 0', [30, 0, 0, 0], ACK],
    ['length 1', [30, 1, 0, 0], ACK],
    ['a length past the end', [30, 9, 0, 0], ACK],
    ['an MSS of 3 bytes', [2, 3, 5, 1], SYN],
    ['a window scale of 4 bytes', [3, 4, 7, 0], SYN],
    ['SACK-permitted of 3 bytes', [4, 3, 0, 1], SYN],
    ['SACK without a block', [5, 2, 1, 1], ACK],
    ['SACK with half a block', [5, 6, 0, 0, 0, 1, 1, 1], ACK],
    ['timestamps of 9 bytes', [8, 9, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1], ACK],
    ['a CRC of the SYN on another segment', [1, 1, 253, 10, 0x46, 0x4d, 0, 1, 0, 0, 0, 0], ACK],
    ['a CRC without capabilities on a SYN', [253, 8, 0x46, 0x4d, 0, 0, 0, 0], SYN],
    ['two CRCs', [253, 8, 0x46, 0x4d, 0, 0, 0, 0, 253, 8, 0x46, 0x4d, 0, 0, 0, 0], ACK],
  ])('refuses %s', (_name, bytes, flags) => {
    expect(decode(bytes, flags).result).toBe(-1);
  });

  it('skips unknown kinds and other experiments (MUST-6)', () => {
    const { segment, result } = decode([30, 4, 9, 9, 253, 4, 1, 2, 254, 2, 253, 2, 34, 2, 1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6], ACK);
    expect(result).toBe(0);
    expect([segment.tsVal, segment.tsEcr, segment.hasTimestamps]).toEqual([5, 6, true]);
  });

  it('stops at END, whatever follows', () => {
    const { segment, result } = decode([0, 8, 99, 1], ACK);
    expect(result).toBe(0);
    expect(segment.hasTimestamps).toBe(false);
  });

  it('takes what only a SYN may say from a SYN only', () => {
    const bytes = [2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 7];
    const syn = decode(bytes, SYN).segment;
    expect([syn.mss, syn.windowShift, syn.sackPermitted]).toEqual([1460, 7, true]);
    const later = decode(bytes, ACK).segment;
    expect([later.mss, later.windowShift, later.sackPermitted]).toEqual([ABSENT, ABSENT, false]);
  });

  it('reads at most four SACK blocks', () => {
    const four = decode([5, 34, ...Array.from({ length: 32 }, (_, i) => i)], ACK);
    expect([four.result, four.segment.sackCount, four.segment.sack[0]]).toEqual([0, 4, 0x00010203]);
    const five = decode([5, 42, ...Array.from({ length: 40 }, () => 1)], ACK);
    expect([five.result, five.segment.sackCount]).toEqual([0, 4]);
  });
});
