import type { Millis } from '../../core/machine.ts';

/** What can be chosen about a group with views. All members should choose alike. */
export interface ViewConfig {
  /** Everybody says something to everybody at least so often. */
  readonly heartbeatMs: Millis;
  /** What was not answered is said again after this. */
  readonly retryMs: Millis;
  /** Requests ordered or being ordered, and not stable; more are told `busy`. */
  readonly maxUnstable: number;
  /** Of all messages in the agreed order that are not delivered; a member that knows of so much begins none, and says `busy`. */
  readonly maxPendingBytes: number;
  /** Of these, what a report at the beginning of a view holds, unless a single one is larger. */
  readonly maxReportBytes: number;
  readonly maxInflightBytes: number;
  readonly maxPendingReads: number;
  /** The log is replaced by a snapshot when its file is longer than this, and than the last snapshot. */
  readonly snapshotBytes: number;
  /** Entries that are kept in memory behind a snapshot, for members that lag or come back. */
  readonly keptEntries: number;
  /** What one who is being taken in can make the leader keep in memory beyond that; who lags further begins anew. */
  readonly maxKeptBytes: number;
}

export const DEFAULT_VIEW_CONFIG: ViewConfig = {
  heartbeatMs: 150,
  retryMs: 200,
  maxUnstable: 1024,
  maxPendingBytes: 128 * 1024,
  maxReportBytes: 200 * 1024,
  maxInflightBytes: 1024 * 1024,
  maxPendingReads: 1024,
  snapshotBytes: 16 * 1024 * 1024,
  keptEntries: 1024,
  maxKeptBytes: 64 * 1024 * 1024,
};
