import { MODES, majorityOf, type Mode } from '../../group/modes.ts';
import { subsets } from './subsets.ts';
import { runThreshold, THRESHOLD_FAULTS, worse, type CellVerdict, type ThresholdFault } from './threshold-run.ts';

/** One cell: the worst of all placements of f faulty members among n. */
export interface ThresholdRow {
  readonly mode: Mode;
  readonly fault: ThresholdFault;
  readonly n: number;
  readonly f: number;
  /** Theory: masked up to so many faulty members, and not beyond. */
  readonly threshold: number;
  readonly verdict: CellVerdict;
  readonly runs: number;
  readonly seed: number;
  /** A run with that verdict. */
  readonly story: readonly string[];
}

/** Largest number of faulty members that are masked wherever they sit. */
export function thresholdOf(mode: Mode, fault: ThresholdFault, members: number): number {
  const k = members - majorityOf(members);
  const isVoted = mode === 'sequencer' || mode === 'active';
  if (fault !== 'crash') return isVoted ? k : 0;
  return mode === 'primary-backup' ? members - 1 : k;
}

/** Every mode, every fault, all n up to `maxMembers`, all f ≤ n, all placements. Calls back with each cell as it is known. */
export function* thresholds(maxMembers: number, seed: number, modes: readonly Mode[] = MODES): Iterable<ThresholdRow> {
  for (const mode of modes) {
    for (const fault of THRESHOLD_FAULTS) {
      for (let n = 1; n <= maxMembers; n++) {
        for (let f = 0; f <= n; f++) yield cell(mode, fault, n, f, seed);
      }
    }
  }
}

/** A cell is as theory says: masked exactly up to the threshold. */
export function isAsExpected({ f, threshold, verdict }: ThresholdRow): boolean {
  return (verdict === 'M') === (f <= threshold);
}

function cell(mode: Mode, fault: ThresholdFault, n: number, f: number, seed: number): ThresholdRow {
  let verdict: CellVerdict = 'M';
  let story: readonly string[] = [];
  let runs = 0;
  for (const faulty of subsets(n, f)) {
    const run = runThreshold({ mode, fault, members: n, faulty, seed });
    runs++;
    if (story.length === 0 || worse(verdict, run.verdict) !== verdict) story = run.story;
    verdict = worse(verdict, run.verdict);
  }
  return { mode, fault, n, f, threshold: thresholdOf(mode, fault, n), verdict, runs, seed, story };
}
