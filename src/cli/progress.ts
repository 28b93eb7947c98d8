import { formatBytes, formatDuration, formatRate } from '../core/units.ts';
import type { ConnectionInfo } from '../tcp/connection.ts';
import type { Reporter } from './output.ts';

/** What a connection knows at one moment; counters grow from 0. */
export interface ProgressSample {
  readonly bytes: number;
  /** Bytes that there will be, where that is known. */
  readonly total?: number | undefined;
  readonly retransmissions: number;
  readonly cwndBytes: number;
  /** Undefined before the first measurement. */
  readonly srttMs?: number | undefined;
}

/** A connection's own numbers, which are there once it is begun, with the `bytes` that its command counts. */
export function sampleOf(info: ConnectionInfo | undefined, bytes: number, total?: number): ProgressSample {
  return {
    bytes,
    total,
    retransmissions: info?.counters.retransmissions ?? 0,
    cwndBytes: info?.cwndBytes ?? 0,
    srttMs: info === undefined || info.srttMs === 0 ? undefined : info.srttMs,
  };
}

/** Of what goes over several connections: the smallest window, the longest round trip. */
export function sampleOfAll(infos: readonly ConnectionInfo[], bytes: number, total?: number): ProgressSample {
  const srtts = infos.map(({ srttMs }) => srttMs).filter((srttMs) => srttMs > 0);
  return {
    bytes,
    total,
    retransmissions: infos.reduce((sum, { counters }) => sum + counters.retransmissions, 0),
    cwndBytes: infos.reduce((least, { cwndBytes }) => Math.min(least, cwndBytes), infos.length === 0 ? 0 : Infinity),
    srttMs: srtts.length === 0 ? undefined : Math.max(...srtts),
  };
}

/** The clock and the timer, so that tests need none. `every` returns a function that stops it. */
export interface ProgressClock {
  now(): number;
  every(intervalMs: number, action: () => void): () => void;
}

export interface ProgressOptions {
  readonly reporter: Reporter;
  readonly sample: () => ProgressSample;
  /** Number in the first column of interval lines: which connection. Default 1. */
  readonly id?: number;
  /** Length of an interval where lines are printed. Default 1000. */
  readonly intervalMs?: number;
  readonly clock?: ProgressClock;
}

const INTERVAL_MS = 1000;
const REFRESH_MS = 200;
/** The rate on the status line is the mean over so many refreshes: 3 s. */
const RATE_WINDOW = 15;
const MIN_BAR_COLUMNS = 8;
const MAX_BAR_COLUMNS = 30;

export const INTERVAL_HEADER = '[ ID] Interval           Transfer     Bitrate         Retr  Cwnd';

const REAL_CLOCK: ProgressClock = {
  now: () => performance.now(),
  every(intervalMs, action) {
    const timer = setInterval(action, intervalMs).unref();
    return () => clearInterval(timer);
  },
};

interface TimedSample {
  readonly atMs: number;
  readonly sample: ProgressSample;
}

/**
 * Shows a transfer while it runs: one rewritten line on a terminal, else a line for each interval as iperf3 prints them (decimal bits, binary
 * bytes), or an object for each under --json. Its timer never keeps the process alive. --quiet shows nothing.
 */
export class Progress {
  readonly #reporter: Reporter;
  readonly #sample: () => ProgressSample;
  readonly #id: number;
  readonly #intervalMs: number;
  readonly #clock: ProgressClock;
  #stopTimer: (() => void) | undefined;
  #startMs = 0;
  #recent: TimedSample[] = [];
  #hasHeader = false;

  constructor({ reporter, sample, id = 1, intervalMs = INTERVAL_MS, clock = REAL_CLOCK }: ProgressOptions) {
    this.#reporter = reporter;
    this.#sample = sample;
    this.#id = id;
    this.#intervalMs = intervalMs;
    this.#clock = clock;
  }

  /** From now on; a second call changes nothing. */
  start(): void {
    if (this.#stopTimer !== undefined) return;
    this.#startMs = this.#clock.now();
    this.#recent = [this.#take()];
    if (this.#reporter.isQuiet) {
      this.#stopTimer = () => {};
      return;
    }
    this.#stopTimer = this.#clock.every(this.#reporter.isInteractive ? REFRESH_MS : this.#intervalMs, () => this.#tick());
  }

  /** Prints the last, shorter interval, or removes the status line. */
  stop(): void {
    if (this.#stopTimer === undefined) return;
    this.#stopTimer();
    this.#stopTimer = undefined;
    this.#reporter.clearStatus();
    const isPrinting = !this.#reporter.isInteractive && !this.#reporter.isQuiet;
    if (isPrinting && this.#sample().bytes > this.#recent.at(-1)!.sample.bytes) this.#printInterval(this.#take());
  }

  #take(): TimedSample {
    return { atMs: this.#clock.now() - this.#startMs, sample: this.#sample() };
  }

  #tick(): void {
    const latest = this.#take();
    if (!this.#reporter.isInteractive) {
      this.#printInterval(latest);
      return;
    }
    this.#recent.push(latest);
    if (this.#recent.length > RATE_WINDOW + 1) this.#recent.shift();
    const oldest = this.#recent[0]!;
    const bitsPerSecond = rateBetween(oldest, latest);
    this.#reporter.status(statusLine(latest.sample, bitsPerSecond, this.#reporter.columns));
  }

  #printInterval(latest: TimedSample): void {
    const previous = this.#recent.at(-1)!;
    this.#recent = [latest];
    const interval: Interval = {
      id: this.#id,
      startMs: previous.atMs,
      endMs: latest.atMs,
      bytes: latest.sample.bytes - previous.sample.bytes,
      retransmissions: latest.sample.retransmissions - previous.sample.retransmissions,
      cwndBytes: latest.sample.cwndBytes,
    };
    if (!this.#hasHeader) this.#reporter.info(INTERVAL_HEADER);
    this.#hasHeader = true;
    this.#reporter.info(intervalLine(interval));
    this.#reporter.json({
      type: 'interval',
      id: this.#id,
      start: interval.startMs / 1000,
      end: interval.endMs / 1000,
      bytes: interval.bytes,
      bits_per_second: rateBetween(previous, latest),
      retransmits: interval.retransmissions,
      snd_cwnd: interval.cwndBytes,
      srtt_ms: latest.sample.srttMs ?? null,
    });
  }
}

function rateBetween(from: TimedSample, to: TimedSample): number {
  const elapsedMs = to.atMs - from.atMs;
  return elapsedMs > 0 ? ((to.sample.bytes - from.sample.bytes) * 8000) / elapsedMs : 0;
}

export interface Interval {
  readonly id: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly bytes: number;
  readonly retransmissions: number;
  /** Left out in a line of totals. */
  readonly cwndBytes?: number | undefined;
}

/** `[  1]   0.00-1.00   sec  1.20 MBytes  10.1 Mbits/sec    3   42.4 KBytes` */
export function intervalLine({ id, startMs, endMs, bytes, retransmissions, cwndBytes }: Interval): string {
  const seconds = (endMs - startMs) / 1000;
  const bits = seconds > 0 ? (bytes * 8) / seconds : 0;
  const span = `${(startMs / 1000).toFixed(2).padStart(6)}-${(endMs / 1000).toFixed(2).padEnd(6)} sec`;
  const transfer = fourPlaces(bytes, 1024, ['Bytes', 'KBytes', 'MBytes', 'GBytes', 'TBytes']);
  const bitrate = fourPlaces(bits, 1000, ['bits/sec', 'Kbits/sec', 'Mbits/sec', 'Gbits/sec', 'Tbits/sec']);
  const cwnd = cwndBytes === undefined ? '' : `   ${fourPlaces(cwndBytes, 1024, ['Bytes', 'KBytes', 'MBytes', 'GBytes', 'TBytes'])}`;
  return `[${String(id).padStart(3)}] ${span}  ${transfer.padEnd(11)}  ${bitrate.padEnd(14)}  ${String(retransmissions).padStart(3)}${cwnd}`.trimEnd();
}

/** Four places for the number, as iperf3: 0.00, 1.23, 12.3, 123. */
function fourPlaces(value: number, base: number, units: readonly string[]): string {
  let unit = 0;
  while (unit + 1 < units.length && value >= 999.5) {
    value /= base;
    unit++;
  }
  const decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(decimals).padStart(4)} ${units[unit]}`;
}

/**
 * The line on a terminal, always shorter than `columns`: percent and bar where the total is known, then bytes, rate, ETA, RTT,
 * retransmissions and cwnd; what has no room is left out from the end.
 */
export function statusLine(sample: ProgressSample, bitsPerSecond: number, columns: number): string {
  const { bytes, total, retransmissions, cwndBytes, srttMs } = sample;
  const hasTotal = total !== undefined && total > 0;
  const fraction = hasTotal ? Math.min(1, bytes / total) : 0;
  const fields = [
    ...(hasTotal ? [`${Math.floor(fraction * 100)}%`.padStart(4)] : []),
    formatBytes(bytes),
    formatRate(bitsPerSecond),
    ...(hasTotal ? [`ETA ${eta(total - bytes, bitsPerSecond)}`] : []),
    `RTT ${srttMs === undefined ? '–' : formatDuration(srttMs)}`,
    `retr ${retransmissions}`,
    `cwnd ${formatBytes(cwndBytes)}`,
  ];
  // The last column stays free: some terminals wrap when it is written.
  const room = columns - 1;
  while (fields.length > 1 && fields.join('  ').length > room) fields.pop();
  const barColumns = Math.min(MAX_BAR_COLUMNS, room - fields.join('  ').length - 4);
  if (hasTotal && barColumns >= MIN_BAR_COLUMNS) fields.splice(1, 0, bar(fraction, barColumns));
  return fields.join('  ').slice(0, Math.max(0, room));
}

function bar(fraction: number, columns: number): string {
  const filled = Math.floor(fraction * columns);
  return `[${'#'.repeat(filled)}${'-'.repeat(columns - filled)}]`;
}

function eta(bytesLeft: number, bitsPerSecond: number): string {
  if (bytesLeft <= 0) return '0s';
  return bitsPerSecond > 0 ? formatDuration(Math.ceil((bytesLeft * 8) / bitsPerSecond) * 1000) : '–';
}
