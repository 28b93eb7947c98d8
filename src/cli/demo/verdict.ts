import { Exit } from '../exit.ts';

/** What whoever uses the system observes; the classes of failmask's failure table. */
export type Verdict =
  /** As if nothing had happened. */
  | 'masked'
  /** Nothing wrong was accepted, and an error said so in time. */
  | 'detected'
  /** Neither an answer nor an error in time. */
  | 'hung'
  /** Something missing or different was taken for right. */
  | 'wrong'
  /** The fault did not really hit: nothing is shown. */
  | 'void';

/** What was seen of one transfer, from outside. */
export interface Observation {
  /** Of the file that was sent. */
  readonly sha256: string;
  /** Of the sender; undefined: it had not ended by the deadline. */
  readonly exitCode: number | undefined;
  /** Of every file that a receiver presents as complete. */
  readonly delivered: readonly string[];
  /** Receivers that the sender says have the file. */
  readonly counted: number;
  /** How often each fault hit, by its name; all must be above 0. */
  readonly hits: Readonly<Record<string, number>>;
}

export interface Expectation {
  readonly verdict: Verdict;
  /** Of the sender. */
  readonly exitCode: number;
}

/** From what was seen alone, whatever was expected. */
export function judge({ sha256, exitCode, delivered, counted, hits }: Observation): Verdict {
  const faults = Object.values(hits);
  if (delivered.some((digest) => digest !== sha256)) return 'wrong';
  if (exitCode === Exit.done && delivered.length < Math.max(1, counted)) return 'wrong';
  if (faults.length === 0 || faults.some((count) => !(count > 0))) return 'void';
  if (exitCode === undefined) return 'hung';
  return exitCode === Exit.done ? 'masked' : 'detected';
}

/** Why the run is not what theory says; undefined when it is. */
export function disagreement(observation: Observation, expected: Expectation): string | undefined {
  const verdict = judge(observation);
  if (verdict === 'void') {
    const missed = Object.entries(observation.hits).filter(([, count]) => !(count > 0)).map(([name]) => name);
    return `void: no fault hit (${missed.join(', ') || 'none was counted'})`;
  }
  if (verdict !== expected.verdict) return `${verdict} instead of ${expected.verdict}`;
  if (observation.exitCode !== expected.exitCode) return `the sender's exit code is ${String(observation.exitCode)} instead of ${expected.exitCode}`;
  return undefined;
}
