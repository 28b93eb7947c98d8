import type { Millis } from '../../core/machine.ts';

/** What can be chosen about a Raft group. All members should choose alike. */
export interface RaftConfig {
  /** Silence of a leader after which a follower begins to ask for votes: drawn from [this, 2 × this) each time. At least 4 heartbeats. */
  readonly electionTimeoutMs: Millis;
  /** A leader says something to everybody at least so often. */
  readonly heartbeatMs: Millis;
  /** Requests that a leader takes before they are committed; more are told `busy`. */
  readonly maxUncommittedEntries: number;
  readonly maxUncommittedBytes: number;
  /** Reads that wait for a leader to be sure of itself; more are told `busy`. */
  readonly maxPendingReads: number;
  /** Bytes sent to one follower and not acknowledged. */
  readonly maxInflightBytes: number;
  /** The log is replaced by a snapshot when its file is longer than this, and than the last snapshot. */
  readonly snapshotBytes: number;
  /** Entries that are kept in memory behind a snapshot, for followers that lag a little. */
  readonly keptEntries: number;
  /** What a follower that lags, or is being sent a snapshot, can make a leader keep in memory beyond that; who lags further begins anew. */
  readonly maxKeptBytes: number;
}

export const DEFAULT_RAFT_CONFIG: RaftConfig = {
  electionTimeoutMs: 1000,
  heartbeatMs: 150,
  maxUncommittedEntries: 4096,
  maxUncommittedBytes: 16 * 1024 * 1024,
  maxPendingReads: 4096,
  maxInflightBytes: 1024 * 1024,
  snapshotBytes: 16 * 1024 * 1024,
  keptEntries: 1024,
  maxKeptBytes: 64 * 1024 * 1024,
};

/** Fills in defaults; a heartbeat that is not given follows the election timeout. Throws RangeError. */
export function resolveRaftConfig(given: Partial<RaftConfig> = {}): RaftConfig {
  const electionTimeoutMs = given.electionTimeoutMs ?? DEFAULT_RAFT_CONFIG.electionTimeoutMs;
  const heartbeatMs = given.heartbeatMs ?? Math.min(DEFAULT_RAFT_CONFIG.heartbeatMs, electionTimeoutMs / 6);
  const config = { ...DEFAULT_RAFT_CONFIG, ...given, electionTimeoutMs, heartbeatMs };
  for (const [name, value] of Object.entries(config)) if (!(value > 0)) throw new RangeError(`${name} must be above 0, not ${value}`);
  if (heartbeatMs * 4 > electionTimeoutMs) throw new RangeError(`an election timeout of ${electionTimeoutMs} ms is below 4 heartbeats of ${heartbeatMs} ms`);
  return config;
}
