import { ByteReader, ByteWriter } from '../byte-codec.ts';
import type { DiskOperation } from '../disk.ts';
import type { KvLimits } from '../kv/kv-store.ts';
import { CorruptLogError, type Storage, type StoredEntry } from '../storage.ts';
import { firstLives, readLives, writeLives, type Lives } from './lives.ts';
import { readCell, writeCell, type Cell } from './quorum-operation.ts';
import { readChunk, RegisterStore } from './register-store.ts';

const NOTHING = new Uint8Array(0);

/** The registers and the lives, and both of them on disk. */
export class RegisterJournal {
  readonly store: RegisterStore;
  /** Nothing was ever written here. */
  readonly isNew: boolean;
  /** What was written last: everything that was promised is here, except what a suspect disk lost. */
  readonly isWhole: boolean;
  /** As found on disk. */
  readonly lives: Lives;
  readonly #storage: Storage;
  readonly #seat: number;
  readonly #compactBytes: number;
  #lastIndex = 0;
  /** Of this seat: entries say in which life they were written. */
  #life: number;
  /** Entries after the mark of the snapshot that is being saved. */
  #tail: StoredEntry[] = [];
  compactions = 0;

  /** Throws CorruptLogError when the content makes no sense, and RangeError when it is another seat's, or of a group of another size. */
  constructor(storage: Storage, seat: number, seats: number, compactBytes: number, limits: Partial<KvLimits> = {}) {
    this.store = new RegisterStore(limits);
    this.#storage = storage;
    this.#seat = seat;
    this.#compactBytes = compactBytes;
    this.isNew = storage.state === undefined && storage.entries.length === 0 && storage.snapshot === undefined;
    const state = storage.state === undefined ? undefined : decodeState(storage.state);
    if (state !== undefined && (state.seat !== seat || state.lives.length !== seats)) {
      throw new RangeError(`the disk is that of seat ${state.seat} of ${state.lives.length}, not of seat ${seat} of ${seats}`);
    }
    this.isWhole = state?.isWhole ?? false;
    this.lives = state?.lives ?? firstLives(seats);
    this.#life = this.lives[seat]!;
    this.#load();
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  /** False: not newer than what is here. True: it is in the next takeWrites(). */
  keep(cell: Cell): boolean {
    if (!this.store.keep(cell)) return false;
    const bytes = writeCell(new ByteWriter(cell.value.length + 256), cell).finish();
    const entry: StoredEntry = { index: ++this.#lastIndex, term: this.#life, bytes };
    this.#storage.append([entry]);
    if (this.#storage.isSavingSnapshot) this.#tail.push(entry);
    return true;
  }

  /** `isWhole` false: a restart has to recover again. */
  saveLives(lives: Lives, isWhole: boolean): void {
    this.#life = lives[this.#seat]!;
    this.#storage.saveState(writeLives(new ByteWriter().u8(this.#seat).u8(isWhole ? 1 : 0), lives).finish());
  }

  /** What the disk may have lost is here again. */
  recovered(lives: Lives): void {
    this.saveLives(lives, true);
    this.#storage.markSafe();
  }

  takeWrites(): readonly DiskOperation[] {
    if (!this.#storage.isSavingSnapshot && this.#storage.logBytes > Math.max(this.#compactBytes, 2 * this.store.bytes)) this.#compact();
    return this.#storage.takeWrites();
  }

  #compact(): void {
    this.#tail = [];
    this.compactions++;
    this.#storage.saveSnapshot({ index: this.#lastIndex, term: this.#life, meta: NOTHING }, this.store.chunks(), () => this.#tail);
  }

  #load(): void {
    const { snapshot, entries } = this.#storage;
    try {
      for (const chunk of snapshot?.chunks ?? []) for (const cell of readChunk(chunk)) this.store.keep(cell);
    } catch (error) {
      throw new CorruptLogError('snapshot', 0, error instanceof Error ? error.message : String(error));
    }
    this.#lastIndex = snapshot?.index ?? 0;
    for (const { index, bytes } of entries) {
      const reader = new ByteReader(bytes);
      const cell = readCell(reader);
      if (!reader.end()) throw new CorruptLogError('log', 0, `entry ${index} is no register`);
      this.store.keep(cell);
      this.#lastIndex = index;
    }
  }
}

function decodeState(bytes: Uint8Array): { seat: number; isWhole: boolean; lives: Lives } {
  const reader = new ByteReader(bytes);
  const state = { seat: reader.u8(), isWhole: reader.u8() === 1, lives: readLives(reader) };
  if (!reader.end()) throw new CorruptLogError('log', 0, 'the saved state is not that of a quorum register');
  return state;
}
