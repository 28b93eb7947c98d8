import { formatBytes, formatDuration } from '../core/units.ts';
import type { TraceEvent } from '../core/trace.ts';
import { textTable } from '../report/table.ts';
import { Coverage, COVERAGE, COVERAGE_NAMES } from '../sim/coverage.ts';
import { drawScenario } from '../sim/draw.ts';
import type { EndReport, SimResult } from '../sim/result.ts';
import { formatScenario } from '../sim/scenario.ts';
import { runScenario } from '../sim/world.ts';
import { CommandError, Exit } from './exit.ts';
import { Reporter } from './output.ts';
import type { SimArgs } from './sim.ts';

const MAX_SEED = 2 ** 32;

/** Throws CommandError with exit code 99 when a world broke a rule. */
export function runSim(args: SimArgs): void {
  const out = new Reporter(args);
  const coverage = new Coverage();
  let failed = 0;
  for (let i = 0; i < args.count; i++) {
    const result = runSeed((args.seed + i) % MAX_SEED, args, out);
    coverage.addAll(result.coverage);
    if (result.violations.length > 0) failed++;
    out.status(`${i + 1} of ${args.count} worlds, ${failed} with a violation`);
  }
  out.clearStatus();
  if (args.count > 1) out.result(coverageTable(coverage));
  out.json({ type: 'summary', seed: args.seed, count: args.count, failed, coverage: coverage.counts });
  if (failed > 0) throw new CommandError(`${failed} of ${args.count} worlds broke a rule`, Exit.expectationNotMet);
}

function runSeed(seed: number, args: SimArgs, out: Reporter): SimResult {
  const scenario = drawScenario(seed);
  if (args.count === 1) out.info(formatScenario(scenario));
  const onTrace = (now: number, host: string, event: TraceEvent): void => {
    out.info(formatEvent(now, host, event));
    out.json({ type: 'trace', timeMs: now, host, event });
  };
  const result = runScenario(scenario, args.trace ? { onTrace } : {});
  out.json({ type: 'world', theme: scenario.theme, ...result });
  if (args.count === 1) out.result(summary(result));
  for (const { checker, atMs, host, message } of result.violations) {
    out.result(`VIOLATION seed ${seed} at ${formatDuration(atMs)}${host === '' ? '' : ` by ${host}`}: ${checker}: ${message}`);
  }
  if (result.violations.length > 0 && args.count > 1) out.result(`replay with: failmask sim --seed ${seed} --trace`);
  return result;
}

function summary(result: SimResult): string {
  const ends = result.connections.flatMap(({ client, server }, i) => [
    formatEnd(`connection ${i}, client`, client),
    ...(server === undefined ? [`connection ${i}, server: never got there`] : [formatEnd(`connection ${i}, server`, server)]),
  ]);
  return [
    ...ends,
    `${result.datagrams} datagrams in ${formatDuration(result.endedAtMs)} of virtual time, trace ${result.traceHash}`,
    result.violations.length === 0 ? 'every checker agrees' : `${result.violations.length} violations`,
  ].join('\n');
}

function formatEnd(name: string, end: EndReport): string {
  return `${name}: ${end.outcome}, wrote ${formatBytes(end.writtenBytes)}, read ${formatBytes(end.readBytes)}, ${end.retransmissions} retransmissions`;
}

function formatEvent(now: number, host: string, event: TraceEvent): string {
  const { type, ...fields } = event;
  const text = Object.entries(fields).map(([name, value]) => (name === 'segment' ? String(value) : `${name}=${String(value)}`));
  return `${now.toFixed(3).padStart(12)} ${host.padEnd(8)} ${type.padEnd(8)} ${text.join(' ')}`;
}

function coverageTable(coverage: Coverage): string {
  return textTable(['came across', 'times', 'what'], COVERAGE_NAMES.map((name) => [name, coverage.counts[name], COVERAGE[name]])).trimEnd();
}
