import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { makeDisk, readDiskLabel, readGroupRecord, remedyFor, writeDiskLabel, writeGroupRecord } from '../../src/net/group-record.ts';
import { ReplicaServer } from '../../src/net/replica-server.ts';

const LABEL = { mode: 'raft', clusterId: 'failmask', id: 'm1', isFounding: true };

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'failmask-record-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('the record of a group', () => {
  const foundation = { mode: 'raft', service: 'kv', clusterId: 'failmask', fence: 'view-service' };
  const record = { ...foundation, next: 4, founders: [{ id: 'm1', address: '127.0.0.1:7001' }], processes: [{ id: 'm1', kind: 'member' as const, port: 7001, isFounder: true }] };

  it('is read as it was written, and replaces the one before', async () => {
    expect(await readGroupRecord(directory, foundation)).toBeUndefined();
    await writeGroupRecord(directory, record);
    await writeGroupRecord(directory, { ...record, next: 5 });
    expect(await readGroupRecord(directory, foundation)).toEqual({ ...record, next: 5 });
    expect(readdirSync(directory)).toEqual(['group.json']);
  });

  it.each([
    ['nothing', ''],
    ['half of it', JSON.stringify(record).slice(0, 40)],
    ['a list', '[]'],
    ['no processes', JSON.stringify({ ...record, processes: undefined })],
    ['that nobody is in it', JSON.stringify({ ...record, processes: [] })],
    ['that only view servers are', JSON.stringify({ ...record, processes: [{ ...record.processes[0], id: 'v1', kind: 'view-server' }] })],
    ['that somebody is twice', JSON.stringify({ ...record, processes: [record.processes[0], { ...record.processes[0], port: 7002 }] })],
    ['a founder at no address', JSON.stringify({ ...record, founders: [{ id: 'm1', address: 'at home' }] })],
    ['a next member that is there', JSON.stringify({ ...record, next: 1 })],
    ['no fence', JSON.stringify({ ...record, fence: undefined })],
    ['no founders', JSON.stringify({ ...record, founders: [{ id: 'm1' }] })],
    ['a name that leads elsewhere', JSON.stringify({ ...record, processes: [{ ...record.processes[0], id: '../m1' }] })],
    ['a port that there is not', JSON.stringify({ ...record, processes: [{ ...record.processes[0], port: 70_000 }] })],
    ['a kind that there is not', JSON.stringify({ ...record, processes: [{ ...record.processes[0], kind: 'king' }] })],
    ['a number that is none', JSON.stringify({ ...record, next: -1 })],
  ])('is not believed when it says %s', async (_what, text) => {
    writeFileSync(join(directory, 'group.json'), text);
    await expect(readGroupRecord(directory, foundation)).rejects.toThrow(/group\.json is damaged/);
  });
});

describe('a group that lives in a directory', () => {
  const foundation = { mode: 'active', service: 'kv', clusterId: 'failmask', fence: 'view-service' };

  it.each([
    [{ mode: 'sequencer' }, /a group with --mode active lives there, not sequencer/],
    [{ service: 'file' }, /a group with --service kv lives there, not file/],
    [{ fence: 'none' }, /a group with --fence view-service lives there, not none/],
    [{ clusterId: 'another' }, /the group "failmask" lives there/],
  ])('is not started as what it is not: %j', async (wanted, reason) => {
    await writeGroupRecord(directory, { ...foundation, next: 2, founders: [], processes: [{ id: 'm1', kind: 'member', port: 1, isFounder: true }] });
    await expect(readGroupRecord(directory, { ...foundation, ...wanted })).rejects.toThrow(reason);
  });
});

describe('the label of a disk', () => {
  it('says whose it is, and whether something was written', async () => {
    await makeDisk(join(directory, 'm1'), LABEL);
    expect(await readDiskLabel(join(directory, 'm1'), LABEL)).toEqual({ ...LABEL, hasBegun: false });
    await writeDiskLabel(join(directory, 'm1'), { ...LABEL, hasBegun: true });
    expect(await readDiskLabel(join(directory, 'm1'), LABEL)).toEqual({ ...LABEL, hasBegun: true });
  });

  it('is not put on a disk that has a content', async () => {
    writeFileSync(join(directory, 'log'), 'x');
    await expect(makeDisk(directory, LABEL)).rejects.toThrow(/is not empty \(log\)/);
  });

  it('is put once more on a disk that was made and never written to', async () => {
    await makeDisk(directory, LABEL);
    mkdirSync(join(directory, 'files'));
    writeFileSync(join(directory, 'lock.1.1.ab'), '');
    await makeDisk(directory, LABEL);
    writeFileSync(join(directory, 'log'), 'x');
    await expect(makeDisk(directory, LABEL)).rejects.toThrow(/is not empty/);
    rmSync(join(directory, 'log'));
    await writeDiskLabel(directory, { ...LABEL, hasBegun: true });
    await expect(makeDisk(directory, LABEL)).rejects.toThrow(/is not empty/);
  });

  it.each([['mode', 'quorum'], ['clusterId', 'another'], ['id', 'm2']])('of another is refused: %s', async (name, value) => {
    await makeDisk(directory, { ...LABEL, [name]: value });
    await expect(readDiskLabel(directory, LABEL)).rejects.toThrow(/not of m1 of "failmask" \(raft\)/);
  });
});

describe('a member', () => {
  const start = (): Promise<ReplicaServer> => ReplicaServer.start({
    id: 'm1', clusterId: 'failmask', host: '127.0.0.1', port: 0, directory, replica: { mode: 'raft', fence: 'view-service' },
    bound: async ({ host, port }) => ({ bootstrap: [{ id: 'm1', address: `${host}:${port}` }], viewServers: [], routes: {} }),
  });

  it.each([['m1', /failmask group rebuild m1$/], ['v1', /a server of the view service is not replaced/]])('says what to do about %s', (id, remedy) => {
    expect(remedyFor(id)).toMatch(remedy);
  });

  it('whose disk is gone does not begin anew', async () => {
    await expect(start()).rejects.toThrow(/the disk of m1 is gone.*failmask group rebuild m1/);
  });

  it('whose log is gone does not begin anew; before the first was written, it does', async () => {
    await makeDisk(directory, LABEL);
    const server = await start();
    await expect.poll(async () => (await readDiskLabel(directory, LABEL)).hasBegun, { timeout: 20_000 }).toBe(true);
    await server.close();
    rmSync(join(directory, 'log'));
    await expect(start()).rejects.toThrow(/log, offset 0: there is none any more.*failmask group rebuild m1/);
  });
});
