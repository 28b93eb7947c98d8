import { describe, expect, it } from 'vitest';

import { createRandom } from '../../../src/core/random.ts';
import { compareStamps, decodeViewMessage, encodeViewMessage, type ViewMessage } from '../../../src/group/view/view-message.ts';
import { Cluster } from './cluster.ts';

const BYTES = Uint8Array.of(1, 2, 3);
const ID = { view: 7, seat: 2, number: 2 ** 40 };
const STAMP = { clock: 99, seat: 1 };
const ORDER = { view: 7, prevIndex: 41, prevTerm: 6, stableIndex: 40, lastIndex: 44, round: 12, entries: [{ index: 42, term: 6, bytes: BYTES }, { index: 43, term: 7, bytes: new Uint8Array(0) }] };

const MESSAGES: readonly ViewMessage[] = [
  { kind: 'alive', view: 7, lastIndex: 44, stableIndex: 40, isRunning: true, suspected: ['m2', 'm5'] },
  { kind: 'report', view: 7, lastIndex: 44, lastTerm: 6, clock: 98, pending: [{ id: ID, stamp: STAMP, isFinal: true, bytes: BYTES }, { id: { ...ID, number: 3 }, stamp: STAMP, isFinal: false, bytes: BYTES }] },
  { kind: 'fetch', view: 7, from: 42 },
  { kind: 'suffix', ...ORDER },
  { kind: 'order', ...ORDER },
  { kind: 'ack', view: 7, index: 43, round: 12 },
  { kind: 'start', view: 7, index: 43, clock: 98 },
  { kind: 'forward', view: 7, bytes: BYTES },
  { kind: 'submit', view: 7, id: ID, bytes: BYTES },
  { kind: 'propose', view: 7, id: ID, stamp: STAMP },
  { kind: 'final', view: 7, id: ID, stamp: STAMP },
  { kind: 'join', view: 7, address: '10.0.0.1:1', lastIndex: 44, lastTerm: 6 },
  { kind: 'chunk', view: 7, transfer: 5, number: 3, isLast: true, index: 40, term: 6, bytes: BYTES },
  { kind: 'chunk-reply', view: 7, transfer: 5, received: 4, isComplete: true },
];

describe('what members of a view say', () => {
  it.each(MESSAGES.map((message) => [message.kind, message] as const))('%s arrives as it was meant, and not when it is cut or longer', (_, message) => {
    const bytes = encodeViewMessage(message);
    expect(decodeViewMessage(bytes)).toEqual(message);
    const isOpenEnded = ['forward', 'submit', 'chunk'].includes(message.kind);
    if (isOpenEnded) return;
    for (let length = 0; length < bytes.length; length++) expect(decodeViewMessage(bytes.subarray(0, length))).toBeUndefined();
    expect(decodeViewMessage(Uint8Array.of(...bytes, 0))).toBeUndefined();
  });

  it('stamps are ordered by clock, then by seat', () => {
    const stamps = [{ clock: 2, seat: 0 }, { clock: 1, seat: 3 }, { clock: 1, seat: 1 }];
    expect(stamps.sort(compareStamps)).toEqual([{ clock: 1, seat: 1 }, { clock: 1, seat: 3 }, { clock: 2, seat: 0 }]);
  });

  it.each(['primary-backup', 'sequencer', 'active'] as const)('%s: nonsense from a member, or from a stranger, is counted and harms nobody', (mode) => {
    const cluster = new Cluster({ mode, size: 3 });
    const random = createRandom(5);
    const client = cluster.open();
    for (let i = 0; i < 3000; i++) {
      const bytes = encodeViewMessage(MESSAGES[random.below(MESSAGES.length)]!).slice(0, 1 + random.below(60));
      for (let flips = random.below(4); flips > 0; flips--) bytes[random.below(bytes.length)] = random.below(256);
      // Kinds and numbers of views that have nothing to do with each other, never of the view that is.
      if (decodeViewMessage(bytes)?.view === 1) continue;
      cluster.replica('m2').step(random.chance(0.5) ? 'm1' : 'stranger', bytes, cluster.now);
    }
    expect(cluster.replica('m2').status().counters['strange']).toBeGreaterThan(100);
    cluster.call({ clientId: client, serial: 1, text: '+1' });
    cluster.run(500);
    for (const id of ['m1', 'm2', 'm3']) expect(cluster.node(id).machine.items).toEqual(['1']);
  });
});
