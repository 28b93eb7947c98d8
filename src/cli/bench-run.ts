import { accessSync, constants, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { formatProbability } from '../core/units.ts';
import { describeEnvironment, environmentObject } from '../lab/environment.ts';
import { defaultPlan, measureGoodput, summarizeGoodput, type GoodputPlan } from '../lab/goodput.ts';
import { goodputName, goodputResultTable, goodputRowObject, runObject } from '../lab/goodput-report.ts';
import { measureSweep, recap, simulateSweep, type OnCell } from '../lab/loss-benchmark.ts';
import {
  agreementTable, cellObject, completionTable, contestantName, describeSweep, goodputPlot, goodputTable, overheadPlot, overheadTable, rowObject, sweepObject, WHERE_NAMES,
  type Where,
} from '../lab/loss-report.ts';
import { DEFAULT_LINK, fitToLink, seedsFrom, summarize, type LossCell, type LossSweep } from '../lab/loss-sweep.ts';
import { markdownTable, textTable } from '../report/table.ts';
import type { GoodputArgs, LossArgs } from './bench.ts';
import { Exit } from './exit.ts';
import { Reporter } from './output.ts';
import { onInterrupt } from './signals.ts';

const SIZE_BYTES = 8 << 20;
/** Real time is dear: fewer loss rates and seeds there, and slow transfers are stopped soon. */
const DEFAULTS = {
  simulator: { losses: [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4], seeds: 10, sizeBytes: SIZE_BYTES, capMs: 60_000 },
  sockets: { losses: [0, 0.01, 0.05, 0.2, 0.4], seeds: 1, sizeBytes: SIZE_BYTES, capMs: 3000 },
  quick: { losses: [0, 0.1], seeds: 1, sizeBytes: 512 * 1024, capMs: 5000 },
} as const;

/** What a benchmark leaves behind: objects as JSON Lines (and on stdout under --json), tables for people, files in --out. */
class Results {
  readonly reporter: Reporter;
  readonly environment = environmentObject();
  readonly #out: string | undefined;
  readonly #lines: string[] = [];
  readonly #markdown: string[] = [];

  constructor(args: { json: boolean; quiet: boolean; out: string | undefined }) {
    this.reporter = new Reporter(args);
    this.#out = args.out;
    // Before minutes of measuring, not after them.
    if (args.out !== undefined) prepareDirectory(args.out);
  }

  object(object: Record<string, unknown>): void {
    this.reporter.json(object);
    this.#lines.push(`${JSON.stringify(object)}\n`);
  }

  /** `render` draws the same table as text and as Markdown. */
  table(title: string, render: (write: typeof textTable) => string): void {
    this.reporter.result(`\n${title}\n${render(textTable).trimEnd()}`);
    this.#markdown.push(`**${title}**\n\n${render(markdownTable)}`);
  }

  note(text: string): void {
    this.reporter.result(text);
    this.#markdown.push(`${text}\n`);
  }

  file(name: string, content: string): void {
    if (this.#out === undefined) return;
    writeFileSync(join(this.#out, name), content);
    this.reporter.info(`wrote ${join(this.#out, name)}`);
  }

  close(name: string): void {
    this.file(`${name}.jsonl`, this.#lines.join(''));
    this.file(`${name}.md`, this.#markdown.join('\n'));
  }

  /** A line that is replaced on a terminal, and printed once in a while elsewhere. */
  progress(text: string): void {
    if (this.reporter.isInteractive) this.reporter.status(text.slice(0, this.reporter.columns - 1));
    else this.reporter.info(text);
  }
}

/** Makes the directory unless it is there; its parent must be. Throws the system's error when no file can be written there. */
function prepareDirectory(path: string): void {
  // Not `recursive`: where the system says ENOENT for want of a better word, as /proc does, Node would try for ever.
  if (statSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path);
  if (!statSync(path).isDirectory()) throw new Error(`${path} is not a directory`);
  accessSync(path, constants.W_OK);
}

/** Child processes die with this one. */
function endAtInterrupt(): () => void {
  return onInterrupt(() => process.exit(Exit.interrupted));
}

export async function runGoodput(args: GoodputArgs): Promise<void> {
  const stopListening = endAtInterrupt();
  const results = new Results(args);
  const plan: GoodputPlan = args.quick
    ? { ...defaultPlan(args.rounds ?? 1), warmUpMs: 50, measureMs: 100 }
    : defaultPlan(args.rounds ?? 3);
  results.object({ type: 'header', benchmark: 'goodput', ...results.environment, rounds: plan.rounds, warm_up_ms: plan.warmUpMs, measure_ms: plan.measureMs });
  results.reporter.info(describeEnvironment(results.environment));
  const runs = await measureGoodput(plan, (run, done, total) => {
    results.object(runObject(run));
    const { contestant, bytesPerSecond } = run;
    const size = contestant.mtuBytes === 0 ? '' : `, datagrams of ${contestant.mtuBytes}`;
    results.progress(`${done}/${total}  ${goodputName(contestant)}${size}: ${(bytesPerSecond / 1e6).toFixed(0)} MB/s`);
  });
  const rows = summarizeGoodput(plan, runs);
  for (const row of rows) results.object(goodputRowObject(row));
  results.table(`Goodput on loopback, no loss; median (range) of ${plan.rounds} rounds`, (write) => goodputResultTable(rows, write));
  results.note(
    `${describeEnvironment(results.environment)}. Kernel TCP uses ${String(results.environment['kernel_congestion_control'])}. ` +
      'plain dgram has no protocol, only a window of credit. Kernel drops count for the whole machine.',
  );
  results.close('goodput');
  stopListening();
}

/** The sweep that the flags ask for. */
export function sweepOf(args: LossArgs, where: Where): LossSweep {
  const defaults = DEFAULTS[args.quick ? 'quick' : where];
  const link = { ...DEFAULT_LINK, rateBitsPerSecond: args.rate ?? DEFAULT_LINK.rateBitsPerSecond, rttMs: args.rtt ?? DEFAULT_LINK.rttMs };
  return {
    ...link,
    ...fitToLink(link),
    lossProbabilities: args.loss ?? defaults.losses,
    seeds: seedsFrom(args.seed, args.seeds ?? defaults.seeds),
    sizeBytes: args.size ?? defaults.sizeBytes,
    capMs: args.cap ?? defaults.capMs,
  };
}

export async function runLoss(args: LossArgs): Promise<void> {
  const stopListening = endAtInterrupt();
  const results = new Results(args);
  const simulatorSweep = sweepOf(args, 'simulator');
  const socketSweep = sweepOf(args, 'sockets');
  results.object({ type: 'header', benchmark: 'loss', ...results.environment, simulator: sweepObject(simulatorSweep), sockets: sweepObject(socketSweep) });
  results.reporter.info(describeEnvironment(results.environment));
  const simulated = args.where === 'sockets' ? [] : await run('simulator', simulatorSweep, results, simulateSweep);
  const real = args.where === 'simulator' ? [] : await run('sockets', socketSweep, results, measureSweep);
  if (simulated.length > 0) present('simulator', simulatorSweep, simulated, results);
  if (real.length > 0) present('sockets', socketSweep, real, results);
  if (simulated.length > 0 && real.length > 0) presentAgreement(socketSweep, simulated, real, results);
  results.close('loss');
  stopListening();
}

async function run(where: Where, sweep: LossSweep, results: Results, measure: (sweep: LossSweep, onCell: OnCell) => Promise<LossCell[]>): Promise<LossCell[]> {
  results.reporter.info(`\n${WHERE_NAMES[where]}: ${describeSweep(sweep)}`);
  const every = where === 'sockets' || results.reporter.isInteractive ? 1 : sweep.contestants.length * sweep.lossProbabilities.length;
  const cells = await measure(sweep, (_where, cell, done, total) => {
    if (done % every !== 0) return;
    const outcome = cell.isFinished ? `${(cell.elapsedMs / 1000).toFixed(2)} s` : `${((cell.usefulBytes / sweep.sizeBytes) * 100).toFixed(1)} % arrived`;
    results.progress(`${done}/${total}  ${contestantName(cell.contestant)} at ${formatProbability(cell.lossProbability)}: ${outcome}`);
  });
  results.reporter.clearStatus();
  for (const cell of cells) results.object(cellObject(where, cell));
  for (const row of summarize(sweep, cells)) results.object(rowObject(where, row));
  for (const { contestant, lossProbability, seed, violations } of cells) {
    for (const violation of violations) results.reporter.warn(`${contestant} at ${formatProbability(lossProbability)}, seed ${seed}: ${violation}`);
  }
  return cells;
}

function present(where: Where, sweep: LossSweep, cells: readonly LossCell[], results: Results): void {
  const rows = summarize(sweep, cells);
  const title = (what: string): string => `${what}, ${WHERE_NAMES[where]}`;
  results.table(title('Goodput, Mbit/s'), (write) => goodputTable(sweep, rows, write));
  results.table(title('Completion time'), (write) => completionTable(sweep, rows, write));
  results.table(title('Bytes sent ÷ bytes delivered'), (write) => overheadTable(sweep, rows, write));
  results.note(`${describeSweep(sweep)}. Median (range). Plain UDP sends each datagram once, at the rate of the line; what is lost stays lost. ` +
    'Of a transfer that was stopped, bytes sent are divided by bytes sent at least once.');
  const { environment } = results;
  const notes = [where === 'simulator' ? `failmask ${String(environment['version'])} at ${String(environment['commit'])}.` : `${describeEnvironment(environment)}.`];
  const suffix = where === 'simulator' ? '' : '-sockets';
  results.file(`loss${suffix}.svg`, goodputPlot(sweep, cells, where, notes));
  results.file(`loss-overhead${suffix}.svg`, overheadPlot(sweep, cells, where, notes));
}

/** Both under the cap of the sockets. */
function presentAgreement(sweep: LossSweep, simulated: readonly LossCell[], real: readonly LossCell[], results: Results): void {
  const comparable = recap(sweep, simulated);
  results.table('Simulator and real sockets', (write) => agreementTable(sweep, comparable, real, write));
  results.note(
    `Goodput in Mbit/s; both stopped after ${sweep.capMs / 1000} s, and then compared by what had arrived. A seed does not lose the same datagrams in both: ` +
      'compare with the range.',
  );
}
