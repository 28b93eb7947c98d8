import type { Address } from './address.ts';

/** Milliseconds on a monotonic clock that the caller keeps; may be fractional. */
export type Millis = number;

/** One datagram to send. `bytes` belongs to the machine and is valid until its next call: send or copy it before. */
export interface Transmit {
  readonly to: Address;
  readonly bytes: Uint8Array;
}

/**
 * What every driver drives, with real sockets (net/) or in virtual time (sim/). `receive` and `handleTimeout` only
 * change state; afterwards the driver calls `poll` until it returns undefined. Nothing calls back in the middle of a step.
 */
export interface Machine {
  /** A datagram came in. `datagram` may be kept by the machine: the driver never writes to it again. */
  receive(from: Address, datagram: Uint8Array, now: Millis): void;
  /** The next datagram to send, or undefined when there is none now. */
  poll(now: Millis): Transmit | undefined;
  /** When `handleTimeout` wants to be called; Infinity for never. Mirrors what `poll` and `handleTimeout` test. */
  nextTimeout(): Millis;
  /** The clock reached `nextTimeout()`. An early or spurious call changes nothing. */
  handleTimeout(now: Millis): void;
}
