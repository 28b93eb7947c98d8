import type { Millis } from '../../core/machine.ts';
import type { Mode } from '../modes.ts';
import type { HealthPolicy } from './member-health.ts';

export interface BalancerOptions extends Partial<HealthPolicy> {
  readonly name: string;
  /** Of the group. Requests go to whoever orders, or to everybody, and then the client hears everybody's reply. */
  readonly mode: Mode;
  /** A request waits so long for a leader; then its client is told to look elsewhere. */
  readonly waitMs?: Millis;
  /** A request that is not answered is forgotten after this; its client asks again, or has given up. */
  readonly requestTimeoutMs?: Millis;
  /** After a leader has said that it can't say, it is asked again after this. */
  readonly pauseMs?: Millis;
  /** A member that has been down for so long is to be replaced. */
  readonly replaceAfterMs?: Millis;
  readonly maxInFlight?: number;
  readonly maxClients?: number;
  readonly maxBytes?: number;
}

const DEFAULT_INTERVAL_MS = 250;

/** Every number that an option leaves open. */
export function completeOptions(options: BalancerOptions): Required<BalancerOptions> {
  const intervalMs = options.intervalMs ?? DEFAULT_INTERVAL_MS;
  return {
    intervalMs, suspectAfterMs: 4 * intervalMs, downAfterMs: 12 * intervalMs, riseAnswers: 2, waitMs: 2000, requestTimeoutMs: 10_000, pauseMs: 50,
    replaceAfterMs: 10_000, maxInFlight: 4096, maxClients: 1024, maxBytes: 32 * 1024 * 1024, ...options,
  };
}

export class BalancerCounters {
  requests = 0;
  replies = 0;
  fanOuts = 0;
  staleReads = 0;
  /** The client asked again while the first time was still in flight. */
  repeatedRequests = 0;
  /** Sent once more, to another member or over another connection. */
  resent = 0;
  /** Waited for a leader. */
  waited = 0;
  /** Answered here, without a member: unavailable. */
  refusedFull = 0;
  refusedNoMember = 0;
  refusedTimeout = 0;
  /** Given up for newer ones, after the client had at least one reply. */
  evicted = 0;
  /** For requests that nobody waits for any more. */
  lateReplies = 0;
  malformedStatuses = 0;
  strayMessages = 0;
  /** Left out, since they take nothing. */
  skippedMembers = 0;
  /** The client does not take what it asks for. */
  droppedReplies = 0;
  failures = 0;
  /** Members down while most are: more likely it's this balancer that is cut off. */
  failuresHeldBack = 0;
}
