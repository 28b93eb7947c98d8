import type { Millis } from '../core/machine.ts';
import type { Application } from './application.ts';
import type { CoverageName } from './coverage.ts';
import type { Violation } from './verdict.ts';

/** What a run came to. */
export interface SimResult {
  readonly seed: number;
  /** SHA-256 of everything that happened. */
  readonly traceHash: string;
  /** Empty: every checker agrees. */
  readonly violations: readonly Violation[];
  readonly coverage: Readonly<Record<CoverageName, number>>;
  /** Virtual time at which everything had come to rest. */
  readonly endedAtMs: Millis;
  /** Sent by all hosts. */
  readonly datagrams: number;
  readonly connections: readonly ConnectionReport[];
}

/** One connection, seen from its two ends; `server` is missing if it never got there. */
export interface ConnectionReport {
  readonly client: EndReport;
  readonly server: EndReport | undefined;
}

export interface EndReport {
  /** Everything written arrived, everything was read, and no error came. */
  readonly isClean: boolean;
  /** `clean`, `crashed`, `aborted`, `left in STATE`, or the error. */
  readonly outcome: string;
  readonly writtenBytes: number;
  readonly readBytes: number;
  /** Payload, each transmission counted. */
  readonly sentBytes: number;
  readonly retransmissions: number;
  /** When it was told that everything it sent had arrived; Infinity if it never was. */
  readonly finishedAtMs: Millis;
  /** When the connection was gone from this end; Infinity if it never was. */
  readonly goneAtMs: Millis;
}

export function reportEnd(end: Application): EndReport {
  const { counters } = end.connection;
  return {
    isClean: end.isClean,
    outcome: outcomeOf(end),
    writtenBytes: end.written,
    readBytes: end.read,
    sentBytes: counters.bytesSent,
    retransmissions: counters.retransmissions,
    finishedAtMs: end.finishedAtMs,
    goneAtMs: end.goneAtMs,
  };
}

function outcomeOf(end: Application): string {
  if (end.hasCrashed) return 'crashed';
  if (end.hasAborted) return 'aborted';
  if (end.error !== undefined) return end.error.message;
  return end.isClean ? 'clean' : `left in ${end.connection.stateName}`;
}
