import type { Millis } from '../core/machine.ts';
import { HEADER_BYTES, MAX_DATAGRAM_BYTES, MAX_HEADER_BYTES } from '../wire/codec.ts';

/**
 * tcp: the transport (RFC 9293 and its companions) as a machine without I/O. `Endpoint` is one UDP socket's worth of
 * connections; `Connection` is what an application holds. State lives in `Tcb`; what happens to it is split by
 * concern: segment arrival, acknowledgements, loss recovery, output, timeouts.
 */

/** Whether peers must protect every segment with a CRC-32 (`required`) or may also be a plain TCP (`accept`). */
export type Integrity = 'required' | 'accept';

export interface KeepAlive {
  /** Silence before the first probe. */
  readonly idleMs: Millis;
  /** Between unanswered probes. */
  readonly intervalMs: Millis;
  /** Unanswered probes after which the connection is dead. */
  readonly count: number;
}

export interface TcpConfig {
  /** Largest UDP payload to send, 576−28 … 65,507 bytes. What the peer may send us is its own choice, up to the maximum. */
  readonly mtuBytes: number;
  readonly sendBufferBytes: number;
  readonly receiveBufferBytes: number;
  readonly integrity: Integrity;
  /** `newreno`, or `fixed` / `fixed:SEGMENTS` for links whose loss is not congestion. */
  readonly congestion: string;
  /** No ESTABLISHED by then: the connection fails with ETIMEDOUT, established: false. */
  readonly connectTimeoutMs: Millis;
  /** SND.UNA without progress for so long, data outstanding: ETIMEDOUT (RFC 9293, 3.8.3; RFC 5482). */
  readonly userTimeoutMs: Millis;
  /** RFC 1122, 4.2.3.6; undefined: off, as the RFC wants it by default. */
  readonly keepAlive: KeepAlive | undefined;
  /** Nagle's algorithm off (RFC 9293, 3.7.4). */
  readonly noDelay: boolean;
  readonly minRtoMs: Millis;
  readonly maxRtoMs: Millis;
  /** RTO before the first RTT sample (RFC 6298, 2.1). */
  readonly initialRtoMs: Millis;
  /**
   * Back-off never takes the RTO above max(RTO, this). A departure from RFC 6298 (5.5): where two in five datagrams
   * are lost each way, a handshake or a FIN would otherwise need minutes, and one small segment every two seconds
   * congests nobody.
   */
  readonly maxBackoffMs: Millis;
  /** Delayed ACK (RFC 9293, 3.8.6.3: below 500 ms; 40 ms as Linux). */
  readonly delayedAckMs: Millis;
  /** TIME-WAIT; undefined: max(1 s, 4 RTO). 2 MSL of RFC 9293 protects a port that is used again; ours is not. */
  readonly timeWaitMs: Millis | undefined;
  /** SYN-ACK retransmissions before an unproven peer is forgotten. Few, so that nobody can be flooded through us. */
  readonly synAckRetries: number;
  /** Initial window, segments (RFC 6928). */
  readonly initialWindowSegments: number;
}

/** The defaults follow Linux where the RFCs leave a choice. */
export const DEFAULT_CONFIG: TcpConfig = {
  mtuBytes: 1452,
  sendBufferBytes: 2 << 20,
  receiveBufferBytes: 2 << 20,
  integrity: 'required',
  congestion: 'newreno',
  connectTimeoutMs: 60_000,
  userTimeoutMs: 60_000,
  keepAlive: undefined,
  noDelay: false,
  minRtoMs: 200,
  maxRtoMs: 60_000,
  initialRtoMs: 1000,
  maxBackoffMs: 2000,
  delayedAckMs: 40,
  timeWaitMs: undefined,
  synAckRetries: 8,
  initialWindowSegments: 10,
};

/** What is left of every IPv4 packet that need not be fragmented (RFC 9293, 3.7.1: 576). */
export const MIN_MTU_BYTES = 576 - 28;
export const MIN_BUFFER_BYTES = 4096;
/** 2^30: the largest window that scaling can express (RFC 7323, 2.3). */
export const MAX_BUFFER_BYTES = 1 << 30;

/** Fills in defaults. Throws RangeError naming the option that is out of range. */
export function resolveConfig(options: Partial<TcpConfig> = {}): TcpConfig {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const config: TcpConfig = { ...DEFAULT_CONFIG, ...given };
  checkInteger('mtuBytes', config.mtuBytes, MIN_MTU_BYTES, MAX_DATAGRAM_BYTES);
  checkInteger('sendBufferBytes', config.sendBufferBytes, MIN_BUFFER_BYTES, MAX_BUFFER_BYTES);
  checkInteger('receiveBufferBytes', config.receiveBufferBytes, MIN_BUFFER_BYTES, MAX_BUFFER_BYTES);
  checkInteger('synAckRetries', config.synAckRetries, 0, 255);
  checkInteger('initialWindowSegments', config.initialWindowSegments, 1, 1000);
  for (const name of ['connectTimeoutMs', 'userTimeoutMs', 'minRtoMs', 'maxRtoMs', 'initialRtoMs', 'maxBackoffMs'] as const) {
    checkPositive(name, config[name]);
  }
  if (!(config.delayedAckMs >= 0 && config.delayedAckMs <= 500)) {
    throw new RangeError(`delayedAckMs must be in [0, 500], not ${config.delayedAckMs}`);
  }
  if (config.minRtoMs > config.maxRtoMs) throw new RangeError('minRtoMs must not exceed maxRtoMs');
  if (config.timeWaitMs !== undefined && !(config.timeWaitMs >= 0)) throw new RangeError('timeWaitMs must not be negative');
  if (config.keepAlive !== undefined) {
    checkPositive('keepAlive.idleMs', config.keepAlive.idleMs);
    checkPositive('keepAlive.intervalMs', config.keepAlive.intervalMs);
    checkInteger('keepAlive.count', config.keepAlive.count, 1, 1000);
  }
  if (config.integrity !== 'required' && config.integrity !== 'accept') {
    throw new RangeError(`integrity must be 'required' or 'accept', not '${String(config.integrity)}'`);
  }
  return config;
}

/** Payload of a full segment when `optionBytes` go with it. */
export function payloadRoom(mtuBytes: number, optionBytes: number): number {
  return mtuBytes - HEADER_BYTES - optionBytes;
}

/** A buffer of this size holds any datagram that `config` lets out. */
export function datagramRoom(config: TcpConfig): number {
  return config.mtuBytes + MAX_HEADER_BYTES;
}

function checkInteger(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`${name} must be an integer in [${low}, ${high}], not ${value}`);
  }
}

function checkPositive(name: string, value: number): void {
  if (!(value > 0)) throw new RangeError(`${name} must be positive, not ${value}`);
}
