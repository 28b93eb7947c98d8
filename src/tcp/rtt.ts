import type { Millis } from '../core/machine.ts';

/** RFC 6298, section 2. */
const ALPHA = 1 / 8;
const BETA = 1 / 4;
const K = 4;
/** G, the clock granularity: drivers wake on whole milliseconds. */
const GRANULARITY_MS = 1;

const SYN_TIMEOUT_RTO_MS = 3000;
/**
 * RTOs that fit into the user timeout. After an outage one sample can be as long as the outage was, and the variation with
 * it; if the next flights were lost, too, the connection would die before it had tried again.
 */
const ATTEMPTS_PER_USER_TIMEOUT = 16;
/** Where SRTT itself is that long. */
const LEAST_ATTEMPTS = 4;

export interface RttConfig {
  readonly minRtoMs: Millis;
  readonly maxRtoMs: Millis;
  readonly initialRtoMs: Millis;
  readonly maxBackoffMs: Millis;
  /** Without it, variation may lift the RTO up to maxRtoMs. */
  readonly userTimeoutMs?: Millis;
}

/** Smoothed round-trip time, its variation, and the retransmission timeout with back-off (RFC 6298). */
export class RttEstimator {
  readonly #config: RttConfig;
  srttMs = 0;
  rttvarMs = 0;
  samples = 0;
  /** Doublings since the last valid sample. */
  backoff = 0;
  #baseRtoMs: Millis;

  constructor(config: RttConfig) {
    this.#config = config;
    this.#baseRtoMs = config.initialRtoMs;
  }

  /** A round trip of a segment that was sent once (Karn), or one told by a timestamp. Ends the back-off. */
  sample(rttMs: Millis): void {
    if (this.samples === 0) {
      this.srttMs = rttMs;
      this.rttvarMs = rttMs / 2;
    } else {
      this.rttvarMs = (1 - BETA) * this.rttvarMs + BETA * Math.abs(this.srttMs - rttMs);
      this.srttMs = (1 - ALPHA) * this.srttMs + ALPHA * rttMs;
    }
    this.samples++;
    this.backoff = 0;
    const rto = Math.min(this.srttMs + Math.max(GRANULARITY_MS, K * this.rttvarMs), this.#ceilingMs());
    this.#baseRtoMs = Math.min(Math.max(rto, this.#config.minRtoMs), this.#config.maxRtoMs);
  }

  /** A departure from RFC 6298 (2.3): a path that is slow for good shows it in SRTT; variation alone does not count beyond this. */
  #ceilingMs(): Millis {
    const { maxBackoffMs, userTimeoutMs } = this.#config;
    if (userTimeoutMs === undefined) return Infinity;
    const byPath = Math.min(2 * this.srttMs, userTimeoutMs / LEAST_ATTEMPTS);
    return Math.max(byPath, maxBackoffMs, userTimeoutMs / ATTEMPTS_PER_USER_TIMEOUT);
  }

  /** The RTO now, back-off included. */
  get rtoMs(): Millis {
    const ceiling = Math.max(this.#baseRtoMs, this.#config.maxBackoffMs);
    return Math.min(this.#baseRtoMs * 2 ** this.backoff, ceiling);
  }

  /** A SYN had to be sent again: without a sample since, data starts with 3 s (RFC 6298, 5.7). */
  onSynTimeout(): void {
    if (this.samples === 0) this.#baseRtoMs = Math.max(this.#baseRtoMs, SYN_TIMEOUT_RTO_MS);
    this.backoff = 0;
  }

  /** RFC 6298 (5.5). */
  backOff(): void {
    // Beyond 30 doublings every RTO is at its ceiling.
    if (this.backoff < 30) this.backoff++;
  }
}
