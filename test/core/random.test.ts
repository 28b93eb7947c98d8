import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';

function draw(seed: number, count: number): number[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => random.uint32());
}

describe('random', () => {
  it('repeats with the same seed and differs with another', () => {
    expect(draw(1, 20)).toEqual(draw(1, 20));
    expect(draw(1, 20)).not.toEqual(draw(2, 20));
    expect(draw(0, 4)).not.toEqual(draw(0x8000_0000, 4));
  });

  it('forks by name: what was drawn before, or what else was forked, does not matter', () => {
    const first = createRandom(7);
    const second = createRandom(7);
    for (let i = 0; i < 100; i++) second.uint32();
    second.fork('duplicate');
    const a = first.fork('loss');
    const b = second.fork('loss');
    for (let i = 0; i < 20; i++) expect(a.uint32()).toBe(b.uint32());
    expect(createRandom(7).fork('loss').uint32()).not.toBe(createRandom(7).fork('delay').uint32());
    expect(createRandom(7).fork('loss').uint32()).not.toBe(createRandom(8).fork('loss').uint32());
    expect(createRandom(7).fork('loss').uint32()).not.toBe(createRandom(7).uint32());
  });

  it('stays in range and is flat enough', () => {
    const random = createRandom(3);
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) {
      // A value out of range would land in no bucket and make the sum below wrong.
      const bucket = Math.floor(random.unit() * 10);
      buckets[bucket] = buckets[bucket]! + 1;
    }
    expect(buckets.length).toBe(10);
    // Standard deviation of each is 95.
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    for (let i = 0; i < 1000; i++) expect(random.below(3)).toBeLessThan(3);
    expect(random.below(1)).toBe(0);
  });

  it('draws once for every chance, so that a probability of 0 or 1 shifts nothing', () => {
    const a = createRandom(9);
    const b = createRandom(9);
    expect(a.chance(0)).toBe(false);
    expect(b.chance(1)).toBe(true);
    expect(a.uint32()).toBe(b.uint32());
  });

  it('has the moments of its distributions', () => {
    const random = createRandom(11);
    let sum = 0;
    let normal = 0;
    let squares = 0;
    const count = 50_000;
    for (let i = 0; i < count; i++) {
      sum += random.exponential(20);
      const z = random.normal();
      normal += z;
      squares += z * z;
    }
    expect(sum / count).toBeCloseTo(20, 0);
    expect(normal / count).toBeCloseTo(0, 1);
    expect(squares / count).toBeCloseTo(1, 1);
  });
});
