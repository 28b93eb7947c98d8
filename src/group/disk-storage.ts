import { assert } from '../core/assert.ts';
import type { DiskOperation, ReadFile } from './disk.ts';
import { LogOutline } from './log-outline.ts';
import { encodeLogRecord, LOG_VERSION, type LogRecord } from './log-record.ts';
import { replayLog } from './log-replay.ts';
import { LogRewrite } from './log-rewrite.ts';
import { encodeRecords, type FileNames } from './record-file.ts';
import { readSnapshot, SnapshotWriter } from './snapshot-file.ts';
import { CorruptLogError, type SnapshotMark, type Storage, type StoredEntry, type StoredSnapshot } from './storage.ts';

/** In the words of DiskOperation. What is left of the other two after a crash is ignored, and overwritten. */
export const LOG: FileNames = { file: 'log', part: 'log.new' };
export const SNAPSHOT: FileNames = { file: 'snapshot', part: 'snapshot.new' };

/** Of a snapshot, or of a log that is written anew, in one takeWrites(). */
const STEP_BYTES = 1024 * 1024;
const NO_ENTRIES: readonly StoredEntry[] = [];

interface Saving {
  readonly mark: SnapshotMark;
  readonly writer: SnapshotWriter;
  readonly retained: () => readonly StoredEntry[];
  /** The log does not hold the mark: the snapshot came from elsewhere, and nothing of the log follows it. */
  readonly replacesLog: boolean;
}

/** What was found on disk; let go of once it has been handed out. */
interface Found {
  readonly entries: readonly StoredEntry[];
  readonly snapshot: StoredSnapshot | undefined;
}

/** Opens what is on disk; on an empty disk, a log that begins with the first thing that is saved. Throws CorruptLogError. */
export function openStorage(read: ReadFile): Storage {
  const log = read(LOG.file);
  const bytes = read(SNAPSHOT.file);
  const snapshot = bytes === undefined ? undefined : readSnapshot(SNAPSHOT.file, bytes);
  if (log !== undefined) return new DiskStorage(log, snapshot);
  // The log is made first, and for good.
  if (snapshot !== undefined) throw new CorruptLogError(LOG.file, 0, 'there is none, but a snapshot');
  return new DiskStorage(undefined, undefined);
}

/**
 * The log only grows. What it says is in its records, one after the other (log-record.ts). When a snapshot has become durable,
 * a record says so at once, which makes the old entries void; the log without them is then written beside it, and renamed. So a crash finds
 * the old log or the new one, and both say the same.
 */
class DiskStorage implements Storage {
  #found: Found;
  #state: Uint8Array | undefined;
  #isSuspect = false;
  #hasLog = false;
  readonly #outline = new LogOutline();
  /** Where the next write goes in the log, and what it writes. */
  #offset = 0;
  #pending: LogRecord[] = [];
  /** What a crash or damage left at `#offset`, to be removed before anything is written there. */
  #tail: 'clean' | 'torn' | 'suspect' = 'clean';
  /** What was found may be in the system's memory only: a process that was killed before its sync leaves it there. */
  #isSynced = true;
  #saving: Saving | undefined;
  /** Something pending follows from the snapshot under way, and must not be on disk without it. */
  #mustFinish = false;
  #rewrite: LogRewrite | undefined;

  constructor(log: Uint8Array | undefined, snapshot: StoredSnapshot | undefined) {
    this.#found = { entries: NO_ENTRIES, snapshot };
    if (log === undefined) return;
    const replayed = replayLog(LOG.file, log);
    this.#hasLog = true;
    this.#isSynced = false;
    this.#state = replayed.state;
    this.#isSuspect = replayed.isSuspect;
    this.#outline = replayed.outline;
    this.#offset = replayed.lengthBytes;
    this.#tail = replayed.tail;
    this.#found = { entries: this.#reconcile(replayed.entries, snapshot), snapshot };
  }

  get state(): Uint8Array | undefined {
    return this.#state;
  }

  get entries(): readonly StoredEntry[] {
    return this.#found.entries;
  }

  get snapshot(): StoredSnapshot | undefined {
    return this.#found.snapshot;
  }

  get isSuspect(): boolean {
    return this.#isSuspect;
  }

  get isSavingSnapshot(): boolean {
    return this.#saving !== undefined || this.#rewrite !== undefined;
  }

  get logBytes(): number {
    return this.#offset;
  }

  saveState(state: Uint8Array): void {
    this.#state = state;
    this.#add({ kind: 'state', bytes: state });
  }

  append(entries: readonly StoredEntry[]): void {
    if (entries.length > 0) this.#leaveReplacedLog();
    for (const entry of entries) {
      if (!this.#outline.append(entry.index, entry.term)) throw new RangeError(`entry ${entry.index} does not follow ${this.#outline.lastIndex}`);
      this.#add({ kind: 'entry', entry });
    }
  }

  truncate(index: number): void {
    this.#leaveReplacedLog();
    if (index === this.#outline.lastIndex + 1) return;
    if (!this.#outline.truncate(index)) {
      throw new RangeError(`entries from ${index} on cannot be removed where ${this.#outline.baseIndex + 1} … ${this.#outline.lastIndex} are`);
    }
    this.#add({ kind: 'truncate', index });
  }

  saveSnapshot(mark: SnapshotMark, chunks: Iterable<Uint8Array>, retained: () => readonly StoredEntry[]): void {
    if (mark.index < this.#outline.baseIndex) throw new RangeError(`a snapshot of ${mark.index}, but the log begins after ${this.#outline.baseIndex}`);
    this.#saving?.writer.abandon();
    // It may stay half-written: the log that it would have replaced says all that it would have said.
    this.#rewrite = undefined;
    this.#saving = { mark, writer: new SnapshotWriter(mark, chunks, SNAPSHOT), retained, replacesLog: !this.#outline.holds(mark) };
  }

  markSafe(): void {
    if (!this.#isSuspect) return;
    this.#isSuspect = false;
    this.#add({ kind: 'safe' });
  }

  takeWrites(): readonly DiskOperation[] {
    const operations: DiskOperation[] = [];
    this.#found = { entries: NO_ENTRIES, snapshot: undefined };
    if (this.#tail !== 'clean') this.#removeTail(operations);
    else if (!this.#isSynced) operations.push({ kind: 'sync', file: LOG.file });
    this.#isSynced = true;
    if (this.#pending.length === 0 && !this.isSavingSnapshot) return operations;
    if (!this.#hasLog) this.#createLog(operations);
    const rewrite = this.#saveSomeOfSnapshot(operations);
    const writtenBytes = this.#writePending(operations);
    if (rewrite !== undefined) this.#rewrite = rewrite;
    // It gains on the log that goes on growing.
    if (this.#rewrite !== undefined) this.#rewriteSome(this.#rewrite, STEP_BYTES + writtenBytes, operations);
    return operations;
  }

  #add(record: LogRecord): void {
    this.#pending.push(record);
  }

  /** A crash came between a snapshot and the record that says so: entries that it holds are void. Returns the others. */
  #reconcile(entries: readonly StoredEntry[], snapshot: StoredSnapshot | undefined): readonly StoredEntry[] {
    const { baseIndex } = this.#outline;
    if ((snapshot?.index ?? 0) < baseIndex) {
      throw new CorruptLogError(SNAPSHOT.file, 0, `${snapshot === undefined ? 'there is none' : `it ends at ${snapshot.index}`}, but the log begins after ${baseIndex}`);
    }
    if (snapshot === undefined || snapshot.index === baseIndex) return entries;
    const keepsLater = this.#outline.holds(snapshot);
    this.#rebase(snapshot, keepsLater);
    return keepsLater ? entries.filter(({ index }) => index > snapshot.index) : NO_ENTRIES;
  }

  #rebase(mark: SnapshotMark, keepsLater: boolean): void {
    this.#outline.rebase(mark, keepsLater);
    this.#add({ kind: 'base', index: mark.index, term: mark.term, keepsLater });
  }

  /** What follows now follows the snapshot under way, not the log as it is. */
  #leaveReplacedLog(): void {
    if (this.#saving?.replacesLog !== true || this.#outline.holds(this.#saving.mark)) return;
    this.#mustFinish = true;
    this.#rebase(this.#saving.mark, false);
  }

  /** Its beginning is complete before it has its name. */
  #createLog(operations: DiskOperation[]): void {
    const log = new LogRewrite([{ kind: 'header', version: LOG_VERSION }], LOG);
    log.step(Infinity, true, operations);
    this.#hasLog = true;
    this.#offset = log.lengthBytes;
  }

  /**
   * A torn record is cut off. A suspect one is first overwritten with the word that it was there, and only then is the rest cut off: a
   * crash in between finds the damage, or the word, never a log that looks whole.
   */
  #removeTail(operations: DiskOperation[]): void {
    if (this.#tail === 'suspect') {
      const bytes = encodeRecords([encodeLogRecord({ kind: 'suspect' })], this.#offset);
      operations.push({ kind: 'write', file: LOG.file, offset: this.#offset, bytes }, { kind: 'sync', file: LOG.file });
      this.#offset += bytes.length;
    }
    operations.push({ kind: 'truncate', file: LOG.file, lengthBytes: this.#offset }, { kind: 'sync', file: LOG.file });
    this.#tail = 'clean';
  }

  /** Returns the rewriting of the log that is to begin once the snapshot is durable. */
  #saveSomeOfSnapshot(operations: DiskOperation[]): LogRewrite | undefined {
    const saving = this.#saving;
    if (saving === undefined || !saving.writer.step(this.#mustFinish ? Infinity : STEP_BYTES, operations)) return undefined;
    this.#saving = undefined;
    this.#mustFinish = false;
    const { mark, retained, replacesLog } = saving;
    if (this.#outline.baseIndex !== mark.index || !this.#outline.holds(mark)) this.#rebase(mark, !replacesLog);
    const entries = retained();
    assert(
      (entries.at(-1)?.index ?? mark.index) === this.#outline.lastIndex && (entries[0]?.index ?? mark.index + 1) === mark.index + 1,
      `the entries retained after ${mark.index} are not those that were appended, up to ${this.#outline.lastIndex}`,
    );
    return new LogRewrite([
      { kind: 'header', version: LOG_VERSION },
      { kind: 'base', index: mark.index, term: mark.term, keepsLater: false },
      ...(this.#state === undefined ? [] : [{ kind: 'state', bytes: this.#state } as const]),
      ...entries.map((entry) => ({ kind: 'entry', entry }) as const),
    ], LOG);
  }

  /** All in one piece with one sync: however many clients wait for it, they wait together. */
  #writePending(operations: DiskOperation[]): number {
    if (this.#pending.length === 0) return 0;
    const bytes = encodeRecords(this.#pending.map(encodeLogRecord), this.#offset);
    operations.push({ kind: 'write', file: LOG.file, offset: this.#offset, bytes }, { kind: 'sync', file: LOG.file });
    // Whether it is safe is said at its end.
    for (const record of this.#pending) if (record.kind !== 'safe') this.#rewrite?.add(record);
    this.#offset += bytes.length;
    this.#pending = [];
    return bytes.length;
  }

  #rewriteSome(rewrite: LogRewrite, maxBytes: number, operations: DiskOperation[]): void {
    if (!rewrite.step(maxBytes, !this.#isSuspect, operations)) return;
    this.#rewrite = undefined;
    this.#offset = rewrite.lengthBytes;
  }
}
