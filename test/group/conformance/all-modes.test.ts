import { describe, expect, it } from 'vitest';

import { MAX_VALUE_BYTES } from '../../../src/group/kv/kv-operation.ts';
import { MODES, traitsOf } from '../../../src/group/modes.ts';
import { subsets } from '../../../src/lab/why/subsets.ts';
import { ConformanceGroup } from './conformance-group.ts';

/** What every mode has to do, the register included: get and put, catching up, and crashes of no more members than it masks. */
const GROUPS = MODES.flatMap((mode) => [3, 5].map((size) => ({ mode, size })));

describe.each(GROUPS)('$mode, $size members', ({ mode, size }) => {
  it('what one client put, another gets; what nobody put is absent; keys and values are any text', () => {
    const group = new ConformanceGroup(mode, size);
    expect(group.get('k')).toEqual({ result: null });
    expect(group.put('k', 'a', 0)).toEqual({ result: null });
    expect(group.get('k', 1)).toEqual({ result: 'a' });
    expect(group.put('k', 'b', 1)).toEqual({ result: null });
    expect(group.get('k', 2)).toEqual({ result: 'b' });
    expect(group.put('', '')).toEqual({ result: null });
    expect(group.put('chave ção', 'valor\n\0…', 2)).toEqual({ result: null });
    expect([group.get('', 1), group.get('chave ção', 1), group.get('k', 1), group.get('kk', 1)].map((answer) => (answer as { result: unknown }).result)).toEqual(['', 'valor\n\0…', 'b', null]);
  });

  it('a read that begins after a write ended finds it, whoever asks, over and over', () => {
    const group = new ConformanceGroup(mode, size);
    for (let i = 0; i < 12; i++) {
      expect(group.put('k', `v${i}`, i % 3)).toEqual({ result: null });
      expect(group.get('k', (i + 1) % 3)).toEqual({ result: `v${i}` });
    }
  });

  it('the largest value there may be comes back as it was', () => {
    const group = new ConformanceGroup(mode, size);
    const value = Array.from({ length: MAX_VALUE_BYTES / 8 }, (_, i) => String(i).padStart(8, '0')).join('');
    expect(group.put('large', value)).toEqual({ result: null });
    expect(group.get('large', 1)).toEqual({ result: value });
  });

  it('whatever members crash, no more than it masks, the leader among them or not: what was acknowledged is there, and it goes on', () => {
    const group = new ConformanceGroup(mode, size);
    let last = 'v0';
    expect(group.put('k', last)).toEqual({ result: null });
    for (let count = 1; count <= group.tolerated; count++) {
      for (const crashed of subsets(size, count)) {
        const places = crashed.map((i) => group.members[i]!);
        const name = `after a crash of ${crashed.join(' ')}`;
        group.crash(places);
        expect(group.get('k', 1), name).toEqual({ result: last });
        last = `after ${crashed.join(' ')}`;
        expect(group.put('k', last, 2), name).toEqual({ result: null });
        group.start(places);
        group.settle();
      }
    }
  });

  it.each([
    ['by what it missed', 1 << 20, 1000],
    ['by a snapshot', 2000, 1],
  ])('a member that comes back catches up %s, and is as good as any', (_, snapshotBytes, keptEntries) => {
    const group = new ConformanceGroup(mode, size, { snapshotBytes, keptEntries });
    const returning = group.members[size - 1]!;
    for (let i = 0; i < 10; i++) group.put(`k${i}`, 'old');
    group.crash([returning]);
    for (let i = 0; i < 60; i++) expect(group.put(`k${i % 20}`, `v${i}`, i % 3)).toEqual({ result: null });
    group.start([returning]);
    group.settle();
    // Now the group needs it.
    group.crash(group.members.slice(0, group.tolerated));
    for (let i = 40; i < 60; i++) expect(group.get(`k${i % 20}`, i % 3)).toEqual({ result: `v${i}` });
    expect(group.put('k0', 'new')).toEqual({ result: null });
  });

  it('one crash more: an error in time, and never a wrong answer; with one of them back, it goes on with what was acknowledged', () => {
    const group = new ConformanceGroup(mode, size);
    expect(group.put('k', 'a')).toEqual({ result: null });
    const crashed = group.members.slice(0, group.tolerated + 1);
    group.crash(crashed);
    for (const answer of [group.get('k', 1), group.put('k', 'b', 2), group.get('k', 0)]) expect(['unknown', 'not executed']).toContain(answer);
    group.start(crashed);
    group.settle();
    const [first, second] = [group.get('k', 0), group.get('k', 1)];
    // What is unknown may have been done; but whoever saw it once does not lose it.
    expect([{ result: 'a' }, { result: 'b' }]).toContainEqual(first);
    expect(second).toEqual(first);
  });

  it('all lose their power, and come back in whatever order: every acknowledged write is there', () => {
    const group = new ConformanceGroup(mode, size);
    const orders = size === 3 ? [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] : [[4, 2, 0, 3, 1], [1, 3, 0, 2, 4]];
    for (const [i, order] of orders.entries()) {
      expect(group.put('k', `v${i}`)).toEqual({ result: null });
      group.crash(group.members);
      for (const place of order) {
        group.start([group.members[place]!]);
        group.world.run(group.world.now + 700);
      }
      group.settle();
      expect(group.get('k', 1), `in the order ${order.join(' ')}`).toEqual({ result: `v${i}` });
    }
  });

  it('agrees with itself in the end', () => {
    const group = new ConformanceGroup(mode, size, { weather: { delayMs: 5, jitterMs: 5, loss: 0.1, duplication: 0.2, reorders: true, kept: 0 } });
    for (let i = 0; i < 15; i++) {
      group.put('k', `v${i}`, i % 3);
      const answer = group.get('k', (i + 1) % 3);
      if (typeof answer !== 'string') expect(group.get('k', (i + 2) % 3)).toEqual(answer);
    }
    group.settle();
    if (!traitsOf(mode).isOrdered) return;
    expect(new Set(group.members.map(({ replica }) => replica!.status().digest)).size).toBe(1);
  });
});
