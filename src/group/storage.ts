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

/** A log that cannot be believed: refuse to serve, rebuild the member from the others. */
export class CorruptLogError extends Error {
  override readonly name = 'CorruptLogError';
  readonly file: string;
  readonly offset: number;

  constructor(file: string, offset: number, reason: string) {
    super(`${file}, offset ${offset}: ${reason}`);
    this.file = file;
    this.offset = offset;
  }
}

/**
 * One member's durable memory, sans-I/O: what to write comes out as DiskOperations. Everything is in one file of records (length, CRC-32,
 * content), appended and synced; a snapshot lies beside it in a file of its own. Nothing that is handed in may be believed to
 * be on disk before the operations that takeWrites() returned have been carried out.
 */
export interface Storage {
  /** As found on disk at the start. */
  readonly state: Uint8Array | undefined;
  readonly entries: readonly StoredEntry[];
  readonly snapshot: StoredSnapshot | undefined;
  /**
   * A complete last record had a bad CRC: something that was promised may be gone (an entry, a vote). The member must not vote or
   * lead before it has caught up with a leader.
   */
  readonly isSuspect: boolean;

  /** Small and replaced as a whole: term and vote, view and membership. */
  saveState(state: Uint8Array): void;
  /** Each follows the one before. */
  append(entries: readonly StoredEntry[]): void;
  /** Entries from `index` on are gone. */
  truncate(index: number): void;
  /**
   * Begins to write a snapshot; what it replaces leaves the log when it is complete. Bounded steps: each takeWrites() takes some
   * chunks. One that is begun while another is under way replaces it. `retained` are the entries after the mark, and are asked for when
   * the snapshot is complete and the log is rewritten.
   */
  saveSnapshot(mark: SnapshotMark, chunks: Iterable<Uint8Array>, retained: () => readonly StoredEntry[]): void;
  readonly isSavingSnapshot: boolean;
  /** What to carry out now, in order; empty when there is nothing. While a snapshot is being saved, there is always something. */
  takeWrites(): readonly DiskOperation[];
  /** Bytes of the log file, live or not. */
  readonly logBytes: number;
}

/** Opens what is on disk. Throws CorruptLogError. */
export type OpenStorage = (read: ReadFile) => Storage;
