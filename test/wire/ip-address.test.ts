import { isIPv6 } from 'node:net';
import { expect, test } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import { formatIpAddress, parseIpAddress, toIpv6Bytes } from '../../src/wire/ip-address.ts';

test.each([
  ['127.0.0.1', [127, 0, 0, 1]],
  ['0.0.0.0', [0, 0, 0, 0]],
  ['::', new Array<number>(16).fill(0)],
  ['::1', [...new Array<number>(15).fill(0), 1]],
  ['2001:db8::ff:0', [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0]],
  ['1:2:3:4:5:6:7:8', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
  ['64:ff9b::192.0.2.1', [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1]],
  ['fe80::1%eth0', [0xfe, 0x80, ...new Array<number>(13).fill(0), 1]],
  ['::ffff:127.0.0.1', [127, 0, 0, 1]],
  ['::FFFF:7f00:1', [127, 0, 0, 1]],
])('%s has its bytes', (text, bytes) => {
  expect([...parseIpAddress(text)]).toEqual(bytes);
});

test.each(['', 'localhost', '1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4.5', ':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4::5:6:7:8', 'g::1', '12345::', '::1.2.3', '1.2.3.4::'])(
  '%s is refused',
  (text) => {
    expect(() => parseIpAddress(text)).toThrow(RangeError);
  },
);

test.each(['10.0.0.1', '::', '::1', '1::', '2001:db8::1', '2001:db8:0:1:1:1:1:1', '1:0:0:2::3', 'ff02::fb', '1:2:3:4:5:6:7:8'])('%s is written in its canonical form', (text) => {
  expect(formatIpAddress(parseIpAddress(text))).toBe(text);
});

test('any 16 bytes survive text and back', () => {
  const random = createRandom(7);
  for (let round = 0; round < 500; round++) {
    const bytes = Uint8Array.from({ length: 16 }, () => (random.chance(0.6) ? 0 : random.below(256)));
    const text = formatIpAddress(bytes);
    expect(toIpv6Bytes(parseIpAddress(text)), text).toEqual(bytes);
    expect(isIPv6(text) || text.includes('.'), text).toBe(true);
  }
});
