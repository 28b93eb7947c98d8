import type { Millis } from '../core/machine.ts';
import type { Random } from '../core/random.ts';
import type { DiskOperation } from '../group/disk.ts';

/** What a disk says that cannot go on, in the system's words. */
const FAILURES = { EIO: 'i/o error', ENOSPC: 'no space left on device' } as const;
export type DiskFailure = keyof typeof FAILURES;

/** How many of a file's unsynced bytes survive a crash; in [0, `unsyncedBytes`]. */
export type Survival = (file: string, unsyncedBytes: number) => number;

export interface SimulatedDiskOptions {
  readonly random: Random;
  /** Longest time of one batch. Default 2. */
  readonly maxDelayMs?: Millis;
}

/** A change that a crash may take back, with what it needs to go back and forth. */
interface Change {
  readonly offset: number;
  /** What a write puts there; undefined: the file is cut to `offset`. */
  readonly bytes: Uint8Array | undefined;
  /** What was there, as far as it is overwritten or cut off. */
  readonly before: Uint8Array;
  readonly lengthBefore: number;
}

interface Content {
  buffer: Uint8Array;
  length: number;
  /** Since the last sync. */
  changes: Change[];
}

const NOTHING = new Uint8Array(0);

/**
 * A member's disk in the simulator: it carries out DiskOperations and keeps what a crash of the whole machine would leave. Writes
 * survive up to a prefix of what was not synced, as a torn write does; a name survives when it was given by a rename, or was there
 * at one; a created file that was never renamed may be gone, or lie there half-written.
 */
export class SimulatedDisk {
  readonly #random: Random;
  readonly #maxDelayMs: Millis;
  /** As the running process sees them. */
  #files = new Map<string, Content>();
  /** As the directory lies on disk. */
  #durable = new Map<string, Content>();
  #failure: DiskFailure | undefined;
  /** Factor on its times. */
  slowness = 1;
  syncs = 0;
  bytesWritten = 0;

  constructor(options: SimulatedDiskOptions) {
    this.#random = options.random;
    this.#maxDelayMs = options.maxDelayMs ?? 2;
  }

  /** How long the next batch takes. */
  drawDelayMs(): Millis {
    return this.#random.unit() * this.#maxDelayMs * this.slowness;
  }

  /** In order. Throws Error at the first that fails, those before it are done; also for what makes no sense: that is a mistake of the replica's. */
  run(operations: readonly DiskOperation[]): void {
    for (const operation of operations) this.#one(operation);
  }

  /** The content as the process sees it, in a ReadFile's words: a copy. */
  read(file: string): Uint8Array | undefined {
    const content = this.#files.get(file);
    return content?.buffer.slice(0, content.length);
  }

  /** Would survive a crash as it is, name and content. */
  isDurable(file: string): boolean {
    const content = this.#files.get(file);
    return content !== undefined && this.#durable.get(file) === content && content.changes.length === 0;
  }

  get files(): string[] {
    return [...this.#files.keys()];
  }

  /** Of the operations that a crash would find undone, in bytes; a cut counts as one. */
  unsyncedBytes(file: string): number {
    return sum(this.#files.get(file)?.changes.map(changeBytes) ?? []);
  }

  /**
   * Power failure, or a crash of the operating system: what is not synced is gone but for a prefix. `running` is the batch that
   * was under way; some of it was carried out. Without `survival`, half of all files lose everything unsynced, the others any part.
   */
  crash(running: readonly DiskOperation[] = [], survival: Survival = this.#drawSurvival): void {
    const done = this.#random.below(running.length + 1);
    if (running.length > 0 && this.#failure === undefined) this.run(running.slice(0, done));
    for (const [file, content] of this.#files) {
      if (this.#durable.get(file) === content) continue;
      // The directory was not synced since the file got this name.
      if (!this.#durable.has(file) && survival(file, 1) > 0) this.#durable.set(file, content);
    }
    for (const [file, content] of this.#durable) rollBack(content, survival(file, sum(content.changes.map(changeBytes))));
    this.#files = new Map(this.#durable);
  }

  /** SIGKILL: the process is gone, and what it had written is in the operating system's hands. `running` as in crash(). */
  kill(running: readonly DiskOperation[] = []): void {
    if (running.length === 0 || this.#failure !== undefined) return;
    const done = this.#random.below(running.length + 1);
    this.run(running.slice(0, done));
    const next = running[done];
    if (next?.kind === 'write') this.run([{ ...next, bytes: next.bytes.subarray(0, this.#random.below(next.bytes.length + 1)) }]);
  }

  /** Another disk in its place. */
  wipe(): void {
    this.#files.clear();
    this.#durable.clear();
  }

  /** Turns over one bit, `bit` in [0, 8), of what is on disk. Throws RangeError where there is nothing. */
  flip(file: string, offset: number, bit = this.#random.below(8)): void {
    const content = this.#files.get(file);
    if (content === undefined || offset >= content.length) throw new RangeError(`${file} has no byte ${offset}`);
    content.buffer[offset]! ^= 1 << bit;
  }

  /** From now on: EIO fails everything, ENOSPC what needs room. Undefined: it works again. */
  fail(failure: DiskFailure | undefined): void {
    this.#failure = failure;
  }

  readonly #drawSurvival: Survival = (_file, unsyncedBytes) => (this.#random.chance(0.5) ? 0 : this.#random.below(unsyncedBytes + 1));

  #one(operation: DiskOperation): void {
    const { kind, file } = operation;
    if (this.#failure === 'EIO' || (this.#failure === 'ENOSPC' && (kind === 'create' || kind === 'write'))) {
      throw new Error(`${this.#failure}: ${FAILURES[this.#failure]}, ${kind} ${file}`);
    }
    if (kind === 'create') {
      const existing = this.#files.get(file);
      if (existing === undefined) this.#files.set(file, { buffer: NOTHING, length: 0, changes: [] });
      else cut(existing, 0);
      return;
    }
    if (kind === 'remove') {
      this.#files.delete(file);
      return;
    }
    const content = this.#files.get(file);
    if (content === undefined) throw new Error(`ENOENT: no such file, ${kind} ${file}`);
    if (kind === 'write') {
      this.bytesWritten += operation.bytes.length;
      if (operation.offset > content.length) throw new Error(`a hole before offset ${operation.offset} of ${file}, which has ${content.length} bytes`);
      write(content, operation.offset, operation.bytes.slice());
    } else if (kind === 'truncate') {
      if (operation.lengthBytes > content.length) throw new Error(`${file} cannot be cut to ${operation.lengthBytes}: it has ${content.length} bytes`);
      cut(content, operation.lengthBytes);
    } else if (kind === 'sync') {
      this.syncs++;
      content.changes = [];
    } else {
      this.#files.delete(file);
      this.#files.set(operation.to, content);
      // Syncs the directory, and with it all the names there are now.
      this.#durable = new Map(this.#files);
    }
  }
}

function write(content: Content, offset: number, bytes: Uint8Array): void {
  const end = offset + bytes.length;
  content.changes.push({ offset, bytes, before: content.buffer.slice(offset, Math.min(end, content.length)), lengthBefore: content.length });
  place(content, offset, bytes);
  content.length = Math.max(content.length, end);
}

function cut(content: Content, length: number): void {
  content.changes.push({ offset: length, bytes: undefined, before: content.buffer.slice(length, content.length), lengthBefore: content.length });
  content.length = length;
}

function place(content: Content, offset: number, bytes: Uint8Array): void {
  const end = offset + bytes.length;
  if (end > content.buffer.length) {
    const grown = new Uint8Array(Math.max(end, content.buffer.length * 2));
    grown.set(content.buffer);
    content.buffer = grown;
  }
  content.buffer.set(bytes, offset);
}

function changeBytes({ bytes }: Change): number {
  return bytes?.length ?? 1;
}

/** Takes back all changes, and carries out again what makes up the first `survivingBytes` of them. */
function rollBack(content: Content, survivingBytes: number): void {
  const { changes } = content;
  for (const { offset, before, lengthBefore } of [...changes].reverse()) {
    place(content, offset, before);
    content.length = lengthBefore;
  }
  content.changes = [];
  for (const change of changes) {
    const part = Math.min(survivingBytes, changeBytes(change));
    survivingBytes -= part;
    if (part === 0) break;
    if (change.bytes === undefined) cut(content, change.offset);
    else write(content, change.offset, change.bytes.subarray(0, part));
  }
  content.changes = [];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
