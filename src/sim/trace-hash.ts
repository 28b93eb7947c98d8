import { createHash } from 'node:crypto';

const CHUNK_BYTES = 64 * 1024;

/** SHA-256 over everything that happened in a run, in order. Two runs with the same digest did the same. */
export class TraceHash {
  readonly #hash = createHash('sha256');
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  readonly #view = new DataView(this.#chunk.buffer);
  #used = 0;

  number(value: number): void {
    if (this.#used + 8 > CHUNK_BYTES) this.#flush();
    this.#view.setFloat64(this.#used, value);
    this.#used += 8;
  }

  bytes(bytes: Uint8Array): void {
    this.number(bytes.length);
    if (bytes.length > CHUNK_BYTES) {
      this.#flush();
      this.#hash.update(bytes);
      return;
    }
    if (this.#used + bytes.length > CHUNK_BYTES) this.#flush();
    this.#chunk.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  text(text: string): void {
    this.#flush();
    this.#hash.update(text);
  }

  /** 64 hexadecimal digits. Ends the hash. */
  digest(): string {
    this.#flush();
    return this.#hash.digest('hex');
  }

  #flush(): void {
    if (this.#used > 0) this.#hash.update(this.#chunk.subarray(0, this.#used));
    this.#used = 0;
  }
}
