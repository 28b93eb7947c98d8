import { setImmediate } from 'node:timers/promises';

import { simulateCell } from './loss-simulated.ts';
import { transfersOf } from './loss-sweep.ts';
import { report, type SimulateParameters, type Transferred } from './roles.ts';

/** This process' share of a sweep in the simulator. */
export async function simulate({ sweep, index, of }: SimulateParameters): Promise<void> {
  const own = transfersOf(sweep).filter((_, number) => number % of === index);
  for (const { contestant, lossProbability, seed } of own) {
    const transferred: Transferred = { cell: simulateCell(sweep, contestant, lossProbability, seed) };
    report('transfer', transferred);
    // A turn in which the end of the parent process is noticed.
    await setImmediate();
  }
  report('result', {});
}
