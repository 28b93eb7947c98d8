import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { Middlebox } from '../../src/sim/middlebox.ts';
import { decodeInto, encodeInto, OK } from '../../src/wire/codec.ts';
import { ABSENT, ACK, FIN, PSH, Segment, SYN } from '../../src/wire/segment.ts';

function datagram(fill: (segment: Segment) => void): Uint8Array {
  const segment = new Segment();
  fill(segment);
  const target = new Uint8Array(2000);
  return target.slice(0, encodeInto(segment, target));
}

function decode(bytes: Uint8Array): Segment {
  const segment = new Segment();
  expect(decodeInto(segment, bytes)).toBe(OK);
  return segment;
}

const SYN_DATAGRAM = datagram((segment) => {
  segment.flags = SYN;
  segment.mss = 1460;
  segment.windowShift = 7;
  segment.sackPermitted = true;
  segment.hasTimestamps = true;
  segment.capabilities = 1;
  segment.hasCrc = true;
});

describe('Middlebox', () => {
  it('strips what it shall from a SYN, and the CRC is right', () => {
    const [changed] = new Middlebox(['sack', 'window-scale', 'mss'], 0, createRandom(1)).pass(SYN_DATAGRAM);
    const segment = decode(changed!);
    expect([segment.sackPermitted, segment.windowShift, segment.mss]).toEqual([false, ABSENT, ABSENT]);
    expect([segment.hasTimestamps, segment.capabilities, segment.hasCrc]).toEqual([true, 1, true]);
    const [plain] = new Middlebox(['capability', 'timestamps'], 0, createRandom(1)).pass(SYN_DATAGRAM);
    expect([decode(plain!).hasCrc, decode(plain!).hasTimestamps]).toEqual([false, false]);
  });

  it('splits text in two, the FIN on the second', () => {
    const payload = Uint8Array.from({ length: 100 }, (_, i) => i);
    const original = datagram((segment) => {
      segment.flags = ACK | PSH | FIN;
      segment.seq = 2 ** 32 - 10;
      segment.hasCrc = true;
      segment.payload = payload;
      segment.payloadEnd = payload.length;
    });
    const pieces = new Middlebox([], 1, createRandom(1)).pass(original).map(decode);
    expect(pieces.map(({ flags }) => flags)).toEqual([ACK, ACK | PSH | FIN]);
    expect(pieces[1]!.seq).toBe((2 ** 32 - 10 + pieces[0]!.payloadLength) % 2 ** 32);
    expect(pieces.flatMap((piece) => [...piece.payload.subarray(piece.payloadStart, piece.payloadEnd)])).toEqual([...payload]);
  });

  it('lets pass what it has no business with', () => {
    const pureAck = datagram((segment) => { segment.flags = ACK; });
    const junk = Uint8Array.of(1, SYN);
    const box = new Middlebox(['sack'], 1, createRandom(1));
    expect(box.pass(pureAck)).toEqual([pureAck]);
    expect(box.pass(junk)[0]).toBe(junk);
    expect(new Middlebox([], 0, createRandom(1)).pass(SYN_DATAGRAM)[0]).toBe(SYN_DATAGRAM);
  });
});
