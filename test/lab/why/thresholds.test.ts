import { describe, expect, it } from 'vitest';

import { cellOf, expectedVerdicts, isAsExpected, thresholdOf } from '../../../src/lab/why/thresholds.ts';

describe('the expected frontier', () => {
  it.each([
    // mode, fault, n, masked up to
    ['raft', 'crash', 5, 2], ['raft', 'wrong-value:colluding', 5, 0], ['raft', 'two-faced', 5, 0],
    ['primary-backup', 'crash', 5, 4], ['primary-backup', 'two-faced', 3, 0], ['primary-backup:perfect-detector', 'crash', 3, 2],
    ['sequencer', 'wrong-value:colluding', 5, 2], ['sequencer', 'two-faced:leader', 5, 0], ['sequencer', 'two-faced:non-leader', 5, 2],
    ['active', 'wrong-value:independent', 4, 1], ['active', 'two-faced', 5, 0], ['quorum', 'crash', 4, 1], ['quorum', 'two-faced', 5, 0],
  ] as const)('%s, %s, %i members: %i', (mode, fault, n, threshold) => expect(thresholdOf(mode, fault, n)).toBe(threshold));

  it('beyond it: too few are an error, k against k too, and k+1 that lie alike are believed', () => {
    expect(expectedVerdicts('raft', 'crash', 3, 2)).toEqual(['D']);
    expect(expectedVerdicts('active', 'wrong-value:colluding', 4, 2)).toEqual(['D']);
    expect(expectedVerdicts('active', 'wrong-value:colluding', 4, 3)).toEqual(['W']);
    expect(expectedVerdicts('active', 'wrong-value:colluding', 3, 2)).toEqual(['W']);
    expect(expectedVerdicts('active', 'wrong-value:independent', 3, 2)).toEqual(['D']);
    expect(expectedVerdicts('quorum', 'wrong-value:independent', 3, 1)).toEqual(['W']);
  });
});

describe('cells by runs', () => {
  it.each([
    // mode, fault, n, f, verdict, placements
    ['raft', 'crash', 3, 1, 'M', 3], ['raft', 'crash', 3, 2, 'D', 3], ['raft', 'two-faced', 3, 1, 'W', 6],
    ['primary-backup', 'crash', 2, 1, 'M', 2], ['primary-backup', 'two-faced', 2, 1, 'W', 4], ['primary-backup:perfect-detector', 'crash', 2, 1, 'M', 2],
    ['sequencer', 'wrong-value:colluding', 4, 2, 'D', 6], ['sequencer', 'two-faced:non-leader', 3, 1, 'M', 4], ['sequencer', 'two-faced:non-leader', 3, 2, 'W', 2],
    ['active', 'wrong-value:colluding', 3, 2, 'W', 3], ['quorum', 'two-faced', 3, 1, 'W', 6],
  ] as const)('%s, %s, %i members, %i faulty: %s', (mode, fault, n, f, verdict, runs) => {
    const cell = cellOf(mode, fault, n, f, 1)!;
    expect(cell).toMatchObject({ verdict, runs });
    expect(isAsExpected(cell)).toBe(true);
  });

  it('one two-faced member breaks what is ordered by it, and what all agree on, at any n', () => {
    for (const n of [2, 4]) {
      expect(cellOf('sequencer', 'two-faced:leader', n, 1, 1)!.verdict).not.toBe('M');
      expect(cellOf('active', 'two-faced', n, 1, 1)!.verdict).not.toBe('M');
    }
  });

  it('there is no placement of leaders only among the others', () => {
    expect(cellOf('sequencer', 'two-faced:non-leader', 3, 3, 1)).toBeUndefined();
  });

  it('another verdict than expected is seen', () => {
    const cell = cellOf('raft', 'crash', 3, 1, 1)!;
    expect(isAsExpected({ ...cell, verdict: 'D' })).toBe(false);
    expect(isAsExpected({ ...cell, expected: ['D'] })).toBe(false);
  });
});
