import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { CorrelatedDraw } from '../../src/link/draw.ts';

describe('CorrelatedDraw', () => {
  it("is netem's x' = ρ·last + (1−ρ)·u, one draw a call", () => {
    const random = createRandom(3);
    let last = random.unit();
    const draw = new CorrelatedDraw(createRandom(3));
    for (const correlation of [0.25, 0.25, 0, 1, 0.5]) {
      last = correlation * last + (1 - correlation) * random.unit();
      expect(draw.next(correlation)).toBeCloseTo(last, 12);
    }
  });
});
