import type { SnapshotMark } from './storage.ts';

/** Chunks on the way without an answer, if they are small. */
const WINDOW_CHUNKS = 16;
/**
 * The window is full, too, when it holds as much as this. All that may leave at once leaves in one turn of the sender's, and clients have to wait
 * for it; a link of 10 ms still carries 100 Mbit/s.
 */
const WINDOW_BYTES = 128 * 1024;
/** Of one snapshot; more is not a snapshot of ours. */
const MAX_CHUNKS = 1 << 20;
/** Chunks that are kept though one before them is missing. */
const MAX_AHEAD = 64;

/** A piece of a snapshot on its way. `transfer` tells one sending from another. */
export interface Chunk {
  readonly transfer: number;
  /** From 0. */
  readonly number: number;
  readonly isLast: boolean;
  readonly bytes: Uint8Array;
}

/**
 * A snapshot on its way to one member, as the state is at this moment: what is applied meanwhile goes to the log. Chunks are kept until they
 * are acknowledged, and sent again by resend().
 */
export class SnapshotSending {
  readonly mark: SnapshotMark;
  readonly transfer: number;
  readonly #sendChunk: (chunk: Chunk) => void;
  readonly #chunks: Iterator<Uint8Array>;
  /** The one after the last that was made: needed to know which is the last. */
  #upcoming: IteratorResult<Uint8Array>;
  #acknowledged = 0;
  #window: Chunk[] = [];
  #made = 0;
  #isAtEnd = false;
  /** Something was acknowledged since the last resend(). */
  #hasMoved = true;
  #hasForgotten = false;

  /** Sends the first chunks at once. */
  constructor(mark: SnapshotMark, chunks: Iterable<Uint8Array>, transfer: number, send: (chunk: Chunk) => void) {
    this.mark = mark;
    this.transfer = transfer;
    this.#sendChunk = send;
    this.#chunks = chunks[Symbol.iterator]();
    this.#upcoming = this.#chunks.next();
    this.#fill();
  }

  /** The other side has so many chunks. */
  received(transfer: number, count: number): void {
    if (transfer !== this.transfer || count > this.#made) return;
    // Late, or the other side began another life: nothing moves any more, then.
    if (count < this.#acknowledged) this.#hasForgotten = true;
    if (count <= this.#acknowledged) return;
    this.#acknowledged = count;
    this.#hasMoved = true;
    this.#window = this.#window.filter(({ number }) => number >= count);
    this.#fill();
  }

  /**
   * Sends what is not acknowledged once more, if nothing has moved since the last call. False: the other side has lost what it had
   * acknowledged, and needs another snapshot from its beginning.
   */
  resend(): boolean {
    const isStuck = !this.#hasMoved;
    if (isStuck && this.#hasForgotten) return false;
    if (isStuck) for (const chunk of this.#window) this.#sendChunk(chunk);
    this.#hasMoved = false;
    this.#hasForgotten = false;
    return true;
  }

  /** Frees what the snapshot holds. */
  end(): void {
    this.#chunks.return?.();
  }

  #isFull(): boolean {
    return this.#window.length >= WINDOW_CHUNKS || this.#window.reduce((sum, { bytes }) => sum + bytes.length, 0) >= WINDOW_BYTES;
  }

  #fill(): void {
    while (!this.#isFull() && !this.#isAtEnd) {
      const bytes = this.#upcoming.value as Uint8Array;
      this.#upcoming = this.#chunks.next();
      this.#isAtEnd = this.#upcoming.done === true;
      const chunk = { transfer: this.transfer, number: this.#made++, bytes, isLast: this.#isAtEnd };
      this.#window.push(chunk);
      this.#sendChunk(chunk);
    }
  }
}

/** A snapshot that comes in, in whatever order. */
export class SnapshotAssembly {
  readonly from: string;
  readonly transfer: number;
  /** With holes, where later ones came first. */
  readonly #chunks: Uint8Array[] = [];
  /** Of all chunks, once the last has come. */
  #count = Infinity;
  #received = 0;

  constructor(from: string, transfer: number) {
    this.from = from;
    this.transfer = transfer;
  }

  /** Chunks that are here without a gap. */
  get received(): number {
    return this.#received;
  }

  get isComplete(): boolean {
    return this.#received === this.#count;
  }

  /** All of them, once it is complete. */
  get chunks(): readonly Uint8Array[] {
    return this.#chunks;
  }

  /** Copies what it keeps. */
  add({ number, isLast, bytes }: Chunk): void {
    if (number < Math.min(this.#received + MAX_AHEAD, MAX_CHUNKS)) {
      this.#chunks[number] ??= bytes.slice();
      if (isLast) this.#count = number + 1;
    }
    while (this.#chunks[this.#received] !== undefined) this.#received++;
  }
}
