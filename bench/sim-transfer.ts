/**
 * A file through the simulated link: ten seeds per loss rate and controller. Completion in virtual time (median and range)
 * and retransmission overhead. `npx tsx bench/sim-transfer.ts [MiB]`; 16 MiB by default. Exits with 99 on a violation.
 */
import { parseProfile } from '../src/link/profile.ts';
import { textTable } from '../src/report/table.ts';
import { transferScenario } from '../src/sim/transfer.ts';
import { runScenario } from '../src/sim/world.ts';

const SEEDS = 10;
const MIXED = 'loss 10% duplicate 5% reorder 25% corrupt 2% delay 20ms 10ms';
const CASES: readonly (readonly [string, string])[] = [
  ['fixed', 'delay 10ms'], ['fixed', 'loss 5% delay 10ms'], ['fixed', 'loss 20% delay 10ms'], ['fixed', 'loss 40% delay 10ms'], ['fixed', MIXED],
  ['newreno', 'delay 10ms'], ['newreno', 'loss 1% delay 10ms'], ['newreno', 'loss 5% delay 10ms'], ['newreno', 'loss 10% delay 10ms'],
];

const bytes = Number(process.argv[2] ?? 16) * 1024 * 1024;
const rows: string[][] = [];
let isBroken = false;
for (const [congestion, link] of CASES) {
  const profile = parseProfile(link);
  const seconds: number[] = [];
  const overheads: number[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = runScenario(transferScenario({ seed, bytes, up: profile, down: profile, config: { congestion } }));
    const { client, server } = result.connections[0]!;
    if (result.violations.length > 0 || !client.isClean || server?.isClean !== true) {
      console.error(`seed ${seed}, ${congestion}, ${link}: ${client.outcome}`, result.violations);
      isBroken = true;
    }
    seconds.push(client.finishedAtMs / 1000);
    overheads.push((client.sentBytes / bytes - 1) * 100);
  }
  rows.push([congestion, link, spread(seconds, 2), spread(overheads, 1)]);
}
console.log(textTable(['controller', 'link, each way', 'seconds: median (range)', 'sent again, %: median (range)'], rows));
if (isBroken) process.exitCode = 99;

function spread(values: readonly number[], digits: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
  return `${middle.toFixed(digits)} (${sorted[0]!.toFixed(digits)}–${sorted[sorted.length - 1]!.toFixed(digits)})`;
}
