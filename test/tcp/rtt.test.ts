import { describe, expect, it } from 'vitest';
import { RttEstimator, type RttConfig } from '../../src/tcp/rtt.ts';

const CONFIG: RttConfig = { minRtoMs: 200, maxRtoMs: 60_000, initialRtoMs: 1000, maxBackoffMs: 60_000 };

describe('RTO (RFC 6298)', () => {
  it('is 1 s before the first sample (2.1)', () => {
    expect(new RttEstimator(CONFIG).rtoMs).toBe(1000);
  });

  it('starts with SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR (2.2)', () => {
    const rtt = new RttEstimator(CONFIG);
    rtt.sample(500);
    expect([rtt.srttMs, rtt.rttvarMs, rtt.rtoMs]).toEqual([500, 250, 1500]);
  });

  it('goes on with RTTVAR first, then SRTT (2.3)', () => {
    const rtt = new RttEstimator(CONFIG);
    rtt.sample(500);
    rtt.sample(580);
    // RTTVAR = 3/4·250 + 1/4·|500 − 580| = 207.5; SRTT = 7/8·500 + 1/8·580 = 510.
    expect([rtt.srttMs, rtt.rttvarMs, rtt.rtoMs]).toEqual([510, 207.5, 1340]);
    rtt.sample(420);
    // RTTVAR = 155.625 + 22.5 = 178.125; SRTT = 446.25 + 52.5 = 498.75.
    expect([rtt.srttMs, rtt.rttvarMs, rtt.rtoMs]).toEqual([498.75, 178.125, 1211.25]);
  });

  it('never falls below the minimum nor rises above the maximum (2.4, 2.5)', () => {
    const rtt = new RttEstimator(CONFIG);
    for (let i = 0; i < 100; i++) rtt.sample(1);
    expect(rtt.rtoMs).toBe(200);
    rtt.sample(100_000);
    expect(rtt.rtoMs).toBe(60_000);
  });

  it('allows for the clock when nothing varies (2.3: max(G, K·RTTVAR))', () => {
    const rtt = new RttEstimator({ ...CONFIG, minRtoMs: 1 });
    for (let i = 0; i < 200; i++) rtt.sample(100);
    expect(rtt.rtoMs).toBeCloseTo(101, 6);
  });

  it('doubles on each back-off up to the maximum (5.5)', () => {
    const rtt = new RttEstimator(CONFIG);
    rtt.sample(500);
    const seen = [rtt.rtoMs];
    for (let i = 0; i < 40; i++) {
      rtt.backOff();
      seen.push(rtt.rtoMs);
    }
    expect(seen.slice(0, 7)).toEqual([1500, 3000, 6000, 12_000, 24_000, 48_000, 60_000]);
    expect(new Set(seen.slice(6))).toEqual(new Set([60_000]));
  });

  it('caps back-off at max(RTO, maxBackoffMs), never below the RTO itself', () => {
    const rtt = new RttEstimator({ ...CONFIG, maxBackoffMs: 2000 });
    rtt.sample(500);
    rtt.backOff();
    expect(rtt.rtoMs).toBe(2000);
    rtt.sample(2000);
    for (let i = 0; i < 5; i++) rtt.backOff();
    expect(rtt.rtoMs).toBeGreaterThan(2000);
    const base = rtt.srttMs + 4 * rtt.rttvarMs;
    expect(rtt.rtoMs).toBe(base);
  });

  it('ends the back-off with a valid sample: RTO backoff never reset', () => {
    const rtt = new RttEstimator(CONFIG);
    rtt.sample(500);
    rtt.backOff();
    rtt.backOff();
    rtt.sample(500);
    expect(rtt.backoff).toBe(0);
    expect(rtt.rtoMs).toBe(500 + 4 * 187.5);
  });

  it('starts data with 3 s when the SYN had to be repeated and nothing was measured (5.7)', () => {
    const rtt = new RttEstimator(CONFIG);
    rtt.backOff();
    rtt.onSynTimeout();
    expect(rtt.rtoMs).toBe(3000);
    const measured = new RttEstimator(CONFIG);
    measured.sample(100);
    measured.backOff();
    measured.onSynTimeout();
    expect(measured.rtoMs).toBe(300);
  });
});
