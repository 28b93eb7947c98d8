import type { Millis } from '../core/machine.ts';

/** A host that says a RST again must have said it so many times, the first included, within so long. Stateless answers count, too. */
const LEAST_TIMES = 3;
const WITHIN_MS = 1000;

/**
 * The RSTs of one end of one connection, as the wire shows them. Whoever aborts says so at once, and again, since nobody acknowledges a RST.
 * And a RST that reaches a host with the number that it expects next ends the connection there and then: so an end that was left alone, or
 * timed out, is known to have been sent several and to have got none.
 */
export class ResetWatch {
  #abortedAtMs: Millis | undefined;
  #times = 0;
  #lastMs: Millis = -Infinity;
  #isExcused = false;
  /** When a RST came that had to be taken; Infinity: none did. */
  takenAtMs: Millis = Infinity;

  /** The application aborts a connection that the peer knows. */
  onAbort(now: Millis): void {
    this.#abortedAtMs = now;
  }

  /** The host sends a RST to this peer. */
  onSend(now: Millis): void {
    if (this.#abortedAtMs === undefined || now === this.#lastMs || now > this.#abortedAtMs + WITHIN_MS) return;
    this.#lastMs = now;
    this.#times++;
  }

  /** It need not say it again: the peer knows, or has begun anew, or this host did not run. */
  excuse(): void {
    this.#isExcused = true;
  }

  /** The host takes a RST that has exactly the number that it expects. */
  onExact(now: Millis): void {
    this.takenAtMs = Math.min(this.takenAtMs, now);
  }

  /** Why that was no proper abort; undefined when it was, or none at all. */
  refuteAbort(): string | undefined {
    if (this.#abortedAtMs === undefined) return undefined;
    if (this.#times === 0) return 'aborted a connection that stood, and told nobody';
    if (this.#times < LEAST_TIMES && !this.#isExcused) return `aborted a connection that stood, and sent RSTs only ${this.#times} times in ${WITHIN_MS} ms`;
    return undefined;
  }
}
