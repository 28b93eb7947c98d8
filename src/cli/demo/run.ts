import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { createRandom } from '../../core/random.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import { makeTempDirectory } from '../../net/temp-directory.ts';
import { displayWidth, textTable } from '../../report/table.ts';
import type { DemoArgs } from '../demo.ts';
import { CommandError, Exit } from '../exit.ts';
import { makePaint, Reporter, type Paint } from '../output.ts';
import { onInterrupt } from '../signals.ts';
import { crashAndRestart, unmaskedCrash } from './crash.ts';
import { crashMaskedByGroup, crashOfWholeGroup } from './group-crash.ts';
import { maskedOmission } from './omission.ts';
import { Stage, type Setting, type StepResult } from './stage.ts';
import { disagreement, judge } from './verdict.ts';

/** Passed to every sender: short, so that a crash shows in seconds. The default of failmask is 60 s. */
const USER_TIMEOUT_MS = 3000;
const CHUNK_BYTES = 1024 * 1024;

const STEPS: readonly ((stage: Stage) => Promise<StepResult>)[] = [
  maskedOmission, unmaskedCrash, crashAndRestart, crashMaskedByGroup, crashOfWholeGroup,
];

/** Runs all parts, then the table. Throws a CommandError with exit code 99 if a verdict is not what theory says. */
export async function runDemo(args: DemoArgs): Promise<void> {
  const reporter = new Reporter(args);
  const paint = makePaint(process.stderr);
  const startedAt = performance.now();
  const directory = await makeTempDirectory('failmask-demo-');
  // Children and the directory go with the process.
  const stopListening = onInterrupt(() => {
    reporter.clearStatus();
    process.exit(Exit.interrupted);
  });
  try {
    const setting: Setting = {
      seed: args.seed, loss: args.loss, userTimeoutMs: USER_TIMEOUT_MS,
      ...(args.file === undefined ? await writeRandomFile(join(directory.path, 'file'), args.size, args.seed) : await readFile(args.file)),
    };
    introduce(reporter, paint, setting, args.file);
    const stage = new Stage(setting, directory.path, reporter, paint);
    const results: StepResult[] = [];
    for (const step of STEPS) {
      const result = await step(stage);
      reportStep(reporter, paint, result);
      results.push(result);
    }
    conclude(reporter, results, (performance.now() - startedAt) / 1000);
  } finally {
    stopListening();
    directory.remove();
  }
}

function introduce(reporter: Reporter, paint: Paint, setting: Setting, file: string | undefined): void {
  const { seed, bytes, sha256, userTimeoutMs } = setting;
  reporter.info(paint('bold', 'What TCP masks, what it cannot, and what a group adds'));
  reporter.info(`FILE: ${formatBytes(bytes)}${file === undefined ? ` of random bytes from seed ${seed}` : ` from ${file}`}, sha256 ${sha256.slice(0, 16)}…`);
  reporter.info(`Every sender passes --user-timeout ${formatDuration(userTimeoutMs)} (default: 60s). Each part can be repeated by hand.`);
  reporter.json({ type: 'setting', seed, loss: setting.loss, bytes, sha256, user_timeout_ms: userTimeoutMs });
}

function reportStep(reporter: Reporter, paint: Paint, result: StepResult): void {
  const { observation, expected } = result;
  const verdict = judge(observation);
  const problem = disagreement(observation, expected);
  const label = verdict === 'detected' ? 'NOT MASKED, detected' : verdict.toUpperCase();
  reporter.info(`  ${paint(problem === undefined ? 'green' : 'red', problem ?? label)}`);
  reporter.json({
    type: 'step', failure: result.failure, mechanism: result.mechanism, verdict, expected: expected.verdict,
    exit_code: observation.exitCode ?? null, expected_exit_code: expected.exitCode, hits: observation.hits, evidence: result.evidence, agrees: problem === undefined,
  });
}

function conclude(reporter: Reporter, results: readonly StepResult[], seconds: number): void {
  const problems = results.flatMap(({ failure, observation, expected }) => {
    const problem = disagreement(observation, expected);
    return problem === undefined ? [] : [`${failure}: ${problem}`];
  });
  reporter.result(`\n${summaryTable(results, reporter.isInteractive ? reporter.columns : Infinity)}`);
  reporter.json({ type: 'summary', seconds, steps: results.length, agrees: problems.length === 0, problems });
  if (problems.length > 0) throw new CommandError(problems.join('; '), Exit.expectationNotMet);
  reporter.result(`All verdicts are what theory says. ${seconds.toFixed(1)} s.`);
}

/** Where the table is wider than the terminal, the evidence moves below. */
function summaryTable(results: readonly StepResult[], columns: number): string {
  const rows = results.map(({ failure, mechanism, observation, expected, evidence }) => [
    failure, mechanism, judge(observation), expected.verdict, evidence,
  ]);
  const table = textTable(['failure', 'mechanism', 'verdict', 'expected', 'evidence'], rows);
  if (table.split('\n').every((line) => displayWidth(line) < columns)) return table;
  const narrow = textTable(['failure', 'verdict', 'expected'], rows.map(([failure, , verdict, expected]) => [failure!, verdict!, expected!]));
  return `${narrow}\n${rows.map(([failure, mechanism, , , evidence]) => `${failure}\n  ${mechanism}; ${evidence}\n`).join('')}`;
}

/** Random bytes, the same for the same seed on every machine. */
async function writeRandomFile(path: string, bytes: number, seed: number): Promise<Pick<Setting, 'file' | 'bytes' | 'sha256'>> {
  const random = createRandom(seed).fork('file');
  const hash = createHash('sha256');
  const handle = await open(path, 'w');
  try {
    for (let left = bytes; left > 0; left -= CHUNK_BYTES) {
      const chunk = Buffer.alloc(Math.min(left, CHUNK_BYTES));
      for (let i = 0; i + 4 <= chunk.length; i += 4) chunk.writeUInt32LE(random.uint32(), i);
      hash.update(chunk);
      await handle.write(chunk);
    }
  } finally {
    await handle.close();
  }
  return { file: path, bytes, sha256: hash.digest('hex') };
}

async function readFile(file: string): Promise<Pick<Setting, 'file' | 'bytes' | 'sha256'>> {
  const status = await stat(file);
  if (!status.isFile()) throw new Error(`${file} is not a regular file`);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) hash.update(chunk);
  return { file: resolve(file), bytes: status.size, sha256: hash.digest('hex') };
}
