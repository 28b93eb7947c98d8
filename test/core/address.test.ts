import { describe, expect, it } from 'vitest';

import { formatAddress, makeAddress, parseAddress } from '../../src/core/address.ts';

describe('addresses as text', () => {
  it.each([['127.0.0.1', 9000, '127.0.0.1:9000'], ['::1', 0, '[::1]:0'], ['fe80::1%eth0', 65535, '[fe80::1%eth0]:65535']])('%s and %i are %s', (host, port, text) => {
    expect(formatAddress({ host, port })).toBe(text);
    expect(parseAddress(text)).toEqual(makeAddress(host, port));
  });

  it.each(['', '127.0.0.1', ':9000', '::1:9000', '[::1]', '[]:1', '127.0.0.1:65536', '127.0.0.1:-1', '127.0.0.1:9000 ', 'a:b:1'])('%j is none', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });
});
