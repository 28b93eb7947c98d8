import { describe, expect, test } from 'vitest';

import { UsageError } from '../../src/cli/exit.ts';
import { duration, flagValue, hostPort, keepAlive, port, probability, rate, seed, size, whole } from '../../src/cli/flags.ts';

/** The message of the UsageError that `action` throws. */
function usage(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message;
  }
  throw new Error('nothing was thrown');
}

test('values of each kind', () => {
  expect(duration('--delay')('20ms')).toBe(20);
  expect(size('--mtu')('8KiB')).toBe(8192);
  expect(rate('--rate')('50mbit')).toBe(50_000_000);
  expect(probability('--loss')('20%')).toBe(0.2);
  expect(whole('--runs', 'number of runs', 1)('10')).toBe(10);
  expect(port('--port')('0')).toBe(0);
  expect(seed('--seed')('4294967295')).toBe(4_294_967_295);
});

describe('what is wrong names the flag, in one line', () => {
  test.each([
    ['--delay', () => duration('--delay')('20')],
    ['--user-timeout', () => duration('--user-timeout', 1)('0s')],
    ['--user-timeout', () => duration('--user-timeout')('35792m')],
    ['--mtu', () => size('--mtu')('many')],
    ['--mtu', () => size('--mtu', 100)('99')],
    ['--mtu', () => size('--mtu', 0, 65_507)('65508')],
    ['--rate', () => rate('--rate')('50')],
    ['--loss', () => probability('--loss')('101%')],
    ['--runs', () => whole('--runs', 'number of runs', 1)('0')],
    ['--port', () => port('--port')('65536')],
    ['--port', () => port('--port')('-1')],
    ['--seed', () => seed('--seed')('4294967296')],
    ['--keepalive', () => keepAlive('--keepalive')('1s/1s')],
    ['--keepalive', () => keepAlive('--keepalive')('1s/0s/3')],
    ['--keepalive', () => keepAlive('--keepalive')('1s/1s/0')],
    ['HOST:PORT', () => hostPort('HOST:PORT')('nowhere')],
  ])('%s', (flag, action) => {
    const message = usage(action);
    expect(message.startsWith(`${flag}: "`), message).toBe(true);
    expect(message).not.toContain('\n');
  });

  test('an empty value and a value given twice', () => {
    expect(usage(() => duration('--delay')(''))).toBe('--delay needs a value');
    expect(usage(() => duration('--delay')(['1s', '2s']))).toBe('--delay is given more than once');
  });
});

test('a flag that is not given stays undefined', () => {
  expect(duration('--delay')(undefined)).toBeUndefined();
});

test('a lone dash arrives as a dash', () => {
  expect(flagValue('--output', (text) => text)('\u0000-')).toBe('-');
});

test('the longest duration is the longest that a timer can hold', () => {
  expect(duration('--user-timeout')('2147483647ms')).toBe(2 ** 31 - 1);
  expect(usage(() => duration('--user-timeout')('2147483648ms'))).toMatch(/too long/);
});

describe('HOST:PORT', () => {
  test.each([
    ['127.0.0.1:9000', '127.0.0.1', 9000],
    ['localhost:1', 'localhost', 1],
    ['[::1]:9000', '::1', 9000],
    ['[fe80::1%eth0]:65535', 'fe80::1%eth0', 65_535],
    ['my-host.example.org.:80', 'my-host.example.org.', 80],
  ])('%s', (text, host, portNumber) => {
    expect(hostPort('TO')(text)).toEqual({ host, port: portNumber });
  });

  test.each(['', ':9000', 'host', 'host:', 'host:0', 'host:65536', 'host:80x', 'host: 80', 'ho st:80', '-host:80', 'http://host:80', '[::1]', '[::1]9000', '[host]:80', '[127.0.0.1]:80', '127.0.0.300:80', '1.2.3:80', 'a:b:80', 'host\u0007:80'])(
    'refuses %j',
    (text) => {
      usage(() => hostPort('TO')(text));
    },
  );

  test.each(['::1:9000', '::1', '2001:db8::1:9000'])('%s gets a hint about brackets', (text) => {
    expect(usage(() => hostPort('TO')(text))).toMatch(/brackets/);
  });
});

test('IDLE/INTERVAL/COUNT', () => {
  expect(keepAlive('--keepalive')('30s/500ms/3')).toEqual({ idleMs: 30_000, intervalMs: 500, count: 3 });
});
