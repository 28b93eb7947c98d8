import { simulateCell } from './loss-simulated.ts';
import { transfersOf } from './loss-sweep.ts';
import { report, type SimulateParameters, type Transferred } from './roles.ts';

/** This process' share of a sweep in the simulator. */
export function simulate({ sweep, index, of }: SimulateParameters): void {
  transfersOf(sweep).forEach(({ contestant, lossProbability, seed }, number) => {
    if (number % of !== index) return;
    const transferred: Transferred = { cell: simulateCell(sweep, contestant, lossProbability, seed) };
    report('transfer', transferred);
  });
  report('result', {});
}
