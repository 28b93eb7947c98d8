import type { Millis } from '../core/machine.ts';
import type { Report } from './verdict.ts';

/** Timers may fire on the next whole millisecond, so an interval is compared with a little less than its double. */
const LEAST_GROWTH = 1.9;
const CEILING_SLACK = 0.95;
/** The first intervals may be those of a loss probe and of the reordering timer; from here on only the RTO is left. */
const FIRST_CHECKED = 3;

/**
 * RFC 6298 (5.5): while the peer is silent, the intervals between transmissions of the oldest unacknowledged segment
 * double, up to the configured ceiling.
 */
export class BackoffWatch {
  readonly #maxBackoffMs: Millis;
  readonly #report: Report;
  #head = -1;
  #lastMs: Millis = 0;
  #lastIntervalMs: Millis = 0;
  #intervals = 0;

  constructor(maxBackoffMs: Millis, report: Report) {
    this.#maxBackoffMs = maxBackoffMs;
    this.#report = report;
  }

  /** Something was heard, or timers may be late: counting begins anew. */
  forget(): void {
    this.#head = -1;
  }

  onSend(isHead: boolean, una: number, now: Millis): void {
    if (!isHead) return;
    if (this.#head !== una) {
      this.#head = una;
      this.#intervals = 0;
    } else {
      const intervalMs = now - this.#lastMs;
      this.#intervals++;
      const leastMs = Math.min(LEAST_GROWTH * this.#lastIntervalMs, CEILING_SLACK * this.#maxBackoffMs);
      if (this.#intervals >= FIRST_CHECKED && intervalMs < leastMs) {
        this.#report('backoff', `the head was sent again after ${intervalMs.toFixed(1)} ms, the time before after ${this.#lastIntervalMs.toFixed(1)} ms, with silence between`);
      }
      this.#lastIntervalMs = intervalMs;
    }
    this.#lastMs = now;
  }
}
