import { expect, test } from 'vitest';

import { element, escapeText, wrapText } from '../../src/report/svg.ts';

test('text and attributes are escaped, and control characters, which XML cannot carry, are left out', () => {
  expect(escapeText('a < b & "c" > d\u0000\u001b[1m')).toBe('a &lt; b &amp; &quot;c&quot; &gt; d[1m');
  expect(element('text', { x: 1.25, class: '"><script>' }, 'hi')).toBe('<text x="1.3" class="&quot;&gt;&lt;script&gt;">hi</text>');
  expect(element('line', { x1: -0.04 })).toBe('<line x1="0"/>');
});

test('text is broken between words', () => {
  expect(wrapText('one two  three', 10, 50)).toEqual(['one two', 'three']);
  expect(wrapText('unbreakablelongword x', 10, 20)).toEqual(['unbreakablelongword', 'x']);
  expect(wrapText('', 10, 50)).toEqual([]);
});
