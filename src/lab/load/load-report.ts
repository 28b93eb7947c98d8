import type { Millis } from '../../core/machine.ts';
import type { HistoryEvent } from '../../group/history.ts';

const NS_PER_MS = 1e6;

export interface LoadSummary {
  readonly operations: number;
  readonly ok: number;
  readonly notExecuted: number;
  readonly unknown: number;
  readonly seconds: number;
  /** Answered, a second. */
  readonly perSecond: number;
  readonly p50Ms: Millis;
  readonly p99Ms: Millis;
  readonly maxMs: Millis;
  /** Longest time in which no operation was answered, and when it began, since the start. */
  readonly longestGapMs: Millis;
  readonly longestGapAtMs: Millis;
}

export function summarizeLoad(events: readonly HistoryEvent[]): LoadSummary {
  const answered = events.filter(({ ok }) => ok === true);
  const latencies = answered.map(({ invoke, complete }) => (complete! - invoke) / NS_PER_MS).sort((a, b) => a - b);
  const completions = answered.map(({ complete }) => complete! / NS_PER_MS).sort((a, b) => a - b);
  const seconds = Math.max(0, ...events.map(({ invoke, complete }) => complete ?? invoke)) / NS_PER_MS / 1000;
  let longestGapMs = 0;
  let longestGapAtMs = 0;
  completions.forEach((at, i) => {
    const before = i === 0 ? 0 : completions[i - 1]!;
    if (at - before <= longestGapMs) return;
    longestGapMs = at - before;
    longestGapAtMs = before;
  });
  return {
    operations: events.length, ok: answered.length, notExecuted: events.filter(({ ok }) => ok === false).length, unknown: events.filter(({ ok }) => ok === null).length,
    seconds, perSecond: seconds > 0 ? answered.length / seconds : 0,
    p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99), maxMs: latencies.at(-1) ?? 0, longestGapMs, longestGapAtMs,
  };
}

/**
 * For how long clients saw nothing of the group after something happened at `atMs`: until the first answer to an operation that was
 * asked after it. Infinity: there was none.
 */
export function unavailableAfter(events: readonly HistoryEvent[], atMs: Millis): Millis {
  let first = Infinity;
  for (const { ok, invoke, complete } of events) if (ok === true && invoke / NS_PER_MS >= atMs) first = Math.min(first, complete! / NS_PER_MS);
  return first - atMs;
}

/** Of operations under way at `atMs`. */
export function inFlightAt(events: readonly HistoryEvent[], atMs: Millis): number {
  return events.filter(({ invoke, complete }) => invoke / NS_PER_MS <= atMs && (complete === null || complete / NS_PER_MS >= atMs)).length;
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}
