import { describe, expect, it } from 'vitest';

import { disagreement, judge, type Observation } from '../../../src/cli/demo/verdict.ts';

const GOOD: Observation = { sha256: 'aa', exitCode: 0, delivered: ['aa'], counted: 1, hits: { lost: 5 } };
const CRASH: Observation = { ...GOOD, exitCode: 5, delivered: [] };
const MASKED = { verdict: 'masked', exitCode: 0 } as const;
const DETECTED = { verdict: 'detected', exitCode: 5 } as const;

describe('the verdict of a step', () => {
  it('is masked when the sender is content and every copy is right', () => {
    expect(judge(GOOD)).toBe('masked');
    expect(disagreement(GOOD, MASKED)).toBeUndefined();
    expect(judge({ ...GOOD, delivered: ['aa', 'aa'], counted: 2 })).toBe('masked');
  });

  it('is detected when the sender has an error and nothing wrong looks right', () => {
    expect(judge(CRASH)).toBe('detected');
    expect(disagreement(CRASH, DETECTED)).toBeUndefined();
    // A right copy of which the sender does not know is no lie.
    expect(judge({ ...CRASH, delivered: ['aa'] })).toBe('detected');
  });

  it.each<[string, Observation]>([
    ['other bytes', { ...GOOD, delivered: ['bb'] }],
    ['one copy of two with other bytes', { ...GOOD, delivered: ['aa', 'bb'], counted: 2 }],
    ['no copy although the sender is content', { ...GOOD, delivered: [] }],
    ['fewer copies than the sender counts', { ...GOOD, delivered: ['aa'], counted: 2 }],
    ['an incomplete copy that looks complete, besides an error', { ...CRASH, delivered: ['bb'] }],
    ['other bytes and no fault at all', { ...GOOD, delivered: ['bb'], hits: { lost: 0 } }],
  ])('is wrong with %s', (_name, observation) => {
    expect(judge(observation)).toBe('wrong');
    expect(disagreement(observation, MASKED)).toContain('wrong');
    expect(disagreement(observation, DETECTED)).toContain('wrong');
  });

  it('is hung when the sender has not ended', () => {
    expect(judge({ ...CRASH, exitCode: undefined })).toBe('hung');
    expect(disagreement({ ...CRASH, exitCode: undefined }, DETECTED)).toBe('hung instead of detected');
  });

  it.each([[{}], [{ lost: 5, corrupted: 0 }], [{ kills: NaN }]])('is void when a fault did not hit: %j', (hits) => {
    expect(judge({ ...GOOD, hits })).toBe('void');
    expect(disagreement({ ...GOOD, hits }, MASKED)).toContain('void');
    expect(disagreement({ ...CRASH, hits }, DETECTED)).toContain('void');
  });

  it('names the fault that missed', () => {
    expect(disagreement({ ...GOOD, hits: { lost: 5, corrupted: 0 } }, MASKED)).toBe('void: no fault hit (corrupted)');
  });

  it('does not agree with the opposite, nor with another exit code', () => {
    expect(disagreement(GOOD, DETECTED)).toBe('masked instead of detected');
    expect(disagreement(CRASH, MASKED)).toBe('detected instead of masked');
    expect(disagreement({ ...CRASH, exitCode: 4 }, DETECTED)).toBe("the sender's exit code is 4 instead of 5");
  });
});
