import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Line } from '../../src/net/group-process.ts';
import { GroupSupervisor, type GroupEvent, type GroupSupervisorOptions } from '../../src/net/group-supervisor.ts';
import type { ProcessListeners, RunningProcess } from '../../src/net/managed-process.ts';

/** What a process does that is none: it listens, serves and answers as the test has it. */
interface Script {
  readonly fails?: 'listening' | 'serving';
  readonly says?: string;
  readonly answer?: (line: Line) => Line | undefined;
}

let directory: string;
let events: GroupEvent[];
/** By id; what is not scripted serves, and does whatever it is asked. */
let scripts: Map<string, Script>;
let started: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'failmask-supervisor-'));
  events = [];
  scripts = new Map();
  started = [];
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true, force: true });
});

/** A busy machine may be slow; nothing here waits that long. */
const PATIENTLY = { timeout: 20_000 };

let nextPort = 40_000;
/** How to have a process say something. */
const tells = new Map<string, (line: Line) => void>();

function fakeProcess(spec: Line, { onExit, onLine }: ProcessListeners): RunningProcess & { hasExited: boolean } {
  const id = String(spec['id']);
  const { fails, says = 'no reason', answer = ({ type }: Line) => (type === 'status' ? { status: { role: 'follower' } } : { done: true }) } = scripts.get(id) ?? {};
  started.push(id);
  tells.set(id, onLine);
  let exit!: (exited: { code: number | null; signal: NodeJS.Signals | null }) => void;
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => (exit = resolve));
  const end = (code: number | null, signal: NodeJS.Signals | null): void => {
    if (self.hasExited) return;
    self.hasExited = true;
    onExit({ code, signal });
    exit({ code, signal });
  };
  const milestone = (name: 'listening' | 'serving', line: Line): Promise<Line> => {
    const reached = fails === name ? Promise.reject(new Error(says)) : Promise.resolve(line);
    reached.catch(() => end(1, null));
    return reached;
  };
  const self = {
    pid: 1, isPaused: false, hasExited: false, exited,
    listening: undefined as unknown as Promise<Line>, serving: undefined as unknown as Promise<Line>,
    tell: () => {},
    ask: (line: Line) => Promise.resolve(self.hasExited ? undefined : answer(line)),
    signal: (signal: NodeJS.Signals) => end(null, signal),
  };
  self.listening = milestone('listening', { port: Number(spec['port']) || nextPort++ });
  self.serving = milestone('serving', {});
  return self;
}

function supervisor(options: Partial<GroupSupervisorOptions> = {}): GroupSupervisor {
  return new GroupSupervisor({
    mode: 'raft', service: 'kv', clusterId: 'failmask', fence: 'view-service', size: 3, balancers: 1, viewServers: 0, host: '127.0.0.1', balancerPort: 0, dataDirectory: directory,
    links: undefined, membership: 'open', settings: {}, faulty: new Map(), replacesFailed: false, administerTimeoutMs: 1,
    start: (_kind, spec, listeners) => fakeProcess(spec, listeners), onEvent: (event) => events.push(event), ...options,
  });
}

function recorded(): string[] {
  return (JSON.parse(readFileSync(join(directory, 'group.json'), 'utf8')) as { processes: { id: string }[] }).processes.map(({ id }) => id);
}

const refuses: Script = { answer: ({ type }) => (type === 'status' ? { status: { role: 'follower' } } : { done: false, reason: 'it does not lead' }) };

describe('starting', () => {
  it('a member that cannot serve is told of as dead, and not as started', async () => {
    scripts.set('m2', { fails: 'serving', says: 'a damaged record' });
    await supervisor().start();
    expect(events.filter(({ kind }) => kind === 'started').map(({ id }) => id)).toEqual(['m1', 'm3', 'b1']);
    expect(events).toContainEqual({ kind: 'died', id: 'm2', text: 'exit code 1' });
  });

  it('fails when no member can serve, and says why', async () => {
    for (const id of ['m1', 'm2', 'm3']) scripts.set(id, { fails: 'serving', says: `${id} is damaged` });
    await expect(supervisor().start()).rejects.toThrow('m1 did not start: m1 is damaged');
  });

  it('who is on record is started again, whatever size is asked for, and balancers as they are asked for', async () => {
    const first = supervisor();
    await first.start();
    await first.add();
    await first.stop();
    started.length = 0;
    await supervisor({ size: 5, balancers: 2 }).start();
    expect(started).toEqual(['m1', 'm2', 'm3', 'm4', 'b1', 'b2']);
  });

  it('a port of a balancer that is taken: says by whom, and what to do', async () => {
    const page = createServer((_request, response) => response.end(JSON.stringify({ name: 'b1', clusterId: 'other', pid: 4711 }))).listen(0, '127.0.0.1');
    await once(page, 'listening');
    const { port } = page.address() as { port: number };
    scripts.set('b1', { fails: 'listening', says: 'bind EADDRINUSE' });
    await expect(supervisor({ balancerPort: port }).start()).rejects.toThrow(`b1 did not start: UDP 127.0.0.1:${port} is taken by b1 of the group "other", which process 4711 has started: give other ports with -p PORT, or end that one`);
    page.closeAllConnections();
    page.close();
  });

  it('knows who is faulty', async () => {
    const group = supervisor({ faulty: new Map([[2, 'slow:2s']]) });
    await group.start();
    expect(group.faulty).toEqual([{ id: 'm2', fault: 'slow:2s' }]);
  });
});

describe('restarting', () => {
  it('fails when the process cannot serve', async () => {
    const group = supervisor();
    await group.start();
    await group.kill('m2');
    scripts.set('m2', { fails: 'serving', says: 'a damaged record' });
    await expect(group.restart('m2')).rejects.toThrow('m2 did not start: a damaged record');
    expect(events.map(({ kind }) => kind)).not.toContain('restarted');
    expect((await group.status()).find(({ id }) => id === 'm2')).toMatchObject({ state: 'dead' });
  });
});

describe('adding', () => {
  it.each<[string, Script, RegExp]>([
    ['not taken in', refuses, /m4 was not taken in: it does not lead/],
    ['that does not start', {}, /m4 did not start: no room/],
  ])('a member %s leaves nothing behind', async (_what, others, reason) => {
    for (const id of ['m1', 'm2', 'm3', 'm4']) scripts.set(id, others);
    if (others !== refuses) scripts.set('m4', { fails: 'serving', says: 'no room' });
    const group = supervisor();
    await group.start();
    await expect(group.add()).rejects.toThrow(reason);
    expect(group.members.map(({ id }) => id)).toEqual(['m1', 'm2', 'm3']);
    expect(recorded()).toEqual(['m1', 'm2', 'm3']);
    expect(existsSync(join(directory, 'm4'))).toBe(false);
  });

  it('first takes back what the group was asked before and may yet do', async () => {
    for (const id of ['m1', 'm2', 'm3', 'm4']) scripts.set(id, refuses);
    const group = supervisor();
    await group.start();
    await expect(group.add()).rejects.toThrow(/m4 was not taken in/);
    const asked: Line[] = [];
    const does: Script = { answer: (line) => { asked.push(line); return line['type'] === 'status' ? { status: {} } : { done: true }; } };
    for (const id of ['m1', 'm2', 'm3']) scripts.set(id, does);
    for (const id of ['m1', 'm2', 'm3']) await group.kill(id).then(() => group.restart(id));
    expect(await group.add()).toBe('m5');
    expect(asked.filter(({ type }) => type !== 'status').map(({ type, id, peer }) => [type, id ?? (peer as { id: string }).id])).toEqual([['remove', 'm4'], ['add', 'm5']]);
  });
});

describe('replacing', () => {
  /** m1, which leads, lets members go and takes nobody in. */
  const onlyRemoves: Script = { answer: ({ type }) => (type === 'status' ? { status: {} } : type === 'remove' ? { done: true } : { done: false, reason: 'the disk is full' }) };

  it('by hand: says when nobody is in the place of the one that is out, and what to do', async () => {
    for (const id of ['m1', 'm2', 'm3', 'm4']) scripts.set(id, onlyRemoves);
    const group = supervisor();
    await group.start();
    await expect(group.rebuild('m2')).rejects.toThrow('m2 is out, and nobody is in its place: m4 was not taken in: the disk is full; when the group serves: failmask group add');
    expect(group.members.map(({ id }) => id)).toEqual(['m1', 'm3']);
  });

  it('when a balancer finds one failed: tries until somebody is in its place, and only once however many balancers say so', async () => {
    let isWilling = false;
    const reluctant: Script = { answer: (line) => (line['type'] === 'add' && !isWilling ? { done: false, reason: 'no leader' } : { done: true, status: {} }) };
    for (const id of ['m1', 'm2', 'm3', 'm4', 'm5']) scripts.set(id, reluctant);
    const group = supervisor({ replacesFailed: true });
    await group.start();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    for (let balancers = 0; balancers < 2; balancers++) tells.get('b1')!({ type: 'failure', id: 'm2', downForMs: 0, text: 'm2 has been down' });
    await vi.waitFor(() => expect(events).toContainEqual({ kind: 'problem', id: 'm2', text: 'm2 is out, and nobody is in its place: m4 was not taken in: no leader; tried again in 1 s' }), PATIENTLY);
    isWilling = true;
    await vi.waitFor(() => expect(events).toContainEqual({ kind: 'replaced', id: 'm2', text: 'by m5' }), PATIENTLY);
    expect(group.members.map(({ id }) => id)).toEqual(['m1', 'm3', 'm5']);
    await group.stop();
  });

  it.each(['remove', 'rebuild'] as const)('when a balancer finds one failed, and people %s it meanwhile: nobody comes in its place beside theirs', async (action) => {
    let isWilling = false;
    const reluctant: Script = { answer: (line) => (isWilling || line['type'] === 'status' ? { done: true, status: {} } : { done: false, reason: 'no leader' }) };
    for (const id of ['m1', 'm2', 'm3', 'm4', 'm5']) scripts.set(id, reluctant);
    const group = supervisor({ replacesFailed: true });
    await group.start();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    tells.get('b1')!({ type: 'failure', id: 'm2', downForMs: 0, text: 'm2 has been down' });
    await vi.waitFor(() => expect(events).toContainEqual({ kind: 'problem', id: 'm2', text: 'm2 was not let go: no leader; tried again in 1 s' }), PATIENTLY);
    isWilling = true;
    await group[action]('m2');
    await vi.advanceTimersByTimeAsync(120_000);
    // Whoever else had been begun would have this name.
    expect(await group.add()).toBe(action === 'remove' ? 'm4' : 'm5');
    expect(group.members).toHaveLength(action === 'remove' ? 3 : 4);
    await group.stop();
  });

  it('when a balancer finds one failed whose restart has failed since: it is replaced all the same', async () => {
    const group = supervisor({ replacesFailed: true });
    await group.start();
    await group.kill('m2');
    scripts.set('m2', { fails: 'serving', says: 'a damaged record' });
    await expect(group.restart('m2')).rejects.toThrow('a damaged record');
    tells.get('b1')!({ type: 'failure', id: 'm2', downForMs: 1e9, text: 'm2 has been down' });
    await vi.waitFor(() => expect(events).toContainEqual({ kind: 'replaced', id: 'm2', text: 'by m4' }), PATIENTLY);
  });

  it.each([['v1', /v1: a server of the view service is not replaced/], ['b1', /failmask group restart b1/]])('%s is refused with what to do', async (id, reason) => {
    const group = supervisor({ mode: 'active', viewServers: 3 });
    await group.start();
    await expect(group.rebuild(id)).rejects.toThrow(reason);
  });
});

it.each([
  ['seats', 'quorum', /mode quorum: members cannot be added or removed; failmask group rebuild renews one/], ['fixed', 'primary-backup', /mode primary-backup without a fence/],
] as const)('membership that is %s', async (membership, mode, reason) => {
  const group = supervisor({ mode, membership });
  await group.start();
  await expect(group.add()).rejects.toThrow(reason);
});
