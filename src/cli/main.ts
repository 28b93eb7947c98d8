#!/usr/bin/env node
/**
 * cli: the command `failmask`. One module a command; flags, exit codes, progress and output in their own. It decides nothing about protocols,
 * and nobody imports it.
 */
import { exitWithParent } from '../net/supervisor.ts';
import { commands } from './commands.ts';
import { describeError, Exit, exitCodeOf } from './exit.ts';
import { runProgram } from './program.ts';

/** One line and the exit code at once: sockets and timers of a failed command must not keep the process. Writing to stderr is synchronous. */
function fail(error: unknown): never {
  const message = describeError(error);
  if (message !== '') process.stderr.write(`failmask: ${message}\n`);
  if (process.env['FAILMASK_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exit(exitCodeOf(error));
}

/** A reader that left (`failmask … | head`) ends the command quietly. */
function endOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(Exit.runtimeError);
  fail(error);
}

process.stdout.on('error', endOnBrokenPipe);
// Nobody is left to tell.
process.stderr.on('error', () => {});
process.on('uncaughtException', fail);

exitWithParent();
await runProgram(process.argv.slice(2), commands).catch(fail);
