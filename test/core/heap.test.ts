import { describe, expect, it } from 'vitest';
import { TimeHeap } from '../../src/core/heap.ts';
import { createRandom } from '../../src/core/random.ts';

describe('time heap', () => {
  it('is empty at first', () => {
    const heap = new TimeHeap<string>();
    expect([heap.length, heap.nextTime(), heap.pop()]).toEqual([0, Infinity, undefined]);
  });

  it('gives equal times back in the order they came', () => {
    const heap = new TimeHeap<number>();
    for (let i = 0; i < 100; i++) heap.push(i % 3, i);
    const out = Array.from({ length: 100 }, () => heap.pop()!);
    const expected = [0, 1, 2].flatMap((time) => Array.from({ length: 100 }, (_, i) => i).filter((i) => i % 3 === time));
    expect(out).toEqual(expected);
  });

  it('agrees with a sorted list under random pushes and pops', () => {
    const random = createRandom(3);
    const heap = new TimeHeap<number>();
    let model: { time: number; item: number }[] = [];
    for (let i = 0; i < 5000; i++) {
      if (random.chance(0.6)) {
        const time = random.below(50);
        heap.push(time, i);
        model.push({ time, item: i });
        model.sort((a, b) => a.time - b.time || a.item - b.item);
      } else {
        expect(heap.pop()).toBe(model[0]?.item);
        model = model.slice(1);
      }
      expect(heap.length).toBe(model.length);
      expect(heap.nextTime()).toBe(model[0]?.time ?? Infinity);
    }
  });
});
