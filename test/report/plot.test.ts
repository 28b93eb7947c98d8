import { expect, test } from 'vitest';

import { linePlot, type LinePlot } from '../../src/report/plot.ts';

const base: LinePlot = {
  title: 'Goodput & loss',
  description: 'How goodput falls with loss.',
  xLabel: 'loss, %',
  yLabel: 'goodput, MB/s',
  series: [
    { name: 'ideal', dashed: true, points: [{ x: 0, y: 10 }, { x: 40, y: 6 }] },
    { name: 'newreno', points: [{ x: 0, y: 9, low: 8, high: 9.5 }, { x: 20, y: 1 }, { x: 40, y: 0 }] },
    { name: 'fixed', points: [{ x: 0, y: 9 }, { x: 40, y: 5, low: 4, high: 6 }] },
  ],
  notes: ['10 seeds'],
};

/** Tags are balanced and attributes quoted: well-formed enough for a strict XML reader. */
function checkWellFormed(svg: string): void {
  const open: string[] = [];
  const rest = svg.replace(/<(\/?)([a-z]+)((?: [a-zA-Z0-9:-]+="[^"<]*")*)(\/?)>/g, (_, close: string, name: string, _attributes: string, empty: string) => {
    if (close === '/') expect(open.pop()).toBe(name);
    else if (empty === '') open.push(name);
    return '';
  });
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]/);
  expect(rest.replace(/&(amp|lt|gt|quot);/g, '')).not.toMatch(/&/);
}

test('the document is well-formed, names itself, and has all its words', () => {
  const svg = linePlot(base);
  checkWellFormed(svg);
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  expect(svg).toContain('<title>Goodput &amp; loss</title>');
  expect(svg).toContain('<desc>How goodput falls with loss.</desc>');
  for (const word of ['ideal', 'newreno', 'fixed', 'loss, %', 'goodput, MB/s', '10 seeds']) expect(svg).toContain(`>${word}</text>`);
  expect(svg).not.toMatch(/NaN|Infinity|undefined|<script|<style/);
});

test('the same plot is the same bytes', () => {
  expect(linePlot(base)).toBe(linePlot(structuredClone(base)));
});

test('series differ by colour and by mark; a reference is dashed and has no mark', () => {
  const svg = linePlot(base);
  const groups = svg.split('\n').filter((line) => line.startsWith('<g>'));
  expect(groups).toHaveLength(3);
  expect(groups[0]).toContain('stroke-dasharray');
  expect(groups[0]).not.toMatch(/<circle|<polygon/);
  expect(groups[1]!.match(/<circle/g)).toHaveLength(3);
  expect(groups[2]!.match(/<polygon/g)).toHaveLength(2);
  const colours = groups.map((group) => /stroke="(#[0-9a-f]{6})" stroke-width="2.2"/.exec(group)![1]);
  expect(new Set(colours).size).toBe(3);
});

test('with more series than colours, the eighth repeats a colour with another mark', () => {
  const series = Array.from({ length: 8 }, (_, n) => ({ name: `s${n}`, points: [{ x: 0, y: n }] }));
  const groups = linePlot({ ...base, series }).split('\n').filter((line) => line.startsWith('<g>'));
  const colours = groups.map((group) => /#(?!ffffff)[0-9a-f]{6}/.exec(group)![0]);
  expect(new Set(colours.slice(0, 7)).size).toBe(7);
  expect(colours[7]).toBe(colours[0]);
  expect(groups[0]).toContain('<circle');
  expect(groups[7]).toContain('<polygon');
});

test('a whisker runs from low to high with two caps; a point without one has none', () => {
  const groups = linePlot(base).split('\n').filter((line) => line.startsWith('<g>'));
  const whiskers = groups[1]!.match(/<path d="M[\d.]+ [\d.]+V[\d.]+M[^"]*h8M[^"]*h8"/g);
  expect(whiskers).toHaveLength(1);
});

test('a value that a logarithmic axis cannot show breaks the line and is counted below', () => {
  const svg = linePlot({ ...base, yScale: 'log', series: [{ name: 's', points: [{ x: 0, y: 1 }, { x: 1, y: 0 }, { x: 2, y: 5, low: 0, high: 9 }, { x: 3, y: NaN }] }] });
  checkWellFormed(svg);
  expect(svg).not.toMatch(/NaN|Infinity/);
  expect(svg).toContain('2 points are not shown');
  expect(svg).toMatch(/<path d="M[\d.]+ [\d.]+M[\d.]+ [\d.]+" fill="none" stroke="#0072b2" stroke-width="2.2"/);
});

test('a plot without data says so', () => {
  const svg = linePlot({ ...base, series: [] });
  checkWellFormed(svg);
  expect(svg).toContain('>no data</text>');
});

test('nothing lies outside the picture, with long names, long notes and large numbers', () => {
  const svg = linePlot({
    ...base,
    title: 'A long title '.repeat(12),
    notes: ['A long note '.repeat(40)],
    series: Array.from({ length: 12 }, (_, n) => ({ name: `a series with a long name ${n}`, points: [{ x: 0, y: 10 ** n, low: 1, high: 2 * 10 ** n }, { x: 1e6, y: 1 }] })),
    yScale: 'log',
  });
  const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg)!.map(Number);
  for (const [, x, y] of svg.matchAll(/<text x="([-\d.]+)" y="([-\d.]+)"/g)) {
    expect(Number(x)).toBeGreaterThanOrEqual(0);
    expect(Number(x)).toBeLessThan(width!);
    expect(Number(y)).toBeLessThan(height!);
  }
});
