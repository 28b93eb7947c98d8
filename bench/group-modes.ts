/**
 * What replication costs: operations a second and latencies of each mode, as ratios to one member that replicates nothing, over the same transport in
 * the same minute: both groups stand at once and take the load in turn. Without loss and with 10 % on every link; without loss also by size of group.
 *
 *   npx tsx bench/group-modes.ts [--modes raft,…] [--sizes 3,5] [--larger 7,9] [--loss 10%] [--rounds 3] [--seconds 1.5] [--clients 8] [--json]
 *
 * `--larger ''` and `--loss ''` leave those out. The median of the rounds, with the range in brackets. With --json, each round and each cell is a line.
 * Ten minutes as it stands. Uses dist/: build first.
 */
import { parseArgs } from 'node:util';

import { MODES } from '../src/group/modes.ts';
import { formatSpread, spreadOf, type Spread } from '../src/lab/statistics.ts';
import { textTable } from '../src/report/table.ts';
import { BenchGroup } from './group.ts';
import { startProgram } from './program.ts';

const { values } = parseArgs({
  options: {
    modes: { type: 'string', default: MODES.join() }, sizes: { type: 'string', default: '3,5' }, larger: { type: 'string', default: '7,9' }, loss: { type: 'string', default: '10%' },
    rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '1.5' }, clients: { type: 'string', default: '8' }, json: { type: 'boolean', default: false },
  },
});
/** Of each group, before it is measured: its programs are compiled then. */
const WARM_UP_SECONDS = '2';

interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Cell {
  readonly mode: string;
  readonly members: number;
  /** On every link; empty: none. */
  readonly loss: string;
  readonly perSecond: Spread;
  readonly p50Ms: Spread;
  readonly p99Ms: Spread;
  /** To one member in the same round: below 1 for fewer operations, above 1 for longer latencies. */
  readonly toOne: { readonly perSecond: Spread; readonly p50Ms: Spread; readonly p99Ms: Spread };
}

const modes = values.modes.split(',');
const sizes = sizesOf(values.sizes);
const plain = await measureAll('', [...sizes, ...sizesOf(values.larger)]);
say(`Without loss, ${values.clients} clients; ratios to one member in the same round.\n\n${tableOf(plain.filter(({ members }) => sizes.includes(members)))}`);
if (values.larger !== '') say(`By size of group, without loss: operations a second, to one member.\n\n${sizeTable(plain)}`);
if (values.loss !== '') say(`With ${values.loss} loss on every link, both ways; the one member has it, too.\n\n${tableOf(await measureAll(values.loss, sizes))}`);

async function measureAll(loss: string, groupSizes: readonly number[]): Promise<Cell[]> {
  const one = await startGroup('raft', 1, loss);
  try {
    const cells: Cell[] = [];
    for (const mode of modes) for (const members of groupSizes) cells.push(await measureCell(one, mode, members, loss));
    return cells;
  } finally {
    await one.stop();
  }
}

async function measureCell(one: BenchGroup, mode: string, members: number, loss: string): Promise<Cell> {
  const group = await startGroup(mode, members, loss);
  const pairs: { readonly alone: Measured; readonly measured: Measured }[] = [];
  try {
    for (let round = 1; round <= Number(values.rounds); round++) {
      const pair = { alone: await load(one, values.seconds), measured: await load(group, values.seconds) };
      pairs.push(pair);
      report({ type: 'round', mode, members, loss, round, ...pair });
    }
  } finally {
    await group.stop();
  }
  const spread = (of: (pair: (typeof pairs)[number]) => number): Spread => spreadOf(pairs.map(of));
  const cell: Cell = {
    mode, members, loss, perSecond: spread(({ measured }) => measured.perSecond), p50Ms: spread(({ measured }) => measured.p50Ms), p99Ms: spread(({ measured }) => measured.p99Ms),
    toOne: {
      perSecond: spread(({ alone, measured }) => measured.perSecond / alone.perSecond),
      p50Ms: spread(({ alone, measured }) => measured.p50Ms / alone.p50Ms),
      p99Ms: spread(({ alone, measured }) => measured.p99Ms / alone.p99Ms),
    },
  };
  report({ type: 'cell', ...cell });
  return cell;
}

async function startGroup(mode: string, size: number, loss: string): Promise<BenchGroup> {
  const group = await BenchGroup.start(['--mode', mode, '--size', String(size), ...(loss === '' ? [] : ['--proxy', `loss ${loss}`])]);
  await load(group, WARM_UP_SECONDS);
  return group;
}

async function load(group: BenchGroup, seconds: string): Promise<Measured> {
  const program = startProgram(['kv', 'load', '--json', '--control', group.control, '--clients', values.clients, '--seconds', `${seconds}s`]);
  const summary = await program.line((line) => line['type'] === 'summary');
  await program.exited;
  return { perSecond: Number(summary['perSecond']), p50Ms: Number(summary['p50Ms']), p99Ms: Number(summary['p99Ms']) };
}

function tableOf(cells: readonly Cell[]): string {
  return textTable(
    ['mode', 'members', 'operations a second', 'ratio', 'p50 in ms', 'ratio', 'p99 in ms', 'ratio'],
    cells.map(({ mode, members, perSecond, p50Ms, p99Ms, toOne }) => [
      mode, members, formatSpread(perSecond, 0), formatSpread(toOne.perSecond, 2), formatSpread(p50Ms, 1), formatSpread(toOne.p50Ms, 1), formatSpread(p99Ms, 0), formatSpread(toOne.p99Ms, 1),
    ]),
  );
}

function sizeTable(cells: readonly Cell[]): string {
  const all = [...new Set(cells.map(({ members }) => members))];
  return textTable(['mode', ...all.map((size) => `${size} members`)], modes.map((mode) => [mode, ...cells.filter((cell) => cell.mode === mode).map(({ toOne }) => formatSpread(toOne.perSecond, 2))]));
}

function sizesOf(text: string): number[] {
  return text === '' ? [] : text.split(',').map(Number);
}

function report(line: Readonly<Record<string, unknown>>): void {
  if (values.json) console.log(JSON.stringify(line));
}

function say(text: string): void {
  if (!values.json) console.log(text);
}
