import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { IntervalSet } from '../../src/sim/interval-set.ts';

describe('IntervalSet', () => {
  it('joins what touches, and tells what was there', () => {
    const set = new IntervalSet();
    set.add(10, 20);
    set.add(30, 40);
    set.add(20, 25);
    expect(set.count).toBe(2);
    const overlaps: number[][] = [];
    set.add(22, 35, (left, right) => overlaps.push([left, right]));
    expect(overlaps).toEqual([[22, 25], [30, 35]]);
    expect(set.count).toBe(1);
    expect(set.endOfRun(10)).toBe(40);
    expect(set.endOfRun(40)).toBe(40);
    expect(set.covers(10, 40)).toBe(true);
    expect(set.covers(9, 11)).toBe(false);
    expect(set.covers(5, 5)).toBe(true);
  });

  it('agrees with a plain set of integers', () => {
    const random = createRandom(7);
    for (let round = 0; round < 50; round++) {
      const set = new IntervalSet();
      const plain = new Set<number>();
      for (let step = 0; step < 30; step++) {
        const left = random.below(200);
        const right = left + random.below(12);
        let overlap = 0;
        let expected = 0;
        for (let i = left; i < right; i++) if (plain.has(i)) expected++;
        set.add(left, right, (from, to) => { overlap += to - from; });
        for (let i = left; i < right; i++) plain.add(i);
        expect(overlap).toBe(expected);
        const from = random.below(210);
        let end = from;
        while (plain.has(end)) end++;
        expect(set.endOfRun(from)).toBe(end);
        expect(set.covers(from, end)).toBe(true);
        expect(set.covers(from, end + 1)).toBe(false);
      }
    }
  });
});
