import { describe, expect, it } from 'vitest';

import type { Role } from '../../../src/group/replica.ts';
import { viewLie } from '../../../src/group/view/view-lies.ts';
import { decodeViewMessage, encodeViewMessage, type ViewMessage } from '../../../src/group/view/view-message.ts';

function told(message: ViewMessage, role: Role): (ViewMessage | undefined)[] | undefined {
  return viewLie(encodeViewMessage(message), role)?.map(decodeViewMessage);
}

describe('a two-faced member of a group with views', () => {
  it('gives a message of the agreed order another final stamp', () => {
    const final: ViewMessage = { kind: 'final', view: 1, id: { view: 1, seat: 0, number: 1 }, stamp: { clock: 7, seat: 2 } };
    expect(told(final, 'backup')).toEqual([{ ...final, stamp: { clock: 1007, seat: 2 } }]);
  });

  it('orders, though it does not lead; who leads says only that it lives', () => {
    const alive: ViewMessage = { kind: 'alive', view: 1, lastIndex: 4, stableIndex: 4, isRunning: true, suspected: [] };
    expect(told(alive, 'backup')).toMatchObject([alive, { kind: 'order', view: 1, prevIndex: 4, prevTerm: 1, entries: [{ index: 5, term: 1 }] }]);
    expect(told(alive, 'primary')).toBeUndefined();
    expect(told({ ...alive, isRunning: false }, 'backup')).toBeUndefined();
  });

  it('has no lie for everything', () => {
    expect(told({ kind: 'ack', view: 1, index: 4, round: 1 }, 'backup')).toBeUndefined();
    expect(viewLie(Uint8Array.of(99), 'backup')).toBeUndefined();
  });
});
