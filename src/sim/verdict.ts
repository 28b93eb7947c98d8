import type { Millis } from '../core/machine.ts';

/** A rule that a run broke. */
export interface Violation {
  /** The rule: `stream`, `ack`, `sack`, `window`, `backoff`, `rtt`, `liveness`, `error` … */
  readonly checker: string;
  readonly atMs: Millis;
  /** Whose doing it is. */
  readonly host: string;
  readonly message: string;
}

/** How a watch tells what it found; it knows neither time nor host. */
export type Report = (checker: string, message: string) => void;

/** One broken rule tends to break others: the first few tell all there is to know. */
const MAX_VIOLATIONS = 20;

/** Collects what the checkers find. */
export class Verdicts {
  readonly violations: Violation[] = [];
  #total = 0;

  /** Violations found, those not kept included. */
  get total(): number {
    return this.#total;
  }

  report(checker: string, atMs: Millis, host: string, message: string): void {
    this.#total++;
    if (this.violations.length < MAX_VIOLATIONS) this.violations.push({ checker, atMs, host, message });
  }
}
