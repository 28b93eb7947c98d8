/** Tables from rows, as aligned text for terminals and as Markdown. Columns of numbers are set to the right. */

/** Numbers are written as `String` writes them: round them before. */
export type Cell = string | number;

/** A number, perhaps with a sign, a unit or a spread behind it; or the mark for "none". */
const NUMERIC = /^(?:[-+−±≈<>≤≥]? ?\d[\d.,]*(?: ?(?:%|[×µa-zA-Z/]{1,8}))?(?: ?[–±(].*)?|[–—-])$/;
const INVISIBLE = /^[\p{Mark}\u200b-\u200f\ufe00-\ufe0f]$/u;
const WIDE =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;
const COLUMN_GAP = '  ';

/** Header, rule and rows, each line ended by a newline, without trailing blanks. Short rows are filled up. */
export function textTable(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const { cells, widths, isRight } = layOut(header, rows);
  const lines = cells.map((row) => row.map((cell, column) => pad(cell, widths[column]!, isRight[column]!)).join(COLUMN_GAP));
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join(COLUMN_GAP));
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

/** A table of GitHub-flavoured Markdown, aligned in its source too. */
export function markdownTable(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const escaped = (cell: Cell): string => String(cell).replace(/\|/g, '\\|').replace(/\s*\n\s*/g, ' ');
  const { cells, widths, isRight } = layOut(header.map(escaped), rows.map((row) => row.map(escaped)), 3);
  const lines = cells.map((row) => row.map((cell, column) => pad(cell, widths[column]!, isRight[column]!)));
  lines.splice(1, 0, widths.map((width, column) => (isRight[column]! ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))));
  return lines.map((line) => `| ${line.join(' | ')} |\n`).join('');
}

/** Columns that `text` takes in a terminal: combining marks none, East Asian wide characters and emoji two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (INVISIBLE.test(character)) continue;
    width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}

function layOut(header: readonly string[], rows: readonly (readonly Cell[])[], minWidth = 1): { cells: string[][]; widths: number[]; isRight: boolean[] } {
  const columns = Math.max(header.length, ...rows.map((row) => row.length));
  const cells = [header, ...rows].map((row) => Array.from({ length: columns }, (_, column) => String(row[column] ?? '')));
  const widths = Array.from({ length: columns }, (_, column) => Math.max(minWidth, ...cells.map((row) => displayWidth(row[column]!))));
  const isRight = widths.map((_, column) => {
    const filled = cells.slice(1).map((row) => row[column]!).filter((cell) => cell !== '');
    return filled.length > 0 && filled.every((cell) => NUMERIC.test(cell));
  });
  return { cells, widths, isRight };
}

function pad(cell: string, width: number, isRight: boolean): string {
  const blanks = ' '.repeat(width - displayWidth(cell));
  return isRight ? blanks + cell : cell + blanks;
}
