import { expect, it } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import type { HistoryEvent } from '../../src/group/history.ts';
import { explainViolation } from '../../src/sim/explain-violation.ts';
import { checkLinearizability } from '../../src/sim/linearizability.ts';
import { get, history, put } from './history-words.ts';
import { randomHistory, withDoubledAppend, withStaleRead } from './random-history.ts';

function explain(events: readonly HistoryEvent[]): string {
  const verdict = checkLinearizability(events);
  if (verdict.kind !== 'violation') throw new Error(verdict.kind);
  return explainViolation(verdict);
}

it('etcd #741: a line of time for each operation', () => {
  const ms = 1_000_000;
  const events = history([0, 0, ms, put('foo')], [0, 2 * ms, 3 * ms, put('bar')], [2, 2.5 * ms, null, put('baz')], [1, 4 * ms, 5 * ms, get('foo')], [3, 4.5 * ms, 5 * ms, get('bar')]);
  expect(explain(events).split('\n')).toEqual([
    'key "x", process 1, get: "foo": the key can hold only "bar" there',
    '                         0.000 ms                                                                     5.000 ms',
    '1 p0 put "foo"           |----------------|',
    '2 p0 put "bar"                                             |---------------|',
    '– p2 put "baz", unknown                                            |..........................................',
    '> p1 get: "foo"                                                                             |----------------|',
    '3 p3 get: "bar"                                                                                      |-------|',
    'numbers: places in the longest order that fits; >: has no place in any; –: outcome unknown, not needed',
    '',
  ]);
});

it('no line is wider than 110 columns, and the one that fails is marked once', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = createRandom(seed);
    const good = randomHistory(random, { operations: 500, clients: seed, ...(seed % 2 === 0 ? { ops: ['get', 'append'] as const } : {}) });
    const bad = (seed % 2 === 0 ? withDoubledAppend : withStaleRead)(good, random.fork('bad'));
    if (bad === undefined) continue;
    const lines = explain(bad).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(110);
    expect(lines.filter((line) => /^ *> p/.test(line))).toHaveLength(1);
    expect(lines.length).toBeLessThan(24);
  }
});
