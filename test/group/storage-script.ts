import { createRandom } from '../../src/core/random.ts';
import type { DiskOperation, ReadFile } from '../../src/group/disk.ts';
import { openStorage } from '../../src/group/disk-storage.ts';
import type { Storage, StoredEntry } from '../../src/group/storage.ts';
import { SimulatedDisk, type Survival } from '../../src/sim/simulated-disk.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Everything that a storage says, in a form that compaction does not change: all entries from the first, as `term:value`. */
export interface Content {
  readonly state: string;
  readonly entries: string;
}

/** What is on disk. Snapshots in these tests hold the entries that they replace, one a chunk. */
export function contentOf(storage: Storage): Content {
  const { state, snapshot, entries } = storage;
  const values = (snapshot?.chunks ?? []).map(decode);
  if (values.length !== (snapshot?.index ?? 0)) throw new Error(`a snapshot of ${snapshot?.index} with ${values.length} chunks`);
  for (const { index, term, bytes } of entries) {
    if (index !== values.length + 1) throw new Error(`entry ${index} after ${values.length}`);
    values.push(`${term}:${decode(bytes)}`);
  }
  return { state: state === undefined ? '' : decode(state), entries: values.join(' ') };
}

/** One takeWrites(), and between which contents the disk may be once it is begun. */
export interface Batch {
  readonly operations: readonly DiskOperation[];
  /** Acknowledged before it, of what was ever to be on disk (see Script.states, Script.logs). */
  readonly state: number;
  readonly log: number;
  /** Handed in before it. */
  readonly lastState: number;
  readonly lastLog: number;
}

/** Drives a storage as an engine does and writes down what it said, and when the disk had to have it. */
export class Script {
  readonly disk = new SimulatedDisk({ random: createRandom(1) });
  readonly batches: Batch[] = [];
  /** Every content that there ever was, in order. */
  readonly states = [''];
  readonly logs = [''];
  storage: Storage;
  #values: string[] = [];
  #snapshotIndex = 0;
  #ackedState = 0;
  #ackedLog = 0;
  /** A snapshot that replaces the log: until it is on disk, the log before it may still be what is there. */
  #installs = false;

  constructor(read?: ReadFile) {
    this.storage = openStorage(read ?? ((file) => this.disk.read(file)));
  }

  state(text: string): this {
    this.storage.saveState(encode(text));
    this.states.push(text);
    return this;
  }

  append(term: number, ...values: string[]): this {
    for (const value of values) {
      this.#values.push(`${term}:${value}`);
      this.#said();
    }
    const first = this.#values.length - values.length + 1;
    this.storage.append(values.map((value, i) => ({ index: first + i, term, bytes: encode(value) })));
    return this;
  }

  truncate(index: number): this {
    this.storage.truncate(index);
    this.#values.length = index - 1;
    this.#said();
    return this;
  }

  /** Of what was applied up to `index`. */
  snapshot(index: number): this {
    const values = this.#values.slice(0, index);
    this.storage.saveSnapshot({ index, term: Number(values.at(-1)!.split(':')[0]), meta: encode('m') }, values.map(encode), () => this.#retained(index));
    this.#snapshotIndex = index;
    return this;
  }

  /** From a leader: instead of everything that is here. */
  install(...values: string[]): this {
    this.#values = [...values];
    this.#said();
    this.#installs = true;
    return this.snapshot(values.length);
  }

  /** Takes what there is to write, and carries it out. */
  write(): this {
    const operations = this.storage.takeWrites();
    this.batches.push({ operations, state: this.#ackedState, log: this.#ackedLog, lastState: this.states.length - 1, lastLog: this.logs.length - 1 });
    this.disk.run(operations);
    this.#ackedState = this.states.length - 1;
    if (operations.some(({ kind, file }) => kind === 'rename' && file === 'snapshot.new')) this.#installs = false;
    if (!this.#installs) this.#ackedLog = this.logs.length - 1;
    return this;
  }

  /** Until the snapshot under way is complete, and the log is rid of it. */
  writeAll(): this {
    do this.write();
    while (this.storage.isSavingSnapshot);
    return this;
  }

  get content(): Content {
    return { state: this.states.at(-1)!, entries: this.logs.at(-1)! };
  }

  get snapshotIndex(): number {
    return this.#snapshotIndex;
  }

  #said(): void {
    this.logs.push(this.#values.join(' '));
  }

  #retained(index: number): StoredEntry[] {
    return this.#values.slice(index).map((value, i) => {
      const [term, text] = value.split(':');
      return { index: index + 1 + i, term: Number(term), bytes: encode(text!) };
    });
  }
}

export type Files = Readonly<Record<string, Uint8Array>>;

export function filesOf(disk: SimulatedDisk): Files {
  return Object.fromEntries(disk.files.map((file) => [file, disk.read(file)!]));
}

/** What it takes to have these files, synced, on a new disk. */
export function makeFiles(files: Files): DiskOperation[] {
  return Object.entries(files).flatMap(([to, bytes]): DiskOperation[] => [
    { kind: 'create', file: 'making' }, { kind: 'write', file: 'making', offset: 0, bytes }, { kind: 'sync', file: 'making' }, { kind: 'rename', file: 'making', to },
  ]);
}

/** Keeps `bytes` of what is not synced; none: names that are not either are gone, too. */
export const keep = (bytes: number): Survival => (_file, unsynced) => Math.min(bytes, unsynced);

export interface CrashPoint {
  readonly batch: Batch;
  readonly where: string;
  readonly disk: SimulatedDisk;
}

/**
 * Every disk that a crash can leave: before and after each operation, with every prefix of what is not synced. `change` makes
 * other operations of a batch: a mutant's.
 */
export function* crashPoints(batches: readonly Batch[], change: (operations: readonly DiskOperation[]) => readonly DiskOperation[] = (same) => same): Iterable<CrashPoint> {
  const before: DiskOperation[] = [];
  for (const [b, batch] of batches.entries()) {
    const operations = change(batch.operations);
    for (let done = 0; done <= operations.length; done++) {
      for (let bytes = 0, unsynced = 0; bytes <= unsynced; bytes++) {
        const disk = new SimulatedDisk({ random: createRandom(1) });
        disk.run(before);
        disk.run(operations.slice(0, done));
        unsynced = Math.max(0, ...disk.files.map((file) => disk.unsyncedBytes(file)));
        disk.crash([], keep(bytes));
        yield { batch, where: `batch ${b}, ${done} of ${operations.length} operations, ${bytes} of ${unsynced} bytes`, disk };
      }
    }
    before.push(...operations);
  }
}
