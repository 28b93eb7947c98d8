import { describe, expect, it } from 'vitest';

import { createRandom } from '../../../src/core/random.ts';
import { entriesOf, SharedTree, type Frozen } from '../../../src/group/kv/shared-tree.ts';

function sorted(model: ReadonlyMap<string, number>): (readonly [string, number])[] {
  return [...model].sort(([a], [b]) => (a < b ? -1 : 1));
}

describe('the shared tree', () => {
  it('holds what a map holds, in the order of keys', () => {
    const random = createRandom(1);
    for (const keys of [1, 60, 64, 65, 5000]) {
      const tree = new SharedTree<number>();
      const model = new Map<string, number>();
      for (let i = 0; i < 20_000; i++) {
        const key = `k${random.below(keys)}`;
        // Grows, and then shrinks to nothing.
        if (random.chance(i < 10_000 ? 0.7 : 0.2)) {
          tree.set(key, i);
          model.set(key, i);
        } else if (tree.delete(key) !== model.delete(key)) expect.fail(`delete ${key}`);
        // A matcher for each would take most of the time.
        if (tree.size !== model.size || tree.get(key) !== model.get(key)) expect.fail(`step ${i}: ${key} is ${tree.get(key)} and not ${model.get(key)}`);
      }
      expect([...entriesOf(tree.freeze())]).toEqual(sorted(model));
      expect([...model.keys()].every((key) => tree.delete(key))).toBe(true);
      expect([...entriesOf(tree.freeze())]).toEqual([]);
      expect(tree.size).toBe(0);
    }
  });

  it('keeps what was frozen, however often and whatever comes after', () => {
    const random = createRandom(2);
    const tree = new SharedTree<number>();
    const model = new Map<string, number>();
    const frozen: { root: Frozen<number>; expected: (readonly [string, number])[] }[] = [];
    for (let i = 0; i < 10_000; i++) {
      const key = `k${random.below(700)}`;
      if (random.chance(0.6)) {
        tree.set(key, i);
        model.set(key, i);
      } else {
        tree.delete(key);
        model.delete(key);
      }
      if (random.chance(0.01)) frozen.push({ root: tree.freeze(), expected: sorted(model) });
    }
    expect(frozen.length).toBeGreaterThan(50);
    for (const { root, expected } of frozen) expect([...entriesOf(root)]).toEqual(expected);
  });

  it('grows in order, in reverse order, and from the middle', () => {
    for (const order of [(i: number) => i, (i: number) => -i, (i: number) => (i % 2 === 0 ? i : -i)]) {
      const tree = new SharedTree<number>();
      const keys = Array.from({ length: 10_000 }, (_, i) => String(100_000 + order(i)));
      keys.forEach((key, i) => tree.set(key, i));
      expect([...entriesOf(tree.freeze())].map(([key]) => key)).toEqual([...keys].sort());
      expect(keys.map((key) => tree.get(key))).toEqual(keys.map((_, i) => i));
    }
  });
});
