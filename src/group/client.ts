import type { Millis } from '../core/machine.ts';
import type { ReplyMessage, Request } from './message.ts';
import type { Reply } from './state-machine.ts';

/** How one operation ended, for whoever asked. */
export type OperationOutcome =
  | { readonly ticket: number; readonly kind: 'answered'; readonly reply: Reply }
  /**
   * No good answer. `unknown`: it may have been executed, or still be; whoever goes on does so with a new client.
   * `not-executed`: it never left. isLate: none came in time, rather than one that says no.
   */
  | { readonly ticket: number; readonly kind: 'failed'; readonly outcome: 'not-executed' | 'unknown'; readonly reason: string; readonly isLate: boolean };

/** A request on its way to one of the places where the group can be reached. */
export interface Sending {
  readonly target: number;
  readonly request: Request;
}

/**
 * The client's side of a group, sans-I/O: it repeats a request until it is answered, here or there, always with the same
 * serial, and accepts as many equal answers as its mode asks for. Targets are numbers: balancers or members, however many the driver
 * has addresses for.
 */
export interface GroupClient {
  /** Begins an operation; its outcome comes from takeOutcome() under the ticket that this returns. */
  submit(operation: Uint8Array, now: Millis, options?: { readonly isStale?: boolean }): number;
  /** Operations without outcome. */
  readonly pending: number;
  /** A connection to the target stands: what is sent to it can arrive. */
  connected(target: number, now: Millis): void;
  /** It does not (any more); what was sent there and not answered is lost or not. */
  disconnected(target: number, now: Millis): void;
  received(target: number, reply: ReplyMessage, now: Millis): void;
  /** What to send now; call it until it returns undefined. Only to targets that are connected. */
  nextSending(): Sending | undefined;
  nextTimeout(): Millis;
  handleTimeout(now: Millis): void;
  takeOutcome(): OperationOutcome | undefined;
}
