import { formatProbability, formatRate } from '../core/units.ts';
import { linePlot, type Series } from '../report/plot.ts';
import { textTable, type Cell } from '../report/table.ts';
import {
  describeLink, goodputOf, idealBitsPerSecond, idealOverhead, PLAIN_UDP, summarize, type LossCell, type LossRow, type LossSweep,
} from './loss-sweep.ts';
import { formatSpread, type Spread } from './statistics.ts';

export type TableWriter = typeof textTable;

export const WHERE_NAMES = { simulator: 'simulator', sockets: 'real sockets' } as const;
export type Where = keyof typeof WHERE_NAMES;

const MEGA = 1e6;

/** How people call a contestant. */
export function contestantName(contestant: string): string {
  return contestant === PLAIN_UDP ? 'plain UDP' : contestant;
}

/** One line that says what was transferred over what. */
export function describeSweep(sweep: LossSweep): string {
  const { sizeBytes, mtuBytes, seeds, capMs } = sweep;
  return `${sizeBytes / 2 ** 20} MiB in datagrams of ${mtuBytes} bytes; each way: ${describeLink(sweep)}; ` +
    `${seeds.length === 1 ? `seed ${seeds[0]}` : `seeds ${seeds[0]}–${seeds.at(-1)}`}; stopped after ${capMs / 1000} s`;
}

/** Goodput over the loss rate: one row a loss rate, one column a contestant; Mbit/s, median and range. */
export function goodputTable(sweep: LossSweep, rows: readonly LossRow[], write: TableWriter): string {
  const header = ['loss each way', '(1−p) × rate', ...sweep.contestants.map(contestantName)];
  return write(header, perLoss(sweep, rows, (p) => [(idealBitsPerSecond(sweep, p) / MEGA).toFixed(1)], (row) => megabits(row.goodputBitsPerSecond)));
}

/** Completion time of the reliable contestants; where the cap struck, what had arrived by then. */
export function completionTable(sweep: LossSweep, rows: readonly LossRow[], write: TableWriter): string {
  const header = ['loss each way', ...sweep.contestants.map(contestantName)];
  return write(header, perLoss(sweep, rows, () => [], (row) => completion(sweep, row)));
}

export function overheadTable(sweep: LossSweep, rows: readonly LossRow[], write: TableWriter): string {
  const header = ['loss each way', '1 ÷ (1−p)', ...sweep.contestants.map(contestantName)];
  return write(header, perLoss(sweep, rows, (p) => [idealOverhead(p).toFixed(3)], ({ overhead }) => (overhead === undefined ? '–' : formatSpread(overhead, 3))));
}

/** Real sockets beside the simulator: medians and ranges, and the difference of the medians in percent of the simulator's. */
export function agreementTable(sweep: LossSweep, simulated: readonly LossCell[], real: readonly LossCell[], write: TableWriter): string {
  const header = ['contestant', 'loss each way', 'simulator Mbit/s', 'sockets Mbit/s', 'difference', 'simulator sent ÷ useful', 'sockets sent ÷ useful'];
  const ofSimulator = summarize(sweep, simulated);
  const rows = summarize(sweep, real).flatMap((row): Cell[][] => {
    const other = ofSimulator.find((candidate) => candidate.contestant === row.contestant && candidate.lossProbability === row.lossProbability);
    if (other === undefined) return [];
    const difference = differenceOf(other.goodputBitsPerSecond.median, row.goodputBitsPerSecond.median);
    return [[
      contestantName(row.contestant), formatProbability(row.lossProbability), megabits(other.goodputBitsPerSecond), megabits(row.goodputBitsPerSecond),
      difference === undefined ? '–' : `${difference < 0 ? '−' : '+'}${Math.abs(difference * 100).toFixed(1)} %`,
      other.overhead === undefined ? '–' : formatSpread(other.overhead, 3), row.overhead === undefined ? '–' : formatSpread(row.overhead, 3),
    ]];
  });
  return write(header, rows);
}

/** Relative to the first; undefined when that is 0. */
export function differenceOf(reference: number, value: number): number | undefined {
  return reference === 0 ? undefined : (value - reference) / reference;
}

/** Goodput over the loss rate as SVG. */
export function goodputPlot(sweep: LossSweep, cells: readonly LossCell[], where: Where, notes: readonly string[]): string {
  const ideal: Series = {
    name: '(1−p) × rate', dashed: true,
    points: sweep.lossProbabilities.map((p) => ({ x: p * 100, y: idealBitsPerSecond(sweep, p) / MEGA })),
  };
  return linePlot({
    title: `Goodput over loss, ${WHERE_NAMES[where]}, ${formatRate(sweep.rateBitsPerSecond)}, RTT ${sweep.rttMs} ms`,
    description: `Bytes delivered to the receiving application per second of ${sweep.contestants.map(contestantName).join(', ')} for each loss rate, beside the ideal line.`,
    xLabel: 'datagrams lost each way, %',
    yLabel: 'goodput, Mbit/s',
    series: [ideal, ...plotSeries(sweep, cells, (row) => scaled(row.goodputBitsPerSecond, MEGA))],
    notes: plotNotes(sweep, cells, notes),
  });
}

/** Bytes sent for each useful byte, over the loss rate, as SVG. */
export function overheadPlot(sweep: LossSweep, cells: readonly LossCell[], where: Where, notes: readonly string[]): string {
  const ideal: Series = { name: '1 ÷ (1−p)', dashed: true, points: sweep.lossProbabilities.map((p) => ({ x: p * 100, y: idealOverhead(p) })) };
  return linePlot({
    title: `Bytes sent for each byte delivered, ${WHERE_NAMES[where]}, ${formatRate(sweep.rateBitsPerSecond)}, RTT ${sweep.rttMs} ms`,
    description: 'Payload bytes sent, all transmissions counted, divided by bytes delivered, for each loss rate, beside the least possible.',
    xLabel: 'datagrams lost each way, %',
    yLabel: 'bytes sent ÷ bytes delivered',
    series: [ideal, ...plotSeries(sweep, cells, (row) => row.overhead)],
    notes: plotNotes(sweep, cells, notes),
  });
}

function plotSeries(sweep: LossSweep, cells: readonly LossCell[], pick: (row: LossRow) => Spread | undefined): Series[] {
  const rows = summarize(sweep, cells);
  return sweep.contestants.map((contestant) => ({
    name: contestantName(contestant),
    points: rows.filter((row) => row.contestant === contestant).flatMap((row) => {
      const spread = pick(row);
      return spread === undefined ? [] : [{ x: row.lossProbability * 100, y: spread.median, low: spread.low, high: spread.high }];
    }),
  }));
}

function plotNotes(sweep: LossSweep, cells: readonly LossCell[], notes: readonly string[]): string[] {
  const rows = summarize(sweep, cells);
  const capped = sweep.contestants.filter((contestant) => contestant !== PLAIN_UDP).flatMap((contestant) => {
    const losses = rows.filter((row) => row.contestant === contestant && row.finished < row.transfers).map((row) => formatProbability(row.lossProbability));
    return losses.length === 0 ? [] : [`${contestantName(contestant)} at ${losses.join(', ')}`];
  });
  return [
    `${describeSweep(sweep)}.`,
    'Marks are medians, whiskers the range. Goodput counts from connect() to the last byte; loss strikes before the line, as in netem.',
    ...(capped.length === 0 ? [] : [`Stopped before they were through, some or all: ${capped.join('; ')}.`]),
    ...notes,
  ];
}

function perLoss(sweep: LossSweep, rows: readonly LossRow[], lead: (lossProbability: number) => Cell[], cell: (row: LossRow) => Cell): Cell[][] {
  const losses = sweep.lossProbabilities.filter((p) => rows.some((row) => row.lossProbability === p));
  return losses.map((p) => [
    formatProbability(p),
    ...lead(p),
    ...sweep.contestants.map((contestant) => {
      const row = rows.find((candidate) => candidate.contestant === contestant && candidate.lossProbability === p);
      return row === undefined ? '–' : cell(row);
    }),
  ]);
}

function completion(sweep: LossSweep, row: LossRow): string {
  if (row.contestant === PLAIN_UDP) return row.finished === row.transfers ? `${formatSpread(row.seconds, 2)} s` : `never: ${percent(row.arrived)} arrived`;
  if (row.finished === row.transfers) return `${formatSpread(row.seconds, 2)} s`;
  const unfinished = row.transfers - row.finished;
  return `${row.transfers === 1 ? 'not' : `${unfinished} of ${row.transfers} not`} done in ${sweep.capMs / 1000} s: ${percent(row.arrived)} arrived`;
}

function percent({ median, low, high }: Spread): string {
  return `${formatSpread({ median: median * 100, low: low * 100, high: high * 100 }, 1)} %`;
}

function megabits(spread: Spread): string {
  const { median } = spread;
  return formatSpread(scaled(spread, MEGA), median < MEGA ? 2 : 1);
}

function scaled({ median, low, high, count }: Spread, unit: number): Spread {
  return { median: median / unit, low: low / unit, high: high / unit, count };
}

/** A sweep as part of the header. */
export function sweepObject(sweep: LossSweep): Record<string, unknown> {
  return {
    link: describeLink(sweep), rate_bits_per_second: sweep.rateBitsPerSecond, rtt_ms: sweep.rttMs, limit: sweep.limit, mtu: sweep.mtuBytes, bytes: sweep.sizeBytes,
    loss: sweep.lossProbabilities, contestants: sweep.contestants, seeds: sweep.seeds, cap_seconds: sweep.capMs / 1000,
  };
}

/** A cell as a line of JSON. */
export function cellObject(where: Where, cell: LossCell): Record<string, unknown> {
  return {
    type: 'transfer', where, contestant: cell.contestant, loss: cell.lossProbability, seed: cell.seed, finished: cell.isFinished,
    seconds: cell.elapsedMs / 1000, useful_bytes: cell.usefulBytes, sent_bytes: cell.sentBytes, bits_per_second: goodputOf(cell),
    retransmissions: cell.retransmissions, violations: cell.violations,
  };
}

/** A row as a line of JSON: medians and ranges. */
export function rowObject(where: Where, row: LossRow): Record<string, unknown> {
  return {
    type: 'summary', where, contestant: row.contestant, loss: row.lossProbability, transfers: row.transfers, finished: row.finished,
    bits_per_second: row.goodputBitsPerSecond, seconds: row.seconds, sent_per_useful: row.overhead ?? null, arrived: row.arrived,
  };
}
