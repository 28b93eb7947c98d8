import { describe, expect, it } from 'vitest';

import { SnapshotError } from '../../../src/group/state-machine.ts';
import { decodeViewReply, encodeGetView, encodeProposeView, ViewMachine } from '../../../src/group/view/view-machine.ts';
import { MAX_RELEASED, MAX_VIEW_MEMBERS, nextView, NO_VIEW, type View } from '../../../src/group/view/view.ts';
import { peer } from '../replica-cluster.ts';

function view(number: number, ...members: number[]): View {
  return { number, members: members.map((i) => ({ ...peer(i), since: 0 })), released: [] };
}

/** What the service says afterwards: number, members, since when each. */
function propose(machine: ViewMachine, proposed: View): string {
  const reply = machine.apply(encodeProposeView(proposed));
  expect(reply.status).toBe('ok');
  expect(reply.offset).toBe(machine.view.number);
  return show(decodeViewReply(reply.body)!);
}

function show({ number, members }: View): string {
  return `${number}: ${members.map(({ id, since }) => `${id}@${since}`).join(' ')}`;
}

describe('the view service', () => {
  it('has no view at first; the first that is proposed becomes it', () => {
    const machine = new ViewMachine();
    expect(decodeViewReply(machine.query(encodeGetView()).body)).toEqual(NO_VIEW);
    expect(propose(machine, view(1, 1, 2, 3))).toBe('1: m1@1 m2@1 m3@1');
    expect(propose(machine, view(1, 2, 3))).toBe('1: m1@1 m2@1 m3@1');
  });

  it('one number is decided once: whoever comes later learns what it is, and may ask as often as he likes', () => {
    const machine = new ViewMachine();
    propose(machine, view(1, 1, 2, 3));
    expect(propose(machine, view(2, 2, 3))).toBe('2: m2@1 m3@1');
    expect(propose(machine, view(2, 1, 3))).toBe('2: m2@1 m3@1');
    expect(propose(machine, view(2, 2, 3))).toBe('2: m2@1 m3@1');
    for (const number of [0, 1, 4, 100]) expect(propose(machine, view(number, 2))).toBe('2: m2@1 m3@1');
  });

  it('somebody has to stay', () => {
    const machine = new ViewMachine();
    propose(machine, view(1, 1, 2));
    for (const members of [[], [3], [3, 4], [1, 1]]) expect(propose(machine, view(2, ...members))).toBe('1: m1@1 m2@1');
    expect(propose(machine, view(2, 2, 3))).toBe('2: m2@1 m3@2');
  });

  it('whom people have let go does not come in again; so many are remembered, in snapshots, too', () => {
    const machine = new ViewMachine();
    propose(machine, view(1, 1, 2, 3));
    propose(machine, { ...view(2, 1, 2), released: ['m3'] });
    expect(machine.view.released).toEqual(['m3']);
    expect(propose(machine, view(3, 1, 2, 3))).toBe('2: m1@1 m2@1');
    expect(propose(machine, view(3, 1, 2))).toBe('3: m1@1 m2@1');
    machine.restore([...machine.snapshot()]);
    expect(propose(machine, view(4, 1, 2, 3))).toBe('3: m1@1 m2@1');
    for (let i = 0; i < MAX_RELEASED; i++) propose(machine, { ...view(4 + i, 1, 2), released: [`x${i}`] });
    expect(machine.view.released).toEqual(Array.from({ length: MAX_RELEASED }, (_, i) => `x${i}`));
  });

  it('itself knows since when each is in it, whatever is claimed', () => {
    const machine = new ViewMachine();
    propose(machine, view(1, 1, 2));
    propose(machine, view(2, 2));
    expect(propose(machine, view(3, 2, 1))).toBe('3: m2@1 m1@3');
    expect(nextView(machine.view, [peer(1), peer(4)])).toMatchObject({ number: 4, members: [{ id: 'm1', since: 3 }, { id: 'm4', since: 4 }] });
  });

  it('says so when it cannot understand', () => {
    const machine = new ViewMachine();
    propose(machine, view(1, 1, 2));
    const proposal = encodeProposeView(view(2, 2));
    const tooMany = encodeProposeView(view(2, ...Array.from({ length: MAX_VIEW_MEMBERS + 1 }, (_, i) => i + 1)));
    for (const bytes of [Uint8Array.of(), Uint8Array.of(9), proposal.subarray(0, proposal.length - 1), Uint8Array.of(...proposal, 0), tooMany]) {
      expect(machine.apply(bytes).status).toBe('refused');
    }
    expect(machine.view.number).toBe(1);
  });

  it('only asking is reading', () => {
    const machine = new ViewMachine();
    expect(machine.isReadOnly(encodeGetView())).toBe(true);
    expect(machine.isReadOnly(encodeProposeView(view(1, 1)))).toBe(false);
  });

  it('is the same after a snapshot, and takes no other', () => {
    const machine = new ViewMachine();
    propose(machine, view(1, 1, 2, 3));
    propose(machine, view(2, 3, 4));
    const other = new ViewMachine();
    other.restore(machine.snapshot());
    expect([other.view, other.digest()]).toEqual([machine.view, machine.digest()]);
    for (const chunks of [[], [Uint8Array.of(1, 2)], [...machine.snapshot(), ...machine.snapshot()]]) {
      expect(() => other.restore(chunks)).toThrow(SnapshotError);
    }
    expect(other.view).toEqual(machine.view);
    expect(other.digest()).not.toBe(new ViewMachine().digest());
  });
});
