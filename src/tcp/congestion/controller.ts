import type { Millis } from '../../core/machine.ts';
import { createFixed } from './fixed.ts';
import { createNewReno } from './newreno.ts';

/** What one ACK told, for the controller. One object a connection, filled anew each time. */
export interface AckSample {
  now: Millis;
  /** Bytes newly acknowledged or SACKed by this ACK. */
  deliveredBytes: number;
  /** Bytes by which SND.UNA moved. */
  ackedBytes: number;
  /** Bytes in flight before the ACK. */
  priorInFlightBytes: number;
  /** The window, not the application or the receiver, limited what was sent in this round. */
  isWindowLimited: boolean;
  /** Fast or RTO recovery is under way. */
  isInRecovery: boolean;
  /** The ACK's RTT sample; 0 without one. */
  rttMs: Millis;
}

/**
 * How much may be in flight. All sizes in bytes. A controller hears of events and answers with `cwnd` and
 * `pacingRate`; when and what to retransmit is recovery's business, not its own.
 */
export interface CongestionController {
  readonly name: string;
  /** Congestion window. */
  readonly cwnd: number;
  readonly ssthresh: number;
  /** Bytes per millisecond; Infinity: as fast as the window lets. */
  readonly pacingRate: number;
  onSent(now: Millis, bytes: number, inFlightBytes: number): void;
  onAck(sample: AckSample): void;
  /** Loss found by RACK or duplicate ACKs; once for each recovery episode (RFC 5681, 3.2). */
  onLoss(now: Millis, inFlightBytes: number): void;
  /** RTO; once for each episode (RFC 5681, 3.1). */
  onTimeout(now: Millis, inFlightBytes: number): void;
  /** The last onLoss or onTimeout was a false alarm. */
  onUndo(now: Millis): void;
  onRecoveryExit(now: Millis): void;
  /** Nothing was sent for longer than an RTO (RFC 5681, 4.1). */
  onIdle(now: Millis): void;
}

export interface ControllerOptions {
  /** Sender maximum segment size. */
  readonly smssBytes: number;
  readonly initialWindowSegments: number;
}

type Factory = (options: ControllerOptions, argument: string | undefined) => CongestionController;

const FACTORIES: Readonly<Record<string, Factory>> = {
  newreno: createNewReno,
  fixed: createFixed,
};

export const CONTROLLER_NAMES: readonly string[] = Object.keys(FACTORIES);

/** Builds `name` or `name:argument`. Throws RangeError for an unknown name or a bad argument. */
export function createController(spec: string, options: ControllerOptions): CongestionController {
  const colon = spec.indexOf(':');
  const name = colon < 0 ? spec : spec.slice(0, colon);
  const factory = Object.hasOwn(FACTORIES, name) ? FACTORIES[name] : undefined;
  if (factory === undefined) {
    throw new RangeError(`no congestion controller '${name}': use one of ${CONTROLLER_NAMES.join(', ')}`);
  }
  return factory(options, colon < 0 ? undefined : spec.slice(colon + 1));
}
