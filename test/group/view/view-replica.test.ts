import { describe, expect, it } from 'vitest';

import type { ViewMode } from '../../../src/group/view/view-replica.ts';
import { Cluster } from './cluster.ts';

const MODES: readonly ViewMode[] = ['primary-backup', 'sequencer', 'active'];

function lists(cluster: Cluster): string[] {
  return [...cluster.nodes.values()].filter(({ replica }) => replica !== undefined).map(({ machine }) => machine.items.join());
}

describe.each(MODES)('%s', (mode) => {
  it.each([1, 2, 3, 5])('%i members found a view and serve', (size) => {
    const cluster = new Cluster({ mode, size });
    cluster.settle();
    expect(cluster.views.view.number).toBe(1);
    const client = cluster.open();
    for (let serial = 1; serial <= 20; serial++) cluster.call({ clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
    cluster.run(1000);
    expect(new Set(lists(cluster))).toEqual(new Set([Array.from({ length: 20 }, (_, i) => i + 1).join()]));
    expect(cluster.views.view.number).toBe(1);
  });

  it('k of k+1 crash, one after the other: every answered operation is there, once', () => {
    const cluster = new Cluster({ mode, size: 4 });
    const client = cluster.open();
    let serial = 0;
    const write = (): void => {
      serial++;
      cluster.call({ clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
    };
    for (const victim of ['m1', 'm3', 'm2']) {
      for (let i = 0; i < 5; i++) write();
      cluster.crash(victim);
    }
    for (let i = 0; i < 5; i++) write();
    expect(cluster.node('m4').machine.items).toEqual(Array.from({ length: 20 }, (_, i) => String(i + 1)));
    expect(cluster.views.view.members.map(({ id }) => id)).toEqual(['m4']);
  });

  it.each(['m1', 'm2', 'm3'])('%s is heard and hears nobody: the others go on without it, and it does not without them', (deaf) => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    cluster.call({ clientId: client, serial: 1, text: '+1' });
    cluster.fate = ({ to }) => (to === deaf ? 0 : 1);
    cluster.call({ clientId: client, serial: 2, acknowledged: 1, text: '+2' }, 5000);
    expect(cluster.views.view.members.map(({ id }) => id).sort()).toEqual(['m1', 'm2', 'm3'].filter((id) => id !== deaf));
    cluster.fate = () => 1;
    cluster.settle();
    cluster.call({ clientId: client, serial: 3, acknowledged: 2, text: '+3' });
    cluster.run(1000);
    expect(new Set(lists(cluster))).toEqual(new Set(['1,2,3']));
  });

  it('one that crashed and comes back is brought up to date, and let in again', () => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    cluster.call({ clientId: client, serial: 1, text: '+1' });
    cluster.crash('m1');
    for (let serial = 2; serial <= 10; serial++) cluster.call({ clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
    cluster.start('m1');
    cluster.settle();
    expect(cluster.views.view.members.map(({ id }) => id).sort()).toEqual(['m1', 'm2', 'm3']);
    cluster.call({ clientId: client, serial: 11, acknowledged: 10, text: '+11' });
    cluster.run(1000);
    expect(new Set(lists(cluster))).toEqual(new Set(['1,2,3,4,5,6,7,8,9,10,11']));
  });

  it('a new member joins during writes, by a snapshot', () => {
    const cluster = new Cluster({ mode, size: 2, joiners: 1, config: { snapshotBytes: 1500, keptEntries: 2 } });
    const client = cluster.open();
    for (let serial = 1; serial <= 60; serial++) cluster.call({ clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
    cluster.settle();
    cluster.run(1000);
    expect(cluster.views.view.members.length).toBe(3);
    expect(new Set(lists(cluster)).size).toBe(1);
    expect(cluster.node('m3').machine.items.length).toBe(60);
  });

  it('all are killed and start again, in any order: what was answered is there', () => {
    for (const order of [['m1', 'm2', 'm3'], ['m3', 'm2', 'm1'], ['m2', 'm3', 'm1']]) {
      const cluster = new Cluster({ mode, size: 3 });
      const client = cluster.open();
      for (let serial = 1; serial <= 10; serial++) cluster.call({ clientId: client, serial, acknowledged: serial - 1, text: `+${serial}` });
      for (const id of order) cluster.crash(id);
      for (const id of order) {
        cluster.start(id);
        cluster.run(500);
      }
      cluster.settle();
      cluster.call({ clientId: client, serial: 11, acknowledged: 10, text: '+11' });
      cluster.run(1000);
      expect(new Set(lists(cluster))).toEqual(new Set(['1,2,3,4,5,6,7,8,9,10,11']));
    }
  });

  it('who was not in the last view serves nothing, when it comes back alone (Skeen 1985)', () => {
    const cluster = new Cluster({ mode, size: 2 });
    const client = cluster.open();
    cluster.call({ clientId: client, serial: 1, text: '+1' });
    cluster.crash('m1');
    cluster.call({ clientId: client, serial: 2, acknowledged: 1, text: '+2' });
    cluster.crash('m2');
    cluster.start('m1');
    cluster.run(10_000);
    expect(cluster.replica('m1').status()).toMatchObject({ role: 'outside', problem: expect.stringMatching(/^view \d+ is without it/) });
    cluster.start('m2');
    cluster.settle();
    expect(new Set(lists(cluster))).toEqual(new Set(['1,2']));
  });

  it('the leader dies with a message half sent: all survivors have it, or none', () => {
    for (let kept = 0; kept <= 2; kept++) {
      const cluster = new Cluster({ mode, size: 4, seed: kept + 1 });
      const client = cluster.open();
      cluster.settle();
      let passed = 0;
      cluster.fate = ({ from }, message) => (from !== 'm1' || (message?.kind !== 'order' && message?.kind !== 'submit' && message?.kind !== 'final') || passed++ < kept ? 1 : 0);
      cluster.ask({ clientId: client, serial: 1, text: '+1' });
      cluster.run(40);
      cluster.crash('m1');
      cluster.fate = () => 1;
      cluster.run(10_000);
      expect(new Set(lists(cluster)).size).toBe(1);
      cluster.call({ clientId: client, serial: 1, text: '+1' });
      cluster.run(500);
      expect(new Set(lists(cluster))).toEqual(new Set(['1']));
    }
  });
});

it.each([
  ['primary-backup', ['primary', 'backup', 'backup'], 'm1'], ['sequencer', ['leader', 'follower', 'follower'], 'm1'], ['active', ['member', 'member', 'member'], undefined],
] as const)('members of a %s group call themselves %j', (mode, roles, leader) => {
  const cluster = new Cluster({ mode, size: 3 });
  cluster.settle();
  const statuses = [...cluster.nodes.values()].map(({ replica }) => replica!.status());
  expect(statuses.map(({ role }) => role)).toEqual(roles);
  expect(statuses.map((status) => status.leader)).toEqual([leader, leader, leader]);
});

describe('primary-backup and its fence', () => {
  it('a primary that was paused for long can answer neither writes nor reads', () => {
    const cluster = new Cluster({ mode: 'primary-backup', size: 3 });
    const client = cluster.open();
    cluster.call({ clientId: client, serial: 1, text: '+1' });
    cluster.node('m1').isPaused = true;
    cluster.run(5000);
    cluster.call({ clientId: client, serial: 2, acknowledged: 1, text: '+2' });
    const before = cluster.replies.length;
    cluster.node('m1').isPaused = false;
    cluster.propose('m1', { clientId: client, serial: 3, text: '?' });
    cluster.propose('m1', { clientId: client, serial: 4, text: '+4' });
    cluster.run(3000);
    expect(cluster.replies.slice(before).filter(({ memberId, reply }) => memberId === 'm1' && reply.status === 'ok')).toEqual([]);
    cluster.settle();
    expect(cluster.views.view.members.map(({ id }) => id)).toEqual(['m2', 'm3', 'm1']);
  });

  it('without a fence, both sides of a partition have a primary that answers: split brain', () => {
    const cluster = new Cluster({ mode: 'primary-backup', size: 3, fence: 'none' });
    const client = cluster.open();
    cluster.fate = ({ from, to }) => ((from === 'm1') === (to === 'm1') ? 1 : 0);
    cluster.run(6000);
    const before = cluster.replies.length;
    cluster.propose('m1', { clientId: client, serial: 1, text: '+left' });
    cluster.propose('m2', { clientId: client, serial: 1, text: '+right' });
    cluster.run(1000);
    expect(cluster.replies.slice(before).filter(({ reply }) => reply.status === 'ok').map(({ memberId }) => memberId).sort()).toEqual(['m1', 'm2']);
    expect([cluster.node('m1').machine.items, cluster.node('m2').machine.items]).toEqual([['left'], ['right']]);
  });

  it('with the fence, the side that the service does not hear answers nothing', () => {
    const cluster = new Cluster({ mode: 'primary-backup', size: 3 });
    const client = cluster.open();
    cluster.fate = ({ from, to }) => ((from === 'm1') === (to === 'm1') ? 1 : 0);
    cluster.run(6000);
    const before = cluster.replies.length;
    cluster.propose('m1', { clientId: client, serial: 1, text: '+left' });
    cluster.propose('m1', { clientId: client, serial: 2, text: '?' });
    cluster.propose('m2', { clientId: client, serial: 1, text: '+right' });
    cluster.run(3000);
    expect(cluster.replies.slice(before).filter(({ reply }) => reply.status === 'ok').map(({ memberId }) => memberId)).toEqual(['m2']);
  });
});

describe('the agreed order', () => {
  it('two clients at once, many times: all members deliver the same', () => {
    const cluster = new Cluster({ mode: 'active', size: 4, delayMs: (random) => random.exponential(10) });
    const clients = [cluster.open(), cluster.open(), cluster.open()];
    for (let serial = 1; serial <= 40; serial++) {
      for (const clientId of clients) cluster.ask({ clientId, serial, acknowledged: serial - 1, text: `+${clientId}.${serial}` });
      cluster.run(cluster.random.below(60));
    }
    cluster.run(5000);
    expect(new Set(lists(cluster)).size).toBe(1);
    // Some of a client's requests overtook each other, and were refused for that by all alike.
    expect(cluster.node('m1').machine.items.length).toBeGreaterThan(90);
    // Nobody alone decides: messages of several members are among them.
    expect([...cluster.nodes.values()].filter(({ replica }) => replica!.status().counters['ordered']! > 10).length).toBeGreaterThan(1);
  });
});
