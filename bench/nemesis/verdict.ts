import { formatDuration } from '../../src/core/units.ts';
import type { HistoryEvent } from '../../src/group/history.ts';
import { traitsOf } from '../../src/group/modes.ts';
import { survivalChecks, workloadChecks, type Check } from '../../src/lab/load/load-checks.ts';
import { inFlightAt, summarizeLoad, unavailableAfter, type LoadSummary } from '../../src/lab/load/load-report.ts';
import { textTable } from '../../src/report/table.ts';
import { checkLinearizability, type LinearizabilityVerdict } from '../../src/sim/linearizability.ts';
import { isForGood, type Fault } from './faults.ts';
import type { Expectation, Procedure } from './procedures.ts';

/** After a fault, some client must succeed within this. */
const RECOVERY_MS = 10_000;
const CAS_SHARE = 0.25;

export interface Run {
  readonly procedure: Procedure;
  /** What the clients of the load saw. */
  readonly history: readonly HistoryEvent[];
  /** Reads of every key, when all work was over. */
  readonly lastReads: readonly HistoryEvent[];
  readonly faults: readonly Fault[];
  /** When the history begins, on hrtimeMs(). */
  readonly startMs: number;
  readonly keys: number;
  readonly rotateAfter: number;
  /** At the end. */
  readonly members: readonly string[];
  /** What members say is wrong, at the end. */
  readonly complaints: readonly string[];
}

export interface Judgement {
  readonly isAsExpected: boolean;
  /** What had to be shown and was not. */
  readonly failures: readonly string[];
  readonly answered: number;
  readonly perSecond: number;
  readonly verdict: LinearizabilityVerdict['kind'];
  readonly strikes: number;
  readonly leaderStrikes: number;
  /** The longest time without an answer after a fault; 0 without faults. */
  readonly worstGapMs: number;
}

/** Prints what happened, and what had to. */
export function judge(run: Run): Judgement {
  const { procedure, history, lastReads, faults } = run;
  const struck = faults.map((fault) => ({ ...fault, at: fault.struckMs - run.startMs })).map((fault) => ({
    ...fault, goneMs: unavailableAfter(history, fault.at), inFlight: inFlightAt(history, fault.at),
  }));
  const ofLeader = struck.filter(({ isLeader }) => isLeader);
  if (struck.length > 0) {
    console.log(textTable(['at', 'fault', 'on', 'leader', 'term or view', 'in flight', 'no answer for'], struck.map((fault) => [
      `${(fault.at / 1000).toFixed(1)} s`, fault.kind, fault.victim, fault.isLeader ? 'yes' : '', terms(fault), String(fault.inFlight), formatGap(fault.goneMs),
    ])));
    console.log(`no answer for: leader faults ${spread(ofLeader)}; others ${spread(struck.filter(({ isLeader }) => !isLeader))}`);
  }
  const summary = summarizeLoad(history);
  console.log(`${summary.ok} answered, ${summary.notExecuted} not executed, ${summary.unknown} unknown in ${summary.seconds.toFixed(1)} s: ${summary.perSecond.toFixed(0)} a second, `
    + `p50 ${formatDuration(summary.p50Ms)}, p99 ${formatDuration(summary.p99Ms)}`);
  const verdict = checkLinearizability([...history, ...lastReads]);
  const checks: Check[] = [
    verdictCheck(verdict, procedure.expect),
    ...(procedure.expect === 'linearizable' ? survivalChecks([...history, ...lastReads]) : []),
    ...workloadChecks(history, { keys: run.keys, rotateAfter: run.rotateAfter, casShare: traitsOf(procedure.mode).isOrdered ? CAS_SHARE : 0 }),
    atLeast('operations answered', summary.ok, procedure.answers),
    ...faultChecks(procedure, struck),
    ...replacements(run),
    ...(procedure.expect === 'unnoticed' ? noticed(run, summary) : []),
  ];
  console.log(textTable(['what must be shown', 'found', ''], checks.map(({ name, found, isMet }) => [name, found, isMet ? 'yes' : 'NO'])));
  const failures = checks.filter(({ isMet }) => !isMet).map(({ name, found }) => `${name}: ${found}`);
  return {
    isAsExpected: failures.length === 0, failures, answered: summary.ok, perSecond: summary.perSecond, verdict: verdict.kind, strikes: struck.length, leaderStrikes: ofLeader.length,
    worstGapMs: Math.max(0, ...struck.map(({ goneMs }) => goneMs)),
  };
}

function faultChecks({ mode, isOneAtATime }: Procedure, struck: readonly (Fault & { readonly goneMs: number; readonly inFlight: number })[]): Check[] {
  if (struck.length === 0) return [];
  const whole = struck.filter(({ wasWhole }) => wasWhole).length;
  const ofLeader = struck.filter(({ isLeader }) => isLeader).length;
  const worst = Math.max(...struck.map(({ goneMs }) => goneMs));
  return [
    atLeast('operations in flight at each fault', Math.min(...struck.map(({ inFlight }) => inFlight)), 1),
    { name: `an answer after each fault within ${formatDuration(RECOVERY_MS)}`, found: formatGap(worst), isMet: worst <= RECOVERY_MS },
    ...(isOneAtATime ? [{ name: 'all members serve before each fault', found: `${whole} of ${struck.length}`, isMet: whole === struck.length }] : []),
    // Where nobody leads there is none to hit.
    ...(!traitsOf(mode).hasLeader ? [] : [{ name: 'faults on the leader of the moment: at least half', found: `${ofLeader} of ${struck.length}`, isMet: ofLeader * 2 >= struck.length }]),
  ];
}

function noticed({ complaints }: Run, { notExecuted, unknown }: LoadSummary): Check[] {
  return [
    { name: 'noticed by members: nothing', found: complaints.join('; ') || 'nothing', isMet: complaints.length === 0 },
    { name: 'noticed by clients: nothing', found: `${notExecuted + unknown} errors`, isMet: notExecuted + unknown === 0 },
  ];
}

/** New members have new numbers, counted on from the first members. */
function replacements({ faults, members, procedure: { size } }: Run): Check[] {
  const victims = faults.filter(({ kind }) => isForGood(kind)).map(({ victim }) => victim);
  if (victims.length === 0) return [];
  const started = Math.max(...members.map((id) => Number(id.slice(1)))) - size;
  const isMet = members.length === size && started === victims.length && !members.some((id) => victims.includes(id));
  return [{ name: 'members that failed for good, replaced once each', found: `${started} new for ${victims.length}; members: ${members.join(' ')}`, isMet }];
}

function verdictCheck(verdict: LinearizabilityVerdict, expect: Expectation): Check {
  const found = verdict.kind === 'linearizable'
    ? `linearizable: ${verdict.operations} operations, ${verdict.keys} keys`
    : verdict.kind === 'violation' ? `refused: ${verdict.explanation}` : `${verdict.kind}: ${verdict.reason}`;
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

/** `ever`: there was none. */
export function formatGap(ms: number): string {
  return ms === Infinity ? 'ever' : formatDuration(ms);
}

function spread(some: readonly { readonly goneMs: number }[]): string {
  const sorted = some.map(({ goneMs }) => goneMs).sort((a, b) => a - b);
  return sorted.length === 0 ? 'none' : `median ${formatGap(sorted[Math.floor(sorted.length / 2)]!)}, max ${formatGap(sorted.at(-1)!)} (${sorted.length})`;
}
