import { describe, expect, it } from 'vitest';

import { MAX_MESSAGE_BYTES } from '../../../src/group/framing.ts';
import { settlePending } from '../../../src/group/view/agreed-order.ts';
import { encodeViewMessage, type PendingMessage } from '../../../src/group/view/view-message.ts';
import { Cluster } from './cluster.ts';

function pending(name: number, clock: number, seat: number, isFinal = false): PendingMessage {
  return { id: { view: 1, seat: name % 3, number: name }, stamp: { clock, seat }, isFinal, bytes: Uint8Array.of(name) };
}

function settled(...reports: PendingMessage[][]): number[] {
  return settlePending(reports).map((bytes) => bytes[0]!);
}

describe('what survivors make of messages that were not delivered', () => {
  it('in the order of their stamps, each once, whoever reports it', () => {
    expect(settled([pending(1, 5, 0), pending(2, 3, 0)], [pending(3, 4, 1), pending(1, 5, 0)])).toEqual([2, 3, 1]);
    expect(settled([], [])).toEqual([]);
  });

  it('a final stamp counts, also against larger proposals', () => {
    expect(settled([pending(1, 4, 2, true), pending(2, 6, 0)], [pending(1, 9, 1), pending(2, 6, 0)])).toEqual([1, 2]);
    expect(settled([pending(1, 9, 1), pending(2, 6, 0)], [pending(1, 4, 2, true)])).toEqual([1, 2]);
  });

  it('without one, the largest that a survivor proposed; equal clocks by seat', () => {
    expect(settled([pending(1, 2, 0), pending(2, 3, 0)], [pending(1, 7, 1), pending(2, 3, 1)])).toEqual([2, 1]);
    expect(settled([pending(1, 5, 1), pending(2, 5, 0)])).toEqual([2, 1]);
  });

  it('does not depend on who reports first', () => {
    const reports = [[pending(1, 5, 0), pending(2, 8, 0, true)], [pending(1, 6, 1), pending(4, 5, 2)], [pending(3, 6, 2), pending(2, 1, 2)]];
    const orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].map((order) => settled(...order.map((i) => reports[i]!)).join());
    expect(new Set(orders).size).toBe(1);
  });
});

describe('the agreed order when who began a message dies', () => {
  it.each((['submit', 'propose', 'final', 'ack'] as const).flatMap((kind) => [0, 1, 2, 3].map((passing) => [kind, passing] as const)))(
    'only so many get through of "%s": %i; the survivors deliver the same, and nothing twice',
    (kind, passing) => {
      const cluster = new Cluster({ mode: 'active', size: 4, seed: passing + 1, delayMs: (random) => 2 + random.exponential(4) });
      const clients = [cluster.open(), cluster.open(), cluster.open(), cluster.open()];
      cluster.settle();
      cluster.run(1000);
      // One client's messages are cut off half-way; those of the others go on at the same time.
      let victim: string | undefined;
      let passed = 0;
      cluster.fate = ({ from, to }, message) => {
        if (message?.kind === 'submit') victim ??= from;
        if (message?.kind !== kind || victim === undefined) return 1;
        const isOfVictim = kind === 'propose' ? to === victim : from === victim;
        return isOfVictim && passed++ >= passing ? 0 : 1;
      };
      for (const clientId of clients) cluster.ask({ clientId, serial: 1, text: `+${clientId}` });
      cluster.run(60);
      cluster.crash(victim!);
      cluster.fate = () => 1;
      for (const clientId of clients) cluster.call({ clientId, serial: 1, text: `+${clientId}` });
      cluster.run(2000);
      cluster.start(victim!);
      cluster.settle();
      cluster.run(1000);
      const lists = [...cluster.nodes.values()].map(({ machine }) => machine.items);
      for (const items of lists) expect(items).toEqual(lists[0]);
      expect([...lists[0]!].sort()).toEqual([...clients].sort());
    },
  );
});

describe('the agreed order and the largest operation that a member takes', () => {
  it('who began it dies: the report of the survivors has room for it, and they deliver it, nobody asking again', () => {
    const cluster = new Cluster({ mode: 'active', size: 3 });
    const clientId = cluster.open();
    cluster.settle();
    let victim: string | undefined;
    let largest = 0;
    cluster.fate = ({ from, to, body }, message) => {
      if (message?.kind === 'submit') victim ??= from;
      largest = Math.max(largest, body.length);
      // Nobody learns its final stamp.
      return message?.kind === 'propose' && to === victim ? 0 : 1;
    };
    // As in member-node.ts.
    const text = '+'.padEnd(MAX_MESSAGE_BYTES - 4096, 'x');
    cluster.ask({ clientId, serial: 1, text });
    cluster.run(60);
    cluster.crash(victim!);
    cluster.settle();
    cluster.run(1000);
    for (const { replica, machine } of cluster.nodes.values()) if (replica !== undefined) expect(machine.items.map(({ length }) => length)).toEqual([text.length - 1]);
    // Its kind stands in front.
    expect(largest).toBeLessThan(MAX_MESSAGE_BYTES);
  });
});

describe('the agreed order and what comes late', () => {
  it('a message that was delivered long ago and comes again holds up nothing', () => {
    const cluster = new Cluster({ mode: 'active', size: 3 });
    const client = cluster.open();
    const copies: { readonly from: string; readonly to: string; readonly body: Uint8Array }[] = [];
    cluster.fate = (flight, message) => {
      if (message?.kind === 'submit' || message?.kind === 'propose' || message?.kind === 'final') copies.push({ ...flight, body: encodeViewMessage(message) });
      return 1;
    };
    for (let serial = 1; serial <= 20; serial++) cluster.call({ clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
    cluster.fate = () => 1;
    cluster.run(1000);
    expect(copies.length).toBeGreaterThan(40);
    for (const { from, to, body } of [...copies].reverse()) cluster.replica(to).step(from, body, cluster.now);
    cluster.call({ clientId: client, serial: 21, acknowledged: 20, text: '+21' });
    cluster.run(1000);
    for (const { machine } of cluster.nodes.values()) expect(machine.items).toEqual(Array.from({ length: 21 }, (_, i) => String(i + 1)));
  });

  it('nobody can begin a message in another\'s name', () => {
    const cluster = new Cluster({ mode: 'active', size: 3 });
    const client = cluster.open();
    cluster.settle();
    // It would never become final, and hold up all others.
    const forged = encodeViewMessage({ kind: 'submit', view: 1, id: { view: 1, seat: 2, number: 999 }, bytes: Uint8Array.of(1) });
    cluster.replica('m1').step('m2', forged, cluster.now);
    cluster.call({ clientId: client, serial: 1, text: '+1' });
    cluster.run(500);
    for (const { machine } of cluster.nodes.values()) expect(machine.items).toEqual(['1']);
  });
});
