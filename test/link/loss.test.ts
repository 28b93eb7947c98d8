import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { createLossModel, ExactLoss } from '../../src/link/loss.ts';
import type { LossModel } from '../../src/link/loss.ts';
import { parseProfile } from '../../src/link/profile.ts';

const N = 200_000;

function model(words: string, seed = 1): LossModel {
  const made = createLossModel(parseProfile(`loss ${words}`).loss, createRandom(seed));
  if (made === undefined) throw new Error('no model');
  return made;
}

function measure(loss: LossModel): { rate: number; meanBurst: number } {
  let lost = 0;
  let bursts = 0;
  let before = false;
  for (let n = 1; n <= N; n++) {
    const isLost = loss.isLost(n);
    if (isLost) lost++;
    if (isLost && !before) bursts++;
    before = isLost;
  }
  return { rate: lost / N, meanBurst: lost / bursts };
}

describe('Bernoulli', () => {
  it.each([0.01, 0.2, 0.4])('loses %d of all, in bursts of mean 1/(1-p)', (p) => {
    const { rate, meanBurst } = measure(model(String(p)));
    expect(Math.abs(rate - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / N));
    expect(meanBurst).toBeCloseTo(1 / (1 - p), 1);
  });
  it('is nothing at 0, everything at 1', () => {
    expect(createLossModel(parseProfile('').loss, createRandom(1))).toBeUndefined();
    expect(measure(model('100%')).rate).toBe(1);
  });
  it('correlation makes bursts', () => {
    expect(measure(model('30% 50%')).meanBurst).toBeGreaterThan(measure(model('30%')).meanBurst * 1.1);
  });
});

describe('Gilbert–Elliott', () => {
  it.each([
    [0.01, 0.25, 1, 0],
    [0.05, 0.5, 0.8, 0.01],
    [0.3, 0.3, 1, 0],
  ])('p %d r %d 1-h %d 1-k %d: stationary loss is [r(1-k) + p(1-h)] / (p+r)', (p, r, bad, good) => {
    const expected = (r * good + p * bad) / (p + r);
    const { rate, meanBurst } = measure(model(`gemodel ${p} ${r} ${bad} ${good}`, 7));
    expect(Math.abs(rate / expected - 1)).toBeLessThan(0.05);
    if (bad === 1 && good === 0) expect(Math.abs(meanBurst * r - 1)).toBeLessThan(0.05);
  });
  it('draws the loss with the state before the transition: the first datagram never falls to the bad state', () => {
    // p = 1, r = 1: good, bad, good, bad …
    const loss = model('gemodel 100% 100% 100% 0%');
    expect([1, 2, 3, 4, 5].map((n) => loss.isLost(n))).toEqual([false, true, false, true, false]);
  });
  it('is Bernoulli(p) when only p is given', () => {
    const { rate, meanBurst } = measure(model('gemodel 20%'));
    expect(rate).toBeCloseTo(0.2, 2);
    expect(meanBurst).toBeCloseTo(1 / 0.8, 1);
  });
});

describe('exact', () => {
  it('drops exactly these, also when it starts late', () => {
    const lostAmong = (loss: LossModel, from: number): number[] =>
      Array.from({ length: 12 }, (_, i) => from + i).filter((n) => loss.isLost(n));
    expect(lostAmong(new ExactLoss([2, 5, 7]), 1)).toEqual([2, 5, 7]);
    expect(lostAmong(new ExactLoss([2, 5, 7]), 6)).toEqual([7]);
  });
});
