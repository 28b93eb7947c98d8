import { expect, test } from 'vitest';

import { addWords, foldChecksum } from '../../src/wire/checksum.ts';

test('the numeric example of RFC 1071, section 3', () => {
  const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  expect(foldChecksum(addWords(0, bytes, 0, bytes.length))).toBe(~0xddf2 & 0xffff);
});

test('an odd last byte is the high half of a word, and a range is summed alone', () => {
  const bytes = Uint8Array.of(0xff, 0x12, 0x34, 0x56, 0xff);
  expect(addWords(0, bytes, 1, 4)).toBe(0x1234 + 0x5600);
  expect(addWords(7, bytes, 2, 2)).toBe(7);
});

test('sums beyond 32 bits fold exactly', () => {
  const bytes = new Uint8Array(65_535).fill(0xff);
  const sum = addWords(2 ** 33, bytes, 0, bytes.length);
  expect(sum).toBe(2 ** 33 + 32_767 * 0xffff + 0xff00);
  // In one's complement arithmetic 2^16 = 1, so 2^33 counts as 2 and every 0xffff as 0.
  expect(foldChecksum(sum)).toBe(~(0xff00 + 2) & 0xffff);
});

test('data that includes its checksum sums to zero', () => {
  const bytes = Uint8Array.of(0x45, 0x00, 0x12, 0x34, 0, 0, 0xab, 0xcd);
  const checksum = foldChecksum(addWords(0, bytes, 0, bytes.length));
  bytes[4] = checksum >> 8;
  bytes[5] = checksum & 0xff;
  expect(foldChecksum(addWords(0, bytes, 0, bytes.length))).toBe(0);
});
