import { displayWidth } from './table.ts';

/** As much of the beginning as fits so many columns. */
export function clip(text: string, width: number): string {
  let clipped = '';
  for (const character of text) {
    if (displayWidth(clipped + character) > width) return clipped;
    clipped += character;
  }
  return clipped;
}

/** Lines of at most so many columns, broken at blanks, and words that are too long at any place. At least one line. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    let rest = word;
    if (line !== '' && displayWidth(line) + 1 + displayWidth(rest) > width) {
      lines.push(line);
      line = '';
    }
    while (displayWidth(rest) > width) {
      const head = clip(rest, width);
      lines.push(head);
      rest = rest.slice(head.length);
    }
    line = line === '' ? rest : `${line} ${rest}`;
  }
  return [...lines, line];
}
