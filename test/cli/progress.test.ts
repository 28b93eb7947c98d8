import { describe, expect, test } from 'vitest';

import { Reporter, type OutputStream } from '../../src/cli/output.ts';
import { INTERVAL_HEADER, intervalLine, Progress, statusLine, type ProgressClock, type ProgressSample } from '../../src/cli/progress.ts';

describe('intervalLine', () => {
  test('is an iperf3 line: binary bytes, decimal bits', () => {
    const line = intervalLine({ id: 1, startMs: 0, endMs: 1000, bytes: 1.2 * 1024 * 1024, retransmissions: 3, cwndBytes: 42.4 * 1024 });
    expect(line).toBe('[  1]   0.00-1.00   sec  1.20 MBytes  10.1 Mbits/sec    3   42.4 KBytes');
    expect(line.indexOf('1.20')).toBe(INTERVAL_HEADER.indexOf('Transfer'));
    expect(line.indexOf('10.1')).toBe(INTERVAL_HEADER.indexOf('Bitrate'));
  });

  test.each([
    [0, 0, '0.00 Bytes   0.00 bits/sec'],
    [999, 1000, ' 999 Bytes   7.99 Kbits/sec'],
    [1024 ** 3 * 123, 1000, ' 123 GBytes  1.06 Tbits/sec'],
    [125_000, 1000, ' 122 KBytes  1.00 Mbits/sec'],
  ])('%d bytes in %d ms', (bytes, ms, expected) => {
    expect(intervalLine({ id: 12, startMs: 9000, endMs: 9000 + ms, bytes, retransmissions: 0 })).toContain(`sec  ${expected}`);
  });

  test('totals have no window and no trailing blanks', () => {
    expect(intervalLine({ id: 1, startMs: 0, endMs: 12_345, bytes: 1, retransmissions: 1234 })).toMatch(/^\[ {2}1\] {3}0\.00-12\.35 {2}sec .* 1234$/);
  });
});

describe('statusLine', () => {
  const sample: ProgressSample = { bytes: 4 * 1024 * 1024, total: 16 * 1024 * 1024, retransmissions: 31, cwndBytes: 120 * 1024, srttMs: 41.2 };

  test('shows percent, bar, bytes, rate, ETA, RTT, window and retransmissions', () => {
    expect(statusLine(sample, 8 * 1024 * 1024, 120)).toBe(' 25%  [#######-----------------------]  4 MiB  8.39 Mbit/s  ETA 12s  RTT 41.2ms  retr 31  cwnd 120 KiB');
  });

  test('fits a terminal of 80 columns with a bar', () => {
    expect(statusLine(sample, 8e6, 80)).toBe(' 25%  [##--------]  4 MiB  8 Mbit/s  ETA 13s  RTT 41.2ms  retr 31  cwnd 120 KiB');
  });

  test('without a total there is neither percent nor ETA', () => {
    expect(statusLine({ ...sample, total: undefined, srttMs: undefined }, 1e6, 120)).toBe('4 MiB  1 Mbit/s  RTT –  retr 31  cwnd 120 KiB');
  });

  test('is shorter than the terminal at every width, and loses its end first', () => {
    for (let columns = 1; columns <= 130; columns++) {
      const line = statusLine(sample, 8e6, columns);
      expect(line.length).toBeLessThan(columns);
      if (columns > 5) expect(line).toContain('25%');
    }
    expect(statusLine(sample, 8e6, 60)).toMatch(/Mbit\/s {2}ETA \d+s/);
  });

  test('a stalled transfer has no ETA, a finished one 0, and more than everything is 100%', () => {
    expect(statusLine(sample, 0, 120)).toContain('ETA –');
    expect(statusLine({ ...sample, bytes: sample.total! }, 0, 120)).toContain('100%');
    expect(statusLine({ ...sample, bytes: sample.total! + 5 }, 0, 120)).toContain('ETA 0s');
    expect(statusLine({ ...sample, bytes: 0, total: 0 }, 0, 120)).not.toContain('%');
  });
});

class FakeClock implements ProgressClock {
  time = 5000;
  intervalMs = 0;
  action: (() => void) | undefined;

  now(): number {
    return this.time;
  }

  every(intervalMs: number, action: () => void): () => void {
    this.intervalMs = intervalMs;
    this.action = action;
    return () => {
      this.action = undefined;
    };
  }

  tick(ms: number): void {
    this.time += ms;
    this.action?.();
  }
}

function setUp({ isTTY = false, json = false, quiet = false } = {}) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr', tty: boolean): OutputStream => ({ isTTY: tty, columns: 120, write: (text: string) => (written[name] += text) });
  const reporter = new Reporter({ json, quiet, stdout: stream('stdout', false), stderr: stream('stderr', isTTY), env: {} });
  const clock = new FakeClock();
  const state = { bytes: 0, total: 4 * 1024 * 1024, retransmissions: 0, cwndBytes: 14_520, srttMs: 20 };
  const progress = new Progress({ reporter, clock, sample: () => ({ ...state }) });
  return { progress, clock, state, written };
}

describe('Progress', () => {
  test('not on a terminal: a header, a line a second with what changed, a shorter last one', () => {
    const { progress, clock, state, written } = setUp();
    progress.start();
    expect(clock.intervalMs).toBe(1000);
    state.bytes = 1024 * 1024;
    state.retransmissions = 2;
    clock.tick(1000);
    state.bytes = 3 * 1024 * 1024;
    state.retransmissions = 7;
    clock.tick(1010);
    state.bytes = 4 * 1024 * 1024;
    clock.time += 500;
    progress.stop();
    progress.stop();
    expect(clock.action).toBeUndefined();
    expect(written.stderr.split('\n')).toEqual([
      INTERVAL_HEADER,
      '[  1]   0.00-1.00   sec  1.00 MBytes  8.39 Mbits/sec    2   14.2 KBytes',
      '[  1]   1.00-2.01   sec  2.00 MBytes  16.6 Mbits/sec    5   14.2 KBytes',
      '[  1]   2.01-2.51   sec  1.00 MBytes  16.8 Mbits/sec    0   14.2 KBytes',
      '',
    ]);
    expect(written.stdout).toBe('');
  });

  test('a transfer that is over before the first interval is one line; without a byte, none', () => {
    const { progress, clock, state, written } = setUp();
    progress.start();
    clock.time += 3;
    progress.stop();
    expect(written.stderr).toBe('');
    progress.start();
    state.bytes = 10;
    clock.time += 3;
    progress.stop();
    expect(written.stderr.split('\n')).toHaveLength(3);
  });

  test('a clock that stands still gives no rate instead of a nonsense one', () => {
    const { progress, clock, state, written } = setUp();
    progress.start();
    state.bytes = 10;
    clock.tick(0);
    expect(written.stderr).toContain('0.00 bits/sec');
    expect(written.stderr).not.toMatch(/Infinity|NaN/);
  });

  test('on a terminal: one rewritten line with the recent rate, removed at the end', () => {
    const { progress, clock, state, written } = setUp({ isTTY: true });
    progress.start();
    expect(clock.intervalMs).toBe(200);
    for (let n = 1; n <= 40; n++) {
      // 10 times slower from the 20th refresh on: the rate of the last 3 s shows it.
      state.bytes += n <= 20 ? 100_000 : 10_000;
      clock.tick(200);
    }
    progress.stop();
    expect(written.stderr).not.toContain('\n');
    const lines = written.stderr.split('\r\u001b[K');
    expect(lines[10]).toContain('4 Mbit/s');
    expect(lines[40]).toContain('400 kbit/s');
    expect(lines[41]).toBe('');
  });

  test('--json: an object for each interval, on stdout', () => {
    const { progress, clock, state, written } = setUp({ json: true });
    progress.start();
    state.bytes = 125_000;
    clock.tick(1000);
    progress.stop();
    expect(written.stderr).toBe('');
    expect(written.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual([
      { type: 'interval', id: 1, start: 0, end: 1, bytes: 125_000, bits_per_second: 1_000_000, retransmits: 0, snd_cwnd: 14_520, srtt_ms: 20 },
    ]);
  });

  test('--quiet: nothing, and no timer', () => {
    const { progress, clock, state, written } = setUp({ quiet: true });
    progress.start();
    state.bytes = 5;
    expect(clock.action).toBeUndefined();
    progress.stop();
    expect(written).toEqual({ stdout: '', stderr: '' });
  });
});
