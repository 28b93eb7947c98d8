import { describe, expect, it } from 'vitest';
import { Fifo } from '../../src/core/fifo.ts';
import { createRandom } from '../../src/core/random.ts';

describe('fifo', () => {
  it('is empty at first', () => {
    const fifo = new Fifo<number>();
    expect([fifo.length, fifo.shift(), fifo.peek(), fifo.peekLast()]).toEqual([0, undefined, undefined, undefined]);
  });

  it('behaves as an array does, across growth and wrap-around', () => {
    const random = createRandom(5);
    const fifo = new Fifo<number>();
    const model: number[] = [];
    for (let i = 0; i < 20_000; i++) {
      // Phases in which it grows and in which it shrinks.
      if (random.chance(i % 2000 < 1000 ? 0.7 : 0.3)) {
        fifo.push(i);
        model.push(i);
      } else {
        expect(fifo.shift()).toBe(model.shift());
      }
      expect(fifo.length).toBe(model.length);
      expect(fifo.peek()).toBe(model[0]);
      expect(fifo.peekLast()).toBe(model.at(-1));
    }
  });

  it('forgets everything on clear and goes on', () => {
    const fifo = new Fifo<number>();
    for (let i = 0; i < 40; i++) fifo.push(i);
    fifo.clear();
    expect([fifo.length, fifo.shift(), fifo.peekLast()]).toEqual([0, undefined, undefined]);
    fifo.push(99);
    expect(fifo.shift()).toBe(99);
  });
});
