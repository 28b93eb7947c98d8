import type { Words } from '../../lab/why/english.ts';
import { faultsOf, isAsExpected, type Cell } from '../../lab/why/thresholds.ts';
import type { Arrangement } from '../../lab/why/arrangements.ts';
import { displayWidth } from '../../report/table.ts';
import type { Colour, Paint } from '../output.ts';

const GAP = 3;
const COLOURS: Readonly<Record<Cell['verdict'], Colour>> = { M: 'green', D: 'yellow', H: 'red', W: 'red' };

/** All cells of one mode: a row for each n, a column for each fault, and in it the verdicts for f = 0, 1, 2, …, with a bar behind the last that theory says is masked. */
export function cellsTable(mode: Arrangement, cells: readonly Cell[], words: Words, paint: Paint): string {
  const members = Math.max(...cells.map(({ n }) => n));
  const columns = faultsOf(mode).map((fault) => ({ fault, labels: labelsOf(words.faults[fault]) }));
  const widths = columns.map(({ labels }) => Math.max(2 * members + 3, ...labels.map(displayWidth)) + GAP);
  const first = `n = ${members}`.length + GAP;
  const labels = [0, 1].map((row) => ' '.repeat(first) + columns.map((column, i) => fill(column.labels[row] ?? '', widths[i]!)).join('').trimEnd());
  const lines = [`${paint('bold', mode)}: ${words.organisations[mode]}`, ...labels];
  for (let n = 1; n <= members; n++) {
    const row = columns.map(({ fault }, i) => {
      const own = cells.filter((cell) => cell.fault === fault && cell.n === n).sort((a, b) => a.f - b.f);
      return own.map((cell) => verdictOf(cell, paint)).join('') + ' '.repeat(Math.max(0, widths[i]! - 2 * own.length));
    });
    lines.push((fill(`n = ${n}`, first) + row.join('')).trimEnd());
  }
  return `${lines.join('\n')}\n`;
}

/** Two columns: the letter, and what stands behind it. */
function verdictOf(cell: Cell, paint: Paint): string {
  const { f, threshold, verdict } = cell;
  const mark = isAsExpected(cell) ? (f === threshold ? '│' : ' ') : '?';
  return paint(COLOURS[verdict], verdict) + mark;
}

/** On two lines, so that five faults fit beside each other. */
function labelsOf(text: string): string[] {
  return text.split(/(?<=,) /u);
}

function fill(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}
