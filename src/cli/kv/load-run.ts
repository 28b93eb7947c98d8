import { closeSync, openSync, writeSync } from 'node:fs';

import { formatDuration } from '../../core/units.ts';
import { encodeHistoryEvent, type HistoryEvent } from '../../group/history.ts';
import { traitsOf } from '../../group/modes.ts';
import { Load } from '../../lab/load/load.ts';
import { summarizeLoad, type LoadSummary } from '../../lab/load/load-report.ts';
import { KvClient } from '../../net/kv-client.ts';
import { CommandError, Exit } from '../exit.ts';
import { Reporter } from '../output.ts';
import { onInterrupt } from '../signals.ts';
import type { LoadArgs } from './load.ts';
import { findTarget } from '../group/target.ts';

const INTERVAL_MS = 1000;

/** Throws CommandError when no operation was answered. */
export async function runLoad(args: LoadArgs): Promise<void> {
  const reporter = new Reporter(args);
  const target = await findTarget(args, 'kv');
  const events: HistoryEvent[] = [];
  const file = args.history === undefined ? undefined : openSync(args.history, 'w');
  const load = new Load({
    open: () => KvClient.open(target),
    clients: args.clients, forMs: args.seconds, seed: args.seed, keys: args.keys, rotateAfter: args.rotate,
    isOrdered: traitsOf(target.mode).isOrdered, readsLocally: args.read === 'local',
    onEvent(event) {
      events.push(event);
      if (file !== undefined) writeSync(file, `${encodeHistoryEvent(event)}\n`);
    },
  });
  // On the clock that other processes share (process.hrtime), so that what they did can be placed in the history.
  reporter.json({ type: 'started', hrtimeMs: Number(load.startedAtNs) / 1e6, mode: target.mode, clients: args.clients, seed: args.seed });
  let seen = 0;
  const timer = setInterval(() => {
    const { ok, unknown, p50Ms } = summarizeLoad(events.slice(seen));
    seen = events.length;
    reporter.info(`${String(ok).padStart(7)} answered, p50 ${formatDuration(p50Ms)}${unknown > 0 ? `, ${unknown} unknown` : ''}`);
    reporter.json({ type: 'interval', ok, unknown, p50_ms: p50Ms });
  }, INTERVAL_MS);
  let isInterrupted = false;
  onInterrupt(() => {
    isInterrupted = true;
    load.stop();
  });
  try {
    await load.run();
  } finally {
    clearInterval(timer);
    if (file !== undefined) closeSync(file);
  }
  const summary = summarizeLoad(events);
  reporter.json({ type: 'summary', ...summary });
  reporter.result(summaryText(summary));
  if (isInterrupted) throw new CommandError('', Exit.interrupted);
  if (summary.ok === 0) throw new CommandError('no operation was answered', Exit.timedOut);
}

function summaryText({ operations, ok, notExecuted, unknown, seconds, perSecond, p50Ms, p99Ms, maxMs, longestGapMs, longestGapAtMs }: LoadSummary): string {
  return `${operations} operations in ${seconds.toFixed(1)} s: ${ok} answered, ${notExecuted} not executed, ${unknown} unknown; ${perSecond.toFixed(0)} a second, `
    + `p50 ${formatDuration(p50Ms)}, p99 ${formatDuration(p99Ms)}, max ${formatDuration(maxMs)}; longest without an answer: ${formatDuration(longestGapMs)}, from ${(longestGapAtMs / 1000).toFixed(1)} s on`;
}
