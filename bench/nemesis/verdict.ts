import { formatDuration } from '../../src/core/units.ts';
import type { HistoryEvent } from '../../src/group/history.ts';
import { traitsOf, type Mode } from '../../src/group/modes.ts';
import { survivalChecks, workloadChecks, type Check } from '../../src/lab/load/load-checks.ts';
import { inFlightAt, summarizeLoad, unavailableAfter } from '../../src/lab/load/load-report.ts';
import { textTable } from '../../src/report/table.ts';
import { checkLinearizability } from '../../src/sim/linearizability.ts';
import { isForGood, type Fault } from './faults.ts';

/** After a fault, some client must succeed within this. */
const RECOVERY_MS = 10_000;
const CAS_SHARE = 0.25;

/** refused: the checker must find the history impossible. unnoticed: and nobody in the group, nor any client, may have noticed. */
export const EXPECTATIONS = ['linearizable', 'refused', 'unnoticed'] as const;
export type Expectation = (typeof EXPECTATIONS)[number];

export interface Run {
  readonly mode: Mode;
  /** Of the group at its beginning. */
  readonly size: number;
  readonly expect: Expectation;
  /** What the clients of the load saw. */
  readonly history: readonly HistoryEvent[];
  /** Reads of every key, when all work was over. */
  readonly lastReads: readonly HistoryEvent[];
  readonly faults: readonly Fault[];
  /** When the history begins, since 1970. */
  readonly startMs: number;
  readonly keys: number;
  readonly rotateAfter: number;
  /** Operations that must be answered. */
  readonly answers: number;
  /** Each fault had to find a group that had recovered from the one before. */
  readonly isOneAtATime: boolean;
  /** At the end. */
  readonly members: readonly string[];
  /** What members and balancers say is wrong, at the end. */
  readonly complaints: readonly string[];
}

/** Prints what happened, and what had to. Returns whether all of it did. */
export function judge(run: Run): boolean {
  const { mode, expect, history, faults, complaints } = run;
  const struck = faults.map((fault) => ({ ...fault, at: fault.epochMs - run.startMs })).map((fault) => ({
    ...fault, goneMs: unavailableAfter(history, fault.at), inFlight: inFlightAt(history, fault.at),
  }));
  if (struck.length > 0) {
    console.log(textTable(['at', 'fault', 'on', 'leader', 'term or view', 'in flight', 'no answer for'], struck.map((fault) => [
      `${(fault.at / 1000).toFixed(1)} s`, fault.kind, fault.victim, fault.isLeader ? 'yes' : '', terms(fault), String(fault.inFlight), gap(fault.goneMs),
    ])));
    console.log(`no answer for: leader faults ${spread(struck.filter(({ isLeader }) => isLeader))}; others ${spread(struck.filter(({ isLeader }) => !isLeader))}`);
  }
  const summary = summarizeLoad(history);
  console.log(`${summary.ok} answered, ${summary.notExecuted} not executed, ${summary.unknown} unknown in ${summary.seconds.toFixed(1)} s: ${summary.perSecond.toFixed(0)} a second, `
    + `p50 ${formatDuration(summary.p50Ms)}, p99 ${formatDuration(summary.p99Ms)}`);
  const isOrdered = traitsOf(mode).isOrdered;
  const leaderFaults = struck.filter(({ isLeader }) => isLeader).length;
  const checks: Check[] = [
    verdictOf(run),
    ...(expect === 'linearizable' ? survivalChecks([...history, ...run.lastReads]) : []),
    ...workloadChecks(history, { keys: run.keys, rotateAfter: run.rotateAfter, casShare: isOrdered ? CAS_SHARE : 0 }),
    atLeast('operations answered', summary.ok, run.answers),
    ...(struck.length === 0 ? [] : [
      atLeast('operations in flight at each fault', Math.min(...struck.map(({ inFlight }) => inFlight)), 1),
      { name: `an answer after each fault within ${formatDuration(RECOVERY_MS)}`, found: gap(Math.max(...struck.map(({ goneMs }) => goneMs))), isMet: struck.every(({ goneMs }) => goneMs <= RECOVERY_MS) },
      ...(!run.isOneAtATime ? [] : [{ name: 'all members serve before each fault', found: `${struck.filter(({ wasWhole }) => wasWhole).length} of ${struck.length}`, isMet: struck.every(({ wasWhole }) => wasWhole) }]),
      // Where nobody leads there is none to hit.
      ...(mode === 'quorum' ? [] : [{ name: 'faults on the leader of the moment: at least half', found: `${leaderFaults} of ${struck.length}`, isMet: leaderFaults * 2 >= struck.length }]),
    ]),
    ...replacements(run),
    ...(expect === 'unnoticed' ? [
      { name: 'noticed by members and balancers: nothing', found: complaints.join('; ') || 'nothing', isMet: complaints.length === 0 },
      { name: 'noticed by clients: nothing', found: `${summary.notExecuted + summary.unknown} errors`, isMet: summary.notExecuted + summary.unknown === 0 },
    ] : []),
  ];
  console.log(textTable(['what must be shown', 'found', ''], checks.map(({ name, found, isMet }) => [name, found, isMet ? 'yes' : 'NO'])));
  return checks.every(({ isMet }) => isMet);
}

/** New members have new numbers, counted on from the first members. */
function replacements({ faults, members, size }: Run): Check[] {
  const victims = faults.filter(({ kind }) => isForGood(kind)).map(({ victim }) => victim);
  if (victims.length === 0) return [];
  const started = Math.max(...members.map((id) => Number(id.slice(1)))) - size;
  const isMet = members.length === size && started === victims.length && !members.some((id) => victims.includes(id));
  return [{ name: 'members that failed for good, replaced once each', found: `${started} new for ${victims.length}; members: ${members.join(' ')}`, isMet }];
}

function verdictOf({ history, lastReads, expect }: Run): Check {
  const verdict = checkLinearizability([...history, ...lastReads]);
  const found = verdict.kind === 'linearizable' ? `linearizable: ${verdict.operations} operations, ${verdict.keys} keys` : verdict.kind === 'violation' ? `refused: ${verdict.explanation}` : `${verdict.kind}: ${verdict.reason}`;
  return expect === 'linearizable'
    ? { name: 'the history is linearizable', found, isMet: verdict.kind === 'linearizable' }
    : { name: 'the history is refused by the checker', found, isMet: verdict.kind === 'violation' };
}

function atLeast(name: string, found: number, least: number): Check {
  return { name: `${name}: at least ${least}`, found: String(found), isMet: found >= least };
}

function terms({ termBefore, termAfter }: Fault): string {
  if (termBefore === undefined || termAfter === undefined) return '';
  return termBefore === termAfter ? String(termBefore) : `${termBefore} → ${termAfter}`;
}

function gap(ms: number): string {
  return ms === Infinity ? 'ever' : formatDuration(ms);
}

function spread(some: readonly { readonly goneMs: number }[]): string {
  const sorted = some.map(({ goneMs }) => goneMs).sort((a, b) => a - b);
  return sorted.length === 0 ? 'none' : `median ${gap(sorted[Math.floor(sorted.length / 2)]!)}, max ${gap(sorted.at(-1)!)} (${sorted.length})`;
}
