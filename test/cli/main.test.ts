import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the command line in a process of its own; with `isReaderGone`, nobody reads its stdout. */
function failmask(args: readonly string[], isReaderGone = false): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended: Ended = { code: null, stdout: '', stderr: '' };
  if (isReaderGone) child.stdout.destroy();
  else child.stdout.on('data', (chunk: Buffer) => (ended.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (ended.stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...ended, code }));
  });
}

test('wrong usage: one line on stderr, nothing on stdout, exit code 2', async () => {
  expect(await failmask(['frobnicate'])).toEqual({ code: 2, stdout: '', stderr: 'failmask: not understood: frobnicate (see failmask --help)\n' });
});

test('--help and --version: on stdout, exit code 0', async () => {
  const [help, version] = await Promise.all([failmask(['--help']), failmask(['--version'])]);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toMatch(/^failmask COMMAND/);
  expect(version).toMatchObject({ code: 0, stderr: '' });
});

test('a reader that left ends the command without a word', async () => {
  expect(await failmask(['--help'], true)).toEqual({ code: 1, stdout: '', stderr: '' });
});
