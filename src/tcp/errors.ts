import type { Millis } from '../core/machine.ts';

/** The same codes as node:net, so that existing handlers work. */
export type ErrorCode = 'ECONNREFUSED' | 'ECONNRESET' | 'ETIMEDOUT' | 'ECONNABORTED';

/** What the connection knew when it died. */
export interface ErrorDetails {
  /** The handshake was complete. */
  readonly established: boolean;
  /** Payload bytes that the peer has acknowledged. */
  readonly bytesAcked: number;
  /** Payload bytes sent and not acknowledged: the peer may or may not have them. */
  readonly bytesInFlight: number;
  /** Payload bytes never sent. */
  readonly bytesUnsent: number;
  /** Since the last acceptable segment came; Infinity when none ever did. */
  readonly lastHeardMs: Millis;
  readonly retransmissions: number;
  /** Undefined before the first sample. */
  readonly srttMs: Millis | undefined;
  readonly rtoMs: Millis;
  /** An ICMP error seen on the way: a hint, never the reason (RFC 5927). */
  readonly icmp: string | undefined;
}

export type TimeoutCause = 'connect timeout' | 'user timeout' | 'keep-alive';

/**
 * Why a connection ended. `code` as in node:net: ECONNREFUSED (nobody listens), ECONNRESET (the peer's RST),
 * ETIMEDOUT (silence), ECONNABORTED (this side gave up).
 */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly timeout: TimeoutCause | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails, timeout?: TimeoutCause) {
    super(`${code}: ${message}`);
    this.code = code;
    this.details = details;
    this.timeout = timeout;
  }
}
