import { traitsOf } from '../group/modes.ts';
import { LogFile } from '../net/log-file.ts';
import { textTable } from '../report/table.ts';
import type { Violation } from '../sim/verdict.ts';
import { CommandError, Exit, UsageError } from './exit.ts';
import { Reporter } from './output.ts';
import { GroupSeeds } from './sim-group.ts';
import { TransportSeeds } from './sim-transport.ts';
import type { SimArgs } from './sim.ts';

const MAX_SEED = 2 ** 32;

/** Worlds of one kind. */
export interface Seeds {
  /** Runs one, reports it, and returns what it came to. */
  run(seed: number): { readonly violations: readonly Violation[]; readonly traceHash: string };
  /** How often each thing was come across, by name, and what the names mean. */
  readonly coverage: Readonly<Record<string, number>>;
  readonly meanings: Readonly<Record<string, string>>;
}

/** Throws CommandError with exit code 99 when a world broke a rule. */
export function runSim(args: SimArgs): void {
  const { seed, count, group, detector, log, shiviz } = args;
  if (shiviz !== undefined && group === undefined) throw new UsageError('--shiviz: a transport has no members to draw; add --group MODE');
  if (detector !== undefined && (group === undefined || !traitsOf(group).hasViews)) throw new UsageError('--detector: for groups with views; add --group primary-backup, sequencer or active');
  if (count > 1 && (log ?? shiviz) !== undefined) throw new UsageError(`--${log === undefined ? 'shiviz' : 'log'}: the events of one world, not of ${count}`);
  const out = new Reporter(args);
  const file = log === undefined ? undefined : new LogFile(log, (message) => out.warn(message));
  const seeds: Seeds = group === undefined ? new TransportSeeds(args, out, file) : new GroupSeeds(group, args, out, file);
  const startMs = performance.now();
  const hashes = new Set<string>();
  let failed = 0;
  for (let i = 0; i < count; i++) {
    const { violations, traceHash } = seeds.run((seed + i) % MAX_SEED);
    hashes.add(traceHash);
    if (violations.length > 0) failed++;
    out.status(`${i + 1} of ${count} worlds, ${failed} with a violation`);
  }
  out.clearStatus();
  file?.close();
  const seconds = (performance.now() - startMs) / 1000;
  const perSecond = (count / seconds).toFixed(1);
  if (count > 1) out.result(`${coverageTable(seeds)}\n${count} worlds, ${failed} with a violation, ${hashes.size} different runs, ${seconds.toFixed(1)} s, ${perSecond} worlds/s`);
  out.json({ type: 'summary', ...(group === undefined ? {} : { mode: group }), seed, count, failed, different: hashes.size, seconds, coverage: seeds.coverage });
  if (failed > 0) throw new CommandError(`${failed} of ${count} worlds broke a rule`, Exit.expectationNotMet);
}

function coverageTable({ coverage, meanings }: Seeds): string {
  return textTable(['came across', 'times', 'what'], Object.entries(meanings).map(([name, what]) => [name, coverage[name] ?? 0, what])).trimEnd();
}
