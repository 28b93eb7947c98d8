/**
 * Groups of real processes, tormented and judged, one procedure after the other: `npx tsx bench/group-judged.ts [WORD …]`, some ten minutes for all,
 * or those whose names have one of these words. Prints each run as group-nemesis does, then one table. Exits with 99 when something was not as it
 * must be. Uses dist/: build first.
 */
import { markdownTable } from '../src/report/table.ts';
import { DEFAULT_PROCEDURE, PROCEDURES } from './nemesis/procedures.ts';
import { runProcedure } from './nemesis/run.ts';
import { formatGap } from './nemesis/verdict.ts';

const words = process.argv.slice(2);
const rows: string[][] = [];
for (const [name, changes] of Object.entries(PROCEDURES).filter(([text]) => words.length === 0 || words.some((word) => text.includes(word)))) {
  console.log(`\n== ${name}`);
  const procedure = { ...DEFAULT_PROCEDURE, ...changes };
  const { isAsExpected, failures, answered, perSecond, verdict, strikes, leaderStrikes, worstGapMs } = await runProcedure(procedure);
  if (!isAsExpected) process.exitCode = 99;
  rows.push([
    name, String(procedure.size), strikes === 0 ? 'none' : `${strikes}: ${procedure.faults.join(', ')}`, String(leaderStrikes), `${answered}, ${perSecond.toFixed(0)} a second`,
    verdict === 'violation' ? 'refused' : verdict, strikes === 0 ? '' : formatGap(worstGapMs), isAsExpected ? 'yes' : `NO: ${failures.join('; ')}`,
  ]);
}
console.log(`\n${markdownTable(['procedure', 'members', 'faults', 'on the leader', 'answered', 'history', 'longest gap', 'as it must be'], rows)}`);
