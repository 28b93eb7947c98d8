import { expect, it } from 'vitest';

import { createRandom } from '../../../src/core/random.ts';
import { ConfigurationSet } from '../../../src/sim/wgl/configuration-set.ts';

const words = (...values: readonly number[]): Int32Array => Int32Array.from(values);

it('a configuration is new once', () => {
  const set = new ConfigurationSet(1);
  expect(set.add(3, words(0b101), 0, 1, words(0))).toBe(true);
  expect(set.add(3, words(0b101), 0, 1, words(0))).toBe(false);
  expect(set.size).toBe(1);
});

it('another state, other operations and another window are others', () => {
  const set = new ConfigurationSet(1);
  for (const state of [1, 2, 3]) expect(set.add(state, words(0b101, 0), 0, 1, words(0))).toBe(true);
  expect(set.add(1, words(0b111, 0), 0, 1, words(0))).toBe(true);
  expect(set.add(1, words(0b101, 0), 0, 2, words(0))).toBe(true);
  expect(set.add(1, words(-1, 0), 1, 2, words(0))).toBe(true);
  expect(set.size).toBe(6);
});

it('whoever used more operations of unknown outcome for the same is nowhere new; whoever used fewer, or others, is', () => {
  const set = new ConfigurationSet(2);
  expect(set.add(1, words(1), 0, 1, words(0b0110, 0))).toBe(true);
  expect(set.add(1, words(1), 0, 1, words(0b1110, 0))).toBe(false);
  expect(set.add(1, words(1), 0, 1, words(0b0110, 1))).toBe(false);
  expect(set.add(1, words(1), 0, 1, words(0b0101, 0))).toBe(true);
  expect(set.add(1, words(1), 0, 1, words(0b0010, 0))).toBe(true);
  expect(set.add(1, words(1), 0, 1, words(0b0011, 0))).toBe(false);
});

it('agrees with a plain list, also while it grows', () => {
  const random = createRandom(5);
  const set = new ConfigurationSet(1);
  const seen = new Map<string, number[]>();
  let added = 0;
  for (let i = 0; i < 40_000; i++) {
    const state = random.below(20);
    const known = words(-1, random.below(64) | 0x8000_0000, random.below(8));
    const from = random.below(2);
    const unknown = random.below(16);
    const key = `${state} ${known.subarray(from).join(' ')}`;
    const before = seen.get(key) ?? [];
    const isNew = !before.some((used) => (used & ~unknown) === 0);
    if (isNew) {
      seen.set(key, [...before, unknown]);
      added++;
    }
    expect(set.add(state, known, from, 3, words(unknown))).toBe(isNew);
  }
  expect(set.size).toBe(added);
  expect(added).toBeGreaterThan(5000);
});
