import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { DUPLICATE, FILLED, IN_ORDER, OUT_OF_ORDER, Reassembly, REFUSED } from '../../src/tcp/reassembly.ts';
import { Segment } from '../../src/wire/segment.ts';
import { seqAdd } from '../../src/wire/sequence.ts';
import { streamBytes } from './trace.ts';

function receiver(rcvNxt: number, windowBytes = 65_536): Reassembly {
  const reassembly = new Reassembly(windowBytes);
  reassembly.rcvNxt = rcvNxt;
  return reassembly;
}

/** Segment [left, right) arrives; the ACK that follows has this number and these blocks. */
function arrive(reassembly: Reassembly, left: number, right: number, room = 4): [number, ...number[][]] {
  reassembly.accept(left, streamBytes(left, right));
  return acknowledgement(reassembly, room);
}

function acknowledgement(reassembly: Reassembly, room = 4): [number, ...number[][]] {
  const segment = new Segment();
  reassembly.fillSack(segment, room);
  return [reassembly.rcvNxt, ...Array.from({ length: segment.sackCount }, (_, i) => [segment.sack[2 * i]!, segment.sack[2 * i + 1]!])];
}

describe('SACK blocks: the examples of RFC 2018, section 7', () => {
  it('case 1: the last four of eight are lost', () => {
    const r = receiver(5000);
    expect(arrive(r, 5000, 5500)).toEqual([5500]);
    expect(arrive(r, 5500, 6000)).toEqual([6000]);
    expect(arrive(r, 6000, 6500)).toEqual([6500]);
    expect(arrive(r, 6500, 7000)).toEqual([7000]);
  });

  it('case 2: the first is lost', () => {
    const r = receiver(5000);
    for (let right = 6000; right <= 9000; right += 500) expect(arrive(r, right - 500, right)).toEqual([5000, [5500, right]]);
  });

  it('case 3: every second one is lost, then the fourth and the second come', () => {
    const r = receiver(5000);
    expect(arrive(r, 5000, 5500)).toEqual([5500]);
    expect(arrive(r, 6000, 6500)).toEqual([5500, [6000, 6500]]);
    expect(arrive(r, 7000, 7500)).toEqual([5500, [7000, 7500], [6000, 6500]]);
    expect(arrive(r, 8000, 8500)).toEqual([5500, [8000, 8500], [7000, 7500], [6000, 6500]]);
    expect(arrive(r, 6500, 7000)).toEqual([5500, [6000, 7500], [8000, 8500]]);
    expect(arrive(r, 5500, 6000)).toEqual([7500, [8000, 8500]]);
  });
});

describe('D-SACK: the examples of RFC 2883', () => {
  it('example 1: a duplicate segment', () => {
    const r = receiver(3000);
    arrive(r, 3000, 3500);
    arrive(r, 3500, 4000);
    expect(arrive(r, 3000, 3500)).toEqual([4000, [3000, 3500]]);
    expect(acknowledgement(r)).toEqual([4000]);
  });

  it('example 2: an out-of-order segment and a duplicate segment', () => {
    const r = receiver(3000);
    arrive(r, 3000, 3500);
    arrive(r, 3500, 4000);
    expect(arrive(r, 4500, 5000)).toEqual([4000, [4500, 5000]]);
    expect(arrive(r, 3000, 3500)).toEqual([4000, [3000, 3500], [4500, 5000]]);
  });

  it('example 3: a duplicate of an out-of-order segment', () => {
    const r = receiver(3500);
    expect(arrive(r, 3500, 4000)).toEqual([4000]);
    expect(arrive(r, 4500, 5000)).toEqual([4000, [4500, 5000]]);
    expect(arrive(r, 5000, 5500)).toEqual([4000, [4500, 5500]]);
    expect(arrive(r, 5000, 5500)).toEqual([4000, [5000, 5500], [4500, 5500]]);
  });

  it('example 4: a single duplicate subsegment', () => {
    const r = receiver(500);
    expect(arrive(r, 500, 1000)).toEqual([1000]);
    expect(arrive(r, 2000, 2500)).toEqual([1000, [2000, 2500]]);
    expect(arrive(r, 1000, 1500)).toEqual([1500, [2000, 2500]]);
    expect(arrive(r, 1000, 2000)).toEqual([2500, [1000, 1500]]);
  });

  it('example 5: two duplicate subsegments below the ACK: the first is reported', () => {
    const r = receiver(500);
    arrive(r, 500, 1000);
    expect(arrive(r, 3000, 3500)).toEqual([1000, [3000, 3500]]);
    expect(arrive(r, 1000, 1500)).toEqual([1500, [3000, 3500]]);
    expect(arrive(r, 2000, 2500)).toEqual([1500, [2000, 2500], [3000, 3500]]);
    expect(arrive(r, 1000, 2500)).toEqual([2500, [1000, 1500], [3000, 3500]]);
  });

  it('example 6: two duplicate subsegments above the ACK: the first, then the block it belongs to', () => {
    const r = receiver(500);
    arrive(r, 500, 1000);
    expect(arrive(r, 3500, 4000)).toEqual([1000, [3500, 4000]]);
    expect(arrive(r, 1500, 2000)).toEqual([1000, [1500, 2000], [3500, 4000]]);
    expect(arrive(r, 2000, 2500)[1]).toEqual([1500, 2500]);
    const other = receiver(500);
    arrive(other, 500, 1000);
    arrive(other, 3500, 4000);
    arrive(other, 1500, 2000);
    arrive(other, 2500, 3000);
    expect(arrive(other, 1500, 3000)).toEqual([1000, [1500, 2000], [1500, 3000], [3500, 4000]]);
  });

  it('a duplicate above the ACK comes with its block second, however often that block was reported', () => {
    const r = receiver(1000);
    arrive(r, 2000, 3000);
    acknowledgement(r);
    acknowledgement(r);
    arrive(r, 5000, 6000);
    expect(arrive(r, 2000, 3000)).toEqual([1000, [2000, 3000], [2000, 3000], [5000, 6000]]);
  });
});

describe('reassembly', () => {
  it('says what became of a payload', () => {
    const r = receiver(0);
    expect(r.accept(0, streamBytes(0, 10))).toBe(IN_ORDER);
    expect(r.accept(20, streamBytes(20, 30))).toBe(OUT_OF_ORDER);
    expect(r.accept(20, streamBytes(20, 30))).toBe(DUPLICATE);
    expect(r.accept(0, streamBytes(0, 10))).toBe(DUPLICATE);
    expect(r.accept(10, streamBytes(10, 20))).toBe(FILLED);
    expect([r.rcvNxt, r.hasHoles]).toEqual([30, false]);
  });

  it('keeps the first copy of a byte, when pieces overlap', () => {
    const r = receiver(0);
    r.accept(10, new Uint8Array(10).fill(1));
    r.accept(5, new Uint8Array(20).fill(2));
    r.accept(0, new Uint8Array(30).fill(3));
    const bytes = Buffer.concat([r.ready.read() ?? new Uint8Array(0), r.ready.read() ?? new Uint8Array(0)]);
    expect([...bytes]).toEqual([
      ...new Array<number>(5).fill(3), ...new Array<number>(5).fill(2), ...new Array<number>(10).fill(1), ...new Array<number>(5).fill(2), ...new Array<number>(5).fill(3),
    ]);
  });

  it.each([0, 0xffff_fff0])('puts any shuffle of overlapping pieces together, from %i on', (start) => {
    const random = createRandom(start + 1);
    for (let round = 0; round < 200; round++) {
      const total = 1 + random.below(3000);
      const r = receiver(start);
      const got: Uint8Array[] = [];
      let covered = 0;
      for (let step = 0; covered < total; step++) {
        const left = random.chance(0.1) ? covered : random.below(total);
        const right = Math.min(total, left + 1 + random.below(700));
        r.accept(seqAdd(start, left), streamBytes(left, right));
        for (let chunk = r.ready.read(); chunk !== undefined; chunk = r.ready.read()) got.push(chunk);
        covered = (r.rcvNxt - start) >>> 0;
        const segment = new Segment();
        r.fillSack(segment, 4);
        checkBlocks(segment, r.rcvNxt);
        if (step > 100_000) expect.fail('never complete');
      }
      expect(r.hasHoles).toBe(false);
      if (Buffer.compare(Buffer.concat(got), streamBytes(0, total)) !== 0) expect.fail(`wrong bytes in round ${round}`);
    }
  });

  it('bounds what it holds: a million one-byte pieces with gaps between (SegmentSmack)', () => {
    const r = receiver(0, 2 << 20);
    let refused = 0;
    for (let i = 0; i < 1_000_000; i++) if (r.accept(2 * i + 2, streamBytes(0, 1)) === REFUSED) refused++;
    expect(r.rangeCount).toBeLessThanOrEqual(256 + (2 << 20) / 512);
    expect(refused).toBe(1_000_000 - r.rangeCount);
    // What is in order is never refused.
    expect(r.accept(0, streamBytes(0, 2))).toBe(FILLED);
    expect(r.rcvNxt).toBe(3);
  });

  it('counts pieces that touch each other, too', () => {
    const r = receiver(0, 4096);
    for (let i = 5000; i > 1; i--) r.accept(i, streamBytes(0, 1));
    expect(r.accept(9000, streamBytes(0, 1))).toBe(REFUSED);
  });

  it('frees the places of pieces that were delivered', () => {
    const r = receiver(0, 4096);
    for (let round = 0; round < 20; round++) {
      const base = r.rcvNxt;
      for (let i = 1; i <= 100; i++) expect(r.accept(base + 2 * i, streamBytes(0, 1))).toBe(OUT_OF_ORDER);
      for (let i = 0; i < 100; i++) r.accept(base + 2 * i + 1, streamBytes(0, 1));
      r.accept(base, streamBytes(0, 1));
      expect([r.rangeCount, r.rcvNxt]).toEqual([0, base + 201]);
    }
  });

  it('does not pin a large datagram for a small piece of it', () => {
    const r = receiver(0);
    const datagram = new Uint8Array(60_000);
    r.accept(10, datagram.subarray(100, 101));
    r.accept(0, streamBytes(0, 10));
    r.accept(20, datagram.subarray(0, 2000));
    r.accept(11, streamBytes(0, 9));
    for (let chunk = r.ready.read(); chunk !== undefined; chunk = r.ready.read()) expect(chunk.buffer).not.toBe(datagram.buffer);
  });
});

/** Blocks are not empty, and after the first (it may be a D-SACK) all lie above the ACK. */
function checkBlocks(segment: Segment, ack: number): void {
  for (let i = 0; i < segment.sackCount; i++) {
    const length = (segment.sack[2 * i + 1]! - segment.sack[2 * i]!) | 0;
    if (length <= 0) expect.fail(`empty block of ${length}`);
    if (i > 0 && ((segment.sack[2 * i]! - ack) | 0) <= 0) expect.fail('block at or below the ACK');
  }
}
