import { Fifo } from '../core/fifo.ts';

/** Below this, a chunk is copied into a shared block: its datagram would pin more memory than it carries. */
const SMALL_BYTES = 512;
const BLOCK_BYTES = 4096;
/** A chunk of this size is handed out as it is; smaller ones are gathered, because each read costs the reader more than the copy. */
const LARGE_BYTES = 16 * 1024;
const GATHER_BYTES = 64 * 1024;

/** Bytes in order, waiting for the reader. Large payloads pass through without a copy. */
export class ReadQueue {
  readonly #chunks = new Fifo<Uint8Array>();
  #length = 0;
  /** Small chunks gather here, [blockStart, blockEnd), until something else has to queue behind them. */
  #block = new Uint8Array(0);
  #blockStart = 0;
  #blockEnd = 0;

  get length(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (chunk.length >= SMALL_BYTES) {
      this.#flushBlock();
      this.#chunks.push(chunk);
      return;
    }
    if (this.#blockEnd + chunk.length > this.#block.length) {
      this.#flushBlock();
      this.#block = new Uint8Array(BLOCK_BYTES);
      this.#blockStart = 0;
      this.#blockEnd = 0;
    }
    this.#block.set(chunk, this.#blockEnd);
    this.#blockEnd += chunk.length;
  }

  /** The next bytes, at most 64 KiB when gathered from small chunks; undefined when there are none. */
  read(): Uint8Array | undefined {
    if (this.#length === 0) return undefined;
    if (this.#chunks.length === 0) this.#flushBlock();
    const first = this.#chunks.shift()!;
    this.#length -= first.length;
    if (first.length >= LARGE_BYTES || this.#chunks.length === 0) return first;
    const gathered = new Uint8Array(Math.min(first.length + this.#length, GATHER_BYTES));
    gathered.set(first, 0);
    let end = first.length;
    for (;;) {
      const next = this.#chunks.peek();
      if (next === undefined || end + next.length > gathered.length) break;
      gathered.set(next, end);
      end += next.length;
      this.#chunks.shift();
    }
    this.#length -= end - first.length;
    return gathered.subarray(0, end);
  }

  clear(): void {
    this.#chunks.clear();
    this.#blockStart = this.#blockEnd;
    this.#length = 0;
  }

  #flushBlock(): void {
    if (this.#blockEnd === this.#blockStart) return;
    this.#chunks.push(this.#block.subarray(this.#blockStart, this.#blockEnd));
    this.#blockStart = this.#blockEnd;
  }
}
