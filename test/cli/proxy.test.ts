import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import yargs from 'yargs';
import { UsageError } from '../../src/cli/exit.ts';
import { readProfile } from '../../src/cli/proxy-run.ts';
import { proxyCommand } from '../../src/cli/proxy.ts';
import { parseProfile } from '../../src/link/profile.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

async function parse(...flags: string[]): Promise<Record<string, unknown>> {
  let parsed: Record<string, unknown> = {};
  await yargs(['proxy', '-l', '0', '-u', '127.0.0.1:9', ...flags])
    .command({ ...proxyCommand, handler: (args) => { parsed = args; } })
    .strict().exitProcess(false).fail((message, error) => { throw error ?? new Error(message); }).parseAsync();
  return parsed;
}

describe('flags', () => {
  it('hold both ways, and one way on top', async () => {
    const args = await parse('--loss', '20%', '--delay', '20ms 10ms', '--up-loss', 'gemodel 1% 25%', '--down-drop-nth', '2,5', '--down-blackhole', '--reorder=25%');
    expect(readProfile(args, 'up')).toEqual(parseProfile('loss gemodel 1% 25% delay 20ms 10ms reorder 25%'));
    expect(readProfile(args, 'down')).toEqual(parseProfile('loss 20% delay 20ms 10ms reorder 25% drop-nth 2,5 blackhole'));
  });
  it('take a seed, a script and an upstream with IPv6', async () => {
    expect(await parse('--seed', '7', '--script', 'at 3s up blackhole', '-H', '::1')).toMatchObject({
      seed: 7, listen: 0, host: '::1', upstream: { host: '127.0.0.1', port: 9 }, script: [{ atMs: 3000, directions: ['up'], words: 'blackhole' }],
    });
  });
  it.each([
    [['--loss', '120%'], '--loss: "120%" is not a probability'],
    [['--up-delay', '20'], '--up-delay: "20" is not a duration'],
    [['--script', '3s heal'], '--script: script: "3s heal" does not begin with a time'],
    [['--lose', '5%'], 'lose'],
  ])('refuse %j', async (flags, message) => {
    await expect(parse(...flags)).rejects.toThrow(message);
  });
  it('refuse a network that makes no sense', async () => {
    const args = await parse('--reorder', '25%', '--down-delay', '5ms');
    expect(() => readProfile(args, 'up')).toThrow(UsageError);
    expect(() => readProfile(args, 'down')).not.toThrow();
  });
});

describe('failmask proxy', () => {
  const PROGRAM = `
    import { runProgram } from './src/cli/program.ts';
    import { describeError, exitCodeOf } from './src/cli/exit.ts';
    import { proxyCommand } from './src/cli/proxy.ts';
    await runProgram(process.argv.slice(1), [proxyCommand]).catch((error) => {
      console.error(describeError(error));
      process.exitCode = exitCodeOf(error);
    });`;

  function start(...flags: string[]): { child: ChildProcess; lines: AsyncIterator<string>; stderr: () => string } {
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', PROGRAM, 'proxy', '-u', '127.0.0.1:9', ...flags], {
      cwd: root, stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let stderr = '';
    child.stderr!.on('data', (chunk) => { stderr += String(chunk); });
    return { child, lines: createInterface({ input: child.stdout! })[Symbol.asyncIterator](), stderr: () => stderr };
  }

  it('says where it listens and its seed, counts, and ends in order with a summary', async () => {
    const { child, lines, stderr } = start('-l', '0', '--json', '--up-blackhole');
    const listening = JSON.parse((await lines.next()).value as string) as { port: number; seed: number };
    expect(listening).toMatchObject({ type: 'listening', host: '127.0.0.1', target_port: 9, up: 'blackhole', down: '' });
    expect(listening.seed).toBeGreaterThanOrEqual(0);
    const client = createSocket('udp4');
    client.send('x', listening.port, '127.0.0.1');
    expect(JSON.parse((await lines.next()).value as string)).toMatchObject({ type: 'interval', up: { offered: 1, blackholed: 1 } });
    client.close();
    child.kill('SIGINT');
    expect(JSON.parse((await lines.next()).value as string)).toMatchObject({ type: 'summary', seed: listening.seed, up: { blackholed: 1 } });
    if (child.exitCode === null) await once(child, 'exit');
    expect(child.exitCode).toBe(0);
    expect(stderr()).toBe('');
  }, 20_000);

  it('says in one line that the port is taken', async () => {
    const other = createSocket('udp4');
    other.bind(0, '127.0.0.1');
    await once(other, 'listening');
    const { child, stderr } = start('-l', String(other.address().port), '--loss', '20%');
    await once(child, 'close');
    other.close();
    expect(child.exitCode).toBe(1);
    expect(stderr()).toMatch(/^cannot start the proxy: 127\.0\.0\.1:\d+ is in use by another process \(EADDRINUSE\)\n$/);
  }, 20_000);
});
