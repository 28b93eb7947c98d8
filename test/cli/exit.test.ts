import { describe, expect, test } from 'vitest';

import { CommandError, describeError, Exit, exitCodeOf, oneLine, UsageError } from '../../src/cli/exit.ts';

const transportError = (code: string, established: boolean): Error => Object.assign(new Error('text'), { code, details: { established } });

test('the numbers are those that scripts rely on', () => {
  expect(Exit).toEqual({ done: 0, runtimeError: 1, wrongUsage: 2, noConnection: 3, connectionReset: 4, timedOut: 5, bytesDiffer: 6, expectationNotMet: 99, interrupted: 130 });
});

describe('exitCodeOf', () => {
  test.each(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'EANYTHING'])('%s before the connection is established is 3', (code) => {
    expect(exitCodeOf(transportError(code, false))).toBe(3);
  });

  test.each([
    ['ECONNRESET', 4],
    ['EPIPE', 4],
    ['ETIMEDOUT', 5],
    ['ECONNABORTED', 1],
    ['ECONNREFUSED', 1],
  ])('%s on an established connection is %i', (code, exitCode) => {
    expect(exitCodeOf(transportError(code, true))).toBe(exitCode);
  });

  test.each([
    ['ECONNREFUSED', 3],
    ['ENOTFOUND', 3],
    ['EAI_AGAIN', 3],
    ['ENETUNREACH', 3],
    ['ENOENT', 1],
    ['ENOSPC', 1],
    ['EPIPE', 1],
    ['EADDRINUSE', 1],
  ])('%s from the system, without details, is %i', (code, exitCode) => {
    expect(exitCodeOf(Object.assign(new Error('text'), { code }))).toBe(exitCode);
  });

  test('a command error says its own code, a usage error is 2', () => {
    expect(exitCodeOf(new CommandError('x', Exit.bytesDiffer))).toBe(6);
    expect(exitCodeOf(new UsageError('x'))).toBe(2);
    expect(new UsageError('x')).toBeInstanceOf(CommandError);
  });

  test.each([[new Error('x')], ['text'], [undefined], [null], [7], [{ details: null }], [{ code: 5 }]])('%j is a runtime error', (error) => {
    expect(exitCodeOf(error)).toBe(1);
  });
});

describe('describeError', () => {
  test('one line, with the code in front once', () => {
    expect(describeError(Object.assign(new Error('peer\nsent   RST'), { code: 'ECONNRESET' }))).toBe('ECONNRESET: peer sent RST');
    expect(describeError(Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' }))).toBe('ENOENT: no such file');
  });

  test('what has no message has a name', () => {
    expect(describeError(new TypeError(''))).toBe('TypeError');
    expect(describeError(Object.assign(new Error(''), { code: 'EIO' }))).toBe('EIO');
    expect(describeError('text')).toBe('text');
  });

  test('only a command error can ask for silence', () => {
    expect(describeError(new CommandError('', Exit.interrupted))).toBe('');
  });

  test('terminal control sequences from outside lose their power', () => {
    expect(oneLine('a\u001b[2Jb\r\nc\u009bd')).toBe('a [2Jb c d');
  });
});
