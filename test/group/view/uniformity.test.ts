import { describe, expect, it } from 'vitest';

import type { ViewMode } from '../../../src/group/view/view-replica.ts';
import { Cluster } from './cluster.ts';

const MODES: readonly ViewMode[] = ['primary-backup', 'sequencer', 'active'];

function oks(cluster: Cluster, clientId: string, serial: number): string[] {
  return cluster.replies.filter((reply) => reply.clientId === clientId && reply.serial === serial && reply.reply.status === 'ok').map(({ memberId }) => memberId);
}

function livingLists(cluster: Cluster): string[] {
  return [...cluster.nodes.values()].filter(({ replica }) => replica !== undefined).map(({ machine }) => machine.items.join());
}

describe.each(MODES)('%s: nobody answers before everybody has it', (mode) => {
  it('a member whose disk hangs holds up all answers, until the view goes on without it', () => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    cluster.settle();
    cluster.run(500);
    cluster.node('m3').disk.slowness = 1e6;
    cluster.ask({ clientId: client, serial: 1, text: '+1' });
    cluster.run(20_000, () => oks(cluster, client, 1).length > 0 || cluster.views.view.number > 1);
    expect(oks(cluster, client, 1)).toEqual([]);
    cluster.call({ clientId: client, serial: 1, text: '+1' });
    expect(cluster.views.view.members.map(({ id }) => id)).toEqual(['m1', 'm2']);
    cluster.run(500);
    expect(new Set(['m1', 'm2'].map((id) => cluster.node(id).machine.items.join()))).toEqual(new Set(['1']));
  });

  it('what one member alone still acknowledges is not answered, and what it never got is not lost', () => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    cluster.settle();
    cluster.run(500);
    // m3 hears nothing of it, but lives: in the agreed order, it cannot even get a stamp.
    cluster.fate = ({ to }, message) => (to === 'm3' && ['order', 'submit', 'final'].includes(message?.kind ?? '') ? 0 : 1);
    cluster.ask({ clientId: client, serial: 1, text: '+1' });
    cluster.run(1500);
    expect(oks(cluster, client, 1)).toEqual([]);
    for (const id of ['m1', 'm2', 'm3']) expect(cluster.node(id).machine.items).toEqual([]);
    cluster.fate = () => 1;
    cluster.call({ clientId: client, serial: 1, text: '+1' });
    cluster.run(500);
    expect(livingLists(cluster)).toEqual(['1', '1', '1']);
  });

  it('the first who answers may die at once, and all others but one with it', () => {
    for (const survivor of ['m2', 'm3', 'm4']) {
      const cluster = new Cluster({ mode, size: 4, delayMs: (random) => random.exponential(5) });
      const client = cluster.open();
      cluster.settle();
      cluster.ask({ clientId: client, serial: 1, text: '+1' });
      expect(cluster.run(5000, () => oks(cluster, client, 1).length > 0)).toBe(true);
      for (const id of ['m1', 'm2', 'm3', 'm4']) if (id !== survivor) cluster.crash(id);
      cluster.call({ clientId: client, serial: 2, acknowledged: 0, text: '+2' });
      expect(cluster.node(survivor).machine.items).toEqual(['1', '2']);
    }
  });

  it('who orders dies with it on its own disk only: nobody has seen an answer, and asked again it is done once', () => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    cluster.settle();
    const speaks = new Set<string>();
    cluster.fate = ({ from }, message) => {
      if (message?.kind !== 'order' && message?.kind !== 'submit' && message?.kind !== 'forward') return 1;
      speaks.add(from);
      return 0;
    };
    cluster.ask({ clientId: client, serial: 1, text: '+1' });
    cluster.run(30, () => speaks.size > 0);
    const [victim] = speaks;
    cluster.run(20);
    cluster.crash(victim!);
    cluster.fate = () => 1;
    expect(oks(cluster, client, 1)).toEqual([]);
    cluster.call({ clientId: client, serial: 1, text: '+1' });
    cluster.run(500);
    cluster.start(victim!);
    cluster.settle();
    cluster.run(500);
    expect(livingLists(cluster)).toEqual(['1', '1', '1']);
  });
});

describe('what any survivor has, all have after the change of view, though no client asks again', () => {
  it.each(['primary-backup', 'sequencer'] as const)('%s: the next leader is sent what only the last of the others got', (mode) => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    cluster.settle();
    cluster.run(500);
    cluster.fate = ({ from, to }, message) => (from === 'm1' && to === 'm2' && message?.kind === 'order' ? 0 : 1);
    cluster.propose('m1', { clientId: client, serial: 1, text: '+1' });
    cluster.run(30);
    cluster.crash('m1');
    cluster.fate = () => 1;
    cluster.run(10_000);
    expect(cluster.views.view.members[0]!.id).toBe('m2');
    expect(livingLists(cluster)).toEqual(['1', '1']);
  });

  it('active: a message that has no final stamp is delivered with the survivors\' largest', () => {
    const cluster = new Cluster({ mode: 'active', size: 4 });
    const client = cluster.open();
    cluster.settle();
    cluster.run(500);
    // Nobody but who began it ever learns the final stamp.
    let initiator: string | undefined;
    cluster.fate = ({ from }, message) => {
      if (message?.kind === 'submit') initiator = from;
      return message?.kind === 'final' ? 0 : 1;
    };
    cluster.ask({ clientId: client, serial: 1, text: '+1' });
    cluster.run(100);
    cluster.crash(initiator!);
    cluster.fate = () => 1;
    cluster.run(10_000);
    expect(livingLists(cluster)).toEqual(['1', '1', '1']);
  });
});

describe('primary-backup without a fence', () => {
  it('a primary that slept for long answers a read at once from what it has, though others have gone on', () => {
    const cluster = new Cluster({ mode: 'primary-backup', size: 3, fence: 'none' });
    const client = cluster.open();
    cluster.call({ clientId: client, serial: 1, text: '+1' });
    cluster.node('m1').isPaused = true;
    cluster.run(5000);
    cluster.call({ clientId: client, serial: 2, acknowledged: 1, text: '+2' });
    expect(cluster.node('m2').machine.items).toEqual(['1', '2']);
    const before = cluster.replies.length;
    cluster.node('m1').isPaused = false;
    cluster.propose('m1', { clientId: 'reader', serial: 1, text: '?' });
    cluster.run(1);
    const [old] = cluster.replies.slice(before).filter(({ memberId, clientId }) => memberId === 'm1' && clientId === 'reader');
    expect(new TextDecoder().decode(old!.reply.body)).toBe('1');
  });

  it('as long as members only stop, and no timeout lies, it loses nothing either', () => {
    const cluster = new Cluster({ mode: 'primary-backup', size: 4, fence: 'none' });
    const client = cluster.open();
    let serial = 0;
    for (const victim of ['m1', 'm3', 'm2']) {
      for (let i = 0; i < 5; i++) cluster.call({ clientId: client, serial: ++serial, acknowledged: serial - 1, text: `+${serial}` });
      cluster.crash(victim);
    }
    cluster.call({ clientId: client, serial: ++serial, acknowledged: serial - 1, text: `+${serial}` });
    expect(cluster.node('m4').machine.items).toEqual(Array.from({ length: 16 }, (_, i) => String(i + 1)));
  });
});
