/**
 * Seeds of replicated groups in the simulator, all checkers on: `npx tsx bench/group-seeds.ts [MODE|all] [FROM] [COUNT]`. Without arguments, 2,000
 * seeds of each mode. Exit 1 if a checker found something.
 */
import { MODES, type Mode } from '../src/group/modes.ts';
import { textTable } from '../src/report/table.ts';
import { GroupCoverage, GROUP_COVERAGE, GROUP_COVERAGE_NAMES } from '../src/sim/group/group-coverage.ts';
import { describeGroupFailure, runGroupSeed } from '../src/sim/group-run.ts';

const [name = 'all', first = '1', count = '2000'] = process.argv.slice(2);
const modes = MODES.filter((mode) => name === 'all' || name === mode);
const from = Number(first);
const to = from + Number(count);
if (modes.length === 0 || !(from >= 1) || !(to > from)) {
  console.error(`usage: group-seeds [all|${MODES.join('|')}] [FROM] [COUNT]`);
  process.exit(64);
}

let failed = 0;
for (const mode of modes) failed += runMode(mode);
process.exitCode = failed === 0 ? 0 : 1;

function runMode(mode: Mode): number {
  const coverage = new GroupCoverage();
  const hashes = new Set<string>();
  const startMs = performance.now();
  let bad = 0;
  let messages = 0;
  for (let seed = from; seed < to; seed++) {
    const result = runGroupSeed(mode, seed);
    coverage.addAll(result.coverage);
    hashes.add(result.traceHash);
    messages += result.messages;
    if (result.violations.length === 0) continue;
    bad++;
    console.log(describeGroupFailure(result));
  }
  const seconds = (performance.now() - startMs) / 1000;
  const seeds = to - from;
  console.log(textTable([`${mode}: came across`, 'times', 'what'], GROUP_COVERAGE_NAMES.filter((each) => coverage.counts[each] > 0).map((each) => [each, coverage.counts[each], GROUP_COVERAGE[each]])));
  console.log(
    `${mode}: ${seeds} seeds from ${from}, ${bad} with a violation, ${hashes.size} different runs, ${messages} messages, ` +
      `${seconds.toFixed(1)} s, ${(seeds / seconds).toFixed(1)} seeds/s`,
  );
  return bad;
}
