import type { Millis } from '../core/machine.ts';

/** RTO, or the zero-window probe when the peer's window is closed: RFC 9293, 3.8.1 and 3.8.6.1. */
export const RETRANSMIT = 0;
/** Tail loss probe, RFC 8985, section 7. */
export const LOSS_PROBE = 1;
/** RACK's reordering window, RFC 8985, 6.2 step 5. */
export const REORDER = 2;
export const DELAYED_ACK = 3;
export const KEEP_ALIVE = 4;
export const USER_TIMEOUT = 5;
export const CONNECT = 6;
export const TIME_WAIT_END = 7;
const COUNT = 8;

export type Timer = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

export const TIMER_NAMES = [
  'retransmit', 'loss-probe', 'reorder', 'delayed-ack', 'keep-alive', 'user-timeout', 'connect', 'time-wait',
] as const;

/** All deadlines of one connection; Infinity is off. Setting one costs a store: the driver looks at the minimum. */
export class TimerTable {
  readonly #deadlines = new Float64Array(COUNT).fill(Infinity);

  set(timer: Timer, deadline: Millis): void {
    this.#deadlines[timer] = deadline;
  }

  clear(timer: Timer): void {
    this.#deadlines[timer] = Infinity;
  }

  clearAll(): void {
    this.#deadlines.fill(Infinity);
  }

  at(timer: Timer): Millis {
    return this.#deadlines[timer]!;
  }

  isSet(timer: Timer): boolean {
    return this.#deadlines[timer]! !== Infinity;
  }

  isDue(timer: Timer, now: Millis): boolean {
    return this.#deadlines[timer]! <= now;
  }

  next(): Millis {
    let least = Infinity;
    for (let i = 0; i < COUNT; i++) if (this.#deadlines[i]! < least) least = this.#deadlines[i]!;
    return least;
  }
}
