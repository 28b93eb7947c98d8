import { describe, expect, it } from 'vitest';

import { runGenerals, transcriptOf } from '../../../src/lab/why/generals.ts';
import { indistinguishableWorlds, searchGenerals } from '../../../src/lab/why/generals-search.ts';
import { subsets } from '../../../src/lab/why/subsets.ts';

describe('oral messages', () => {
  it.each([
    // generals, rounds, traitors, masked
    [2, 0, 0, true],
    [3, 1, 0, true],
    [3, 1, 1, false],
    [3, 2, 1, false],
    [4, 1, 1, true],
    [4, 1, 2, false],
    [4, 0, 1, false],
    [5, 1, 1, true],
    [6, 2, 2, false],
    [7, 2, 2, true],
    [7, 1, 2, false],
  ])('%i generals, OM(%i), %i traitors: masked %s', (generals, rounds, traitors, isMasked) => {
    const { counterexample, runs } = searchGenerals(generals, rounds, traitors, 1);
    expect(counterexample === undefined).toBe(isMasked);
    expect(runs).toBeGreaterThan(0);
  });

  it('one traitor among four is tried in every place, with every lie', () => {
    const { runs, isExhaustive } = searchGenerals(4, 1, 1, 1);
    expect(isExhaustive).toBe(true);
    // The commander tells three lies, a lieutenant two; two orders.
    expect(runs).toBe(2 * (2 ** 3 + 3 * 2 ** 2));
  });

  it('what a lieutenant hears, in words', () => {
    const result = runGenerals({ generals: 4, rounds: 1, traitors: new Set([3]), order: 1, lie: () => 0 });
    expect(transcriptOf(result, 1)).toEqual(['commander: "1"', 'lieutenant 2: "commander said 1"', 'lieutenant 3: "commander said 0"']);
    expect(result.decisions.get(1)).toBe(1);
  });

  it('three generals: two worlds in which lieutenant 1 hears the same, and cannot do right in both', () => {
    const { first, second, transcript } = indistinguishableWorlds();
    expect(transcriptOf(first.result, 1)).toEqual(transcript);
    expect(transcriptOf(second.result, 1)).toEqual(transcript);
    expect([first.traitors, second.traitors]).toEqual([[0], [2]]);
    expect(first.result.isAgreed && first.result.isObeyed && second.result.isAgreed && second.result.isObeyed).toBe(false);
  });
});

describe('placements', () => {
  it('are all there, once', () => {
    expect([...subsets(4, 2)]).toEqual([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
    expect([...subsets(3, 0)]).toEqual([[]]);
    expect([...subsets(2, 3)]).toEqual([]);
    expect([...subsets(7, 3)].length).toBe(35);
  });
});
