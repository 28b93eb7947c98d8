import { describe, expect, test } from 'vitest';

import { makeScale } from '../../src/report/scale.ts';

const labels = (kind: 'linear' | 'log', values: number[], options = {}): string[] => makeScale(kind, values, { maxTicks: 7, ...options }).ticks.map((tick) => tick.label);

describe('linear', () => {
  test('round numbers between the ends', () => {
    expect(labels('linear', [0, 40])).toEqual(['0', '10', '20', '30', '40']);
    expect(labels('linear', [3, 17])).toEqual(['4', '6', '8', '10', '12', '14', '16']);
    expect(labels('linear', [-1, 1])).toEqual(['-1.0', '-0.5', '0.0', '0.5', '1.0']);
    expect(labels('linear', [0, 0.017])).toEqual(['0.0000', '0.0025', '0.0050', '0.0075', '0.0100', '0.0125', '0.0150']);
    expect(labels('linear', [0, 250_000])).toEqual(['0', '50,000', '100,000', '150,000', '200,000', '250,000']);
    expect(labels('linear', [0, 3e9]).at(-1)).toBe('3e9');
  });

  test('from zero and with round ends, every value lies between the ends', () => {
    const scale = makeScale('linear', [3.2, 6.9], { maxTicks: 7, fromZero: true, roundEnds: true });
    expect(scale.ticks.map((tick) => tick.label)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    expect(scale.place(0)).toBe(0);
    expect(scale.place(7)).toBe(1);
    expect(scale.place(3.5)).toBe(0.5);
  });

  test('without round ends the axis ends at the data', () => {
    const scale = makeScale('linear', [1, 9], { maxTicks: 7 });
    expect(scale.place(1)).toBe(0);
    expect(scale.place(9)).toBe(1);
  });

  test.each([[[0]], [[5]], [[-5]], [[]], [[NaN, Infinity]]])('of %j is finite and has ticks', (values) => {
    for (const options of [{}, { fromZero: true, roundEnds: true }]) {
      const scale = makeScale('linear', values, { maxTicks: 7, ...options });
      expect(scale.ticks.length).toBeGreaterThan(1);
      const place = scale.place(values[0] ?? 0);
      if (Number.isFinite(values[0])) expect(place).toBeGreaterThanOrEqual(0);
      if (Number.isFinite(values[0])) expect(place).toBeLessThanOrEqual(1);
    }
  });
});

describe('logarithmic', () => {
  test('1, 2 and 5 over few decades, powers of ten over many', () => {
    expect(labels('log', [3, 400])).toEqual(['2', '5', '10', '20', '50', '100', '200', '500']);
    expect(labels('log', [0.003, 1000])).toEqual(['0.01', '0.1', '1', '10', '100', '1,000']);
    expect(labels('log', [1e-6, 1e9]).length).toBeLessThanOrEqual(8);
    expect(labels('log', [1e-6, 1])[0]).toBe('1e-6');
  });

  test('ends are 1, 2 or 5 of a decade, and contain every positive value', () => {
    const scale = makeScale('log', [30, 400, 0, -7], { maxTicks: 7 });
    expect(scale.place(20)).toBeCloseTo(0, 9);
    expect(scale.place(500)).toBeCloseTo(1, 9);
    expect(scale.place(100)).toBeCloseTo(0.5, 9);
    expect(scale.place(0)).toBe(-Infinity);
    expect(scale.place(-1)).toBeNaN();
  });

  test('one value, a power of ten, still spans an interval', () => {
    const scale = makeScale('log', [100], { maxTicks: 7 });
    expect(scale.ticks.map((tick) => tick.value)).toEqual([100, 200]);
  });
});
