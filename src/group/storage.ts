import type { DiskOperation, ReadFile } from './disk.ts';

/** An operation's place in a replicated log, as it lies on disk. */
export interface StoredEntry {
  /** From 1, without gaps. */
  readonly index: number;
  /** Raft's term, or the number of the view, in which it was ordered. */
  readonly term: number;
  /** The engine's own encoding. */
  readonly bytes: Uint8Array;
}

/** What a snapshot replaces: everything up to and including `index`. */
export interface SnapshotMark {
  readonly index: number;
  readonly term: number;
  /** The engine's own words about that moment: who the members were, … */
  readonly meta: Uint8Array;
}

export interface StoredSnapshot extends SnapshotMark {
  readonly chunks: readonly Uint8Array[];
}

/** A file that cannot be believed: refuse to serve, rebuild the member from the others. */
export class CorruptLogError extends Error {
  override readonly name = 'CorruptLogError';
  /** In the words of DiskOperation, or its path. */
  readonly file: string;
  /** Of the record that is damaged. */
  readonly offset: number;
  readonly reason: string;

  constructor(file: string, offset: number, reason: string) {
    super(`${file}, offset ${offset}: ${reason}`);
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}

/**
 * One member's durable memory, sans-I/O: what to write comes out as DiskOperations. Everything is in one file of records (record-file.ts),
 * appended and synced; a snapshot lies beside it in a file of its own. Nothing that is handed in may be believed to
 * be on disk before the operations that takeWrites() returned have been carried out. Bytes that are handed in must not change afterwards.
 *
 * What cannot follow from what was handed in before throws RangeError: the engine's mistake.
 */
export interface Storage {
  /** The last that was saved. */
  readonly state: Uint8Array | undefined;
  /** As found on disk. It is the engine that keeps entries: the first takeWrites() lets go of them. */
  readonly entries: readonly StoredEntry[];
  /** As found on disk; `entries` follow it. The first takeWrites() lets go of it. */
  readonly snapshot: StoredSnapshot | undefined;
  /**
   * The log's last record had been complete and was damaged, or the log had lost its end: something that was promised may be gone (an
   * entry, a vote). The member must not vote or lead before it has caught up with a leader. Remembered on disk until markSafe().
   */
  readonly isSuspect: boolean;

  /** Small and replaced as a whole: term and vote, view and membership. */
  saveState(state: Uint8Array): void;
  /** Each follows the one before. */
  append(entries: readonly StoredEntry[]): void;
  /** Entries from `index` on are gone. */
  truncate(index: number): void;
  /** The member has caught up: it is suspect no more, once this is on disk. */
  markSafe(): void;
  /**
   * Begins to write a snapshot; what it replaces leaves the log when it is complete. Bounded steps: each takeWrites() takes about
   * 1 MiB of it. One that is begun while another is under way replaces it. `retained` are the entries after the mark, all of them,
   * those just appended included; they are asked for once, in the takeWrites() that completes the snapshot.
   *
   * Where the log has no entry of the mark's index and term, the snapshot came from elsewhere and replaces the log as a whole. What is
   * appended before it is complete must not be on disk without it: takeWrites() then writes all that is left of it at once.
   */
  saveSnapshot(mark: SnapshotMark, chunks: Iterable<Uint8Array>, retained: () => readonly StoredEntry[]): void;
  /** Not yet complete, or the log not yet rid of what it replaced. */
  readonly isSavingSnapshot: boolean;
  /** What to carry out now, in order; empty when there is nothing. While a snapshot is being saved, there is always something. */
  takeWrites(): readonly DiskOperation[];
  /** Bytes of the log file, live or not, once everything is carried out that takeWrites() has returned. */
  readonly logBytes: number;
}

/** Opens what is on disk. Throws CorruptLogError. */
export type OpenStorage = (read: ReadFile) => Storage;
