import { readFileSync } from 'node:fs';

import { parseHistory, type HistoryEvent } from '../../group/history.ts';
import { checkLinearizability, type LinearizabilityVerdict } from '../../sim/linearizability.ts';
import { CommandError, Exit } from '../exit.ts';
import { Reporter } from '../output.ts';
import type { CheckArgs } from './check.ts';

/** Operations that are shown around the place where a history breaks. */
const SHOWN = 8;

/** Throws CommandError when the history is not linearizable, or cannot be judged. */
export function runCheck(args: CheckArgs): void {
  const reporter = new Reporter(args);
  const events = parseHistory(readFileSync(args.file === '-' ? 0 : args.file, 'utf8'));
  const verdict = checkLinearizability(events);
  reporter.json({ type: 'verdict', operations: events.length, ...verdict });
  if (verdict.kind === 'linearizable') {
    reporter.result(`linearizable: ${verdict.operations} operations on ${verdict.keys} keys, ${verdict.visited} places searched`);
    return;
  }
  reporter.result(explain(verdict));
  throw new CommandError(verdict.kind === 'violation' ? 'not linearizable' : `not judged: ${verdict.reason}`, verdict.kind === 'invalid' ? Exit.runtimeError : Exit.expectationNotMet);
}

function explain(verdict: Exclude<LinearizabilityVerdict, { kind: 'linearizable' }>): string {
  if (verdict.kind !== 'violation') return `${verdict.kind}: ${verdict.reason}`;
  const { explanation, prefix, stuck } = verdict;
  return [
    `not linearizable: ${explanation}`,
    `the last ${Math.min(SHOWN, prefix.length)} of the longest order that is possible:`, ...prefix.slice(-SHOWN).map((event) => `  ${describe(event)}`),
    'and none of these can come next:', ...stuck.slice(0, SHOWN).map((event) => `  ${describe(event)}`),
  ].join('\n');
}

function describe({ process, op, value, old, result, invoke, complete }: HistoryEvent): string {
  const words = { get: 'get', del: 'del', put: `put ${String(value)}`, append: `append ${String(value)}`, cas: `cas ${String(old)} → ${String(value)}` }[op];
  const span = `${(invoke / 1e6).toFixed(1)}–${complete === null ? '?' : (complete / 1e6).toFixed(1)} ms`;
  return `${span.padEnd(22)} process ${process}: ${words}${complete === null ? ', outcome unknown' : result === null ? (op === 'get' ? ' = nothing' : '') : ` = ${String(result)}`}`;
}
