/**
 * `npm run bench`: all benchmarks, with their results in bench/out. Flags are those that all of them have: `npm run bench -- --quick`.
 * The measuring itself is the package's own: `failmask bench`.
 */
import { fileURLToPath } from 'node:url';

import { commands } from '../src/cli/commands.ts';
import { describeError, exitCodeOf } from '../src/cli/exit.ts';
import { runProgram } from '../src/cli/program.ts';
import { exitWithParent } from '../src/net/supervisor.ts';

const BENCHMARKS = ['goodput', 'loss'];
const OUT = fileURLToPath(new URL('out', import.meta.url));

exitWithParent();
try {
  for (const benchmark of BENCHMARKS) await runProgram(['bench', benchmark, '--out', OUT, ...process.argv.slice(2)], commands);
} catch (error) {
  process.stderr.write(`bench: ${describeError(error)}\n`);
  process.exit(exitCodeOf(error));
}
