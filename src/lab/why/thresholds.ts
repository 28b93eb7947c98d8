import { majorityOf, neededOf, traitsOf } from '../../group/modes.ts';
import { ARRANGEMENTS, modeOf, type Arrangement } from './arrangements.ts';
import { subsets } from './subsets.ts';
import { runThreshold, worse, type CellVerdict, type ThresholdCase, type ThresholdFault } from './threshold-run.ts';

/** What is wrong with which members. Where one member orders and is believed, it matters whether it is among them. */
export const CELL_FAULTS = ['crash', 'wrong-value:colluding', 'wrong-value:independent', 'two-faced', 'two-faced:leader', 'two-faced:non-leader'] as const;
export type CellFault = (typeof CELL_FAULTS)[number];

/** One cell: the worst of all placements of f faulty members among n. */
export interface ThresholdRow {
  readonly mode: string;
  readonly fault: string;
  readonly n: number;
  readonly f: number;
  /** Theory: masked up to so many faulty members, and not beyond. */
  readonly threshold: number;
  readonly verdict: CellVerdict;
  readonly runs: number;
  readonly seed: number;
  /** Its runs are placements that were counted: nothing was run. */
  readonly isCounted?: true;
}

export interface Cell extends ThresholdRow {
  readonly mode: Arrangement;
  readonly fault: CellFault;
  /** What theory says that the worst is. */
  readonly expected: readonly CellVerdict[];
  /** A run with that verdict. */
  readonly example: ThresholdCase;
}

/** Where members lie to each other, their timing matters: each placement is run with so many seeds. */
const SEEDS_OF_LIARS = 2;
/** In a fair beginning, the first member of the first view leads. */
const LEADER = 0;

export function faultsOf(mode: Arrangement): CellFault[] {
  return CELL_FAULTS.filter((fault) => (mode === 'sequencer' ? fault !== 'two-faced' : !fault.startsWith('two-faced:')));
}

/** Largest number of faulty members that are masked wherever they sit (4-replication, the expected frontier). */
export function thresholdOf(mode: Arrangement, fault: CellFault, members: number): number {
  const masked = members - neededOf(modeOf(mode), members);
  if (fault === 'crash') return masked;
  return isVoted(mode) && fault !== 'two-faced' && fault !== 'two-faced:leader' ? masked : 0;
}

/** Masked up to the threshold; what comes beyond, where theory knows. */
export function expectedVerdicts(mode: Arrangement, fault: CellFault, n: number, f: number): readonly CellVerdict[] {
  if (f <= thresholdOf(mode, fault, n)) return ['M'];
  // Too few are left, and they know it.
  if (fault === 'crash') return ['D'];
  if (!isVoted(mode)) return ['W'];
  // Order is broken: honest members contradict each other. Whether enough of them and of the liars agree is chance.
  if (fault === 'two-faced' || fault === 'two-faced:leader') return ['D', 'W'];
  // Who agrees with nobody is no majority, unless he is alone; k against k is none either; k+1 that lie alike are one.
  if (fault === 'wrong-value:independent') return n === 1 ? ['W'] : ['D'];
  return f < majorityOf(n) ? ['D'] : ['W'];
}

/** A cell is as theory says. */
export function isAsExpected({ verdict, expected }: Cell): boolean {
  return expected.includes(verdict);
}

/** Every arrangement, every fault, all n up to `maxMembers`, all f ≤ n, all placements. Calls back with each cell as it is known. */
export function* thresholds(maxMembers: number, seed: number): Iterable<Cell> {
  for (const mode of ARRANGEMENTS) {
    for (const fault of faultsOf(mode)) {
      for (let n = 1; n <= maxMembers; n++) {
        for (let f = 0; f <= n; f++) {
          const cell = cellOf(mode, fault, n, f, seed);
          if (cell !== undefined) yield cell;
        }
      }
    }
  }
}

/** Undefined where there is no such placement. */
export function cellOf(mode: Arrangement, fault: CellFault, n: number, f: number, seed: number): Cell | undefined {
  let verdict: CellVerdict = 'M';
  let example: ThresholdCase | undefined;
  let runs = 0;
  for (const faulty of subsets(n, f)) {
    if (fault === 'two-faced:leader' && f > 0 && !faulty.includes(LEADER)) continue;
    if (fault === 'two-faced:non-leader' && faulty.includes(LEADER)) continue;
    const runFault: ThresholdFault = fault === 'two-faced:leader' || fault === 'two-faced:non-leader' ? 'two-faced' : fault;
    for (let i = 0; i < (runFault === 'two-faced' ? SEEDS_OF_LIARS : 1); i++) {
      const run: ThresholdCase = { arrangement: mode, fault: runFault, members: n, faulty, seed: seed + i };
      const own = runThreshold(run);
      runs++;
      if (example === undefined || worse(verdict, own) !== verdict) example = run;
      verdict = worse(verdict, own);
    }
  }
  if (example === undefined) return undefined;
  return { mode, fault, n, f, threshold: thresholdOf(mode, fault, n), verdict, runs, seed, expected: expectedVerdicts(mode, fault, n, f), example };
}

function isVoted(mode: Arrangement): boolean {
  return traitsOf(modeOf(mode)).needs === 'votes';
}
