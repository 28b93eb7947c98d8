import { createRandom } from '../../core/random.ts';
import { nameOf, transcriptOf } from '../../lab/why/generals.ts';
import { indistinguishableWorlds, searchGenerals } from '../../lab/why/generals-search.ts';
import { drawChain, tripleReliability } from '../../lab/why/redundancy.ts';
import { clockInApply, splitBrain, withoutOrder } from '../../lab/why/surprises.ts';
import { THRESHOLD_FAULTS } from '../../lab/why/threshold-run.ts';
import { isAsExpected, thresholds, type ThresholdRow } from '../../lab/why/thresholds.ts';
import { MODES } from '../../group/modes.ts';
import { textTable } from '../../report/table.ts';
import { CommandError, Exit } from '../exit.ts';
import { Reporter } from '../output.ts';
import type { WhyArgs } from './lab.ts';

const STORY_LINES = 14;
const CHAIN_RUNS = 20_000;

/** Why so many members: every sentence from runs. Throws CommandError when one of them is not as theory says. */
export function runWhy(args: WhyArgs): void {
  const reporter = new Reporter(args);
  const wrong = [...tables(reporter, args), ...generals(reporter, args), ...surprises(reporter, args)];
  reliability(reporter, args);
  if (wrong.length > 0) throw new CommandError(`not as theory says: ${wrong.join('; ')}`, Exit.expectationNotMet);
  reporter.result(`\nEvery cell is as theory says. Seed ${args.seed}.`);
}

/** n × f for each mode and fault, and the shortest story beyond each frontier. */
function tables(reporter: Reporter, { members, seed }: WhyArgs): string[] {
  const rows: ThresholdRow[] = [];
  for (const row of thresholds(members, seed)) {
    rows.push(row);
    const { story: _story, ...facts } = row;
    reporter.json({ type: 'threshold', ...facts });
  }
  reporter.result('M masked, D detected (an error, nothing wrong believed), H hung, W a wrong answer believed; the worst of all placements of f faulty members.\nTheory: masked up to the bar.\n');
  for (const mode of MODES) {
    for (const fault of THRESHOLD_FAULTS) {
      const own = rows.filter((row) => row.mode === mode && row.fault === fault);
      reporter.result(tableOf(`${mode}: ${fault}`, own, members));
      const beyond = own.find((row) => row.n === 3 && row.f === row.threshold + 1);
      if (beyond !== undefined) reporter.info(`  ${beyond.f} of 3, ${describe(beyond.verdict)}:\n${beyond.story.slice(-STORY_LINES).map((line) => `    ${line}`).join('\n')}\n`);
    }
  }
  return rows.filter((row) => !isAsExpected(row)).map(({ mode, fault, n, f, verdict, threshold }) => `${mode}, ${fault}: ${f} of ${n} gives ${verdict}, and the threshold is ${threshold}`);
}

function tableOf(title: string, rows: readonly ThresholdRow[], members: number): string {
  const lines = Array.from({ length: members }, (_, i) => i + 1).map((n) => {
    const cells = rows.filter((row) => row.n === n);
    return [`n = ${n}`, ...cells.map(({ f, threshold, verdict }) => (f === threshold ? `${verdict} |` : verdict))];
  });
  return textTable([title, ...Array.from({ length: members + 1 }, (_, f) => `f = ${f}`)], lines.map((line) => [...line, ...Array.from({ length: members + 2 - line.length }, () => '')]));
}

/** 3k+1: where members may lie to each other. */
function generals(reporter: Reporter, { seed }: WhyArgs): string[] {
  const cases = [[3, 1, 1], [4, 1, 1], [4, 0, 1], [4, 1, 2], [6, 2, 2], [7, 2, 2]] as const;
  const wrong: string[] = [];
  reporter.result('Members that lie to each other, unsigned (oral messages, OM(m)): more than 3m generals, and m rounds of telling on.');
  const rows = cases.map(([n, rounds, traitors]) => {
    const { runs, isExhaustive, counterexample } = searchGenerals(n, rounds, traitors, seed);
    const isExpected = n > 3 * traitors && rounds >= traitors;
    const isMasked = counterexample === undefined;
    if (isMasked !== isExpected) wrong.push(`${n} generals, OM(${rounds}), ${traitors} traitors`);
    reporter.json({ type: 'generals', n, rounds, traitors, verdict: isMasked ? 'M' : 'W', runs, exhaustive: isExhaustive, expected: isExpected ? 'M' : 'W', seed });
    return [String(n), `OM(${rounds})`, String(traitors), isMasked ? 'M' : 'W', `${runs}${isExhaustive ? ', all there are' : ''}`];
  });
  reporter.result(textTable(['generals', 'algorithm', 'traitors', 'verdict', 'runs'], rows));
  const { first, second, transcript } = indistinguishableWorlds();
  reporter.info([
    'Three generals: two worlds in which lieutenant 1 hears the same.',
    `  in one, the ${nameOf(first.traitors[0]!)} lies; in the other, ${nameOf(second.traitors[0]!)} does. What lieutenant 1 hears, in both:`,
    ...transcript.map((line) => `    ${line}`),
    '  what lieutenant 2 hears:',
    ...transcriptOf(first.result, 2).map((line, i) => `    ${line.padEnd(46)} | ${transcriptOf(second.result, 2)[i] ?? ''}`),
    '  In the second world he must obey the commander; so he does in the first, and there lieutenant 2 decides otherwise.\n',
  ].join('\n'));
  return wrong;
}

function surprises(reporter: Reporter, { seed }: WhyArgs): string[] {
  const wrong: string[] = [];
  for (const show of [withoutOrder, splitBrain, clockInApply]) {
    const { title, lines, isShown } = show(seed);
    if (!isShown) wrong.push(title);
    reporter.json({ type: 'surprise', title, lines, shown: isShown, seed });
    reporter.result(`${title}:\n${lines.map((line) => `  ${line}`).join('\n')}\n`);
  }
  return wrong;
}

/** Redundancy can hurt. */
function reliability(reporter: Reporter, { seed }: WhyArgs): void {
  const random = createRandom(seed).fork('reliability');
  const rows = [0.3, 0.5, 0.7, 0.9, 0.99].map((r) => {
    const chain = drawChain(random, 3, r, r, CHAIN_RUNS);
    reporter.json({ type: 'reliability', r, triple: tripleReliability(r), ...chain, runs: CHAIN_RUNS, seed });
    return [String(r), tripleReliability(r).toFixed(4), chain.simple.toFixed(3), chain.oneVoter.toFixed(3), chain.threeVoters.toFixed(3)];
  });
  reporter.result('Three modules and a vote work if two of three do: R = 3r² − 2r³, worse than one module below r = 0.5. Three stages, with voters as good as modules:');
  reporter.result(textTable(['r', '3r² − 2r³', 'three stages, simple', 'one voter a stage', 'three voters a stage'], rows));
}

function describe(verdict: ThresholdRow['verdict']): string {
  return { M: 'masked', D: 'detected', H: 'hung', W: 'wrong, and believed' }[verdict];
}
