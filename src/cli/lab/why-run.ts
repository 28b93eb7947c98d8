import { asynchronousQuorums, oralMessages } from '../../lab/why/agreement.ts';
import { ARRANGEMENTS, type Arrangement } from '../../lab/why/arrangements.ts';
import { cellStory } from '../../lab/why/cell-story.ts';
import { clockInApply } from '../../lab/why/clock-in-apply.ts';
import { detection } from '../../lab/why/detection.ts';
import type { Words } from '../../lab/why/english.ts';
import { outvoted, survivor } from '../../lab/why/enough.ts';
import type { MakeExhibit } from '../../lab/why/exhibit.ts';
import { generals } from '../../lab/why/generals-story.ts';
import { LANGUAGES } from '../../lab/why/language.ts';
import { redundancy } from '../../lab/why/redundancy.ts';
import { retries } from '../../lab/why/retries.ts';
import { halves, votes } from '../../lab/why/splits.ts';
import { cellOf, faultsOf, isAsExpected, thresholds, type Cell, type CellFault, type ThresholdRow } from '../../lab/why/thresholds.ts';
import { liars, silence } from '../../lab/why/two-worlds.ts';
import { withoutOrder } from '../../lab/why/without-order.ts';
import { wrap } from '../../report/wrap.ts';
import { CommandError, Exit, UsageError } from '../exit.ts';
import { flagValue } from '../flags.ts';
import { makePaint, Reporter, type Paint, type ReporterOptions } from '../output.ts';
import type { WhyArgs } from './lab.ts';
import { cellsTable } from './why-table.ts';

const WIDTH = 100;
/** Of the groups in the stories beyond the frontier. */
const STORY_MEMBERS = 3;

/** Before the tables: what an order is for, why k+1 are enough, and why 2k+1, but not 2k. */
const REASONS: readonly MakeExhibit[] = [withoutOrder, survivor, outvoted, liars];
/** After them: what repetition masks, what k+1 takes, what votes and majorities take, why 3k+1, and what surprises besides. */
const EXHIBITS: readonly MakeExhibit[] = [retries, silence, detection, clockInApply, halves, votes, asynchronousQuorums, oralMessages, generals, redundancy];

export interface WhyOptions extends Pick<ReporterOptions, 'stdout' | 'stderr'> {
  /** Of the tables; all that there are unless said otherwise. */
  readonly cells?: Iterable<Cell>;
  /** What is shown before them, and after; all that there is unless said otherwise. */
  readonly reasons?: readonly MakeExhibit[];
  readonly exhibits?: readonly MakeExhibit[];
}

/** Names a cell: raft/crash/5/3. Throws Error. */
function parseStory(text: string): Pick<Cell, 'mode' | 'fault' | 'n' | 'f'> {
  const match = /^([^/]+)\/([^/]+)\/(\d)\/(\d)$/.exec(text);
  const mode = ARRANGEMENTS.find((name) => name === match?.[1]);
  if (match === null || mode === undefined) throw new Error(`"${text}" is not MODE/FAULT/N/F, as in raft/crash/5/3, with a mode of ${ARRANGEMENTS.join(', ')}`);
  const fault = faultsOf(mode).find((name) => name === match[2]);
  const [n, f] = [Number(match[3]), Number(match[4])];
  if (fault === undefined) throw new Error(`"${match[2]}" is not a fault of ${mode}: ${faultsOf(mode).join(', ')}`);
  if (n < 1 || n > 7 || f > n) throw new Error(`${f} faulty members of ${n}: 1 to 7 members, and no more faulty than there are`);
  return { mode, fault, n, f };
}

/** Why so many members: every sentence from runs. Throws CommandError when one of them is not as theory says. */
export function runWhy(args: WhyArgs, options: WhyOptions = {}): void {
  const { cells = thresholds(args.members, args.seed), reasons = REASONS, exhibits = EXHIBITS, stdout = process.stdout, stderr = process.stderr } = options;
  const reporter = new Reporter({ ...args, stdout, stderr });
  const words = LANGUAGES[args.lang];
  const paint = makePaint(stderr);
  const story = args.story === undefined ? undefined : flagValue('--story', parseStory)(args.story);
  const wrong = story === undefined
    ? [...begin(reasons, reporter, paint, words, args.seed), ...tables(reporter, paint, words, cells), ...show(exhibits, reporter, paint, words, args.seed)]
    : oneStory(reporter, paint, words, args.seed, story);
  if (wrong.length > 0) throw new CommandError(words.notAsTheory(wrong.join('; ')), Exit.expectationNotMet);
  reporter.result(words.asTheory(args.seed));
}

/** n × f for each mode and fault, then a story beyond each frontier. Returns what is not as expected. */
function tables(reporter: Reporter, paint: Paint, words: Words, given: Iterable<Cell>): string[] {
  const cells: Cell[] = [];
  for (const cell of given) {
    cells.push(cell);
    reporter.json(rowOf(cell));
    reporter.status(`${cell.mode} · ${words.faults[cell.fault]} · n = ${cell.n}`);
  }
  reporter.result(`${heading(words.tablesTitle, paint)}\n${paragraph(words.tablesLegend)}\n${paragraph(words.verdicts)}\n`);
  for (const mode of ARRANGEMENTS) reporter.result(cellsTable(mode, cells.filter((cell) => cell.mode === mode), words, paint));
  reporter.result(`${words.runs(cells.reduce((sum, { runs }) => sum + runs, 0))}\n`);
  reporter.info(`${heading(words.beyond, paint)}\n`);
  for (const cell of cells) if (isWorthTelling(cell)) reporter.info(storyOf(cell, words, paint));
  return cells.flatMap((cell) => differenceOf(cell, words));
}

/** The first beyond each frontier. Whoever lies alone cannot collude. */
function isWorthTelling({ fault, n, f, threshold }: Cell): boolean {
  return n === STORY_MEMBERS && f === threshold + 1 && !(fault === 'wrong-value:independent' && f === 1);
}

function oneStory(reporter: Reporter, paint: Paint, words: Words, seed: number, { mode, fault, n, f }: ReturnType<typeof parseStory>): string[] {
  const cell = cellOf(mode, fault, n, f, seed);
  if (cell === undefined) throw new UsageError(`--story: there is no such placement: ${mode}/${fault}/${n}/${f}`);
  reporter.json(rowOf(cell));
  reporter.result(storyOf(cell, words, paint));
  return differenceOf(cell, words);
}

function storyOf(cell: Cell, words: Words, paint: Paint): string {
  const { mode, fault, n, f, threshold, verdict, example } = cell;
  const faulty = example.faulty.map((place) => `m${place}`).join(', ') || words.nobody;
  const title = `${words.oneStory(cellName(mode, fault, n, f), threshold)} → ${verdict}, ${words.verdictOf[verdict]} (${words.placement(faulty)})`;
  return `${heading(title, paint)}\n${cellStory(example, words)}`;
}

function begin(reasons: readonly MakeExhibit[], reporter: Reporter, paint: Paint, words: Words, seed: number): string[] {
  reporter.result(`${paragraph(words.defineK)}\n${paragraph(words.storyLegend)}\n`);
  return show(reasons, reporter, paint, words, seed);
}

function show(exhibits: readonly MakeExhibit[], reporter: Reporter, paint: Paint, words: Words, seed: number): string[] {
  return exhibits.flatMap((make) => {
    const { title, text, isShown, rows = [] } = make(seed, words);
    for (const row of rows) reporter.json(rowOf(row));
    reporter.result(`${heading(title, paint)}\n${text.split('\n').map(paragraph).join('\n')}`);
    return isShown ? [] : [title];
  });
}

function differenceOf(cell: Cell, words: Words): string[] {
  const { mode, fault, n, f, verdict, expected } = cell;
  return isAsExpected(cell) ? [] : [words.cellDiffers(cellName(mode, fault, n, f), verdict, expected.join('/'))];
}

function cellName(mode: Arrangement, fault: CellFault, n: number, f: number): string {
  return `${mode}/${fault}/${n}/${f}`;
}

/** Just the fields that a row has; `counted` only where nothing was run. */
function rowOf({ mode, fault, n, f, threshold, verdict, runs, seed, isCounted }: ThresholdRow): Record<string, unknown> {
  return { mode, fault, n, f, threshold, verdict, runs, seed, ...(isCounted === undefined ? {} : { counted: isCounted }) };
}

function heading(title: string, paint: Paint): string {
  return wrap(title, WIDTH).map((line) => paint('bold', line)).join('\n');
}

/** Sentences are broken; pictures and tables, which have wide gaps, are as wide as they are. */
function paragraph(line: string): string {
  return line.includes('  ') ? line : wrap(line, WIDTH).join('\n');
}
