import { describe, expect, it } from 'vitest';

import { recap } from '../../src/lab/loss-benchmark.ts';
import { simulateCell } from '../../src/lab/loss-simulated.ts';
import { goodputOf, idealBitsPerSecond, type LossSweep } from '../../src/lab/loss-sweep.ts';

const SWEEP: LossSweep = {
  rateBitsPerSecond: 20e6, rttMs: 20, mtuBytes: 1452, limit: 200, sizeBytes: 200_000, capMs: 20_000,
  lossProbabilities: [0, 0.1], contestants: ['udp', 'newreno', 'fixed:35'], seeds: [1],
};

describe('a transfer in the simulator', () => {
  it.each(['newreno', 'fixed:35'])('delivers everything with %s, and breaks no rule', (contestant) => {
    const cell = simulateCell(SWEEP, contestant, 0.1, 3);
    expect(cell).toMatchObject({ isFinished: true, usefulBytes: SWEEP.sizeBytes, violations: [] });
    expect(cell.sentBytes).toBeGreaterThan(cell.usefulBytes);
    expect(cell.retransmissions).toBeGreaterThan(0);
    expect(goodputOf(cell)).toBeLessThan(idealBitsPerSecond(SWEEP, 0.1));
  });

  it('is the same for the same seed, and another for another', () => {
    const cell = simulateCell(SWEEP, 'newreno', 0.1, 3);
    expect(simulateCell(SWEEP, 'newreno', 0.1, 3)).toEqual(cell);
    expect(simulateCell(SWEEP, 'newreno', 0.1, 4).elapsedMs).not.toBe(cell.elapsedMs);
  });

  it('retransmits nothing without loss, and takes the handshake, the line and the way', () => {
    const cell = simulateCell(SWEEP, 'fixed:35', 0, 1);
    expect(cell).toMatchObject({ sentBytes: SWEEP.sizeBytes, retransmissions: 0 });
    expect(cell.elapsedMs).toBeGreaterThan(1.5 * SWEEP.rttMs + (SWEEP.sizeBytes * 8000) / SWEEP.rateBitsPerSecond);
  });

  it('is stopped at the cap, and what has arrived counts', () => {
    const cell = simulateCell({ ...SWEEP, capMs: 100 }, 'newreno', 0.1, 3);
    expect(cell).toMatchObject({ isFinished: false, elapsedMs: 100, violations: [] });
    expect(cell.usefulBytes).toBeGreaterThan(0);
    expect(cell.usefulBytes).toBeLessThan(SWEEP.sizeBytes);
  });
});

describe('plain UDP in the simulator', () => {
  it('arrives whole without loss, at the rate of the line', () => {
    const cell = simulateCell(SWEEP, 'udp', 0, 1);
    expect(cell).toMatchObject({ isFinished: true, usefulBytes: SWEEP.sizeBytes, sentBytes: SWEEP.sizeBytes });
    expect(cell.elapsedMs).toBeCloseTo((SWEEP.sizeBytes * 8000) / SWEEP.rateBitsPerSecond + SWEEP.rttMs / 2, 6);
  });

  it('loses for good what is lost', () => {
    const cell = simulateCell({ ...SWEEP, sizeBytes: 1_452_000 }, 'udp', 0.1, 1);
    expect(cell).toMatchObject({ isFinished: false, sentBytes: 1_452_000 });
    // 1000 datagrams: five standard deviations of the binomial are 47.
    expect(Math.abs(cell.usefulBytes / 1452 - 900)).toBeLessThan(48);
  });
});

describe('recap', () => {
  it('stops again only what took longer, and leaves out other loss rates', () => {
    const [slow, fast, other] = [simulateCell(SWEEP, 'newreno', 0.1, 3), simulateCell(SWEEP, 'udp', 0, 1), simulateCell(SWEEP, 'udp', 0.1, 1)] as const;
    const sweep = { ...SWEEP, capMs: 100, lossProbabilities: [0.1] };
    expect(recap(sweep, [slow, fast, other])).toEqual([simulateCell(sweep, 'newreno', 0.1, 3), other]);
  });
});
