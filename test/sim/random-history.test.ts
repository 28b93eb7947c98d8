import { describe, expect, it } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import { checkHistory } from '../../src/sim/history-checks.ts';
import { checkLinearizability } from '../../src/sim/linearizability.ts';
import { randomHistory, withDoubledAppend, withStaleRead, type HistoryShape } from './random-history.ts';

const SHAPES: readonly (readonly [string, Partial<HistoryShape>])[] = [
  ['a mix', {}],
  ['registers', { ops: ['get', 'put'] }],
  ['registers with cas', { ops: ['get', 'get', 'put', 'cas'] }],
  ['logs', { ops: ['get', 'append', 'append'] }],
  ['logs whose lengths were not noted', { ops: ['get', 'append', 'append'], notesLengths: false, unknown: 0.2 }],
  ['a fifth of unknown outcome', { unknown: 0.2 }],
  ['half of unknown outcome', { unknown: 0.5 }],
  ['half of unknown outcome, without appends', { unknown: 0.5, ops: ['get', 'put', 'cas'] }],
  ['sixteen clients', { clients: 16, rotateAfter: 400 }],
  ['sixteen clients, one key without appends', { clients: 16, keys: 1, rotateAfter: 400, ops: ['get', 'put', 'cas', 'del'] }],
  ['many stalls', { clients: 16, stallsPerThousand: 10 }],
];

describe('histories of a good store', () => {
  // Ten seeds of each shape: more than 100 histories of 2,000 operations.
  it.each(SHAPES)('%s: no false alarm, and few places more than operations', (_name, changes) => {
    let visited = 0;
    let operations = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const events = randomHistory(createRandom(seed), changes);
      const verdict = checkLinearizability(events);
      expect([seed, verdict]).toMatchObject([seed, { kind: 'linearizable' }]);
      visited += verdict.visited;
      operations += events.length;
      expect(checkHistory(events)).toEqual([]);
    }
    expect(visited).toBeLessThan(2 * operations);
  });

  it('sixteen clients on one key, with everything: more, but not without bounds', () => {
    const verdict = checkLinearizability(randomHistory(createRandom(1), { clients: 16, keys: 1, rotateAfter: 400 }));
    expect(verdict.kind).toBe('linearizable');
    expect(verdict.visited).toBeLessThan(200_000);
  });

  it('100,000 operations', () => {
    const verdict = checkLinearizability(randomHistory(createRandom(1), { operations: 100_000, clients: 16, unknown: 0.05 }));
    expect(verdict.kind).toBe('linearizable');
    expect(verdict.visited).toBeLessThan(100_000);
  });
});

describe('what is wrong with one of them is found', () => {
  it.each(SHAPES.filter(([, { ops }]) => ops === undefined || ops.includes('put')))('%s: a read of what was overwritten long before', (_name, changes) => {
    let checked = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const random = createRandom(seed);
      const events = withStaleRead(randomHistory(random, changes), random.fork('stale'));
      if (events === undefined) continue;
      checked++;
      const verdict = checkLinearizability(events);
      expect([seed, verdict.kind]).toEqual([seed, 'violation']);
      expect(verdict.visited).toBeLessThan(500_000);
    }
    expect(checked).toBeGreaterThan(5);
  });

  it.each(SHAPES.filter(([, { ops }]) => ops === undefined || ops.includes('append')))('%s: an append that was carried out twice', (_name, changes) => {
    let checked = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const random = createRandom(seed);
      const events = withDoubledAppend(randomHistory(random, changes), random.fork('doubled'));
      if (events === undefined) continue;
      checked++;
      expect([seed, checkLinearizability(events).kind]).toEqual([seed, 'violation']);
      expect([seed, checkHistory(events).length > 0]).toEqual([seed, true]);
    }
    expect(checked).toBeGreaterThan(5);
  });

  it('registers: the same by the definition of reads that go back', () => {
    // The last read of a key finds what the first one found, and the one between found something else.
    let checked = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const events = randomHistory(createRandom(seed), { ops: ['get', 'put'], unknown: 0 });
      const reads = events.filter(({ op, key, result }) => op === 'get' && key === 'k0' && result !== null).sort((a, b) => a.invoke - b.invoke);
      const [first] = reads;
      const last = reads.at(-1);
      if (first === undefined || last === undefined) continue;
      if (!reads.some(({ result, invoke, complete }) => result !== first.result && invoke > first.complete! && complete! < last.invoke)) continue;
      checked++;
      const bad = events.map((event) => (event === last ? { ...event, result: first.result } : event));
      expect([seed, checkLinearizability(bad).kind]).toEqual([seed, 'violation']);
    }
    expect(checked).toBeGreaterThan(5);
  });
});
