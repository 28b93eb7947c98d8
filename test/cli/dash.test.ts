import { expect, test } from 'vitest';

import { protectDashes, restoreDash, restoreDashes } from '../../src/cli/dash.ts';

test('a lone dash, and everything behind "--", are words; flags stay flags', () => {
  const words = protectDashes(['send', '-4', '-', '--output', '-', '--', '-', '--flag', 'word']);
  expect(words.map(restoreDash)).toEqual(['send', '-4', '-', '--output', '-', '-', '--flag', 'word']);
  expect(words.filter((word) => word.startsWith('-'))).toEqual(['-4', '--output']);
});

test('parsed values are restored, also in lists; other types are left alone', () => {
  const parsed: Record<string, unknown> = { file: '\u0000-', _: ['send', '\u0000--x'], n: 1, list: [1], nothing: undefined };
  restoreDashes(parsed);
  expect(parsed).toEqual({ file: '-', _: ['send', '--x'], n: 1, list: [1], nothing: undefined });
});
