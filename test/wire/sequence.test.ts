import { describe, expect, it } from 'vitest';
import { seqAdd, seqDiff, seqGe, seqGt, seqInWindow, seqLe, seqLt, seqMax } from '../../src/wire/sequence.ts';

const TOP = 0xffff_ffff;
const HALF = 0x8000_0000;

describe('sequence arithmetic (RFC 9293, 3.4)', () => {
  it('adds modulo 2^32, also negative steps', () => {
    expect(seqAdd(TOP, 1)).toBe(0);
    expect(seqAdd(0, -1)).toBe(TOP);
    expect(seqAdd(TOP, 2 ** 31)).toBe(HALF - 1);
    expect(seqAdd(5, 0)).toBe(5);
    expect(seqAdd(0xffff_fff0, 0x20)).toBe(0x10);
  });

  it('measures signed distance across the wrap', () => {
    expect(seqDiff(3, TOP)).toBe(4);
    expect(seqDiff(TOP, 3)).toBe(-4);
    expect(seqDiff(7, 7)).toBe(0);
    expect(seqDiff(HALF, 0)).toBe(-(2 ** 31));
    expect(seqDiff(HALF - 1, 0)).toBe(2 ** 31 - 1);
  });

  it.each([
    [1, 2], [TOP, 0], [0xffff_ff00, 0x100], [HALF - 1, HALF], [0, HALF - 1], [HALF + 1, 0],
  ])('%i comes before %i', (a, b) => {
    expect([seqLt(a, b), seqLe(a, b), seqGt(a, b), seqGe(a, b)]).toEqual([true, true, false, false]);
    expect([seqLt(b, a), seqLe(b, a), seqGt(b, a), seqGe(b, a)]).toEqual([false, false, true, true]);
    expect(seqMax(a, b)).toBe(b);
    expect(seqMax(b, a)).toBe(b);
  });

  it.each([0, 1, HALF, TOP])('%i equals itself', (a) => {
    expect([seqLt(a, a), seqLe(a, a), seqGt(a, a), seqGe(a, a)]).toEqual([false, true, false, true]);
  });

  it('knows the inside of a window, the edges and the wrap', () => {
    expect(seqInWindow(10, 10, 5)).toBe(true);
    expect(seqInWindow(14, 10, 5)).toBe(true);
    expect(seqInWindow(15, 10, 5)).toBe(false);
    expect(seqInWindow(9, 10, 5)).toBe(false);
    expect(seqInWindow(10, 10, 0)).toBe(false);
    expect(seqInWindow(2, 0xffff_fffe, 5)).toBe(true);
    expect(seqInWindow(3, 0xffff_fffe, 5)).toBe(false);
  });
});
