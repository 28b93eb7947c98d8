import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

import { endAll, failmask, makeDirectory, type Program } from './program.ts';

afterEach(endAll);

/** For what is left of a group to end after its parent. */
const LONELY_MS = 2000;

interface Group {
  readonly up: Program;
  readonly control: string;
  readonly pids: () => Promise<number[]>;
}

/** A group of real processes, with everything that listens on ports that the system chose. */
async function start(...flags: (string | number)[]): Promise<Group> {
  const up = failmask(['group', 'up', '--json', '-p', 0, '--control', '127.0.0.1:0', ...flags]);
  await up.until(() => String(up.stdout).includes('"type":"up"'));
  const line = String(up.stdout).split('\n').find((text) => text.includes('"type":"up"'))!;
  const { control } = JSON.parse(line) as { control: string };
  return { up, control, pids: async () => (await status(control)).map(({ pid }) => pid).filter((pid) => pid !== null) };
}

async function status(control: string): Promise<{ id: string; kind: string; pid: number | null; state: string; status: { role: string; appliedIndex: number; digest: string; problem?: string } | null; problem: string | null }[]> {
  const program = failmask(['group', 'status', '--json', '--control', control]);
  await program.code();
  return (JSON.parse(String(program.stdout)) as { processes: Awaited<ReturnType<typeof status>> }).processes;
}

async function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const program = failmask(args);
  const code = await program.code();
  return { code, stdout: String(program.stdout), stderr: program.stderr };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie that nobody has waited for is dead all the same.
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z');
  } catch {
    return false;
  }
}

describe('a group of processes', () => {
  it('serves a key-value store, and goes on when its leader is killed', async () => {
    const { control } = await start('--size', 3);
    const kv = (...args: string[]): ReturnType<typeof run> => run('kv', ...args, '--control', control);
    expect(await kv('put', 'colour', 'blue')).toMatchObject({ code: 0 });
    expect(await kv('append', 'colour', 'ish')).toMatchObject({ code: 0 });
    expect((await run('group', 'kill', 'leader', '--control', control)).code).toBe(0);
    expect(await kv('get', 'colour')).toMatchObject({ code: 0, stdout: 'blueish\n' });
    expect(await kv('cas', 'colour', 'red', '--expected', 'green')).toMatchObject({ code: 1 });
    expect(await kv('cas', 'colour', 'red', '--expected', 'blueish')).toMatchObject({ code: 0 });
    expect(await kv('get', 'nothing')).toMatchObject({ code: 1, stdout: '' });
    const processes = await status(control);
    expect(processes.filter(({ kind, state }) => kind === 'member' && state === 'dead').length).toBe(1);
    // More than it can mask: an error in bounded time, and no answer.
    expect((await run('group', 'kill', 'leader', '--control', control)).code).toBe(0);
    const failed = await kv('get', 'colour', '--timeout', '1s');
    expect([failed.code, failed.stdout]).toEqual([5, '']);
    expect(failed.stderr).toMatch(/get colour: .*no answer in/);
  });

  it('killed as a whole, and started again on the same disks, one of them damaged: what was answered is there, and the member that refuses is rebuilt', async () => {
    const directory = join(makeDirectory(), 'disks');
    const first = await start('--size', 3, '--data-dir', directory);
    for (let i = 0; i < 3; i++) expect((await run('kv', 'append', 'log', `part ${i};`, '--control', first.control)).code).toBe(0);
    first.up.kill('SIGKILL');
    await first.up.exited;
    const log = join(directory, 'm2', 'log');
    const bytes = readFileSync(log);
    bytes[bytes.indexOf('part 0')]! ^= 1;
    writeFileSync(log, bytes);
    const { up, control } = await start('--size', 3, '--data-dir', directory);
    await up.until(() => String(up.stdout).includes('"event":"died","id":"m2"'));
    const m2 = (await status(control)).find(({ id }) => id === 'm2');
    expect(m2).toMatchObject({ state: 'dead', problem: expect.stringMatching(/m2\/log, offset \d+: a damaged record, and a good one after it at \d+$/) });
    expect(await run('kv', 'get', 'log', '--control', control)).toMatchObject({ code: 0, stdout: 'part 0;part 1;part 2;\n' });
    expect(await run('group', 'restart', 'm2', '--control', control)).toMatchObject({ code: 1, stderr: expect.stringMatching(/^failmask: m2 did not start: .*m2\/log, offset \d+: a damaged record/) });
    expect((await run('group', 'rebuild', 'm2', '--control', control)).stderr).toMatch(/rebuild: m2 by m4/);
    let members = (await status(control)).filter(({ kind }) => kind === 'member');
    for (let tries = 0; tries < 20 && new Set(members.map((member) => member.status?.appliedIndex)).size > 1; tries++) members = (await status(control)).filter(({ kind }) => kind === 'member');
    expect(members.map(({ id }) => id)).toEqual(['m1', 'm3', 'm4']);
    expect(new Set(members.map((member) => member.status?.digest)).size).toBe(1);
    expect(existsSync(join(directory, 'm2'))).toBe(false);
  });

  it('a member that lies is outvoted', async () => {
    const { control } = await start('--size', 3, '--mode', 'active', '--faulty', '2:wrong-value');
    expect((await run('kv', 'put', 'x', 'right', '--control', control)).code).toBe(0);
    expect(await run('kv', 'get', 'x', '--control', control)).toMatchObject({ code: 0, stdout: 'right\n' });
    expect(await run('group', 'kill', 'leader', '--control', control)).toMatchObject({ code: 1, stderr: expect.stringContaining('mode active has no leader') });
  });

  it('takes a new member in, and lets one go', async () => {
    const { control } = await start('--size', 3);
    expect((await run('kv', 'put', 'x', '1', '--control', control)).code).toBe(0);
    expect((await run('group', 'add', '--control', control)).stderr).toMatch(/add: m4/);
    expect((await run('group', 'remove', 'm1', '--control', control)).code).toBe(0);
    const members = (await status(control)).filter(({ kind }) => kind === 'member');
    expect(members.map(({ id }) => id)).toEqual(['m2', 'm3', 'm4']);
    expect(await run('kv', 'get', 'x', '--control', control)).toMatchObject({ code: 0, stdout: '1\n' });
  });

  it('changes asked for at once: of two that replace a member one is refused, and the record of the group stays whole', async () => {
    const directory = join(makeDirectory(), 'disks');
    const { control } = await start('--size', 5, '--data-dir', directory);
    const rebuild = (id: string): ReturnType<typeof run> => run('group', 'rebuild', id, '--control', control);
    const ended = await Promise.all([rebuild('m2'), rebuild('m2'), rebuild('m3'), run('group', 'add', '--control', control)]);
    expect(ended.map(({ code }) => code).sort()).toEqual([0, 0, 0, 1]);
    expect(ended.map(({ stderr }) => stderr).join('')).toMatch(/m2 is being restarted, removed or replaced already|there is no m2/);
    const ids = (await status(control)).filter(({ kind }) => kind === 'member').map(({ id }) => id);
    expect([...ids].sort()).toEqual(['m1', 'm4', 'm5', 'm6', 'm7', 'm8']);
    const record = JSON.parse(readFileSync(join(directory, 'group.json'), 'utf8')) as { processes: { id: string; kind: string }[] };
    expect(record.processes.filter(({ kind }) => kind === 'member').map(({ id }) => id)).toEqual(ids);
  });

  it('a member that balancers find silent is replaced once by a new one, which catches up, and never wakes again', async () => {
    const { up, control } = await start('--size', 3, '--balancers', 2, '--replace-after', '100ms');
    expect((await run('kv', 'put', 'x', 'before', '--control', control)).code).toBe(0);
    const silent = (await status(control)).find(({ id }) => id === 'm2')!.pid!;
    expect((await run('group', 'pause', 'm2', '--control', control)).code).toBe(0);
    const events = (kind: string): Record<string, unknown>[] => up.objects.filter((line) => line['event'] === kind);
    await up.until(() => events('replaced').length > 0);
    expect(isAlive(silent)).toBe(false);
    expect((await run('group', 'resume', 'm2', '--control', control)).stderr).toMatch(/there is no m2/);
    expect((await run('kv', 'append', 'x', ', after', '--control', control)).code).toBe(0);
    const members = (await status(control)).filter(({ kind }) => kind === 'member');
    expect(members.map(({ id, state }) => [id, state])).toEqual([['m1', 'running'], ['m3', 'running'], ['m4', 'running']]);
    // Both balancers have noticed, in their own time; a new member for each would have been one too many.
    const watched = (await status(control)).filter(({ kind }) => kind === 'balancer').map(({ status: report }) => (report as unknown as { members: { name: string }[] }).members.map(({ name }) => name));
    expect(watched).toEqual([['m1', 'm3', 'm4'], ['m1', 'm3', 'm4']]);
    expect(events('replaced').length).toBe(1);
  });

  it.each(['SIGKILL', 'SIGTERM'] as const)('ends with its parent, however that dies: %s', async (signal) => {
    const { up, pids } = await start('--size', 3, '--balancers', 2, '--proxy', 'delay 1ms');
    const running = await pids();
    expect(running.length).toBe(5);
    up.kill(signal);
    await up.exited;
    for (let tries = 0; tries < 200 && running.some(isAlive); tries++) await new Promise((resolve) => setImmediate(resolve)).then(() => run('--version'));
    expect(running.filter(isAlive)).toEqual([]);
  });

  it('a paused member, which cannot see it, does not outlive its parent', async () => {
    const { up, control, pids } = await start('--size', 1);
    const running = await pids();
    expect((await run('group', 'pause', 'm1', '--control', control)).code).toBe(0);
    up.kill('SIGKILL');
    await up.exited;
    const killedMs = performance.now();
    while (running.some(isAlive) && performance.now() - killedMs < LONELY_MS) await new Promise((resolve) => setImmediate(resolve));
    expect(running.filter(isAlive)).toEqual([]);
  });

  it('a second group on the same ports is told who holds them, and what to do', async () => {
    const { up } = await start('--size', 1);
    const { balancers } = up.objects.find(({ type }) => type === 'up') as { balancers: string[] };
    const { code, stderr } = await run('group', 'up', '--control', '127.0.0.1:0', '-p', balancers[0]!.split(':')[1]!);
    expect(code).toBe(1);
    expect(stderr).toMatch(/failmask: b1 did not start: UDP 127\.0\.0\.1:\d+ is taken by b1 of the group "failmask", which process \d+ has started: give other ports with -p PORT, or end that one \(bind EADDRINUSE .*\)\n$/);
    expect(stderr).toContain(`process ${up.child.pid} has started`);
  });

  it('a second group on the same control port is told who holds it', async () => {
    const { up, control } = await start('--size', 1);
    const second = await run('group', 'up', '--control', control, '-p', '0');
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`the group "failmask" of process ${up.child.pid}`);
  });

  it.each([
    [['group', 'kill', 'm9'], /there is no m9/],
    [['group', 'partition', 'm1'], /links are direct/],
    [['group', 'restart', 'm1'], /m1 is running/],
  ])('%j is refused with a reason', async (args, reason) => {
    const { control } = await start('--size', 1);
    const { code, stderr } = await run(...args, '--control', control);
    expect(code).toBe(1);
    expect(stderr).toMatch(reason);
  });

  it('kv load that is interrupted says what it saw, and that it was: exit code 130', async () => {
    const { control } = await start('--size', 1);
    const load = failmask(['kv', 'load', '--control', control, '--seconds', '60', '--json']);
    await load.until(() => load.objects.some(({ type }) => type === 'interval'));
    load.kill('SIGINT');
    expect(await load.code()).toBe(130);
    expect(load.summary['ok']).toBeGreaterThan(0);
  });

  it('without a group, its commands say so', async () => {
    for (const args of [['group', 'status'], ['kv', 'get', 'x']]) {
      const { code, stderr } = await run(...args, '--control', '127.0.0.1:1');
      expect([code, stderr]).toEqual([3, 'failmask: no group listens on 127.0.0.1:1: start one with "failmask group up"\n']);
    }
  });
});
