import { describe, expect, it } from 'vitest';

import {
  agreementTable, cellObject, completionTable, differenceOf, goodputPlot, goodputTable, overheadPlot, overheadTable, rowObject, sweepObject,
} from '../../src/lab/loss-report.ts';
import { summarize, type LossCell, type LossSweep } from '../../src/lab/loss-sweep.ts';
import { textTable } from '../../src/report/table.ts';

const SWEEP: LossSweep = {
  rateBitsPerSecond: 8e6, rttMs: 20, mtuBytes: 1000, limit: 50, sizeBytes: 100_000, capMs: 1000,
  lossProbabilities: [0, 0.5], contestants: ['udp', 'newreno'], seeds: [7, 8],
};

function cell(contestant: string, lossProbability: number, seed: number, part: Partial<LossCell> = {}): LossCell {
  return { contestant, lossProbability, seed, isFinished: true, elapsedMs: 200, usefulBytes: 100_000, sentBytes: 100_000, retransmissions: 0, violations: [], ...part };
}

const CELLS = [
  cell('udp', 0, 7), cell('udp', 0, 8),
  cell('newreno', 0, 7), cell('newreno', 0, 8, { elapsedMs: 400 }),
  cell('udp', 0.5, 7, { isFinished: false, usefulBytes: 50_000 }), cell('udp', 0.5, 8, { isFinished: false, usefulBytes: 48_000 }),
  cell('newreno', 0.5, 7, { isFinished: false, elapsedMs: 1000, usefulBytes: 20_000, sentBytes: 60_000, retransmissions: 20 }),
  cell('newreno', 0.5, 8, { elapsedMs: 900, sentBytes: 210_000 }),
];
const ROWS = summarize(SWEEP, CELLS);

/** Cells of a text table. */
function cells(text: string): string[][] {
  return text.trimEnd().split('\n').map((line) => line.trim().split(/ {2,}/));
}

describe('tables', () => {
  it('show goodput beside the ideal', () => {
    expect(cells(goodputTable(SWEEP, ROWS, textTable)).filter((_, line) => line !== 1)).toEqual([
      ['loss each way', '(1−p) × rate', 'plain UDP', 'newreno'],
      ['0%', '8.0', '4.0', '3.0 (2.0–4.0)'],
      ['50%', '4.0', '2.0 (1.9–2.0)', '0.52 (0.16–0.89)'],
    ]);
  });

  it('say what did not finish, and that plain UDP never does', () => {
    expect(cells(completionTable(SWEEP, ROWS, textTable)).slice(2)).toEqual([
      ['0%', '0.20 s', '0.30 (0.20–0.40) s'],
      ['50%', 'never: 49.0 (48.0–50.0) % arrived', '1 of 2 not done in 1 s: 60.0 (20.0–100.0) % arrived'],
    ]);
  });

  it('show bytes sent for each byte delivered', () => {
    expect(cells(overheadTable(SWEEP, ROWS, textTable)).at(-1)).toEqual(['50%', '2.000', '2.042 (2.000–2.083)', '1.788 (1.476–2.100)']);
  });

  it('leave a mark where nothing was measured', () => {
    const rows = ROWS.filter(({ contestant, lossProbability }) => contestant === 'udp' || lossProbability === 0);
    expect(cells(goodputTable(SWEEP, rows, textTable)).at(-1)).toEqual(['50%', '4.0', '2.0 (1.9–2.0)', '–']);
  });

  it('compare sockets with the simulator', () => {
    const real = [cell('newreno', 0, 7, { elapsedMs: 333 })];
    expect(cells(agreementTable(SWEEP, CELLS, real, textTable)).at(-1)).toEqual(
      ['newreno', '0%', '3.0 (2.0–4.0)', '2.4', '−19.9 %', '1.000', '1.000'],
    );
    expect(differenceOf(0, 1)).toBeUndefined();
  });
});

describe('plots', () => {
  it('name each contestant and the ideal, and what was stopped', () => {
    const svg = goodputPlot(SWEEP, CELLS, 'simulator', ['a note']);
    for (const text of ['(1−p) × rate', 'plain UDP', 'newreno', 'a note', 'seeds 7–8', 'newreno at 50%']) expect(svg).toContain(text);
  });

  it('show the overhead of those that delivered something', () => {
    const svg = overheadPlot(SWEEP, CELLS.map((one) => (one.contestant === 'newreno' ? { ...one, isFinished: false, sentBytes: 0 } : one)), 'sockets', []);
    expect(svg).toContain('real sockets');
    expect(svg.match(/<circle/g)).toHaveLength(3);
  });
});

describe('lines of JSON', () => {
  it('hold what is needed to run it again', () => {
    expect(sweepObject(SWEEP)).toEqual({
      link: 'delay 10ms rate 8mbit limit 50', rate_bits_per_second: 8e6, rtt_ms: 20, limit: 50, mtu: 1000, bytes: 100_000, loss: [0, 0.5],
      contestants: ['udp', 'newreno'], seeds: [7, 8], cap_seconds: 1,
    });
  });

  it('hold a transfer', () => {
    expect(cellObject('simulator', CELLS[6]!)).toEqual({
      type: 'transfer', where: 'simulator', contestant: 'newreno', loss: 0.5, seed: 7, finished: false, seconds: 1, useful_bytes: 20_000, sent_bytes: 60_000,
      bits_per_second: 160_000, retransmissions: 20, violations: [],
    });
  });

  it('hold a summary that survives JSON', () => {
    const object = rowObject('sockets', summarize(SWEEP, [{ ...CELLS[6]!, sentBytes: 0 }])[0]!);
    expect(object).toMatchObject({ type: 'summary', where: 'sockets', transfers: 1, finished: 0, sent_per_useful: null });
    expect(JSON.parse(JSON.stringify(object))).toEqual(object);
  });
});
