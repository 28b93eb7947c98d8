import { textTable } from '../../report/table.ts';
import { countQuorum } from './asynchronous.ts';
import type { Words } from './english.ts';
import type { Exhibit } from './exhibit.ts';
import { searchGenerals } from './generals-search.ts';
import type { ThresholdRow } from './thresholds.ts';

/** Why 3k+1, where members lie to each other: two arguments, one bound. The first is counted, the second run. */

const QUORUMS = [[3, 1], [4, 1], [6, 2], [7, 2]] as const;
/** Generals, rounds of passing on, traitors. */
const GENERALS = [[3, 1, 1], [4, 1, 1], [4, 0, 1], [4, 1, 2], [6, 2, 2], [7, 2, 2]] as const;

/** How many liars n members can have, if all else is as it should be. */
function bound(n: number): number {
  return Math.floor((n - 1) / 3);
}

export function asynchronousQuorums(seed: number, words: Words): Exhibit {
  const { title, header } = words.asynchronous;
  const verdicts = QUORUMS.map(([n, k]) => countQuorum(n, k));
  const rows = verdicts.map(({ n, k, isMasked, placements }): ThresholdRow => {
    return { mode: 'asynchronous-quorum', fault: 'two-faced', n, f: k, threshold: bound(n), verdict: isMasked ? 'M' : 'W', runs: placements, seed, isCounted: true };
  });
  return {
    title, rows, isShown: rows.every(isAsExpected),
    text: textTable(header, verdicts.map(({ n, k, honest, isMasked, placements }) => [n, k, n - k, `${honest} ${honest > k ? '>' : '≤'} ${k}`, isMasked ? 'M' : 'W', placements])),
  };
}

export function oralMessages(seed: number, words: Words): Exhibit {
  const { title, header, all, drawn } = words.generals;
  const verdicts = GENERALS.map(([n, rounds, traitors]) => ({ n, rounds, traitors, ...searchGenerals(n, rounds, traitors, seed) }));
  const rows = verdicts.map(({ n, rounds, traitors, counterexample, runs }): ThresholdRow => ({
    mode: `OM(${rounds})`, fault: 'two-faced', n, f: traitors, threshold: Math.min(rounds, bound(n)), verdict: counterexample === undefined ? 'M' : 'W', runs, seed,
  }));
  return {
    title, rows, isShown: rows.every(isAsExpected),
    text: textTable(header, verdicts.map(({ isExhaustive, runs }, i) => [rows[i]!.n, rows[i]!.mode, rows[i]!.f, rows[i]!.verdict, isExhaustive ? all(runs) : drawn(runs)])),
  };
}

function isAsExpected({ f, threshold, verdict }: ThresholdRow): boolean {
  return (verdict === 'M') === (f <= threshold);
}
