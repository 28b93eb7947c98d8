import { describe, expect, it } from 'vitest';

import type { ViewMode } from '../../../src/group/view/view-replica.ts';
import { Cluster } from './cluster.ts';

const MODES: readonly ViewMode[] = ['primary-backup', 'sequencer', 'active'];
const SMALL = { snapshotBytes: 1500, keptEntries: 2 };

function write(cluster: Cluster, clientId: string, serial: number): void {
  cluster.call({ clientId, serial, acknowledged: serial - 1, text: `+${serial}` });
}

describe.each(MODES)('%s: newcomers', (mode) => {
  it('one whose view works for the others, and who was not told so, goes on alone with all that was answered', () => {
    const cluster = new Cluster({ mode, size: 1, joiners: 1 });
    cluster.crash('m2');
    const client = cluster.open();
    write(cluster, client, 1);
    // It hears everything but that the view has begun.
    cluster.fate = ({ to }, message) => (to === 'm2' && message?.kind === 'start' ? 0 : 1);
    cluster.start('m2');
    expect(cluster.run(10_000, () => cluster.views.view.members.length === 2 && cluster.replica('m1').status().counters['isRunning'] === 1)).toBe(true);
    // In the agreed order it takes no part before it has been told, so that there is nothing new to be answered.
    if (mode !== 'active') write(cluster, client, 2);
    expect(cluster.replica('m2').status().counters['isRunning']).toBe(0);
    cluster.crash('m1');
    cluster.fate = () => 1;
    write(cluster, client, 2);
    expect(cluster.node('m2').machine.items).toEqual(['1', '2']);
  });

  it('one who never acknowledges anything is not let in', () => {
    const cluster = new Cluster({ mode, size: 2, joiners: 1 });
    let joins = 0;
    cluster.fate = ({ from, to }, message) => {
      if (from !== 'm3' || to === 'v1') return 1;
      return message?.kind === 'join' ? (joins++, 1) : 0;
    };
    const client = cluster.open();
    for (let serial = 1; serial <= 10; serial++) write(cluster, client, serial);
    cluster.run(5000);
    expect(joins).toBeGreaterThan(5);
    expect(cluster.views.view).toMatchObject({ number: 1, members: [{ id: 'm1' }, { id: 'm2' }] });
  });

  it('one who comes in after a long time, over slow links, leaves nobody out who was silent to it as long as it stood outside', () => {
    const isSlow = (id: string): boolean => id === 'm2' || id === 'm3';
    const cluster = new Cluster({ mode, size: 3, joiners: 1, delayMs: (_, { from, to }) => ((from === 'm4' && isSlow(to)) || (isSlow(from) && to === 'm4') ? 400 : 5) });
    cluster.fate = ({ from }, message) => (from === 'm4' && message?.kind === 'join' && cluster.now < 3000 ? 0 : 1);
    cluster.run(20_000);
    expect(cluster.views.view).toMatchObject({ number: 2, members: [{ id: 'm1' }, { id: 'm2' }, { id: 'm3' }, { id: 'm4' }] });
  });

  it('one who dies half-way is forgotten, and the log is no longer kept for it', () => {
    const cluster = new Cluster({ mode, size: 2, joiners: 1, config: SMALL });
    cluster.crash('m3');
    const client = cluster.open();
    for (let serial = 1; serial <= 60; serial++) write(cluster, client, serial);
    let chunks = 0;
    cluster.fate = ({ to }, message) => (to === 'm3' && message?.kind === 'chunk' && ++chunks > 3 ? 0 : 1);
    cluster.start('m3');
    cluster.run(3000, () => chunks > 3);
    cluster.crash('m3');
    cluster.fate = () => 1;
    expect(cluster.replica('m1').peers().map(({ id }) => id)).toContain('m3');
    cluster.run(15_000);
    expect(cluster.replica('m1').peers().map(({ id }) => id)).not.toContain('m3');
    cluster.start('m3');
    cluster.settle();
    write(cluster, client, 61);
    cluster.run(1000);
    expect(cluster.node('m3').machine.items.length).toBe(61);
  });
});

describe.each(MODES)('%s: what a leader keeps for a newcomer whose snapshot is on its way', (mode) => {
  it.each([
    ['all that came since, up to a bound', 1 << 20, 1],
    ['no more than that, and then he is sent another', 1000, 2],
  ])('%s', (_, maxKeptBytes, snapshots) => {
    const cluster = new Cluster({ mode, size: 1, joiners: 1, config: { ...SMALL, maxKeptBytes } });
    cluster.crash('m2');
    const client = cluster.open();
    for (let serial = 1; serial <= 60; serial++) write(cluster, client, serial);
    let isStalled = true;
    cluster.fate = ({ to }, message) => (isStalled && to === 'm2' && message?.kind === 'chunk' && message.isLast ? 0 : 1);
    cluster.start('m2');
    cluster.run(200);
    for (let serial = 61; serial <= 120; serial++) write(cluster, client, serial);
    isStalled = false;
    cluster.settle();
    cluster.run(1000);
    expect(cluster.replica('m1').status().counters['snapshotsSent']).toBe(snapshots);
    expect(cluster.node('m2').machine.items.length).toBe(120);
  });
});

describe.each(MODES)('%s: members that are let go', (mode) => {
  // Asked of everybody until it is done, as the supervisor does.
  const remove = (cluster: Cluster, id: string): boolean =>
    cluster.run(5000, () => [...cluster.nodes.values()].some(({ replica }) => replica !== undefined && replica.removeMember(id, cluster.now) === undefined));

  it('a view works without one, whoever it was, and it is not let in again', () => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    write(cluster, client, 1);
    expect(cluster.replica('m2').removeMember('m3', cluster.now)).toMatch(/does not lead/);
    expect(remove(cluster, 'm1')).toBe(true);
    expect(cluster.views.view).toMatchObject({ number: 2, members: [{ id: 'm2' }, { id: 'm3' }] });
    write(cluster, client, 2);
    cluster.run(5000);
    expect(cluster.replica('m1').status()).toMatchObject({ role: 'outside', problem: 'it is no member any more' });
    expect(cluster.views.view.number).toBe(2);
    expect(remove(cluster, 'm3')).toBe(true);
    write(cluster, client, 3);
    expect(cluster.node('m2').machine.items).toEqual(['1', '2', '3']);
    expect(cluster.replica('m2').removeMember('m2', cluster.now)).toBe('nobody would be left');
  });

  it('nor by whoever leads after a fail-over, or after a restart of all', () => {
    const cluster = new Cluster({ mode, size: 4 });
    const client = cluster.open();
    write(cluster, client, 1);
    expect(remove(cluster, 'm4')).toBe(true);
    cluster.crash('m1');
    write(cluster, client, 2);
    cluster.run(5000);
    expect(cluster.views.view.members.map(({ id }) => id)).toEqual(['m2', 'm3']);
    for (const id of ['m2', 'm3']) cluster.crash(id);
    for (const id of ['m2', 'm3']) cluster.start(id);
    write(cluster, client, 3);
    cluster.run(5000);
    expect(cluster.views.view.members.map(({ id }) => id)).toEqual(['m2', 'm3']);
    expect(cluster.replica('m4').status().problem).toBe('it is no member any more');
  });

  it('one that was silent and is outside when it is let go: it is not let in when it is heard again', () => {
    const cluster = new Cluster({ mode, size: 3 });
    const client = cluster.open();
    write(cluster, client, 1);
    cluster.fate = ({ from, to }) => (from === 'm3' || to === 'm3' ? 0 : 1);
    expect(cluster.run(5000, () => cluster.views.view.members.length === 2)).toBe(true);
    expect(remove(cluster, 'm3')).toBe(true);
    cluster.fate = () => 1;
    write(cluster, client, 2);
    cluster.run(5000);
    expect(cluster.views.view.members.map(({ id }) => id)).toEqual(['m1', 'm2']);
  });
});

describe('a log is replaced by a snapshot when it is longer than the last one', () => {
  it.each(['found on disk', 'taken over'])('%s', (how) => {
    const cluster = new Cluster({ mode: 'sequencer', size: 1, joiners: 1, config: SMALL });
    cluster.crash('m2');
    const client = cluster.open();
    for (let serial = 1; serial <= 100; serial++) cluster.call({ clientId: client, serial, acknowledged: serial - 1, text: `+${'x'.repeat(100)}` });
    const id = how === 'taken over' ? 'm2' : 'm1';
    cluster.crash(id);
    cluster.start(id);
    cluster.settle();
    for (let serial = 101; serial <= 120; serial++) cluster.call({ clientId: client, serial, acknowledged: serial - 1, text: `+${'x'.repeat(100)}` });
    const { counters } = cluster.replica(id).status();
    expect(counters['logBytes']).toBeGreaterThan(SMALL.snapshotBytes);
    // Of this life.
    expect(counters['snapshotsTaken']).toBe(0);
  });
});
