import { describe, expect, test } from 'vitest';

import { makePaint, Reporter, type OutputStream } from '../../src/cli/output.ts';

class Capture implements OutputStream {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 100;

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.text += text;
  }
}

function setUp({ json = false, quiet = false, isTTY = false, env = {} as Record<string, string> } = {}): { reporter: Reporter; stdout: Capture; stderr: Capture } {
  const stdout = new Capture(false);
  const stderr = new Capture(isTTY);
  return { reporter: new Reporter({ json, quiet, stdout, stderr, env }), stdout, stderr };
}

/** Everything a command may say. */
function sayAll(reporter: Reporter): void {
  reporter.info('info');
  reporter.result('result');
  reporter.warn('bad\nnews');
  reporter.json({ type: 'summary', bytes: 3 });
}

test('human lines go to stderr, nothing to stdout', () => {
  const { reporter, stdout, stderr } = setUp();
  sayAll(reporter);
  expect(stderr.text).toBe('info\nresult\nfailmask: bad news\n');
  expect(stdout.text).toBe('');
});

test('--quiet keeps the result and warnings', () => {
  const { reporter, stdout, stderr } = setUp({ quiet: true });
  sayAll(reporter);
  expect(stderr.text).toBe('result\nfailmask: bad news\n');
  expect(stdout.text).toBe('');
});

test('--json puts one object a line on stdout, and keeps warnings on stderr', () => {
  const { reporter, stdout, stderr } = setUp({ json: true });
  sayAll(reporter);
  expect(stdout.text).toBe('{"type":"summary","bytes":3}\n');
  expect(stderr.text).toBe('failmask: bad news\n');
});

describe('status line', () => {
  test.each([
    [{ isTTY: true }, true],
    [{ isTTY: false }, false],
    [{ isTTY: true, json: true }, false],
    [{ isTTY: true, quiet: true }, false],
    [{ isTTY: true, env: { TERM: 'dumb' } }, false],
  ])('with %j: %s', (options, isShown) => {
    const { reporter, stderr } = setUp(options);
    expect(reporter.isInteractive).toBe(isShown);
    reporter.status('42 %');
    expect(stderr.text).toBe(isShown ? '\r\u001b[K42 %' : '');
  });

  test('steps aside for other lines, once', () => {
    const { reporter, stderr } = setUp({ isTTY: true });
    reporter.status('42 %');
    reporter.info('line');
    reporter.info('line');
    reporter.clearStatus();
    expect(stderr.text).toBe('\r\u001b[K42 %\r\u001b[Kline\nline\n');
  });
});

test('colours are for terminals that want them', () => {
  expect(makePaint(new Capture(true), {})('red', 'x')).toBe('\u001b[31mx\u001b[39m');
  expect(makePaint(new Capture(true), { NO_COLOR: '' })('bold', 'x')).toBe('\u001b[1mx\u001b[22m');
  expect(makePaint(new Capture(true), { NO_COLOR: '1' })('red', 'x')).toBe('x');
  expect(makePaint(new Capture(true), { TERM: 'dumb' })('red', 'x')).toBe('x');
  expect(makePaint(new Capture(false), {})('red', 'x')).toBe('x');
});
