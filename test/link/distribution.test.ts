import { describe, expect, it } from 'vitest';
import { deviationAt, DISTRIBUTIONS } from '../../src/link/distribution.ts';

describe('deviationAt', () => {
  const N = 100_000;
  const moments = (values: number[]): [number, number] => {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    return [mean, Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)];
  };
  // Of the distributions cut at 4: pareto -0.0329 and 0.821, from the moments of min(Y, 4.5) with Y of shape 3.
  it.each([
    ['uniform', 0, 1 / Math.sqrt(3)],
    ['normal', 0, 1],
    ['pareto', -0.0329, 0.821],
    ['paretonormal', -0.0247, 0.835],
    ['exponential', -0.0067, 0.964],
  ] as const)('%s', (distribution, mean, deviation) => {
    const values = Array.from({ length: N }, (_, i) => deviationAt(distribution, (i + 0.5) / N));
    const [m, d] = moments(values);
    expect(Math.abs(m - mean)).toBeLessThan(0.005);
    expect(Math.abs(d - deviation)).toBeLessThan(0.005);
  });
  it('rises with u and stays within 4 jitters, also at the ends', () => {
    for (const distribution of DISTRIBUTIONS) {
      let last = -Infinity;
      for (const u of [0, 1e-9, 0.1, 0.25, 0.499, 0.501, 0.75, 0.9, 1 - 2 ** -32]) {
        const value = deviationAt(distribution, u);
        expect(value).toBeGreaterThanOrEqual(last);
        expect(Math.abs(value)).toBeLessThanOrEqual(4);
        last = value;
      }
    }
  });
});
