import type { EntryLog } from './entry-log.ts';
import type { Service } from './service.ts';
import type { SnapshotMark, Storage } from './storage.ts';

/** How far a log may grow, and what is kept of it. */
export interface CompactionLimits {
  /** The log is replaced by a snapshot when its file is longer than this, and than the last snapshot. */
  readonly snapshotBytes: number;
  /** Entries that are kept in memory behind a snapshot. */
  readonly keptEntries: number;
}

/** Replaces a log that has grown long by a snapshot, while the service goes on. */
export class LogCompaction {
  readonly #log: EntryLog;
  readonly #storage: Storage;
  readonly #service: Service;
  readonly #limits: CompactionLimits;
  #snapshotIndex: number;
  /** Of the last snapshot that was begun, taken over, or found on disk. */
  #snapshotBytes = 0;

  /** To be called before the storage lets go of what it has found. */
  constructor(log: EntryLog, storage: Storage, service: Service, limits: CompactionLimits) {
    this.#log = log;
    this.#storage = storage;
    this.#service = service;
    this.#limits = limits;
    this.#snapshotIndex = log.baseIndex;
    this.adopted(storage.snapshot?.chunks ?? []);
  }

  /** A snapshot of this content has taken the place of the last. */
  adopted(chunks: readonly Uint8Array[]): void {
    this.#snapshotBytes = chunks.reduce((sum, { length }) => sum + length, 0);
  }

  /** Lets go of entries in memory that a snapshot on disk stands for, but not of those behind `oldestNeeded`. */
  forget(oldestNeeded: number): void {
    if (this.#storage.isSavingSnapshot) return;
    this.#snapshotIndex = Math.max(this.#snapshotIndex, this.#log.baseIndex);
    this.#log.compact(Math.min(this.#snapshotIndex - this.#limits.keptEntries, oldestNeeded, this.#snapshotIndex));
  }

  /** Begins a snapshot at `mark` if it is time for one. Returns whether it did. */
  begin(appliedIndex: number, mark: () => SnapshotMark): boolean {
    const storage = this.#storage;
    if (storage.isSavingSnapshot || storage.logBytes <= Math.max(this.#limits.snapshotBytes, this.#snapshotBytes) || appliedIndex <= this.#snapshotIndex) return false;
    const taken = mark();
    this.#snapshotIndex = taken.index;
    this.#snapshotBytes = 0;
    storage.saveSnapshot(taken, this.#counted(this.#service.snapshot()), () => this.#log.after(taken.index));
    return true;
  }

  *#counted(chunks: Iterable<Uint8Array>): Iterable<Uint8Array> {
    for (const chunk of chunks) {
      this.#snapshotBytes += chunk.length;
      yield chunk;
    }
  }
}
