import { availableParallelism } from 'node:os';

import type { Where } from './loss-report.ts';
import { simulateCell } from './loss-simulated.ts';
import { transferOverSockets } from './loss-sockets.ts';
import { transfersOf, type LossCell, type LossSweep } from './loss-sweep.ts';
import { RoleProcess } from './role-process.ts';
import type { Transferred } from './roles.ts';

const SIMULATION_TIMEOUT_MS = 3_600_000;
const MAX_PROCESSES = 8;

export type OnCell = (where: Where, cell: LossCell, done: number, total: number) => void;

/** The whole sweep in the simulator, spread over the cores. Cells come in the sweep's order, whatever finished first. */
export async function simulateSweep(sweep: LossSweep, onCell: OnCell): Promise<LossCell[]> {
  const transfers = transfersOf(sweep);
  const of = Math.min(MAX_PROCESSES, availableParallelism(), transfers.length);
  const cells: (LossCell | undefined)[] = transfers.map(() => undefined);
  let done = 0;
  const processes = Array.from({ length: of }, (_, index) => {
    let next = index;
    return new RoleProcess('simulate', { sweep, index, of }, (report) => {
      if (report['milestone'] !== 'transfer') return;
      const { cell } = report as unknown as Transferred;
      cells[next] = cell;
      next += of;
      onCell('simulator', cell, ++done, transfers.length);
    });
  });
  try {
    await Promise.all(processes.map((process) => process.report('result', SIMULATION_TIMEOUT_MS)));
  } finally {
    await Promise.all(processes.map((process) => process.kill()));
  }
  return cells.filter((cell) => cell !== undefined);
}

/** The whole sweep on real sockets, one transfer after the other. */
export async function measureSweep(sweep: LossSweep, onCell: OnCell): Promise<LossCell[]> {
  const transfers = transfersOf(sweep);
  const cells: LossCell[] = [];
  for (const { contestant, lossProbability, seed } of transfers) {
    const cell = await transferOverSockets(sweep, contestant, lossProbability, seed);
    cells.push(cell);
    onCell('sockets', cell, cells.length, transfers.length);
  }
  return cells;
}

/** The simulator's cells as a shorter cap would have them, of the loss rates of `sweep`: what real transfers are to be compared with. */
export function recap(sweep: LossSweep, simulated: readonly LossCell[]): LossCell[] {
  return simulated
    .filter((cell) => sweep.lossProbabilities.includes(cell.lossProbability))
    .map((cell) => (cell.elapsedMs <= sweep.capMs ? cell : simulateCell(sweep, cell.contestant, cell.lossProbability, cell.seed)));
}
