import { describe, expect, it } from 'vitest';

import { createRandom } from '../../../src/core/random.ts';
import { drawChain, tripleReliability } from '../../../src/lab/why/redundancy.ts';

describe('triple modular redundancy', () => {
  it('helps above one half and hurts below', () => {
    expect(tripleReliability(0.5)).toBe(0.5);
    expect(tripleReliability(0.9)).toBeCloseTo(0.972, 10);
    expect(tripleReliability(0.4)).toBeCloseTo(0.352, 10);
    expect([tripleReliability(0), tripleReliability(1)]).toEqual([0, 1]);
  });

  it('drawn, it is what the formula says', () => {
    for (const r of [0.3, 0.5, 0.8, 0.95]) {
      const { simple, oneVoter } = drawChain(createRandom(1), 1, r, 1, 20_000);
      // Four standard deviations of 20,000 draws.
      expect(Math.abs(simple - r)).toBeLessThan(0.0142);
      expect(Math.abs(oneVoter - tripleReliability(r))).toBeLessThan(0.0142);
    }
  });

  it('a single voter behind each stage is a single point of failure; three are not', () => {
    const { simple, oneVoter, threeVoters } = drawChain(createRandom(2), 3, 0.95, 0.95, 20_000);
    expect(threeVoters).toBeGreaterThan(oneVoter + 0.05);
    expect(threeVoters).toBeGreaterThan(simple);
  });
});
