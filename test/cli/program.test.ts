import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { CommandError, Exit, exitCodeOf, UsageError } from '../../src/cli/exit.ts';
import { duration, hostPort, port, size } from '../../src/cli/flags.ts';
import { runProgram, type Command } from '../../src/cli/program.ts';

let received: Record<string, unknown> | undefined;
let failure: Error | undefined;
let printed: string;

const commands: readonly Command[] = [
  {
    command: 'send <to> [file]',
    describe: 'Send',
    builder: (yargs) =>
      yargs
        .positional('to', { type: 'string', coerce: hostPort('HOST:PORT') })
        .positional('file', { type: 'string' })
        .options({
          'user-timeout': { type: 'string', default: '60s', coerce: duration('--user-timeout', 1) },
          mtu: { type: 'string', coerce: size('--mtu') },
          output: { alias: 'o', type: 'string' },
          congestion: { alias: 'C', type: 'string', default: 'newreno', choices: ['newreno', 'fixed'] },
          4: { type: 'boolean', default: false },
        }),
    handler: async (argv) => {
      received = argv;
      await Promise.resolve();
      if (failure !== undefined) throw failure;
    },
  },
  {
    command: 'recv',
    describe: 'Receive',
    builder: (yargs) => yargs.option('port', { alias: 'p', type: 'string', demandOption: true, coerce: port('--port') }),
    handler: (argv) => {
      received = argv;
      if (failure !== undefined) throw failure;
    },
  },
];

beforeEach(() => {
  received = undefined;
  failure = undefined;
  printed = '';
  const collect = (text: unknown): void => {
    printed += `${String(text)}\n`;
  };
  vi.spyOn(console, 'log').mockImplementation(collect);
  vi.spyOn(console, 'error').mockImplementation(collect);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const run = (...args: string[]): Promise<void> => runProgram(args, commands, { columns: 80 });

/** The message of the UsageError. Nothing may be printed beside it, and no handler may run. */
async function usage(...args: string[]): Promise<string> {
  const error: unknown = await run(...args).then(() => undefined, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(UsageError);
  expect(printed).toBe('');
  expect(received).toBeUndefined();
  const { message } = error as UsageError;
  expect(message).not.toContain('\n');
  return message;
}

describe('wrong usage is one line that names what is wrong and where help is', () => {
  test.each([
    [[], 'name a command (see failmask --help)'],
    [['sned', 'h:1'], 'no command "sned": did you mean send? (see failmask --help)'],
    [['frobnicate'], 'not understood: frobnicate (see failmask --help)'],
    [['send'], 'missing: to (see failmask send --help)'],
    [['recv'], 'missing: --port (see failmask recv --help)'],
    [['send', 'h:1', '--bogus'], 'not understood: --bogus (see failmask send --help)'],
    [['send', 'h:1', '-x'], 'not understood: -x (see failmask send --help)'],
    [['send', 'h:1', 'a', 'b'], 'not understood: b (see failmask send --help)'],
    [['send', 'h:1', 'a', '--', '-b'], 'not understood: -b (see failmask send --help)'],
    [['send', 'h:1', '--user-timeout', '5'], '--user-timeout: "5" is not a duration: write a number with us, ms, s or m, as in 20ms (see failmask send --help)'],
    [['send', 'h:1', '--user-timeout'], '--user-timeout needs a value (see failmask send --help)'],
    [['send', 'h:1', '--mtu', '1', '--mtu', '2'], '--mtu is given more than once (see failmask send --help)'],
    [['send', 'h:1', '-o'], '-o needs a value (see failmask send --help)'],
    [['send', 'h:1', '-C', 'bbr'], '--congestion: "bbr" is none of "newreno", "fixed" (see failmask send --help)'],
    [['send', 'h'], 'HOST:PORT: "h" is not HOST:PORT, as in 127.0.0.1:9000 or [::1]:9000 (see failmask send --help)'],
    [['recv', '-p', '70000'], '--port: "70000" is not a port: write a whole number from 0 to 65535 (see failmask recv --help)'],
    [['recv', '-p', '1', '--up.loss', '1'], 'not understood: --up.loss (see failmask recv --help)'],
  ])('%j', async (args, message) => {
    expect(await usage(...args)).toBe(message);
  });
});

test('flags reach the command parsed, with their defaults', async () => {
  await run('send', '[::1]:9000', 'file', '--mtu', '1452', '-4', '--json');
  expect(received).toMatchObject({ to: { host: '::1', port: 9000 }, file: 'file', mtu: 1452, 'user-timeout': 60_000, 4: true, json: true, quiet: false });
  await run('recv', '-p9000', '-q');
  expect(received).toMatchObject({ port: 9000, json: false, quiet: true });
});

test('a lone dash is a word everywhere', async () => {
  await run('send', 'h:1', '-', '--output', '-');
  expect(received).toMatchObject({ file: '-', output: '-' });
  await run('send', '-4', 'h:1', '-o', '-', '--', '-');
  expect(received).toMatchObject({ file: '-', output: '-' });
});

test('words stay words', async () => {
  await run('send', 'h:1', '007');
  expect(received).toMatchObject({ file: '007' });
});

test.each(['send', 'recv'])("the error of %s's handler arrives as it is, unprinted", async (command) => {
  failure = Object.assign(new Error('peer sent RST'), { code: 'ECONNRESET', details: { established: true } });
  const error: unknown = await run(command, ...(command === 'send' ? ['h:1'] : ['-p', '1'])).catch((reason: unknown) => reason);
  expect(error).toBe(failure);
  expect(exitCodeOf(error)).toBe(4);
  failure = new CommandError('', Exit.interrupted);
  await expect(run('send', 'h:1')).rejects.toBe(failure);
  expect(printed).toBe('');
});

test('--help lists commands, examples and exit codes; the help of a command lists what works everywhere last', async () => {
  await run('--help');
  for (const text of ['failmask send <to> [file]', 'Exit codes: 0 done', 'failmask demo']) expect(printed).toContain(text);
  expect(Math.max(...printed.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  printed = '';
  await run('send', '--help');
  const groups = ['Positionals:', 'Options:', 'Everywhere:'].map((group) => printed.indexOf(group));
  expect(groups.every((at) => at > 0)).toBe(true);
  expect(groups).toEqual([...groups].sort((a, b) => a - b));
  expect(received).toBeUndefined();
});

test('--version is the version of the package', async () => {
  await run('--version');
  expect(printed).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('completion knows commands and flags', async () => {
  await run('completion');
  expect(printed).toContain('failmask');
  printed = '';
  await run('--get-yargs-completions', 'failmask', 's');
  expect(printed).toContain('send');
  printed = '';
  await run('--get-yargs-completions', 'failmask', 'send', '--u');
  expect(printed).toContain('--user-timeout');
});
