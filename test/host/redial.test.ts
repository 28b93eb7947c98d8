import { describe, expect, it } from 'vitest';

import { Redial } from '../../src/host/redial.ts';

describe('when to try again to connect', () => {
  it('at once, then after 50 ms, doubling up to a second', () => {
    const redial = new Redial();
    expect(redial.dueAt('a')).toBe(-Infinity);
    const delays: number[] = [];
    for (let now = 0, tries = 0; tries < 8; tries++) {
      redial.tried('a', now);
      delays.push(redial.dueAt('a') - now);
      now = redial.dueAt('a');
    }
    expect(delays).toEqual([50, 100, 200, 400, 800, 1000, 1000, 1000]);
    expect(redial.dueAt('b')).toBe(-Infinity);
  });

  it('a connection that stood begins again with the shortest delay', () => {
    const redial = new Redial();
    for (let i = 0; i < 5; i++) redial.tried('a', 0);
    redial.opened(7, 'a');
    redial.succeeded(7);
    redial.tried('a', 1000);
    expect(redial.dueAt('a')).toBe(1050);
  });

  it('tells connections of its own from those of others', () => {
    const redial = new Redial();
    redial.opened(7, 'a');
    expect(redial.closed(7)).toBe(true);
    expect(redial.closed(7)).toBe(false);
    expect(redial.closed(8)).toBe(false);
  });

  it('remembers so many places and no more', () => {
    const redial = new Redial();
    for (let i = 0; i < 1000; i++) redial.tried(`place ${i}`, 0);
    expect(redial.dueAt('place 999')).toBe(50);
    expect(redial.dueAt('place 0')).toBe(-Infinity);
  });
});
