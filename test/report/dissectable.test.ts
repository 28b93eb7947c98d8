import { expect, test } from 'vitest';

import { unreadableReason } from '../../src/report/dissectable.ts';

/** A segment with these options, padded with no-operations, and 10 bytes of data. */
function segment(options: readonly number[]): Uint8Array {
  const padded = [...options];
  while (padded.length % 4 !== 0) padded.push(1);
  return Uint8Array.from([((20 + padded.length) / 4) << 4, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...padded, ...new Array<number>(10).fill(0xff)]);
}

test.each([
  ['no options', []],
  ['those of a SYN', [2, 4, 5, 0xb4, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0]],
  ['one SACK block', [5, 10, 1, 2, 3, 4, 5, 6, 7, 8]],
  ['four SACK blocks', [5, 34, ...new Array<number>(32).fill(9)]],
  ['an experimental option', [253, 8, 0xfa, 0x11, 1, 2, 3, 4]],
  ['an option that we do not know', [77, 3, 9]],
  ['anything behind the end of the list', [0, 2, 99, 0]],
])('%s can be shown as TCP', (_name, options) => {
  expect(unreadableReason(segment(options))).toBeUndefined();
});

test.each([
  ['an option of length 0', [1, 253, 0, 1], /length of option 253 is wrong/],
  ['an option of length 1', [253, 1], /length of option 253 is wrong/],
  ['an option beyond the header', [2, 4, 5, 0xb4, 253, 9, 1, 1], /length of option 253 is wrong/],
  ['a kind without a length', [1, 1, 1, 8], /length of option 8 is wrong/],
  ['an MSS of 3 bytes', [2, 3, 5], /option 2 cannot have 3 bytes/],
  ['SACK without a block', [5, 2], /option 5 cannot have 2 bytes/],
  ['SACK with half a block', [5, 6, 1, 2, 3, 4], /option 5 cannot have 6 bytes/],
  ['Multipath TCP', [30, 3, 0], /option 30/],
])('%s cannot', (_name, options, reason) => {
  expect(unreadableReason(segment(options))).toMatch(reason);
});

test('what is no segment has a reason too', () => {
  expect(unreadableReason(new Uint8Array(0))).toMatch(/not a TCP segment/);
  expect(unreadableReason(new Uint8Array(12).fill(0x60))).toMatch(/not a TCP segment/);
});
