import { describe, expect, it } from 'vitest';

import {
  bdpSegments, DEFAULT_LINK, describeLink, fitToLink, goodputOf, idealBitsPerSecond, idealOverhead, linkOf, overheadOf, seedsFrom, summarize, transfersOf,
  type LossCell, type LossSweep,
} from '../../src/lab/loss-sweep.ts';

const SWEEP: LossSweep = {
  rateBitsPerSecond: 8e6, rttMs: 20, mtuBytes: 1000, limit: 50, sizeBytes: 10_000, capMs: 1000,
  lossProbabilities: [0, 0.5], contestants: ['udp', 'newreno'], seeds: [7, 8],
};

function cell(part: Partial<LossCell>): LossCell {
  return {
    contestant: 'newreno', lossProbability: 0, seed: 7, isFinished: true, elapsedMs: 100, usefulBytes: 10_000, sentBytes: 12_000, retransmissions: 2, violations: [],
    ...part,
  };
}

describe('the link of a sweep', () => {
  it('splits the round trip and loses each way', () => {
    const link = linkOf(SWEEP, 0.5);
    expect(link.delay.delayMs).toBe(10);
    expect(link.loss).toEqual({ model: 'random', probability: 0.5, correlation: 0 });
    expect(describeLink(SWEEP)).toBe('delay 10ms rate 8mbit limit 50');
  });

  it('holds one bandwidth-delay product of segments a round trip', () => {
    expect(bdpSegments(SWEEP)).toBe(20);
    expect(bdpSegments({ rateBitsPerSecond: 1000, rttMs: 1, mtuBytes: 1452 })).toBe(1);
  });

  it('has a queue for the larger of the fixed windows', () => {
    const { contestants, limit } = fitToLink(DEFAULT_LINK);
    expect(contestants).toEqual(['udp', 'newreno', 'fixed:172', 'fixed:344']);
    // Half of the larger window is on its way back as ACKs, or on the line.
    expect(limit).toBeGreaterThan(344);
  });
});

describe('the ideal', () => {
  it('is what arrives of what the line carries', () => {
    expect(idealBitsPerSecond(SWEEP, 0)).toBe(8e6);
    expect(idealBitsPerSecond(SWEEP, 0.25)).toBe(6e6);
  });

  it('sends each datagram until one arrives', () => {
    expect(idealOverhead(0)).toBe(1);
    expect(idealOverhead(0.5)).toBe(2);
  });
});

describe('transfersOf', () => {
  it('runs every combination once, a seed at a time', () => {
    const transfers = transfersOf(SWEEP);
    expect(transfers).toHaveLength(8);
    expect(new Set(transfers.map((transfer) => JSON.stringify(transfer))).size).toBe(8);
    expect(transfers.map(({ seed }) => seed)).toEqual([7, 7, 7, 7, 8, 8, 8, 8]);
  });

  it('counts seeds in 32 bits', () => {
    expect(seedsFrom(2 ** 32 - 1, 2)).toEqual([2 ** 32 - 1, 0]);
  });
});

describe('summarize', () => {
  it('takes medians and ranges over the seeds, in the order of the sweep', () => {
    const rows = summarize(SWEEP, [
      cell({ seed: 8, elapsedMs: 200, sentBytes: 10_000 }),
      cell({}),
      cell({ contestant: 'udp', lossProbability: 0.5, isFinished: false, usefulBytes: 5000, sentBytes: 10_000 }),
    ]);
    expect(rows.map(({ contestant, lossProbability }) => [contestant, lossProbability])).toEqual([['udp', 0.5], ['newreno', 0]]);
    expect(rows[1]).toEqual({
      contestant: 'newreno', lossProbability: 0, transfers: 2, finished: 2,
      goodputBitsPerSecond: { median: 600_000, low: 400_000, high: 800_000, count: 2 },
      seconds: { median: expect.closeTo(0.15, 9), low: 0.1, high: 0.2, count: 2 },
      overhead: { median: expect.closeTo(1.1, 9), low: 1, high: 1.2, count: 2 },
      arrived: { median: 1, low: 1, high: 1, count: 2 },
    });
    expect(rows[0]).toMatchObject({ finished: 0, arrived: { median: 0.5 }, overhead: { median: 2 } });
  });

  it('divides by what was sent once where the rest waits behind a hole', () => {
    // 968 bytes of payload beside header, timestamps and CRC.
    const stopped = cell({ isFinished: false, usefulBytes: 1000, sentBytes: 12 * 968, retransmissions: 2 });
    expect(overheadOf(SWEEP, stopped)).toBe(1.2);
    expect(overheadOf(SWEEP, { ...stopped, contestant: 'udp', usefulBytes: 6 * 968 })).toBe(2);
  });

  it('has no overhead where nothing got anywhere', () => {
    const [row] = summarize(SWEEP, [cell({ isFinished: false, usefulBytes: 0, elapsedMs: 1000, sentBytes: 0, retransmissions: 1 })]);
    expect(row).toMatchObject({ overhead: undefined, goodputBitsPerSecond: { median: 0 } });
  });

  it('calls no time no goodput', () => {
    expect(goodputOf({ usefulBytes: 0, elapsedMs: 0 })).toBe(0);
  });
});
