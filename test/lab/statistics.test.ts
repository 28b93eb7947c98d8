import { describe, expect, it } from 'vitest';

import { formatSpread, spreadOf } from '../../src/lab/statistics.ts';

describe('spreadOf', () => {
  it('takes the middle value of an odd number of values, whatever their order', () => {
    expect(spreadOf([9, 1, 5])).toEqual({ median: 5, low: 1, high: 9, count: 3 });
  });

  it('takes the mean of the two in the middle of an even number', () => {
    expect(spreadOf([10, 1, 2, 4])).toEqual({ median: 3, low: 1, high: 10, count: 4 });
  });

  it('sorts numbers as numbers', () => {
    expect(spreadOf([10, 9, 100]).median).toBe(10);
  });

  it('leaves its argument as it is', () => {
    const values = [3, 1, 2];
    spreadOf(values);
    expect(values).toEqual([3, 1, 2]);
  });

  it.each([[[]], [[1, NaN]]])('refuses %j', (values) => {
    expect(() => spreadOf(values)).toThrow(RangeError);
  });
});

describe('formatSpread', () => {
  it('writes the range only when there is one', () => {
    expect(formatSpread(spreadOf([2]), 1)).toBe('2.0');
    expect(formatSpread(spreadOf([2, 3, 5]), 1)).toBe('3.0 (2.0–5.0)');
    expect(formatSpread(spreadOf([2, 2.01, 2.02]), 1)).toBe('2.0');
  });
});
