import { expect, test } from 'vitest';

import { displayWidth, markdownTable, textTable } from '../../src/report/table.ts';

const header = ['loss', 'controller', 'goodput', 'spread'];
const rows = [
  ['0 %', 'newreno', 12.5, '12.1–12.9'],
  ['20 %', 'fixed:256', '4.75 MB/s', '–'],
  ['40 %', 'ideal (1 − p)'],
];

test('text: numbers to the right, words to the left, no trailing blanks', () => {
  expect(textTable(header, rows)).toBe(
    [
      'loss  controller       goodput     spread',
      '----  -------------  ---------  ---------',
      ' 0 %  newreno             12.5  12.1–12.9',
      '20 %  fixed:256      4.75 MB/s          –',
      '40 %  ideal (1 − p)',
      '',
    ].join('\n'),
  );
});

test('Markdown: right-aligned columns are marked, pipes are escaped, lines are joined', () => {
  expect(markdownTable(['n', 'what'], [[1, 'a|b'], [10, 'two\nlines']])).toBe(['|   n | what      |', '| --: | --------- |', '|   1 | a\\|b      |', '|  10 | two lines |', ''].join('\n'));
});

test('without rows there is a header', () => {
  expect(textTable(['a', 'bc'], [])).toBe('a  bc\n-  --\n');
});

test('words that only start with a digit stay on the left', () => {
  expect(textTable(['x'], [['1'], ['2 of 3 members dead']])).toMatch(/^1$/m);
});

test('display width: accents and composed characters, wide characters', () => {
  expect(displayWidth('naïve')).toBe(5);
  expect(displayWidth('nai\u0308ve')).toBe(5);
  expect(displayWidth('漢字')).toBe(4);
  expect(displayWidth('±10 µs ✓')).toBe(8);
});
