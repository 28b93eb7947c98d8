import { describe, expect, it } from 'vitest';

import type { HistoryEvent } from '../../../src/group/history.ts';
import { survivalChecks, workloadChecks } from '../../../src/lab/load/load-checks.ts';

/** One operation, done in the next millisecond unless said otherwise. */
function event(at: number, op: HistoryEvent['op'], key: string, rest: Partial<HistoryEvent> = {}): HistoryEvent {
  return { process: 0, op, key, value: null, old: null, result: null, invoke: at, complete: at + 1, ok: true, ...rest };
}

function met(checks: readonly { readonly isMet: boolean }[]): boolean[] {
  return checks.map(({ isMet }) => isMet);
}

describe('the work that clients do', () => {
  const demands = { keys: 1, rotateAfter: 2, casShare: 0.25 };
  const good = [
    event(1, 'put', 'a.1', { value: 'v1' }), event(2, 'cas', 'a.1', { value: 'v2', old: 'v1', result: true }),
    event(3, 'get', 'a.2'), event(4, 'put', 'a.2', { value: 'v3' }),
  ];

  it('is as hard as it should be', () => {
    expect(met(workloadChecks(good, demands))).toEqual([true, true, true, true]);
  });

  it.each([
    ['too many keys at a time', [...good, event(5, 'get', 'a.1')], 0],
    ['a key that is not left', [...good, event(5, 'get', 'a.2')], 1],
    ['a value twice', [...good.slice(0, 3), event(4, 'put', 'a.2', { value: 'v1' })], 2],
    ['too few compare-and-sets', [...good, event(5, 'get', 'a.3')], 3],
  ])('%s', (_, history, failing) => {
    expect(met(workloadChecks(history, demands)).indexOf(false)).toBe(failing);
  });
});

describe('what is left at the end', () => {
  const written = [event(1, 'put', 'a', { value: 'v1' }), event(3, 'append', 'a', { value: 'v12', result: 5 })];

  it('is all that was acknowledged, once', () => {
    expect(met(survivalChecks([...written, event(9, 'get', 'a', { result: 'v1v12' })]))).toEqual([true, true]);
  });

  it('lacks an acknowledged write', () => {
    expect(met(survivalChecks([...written, event(9, 'get', 'a', { result: 'v12' })]))).toEqual([false, true]);
    expect(met(survivalChecks([...written, event(9, 'get', 'a')]))).toEqual([false, true]);
  });

  it('has one twice', () => {
    expect(met(survivalChecks([...written, event(9, 'get', 'a', { result: 'v1v12v12' })]))).toEqual([true, false]);
  });

  it('may lack what was overwritten, or may have been', () => {
    const unknown = event(2, 'put', 'a', { value: 'v5', complete: null, ok: null });
    expect(survivalChecks([...written, unknown, event(9, 'get', 'a', { result: 'v5' })])[0]!.found).toBe('none of 0');
    const failed = event(6, 'cas', 'a', { value: 'v5', old: 'v4', result: false });
    expect(met(survivalChecks([...written, failed, event(9, 'get', 'a', { result: 'v1' })]))[0]).toBe(false);
  });

  it('says nothing where nothing was read', () => {
    expect(survivalChecks(written)).toMatchObject([{ found: 'none of 0' }, { found: 'none in 0 reads', isMet: false }]);
  });
});
