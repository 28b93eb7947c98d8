/** Bricks of SVG text: escaped, with coordinates rounded to a tenth, so that the same plot is the same bytes. */

export type Attributes = Readonly<Record<string, string | number>>;

/** One element. `children` is markup: make text with `escapeText`. */
export function element(name: string, attributes: Attributes, children = ''): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${typeof value === 'number' ? round(value) : escapeText(value)}"`);
  return children === '' ? `<${name}${written.join('')}/>` : `<${name}${written.join('')}>${children}</${name}>`;
}

export function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;').replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '');
}

export function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Width of `text` in pixels, estimated; on the safe side for the usual sans-serif fonts. */
export function textWidth(text: string, fontSize: number): number {
  return [...text].length * fontSize * 0.55;
}

/** Breaks `text` between words into lines of at most `widthPx`; a longer word stays whole. */
export function wrapText(text: string, fontSize: number, widthPx: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const last = lines.at(-1);
    if (last !== undefined && textWidth(`${last} ${word}`, fontSize) <= widthPx) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
