const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Builds a message, big-endian. The buffer grows as needed. */
export class ByteWriter {
  #buffer: Uint8Array;
  #length = 0;

  constructor(capacity = 128) {
    this.#buffer = new Uint8Array(capacity);
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  u16(value: number): this {
    return this.u8(value >>> 8).u8(value);
  }

  u32(value: number): this {
    return this.u16(value >>> 16).u16(value & 0xffff);
  }

  /** A whole number in [0, 2^53), in eight bytes. */
  u53(value: number): this {
    return this.u32(Math.floor(value / 2 ** 32)).u32(value % 2 ** 32);
  }

  /** Without a length: the reader knows it, or takes the rest. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** With a length of two bytes in front. Throws RangeError above 65,535 bytes. */
  block(bytes: Uint8Array): this {
    if (bytes.length > 0xffff) throw new RangeError(`a block of ${bytes.length} bytes is too long`);
    return this.u16(bytes.length).raw(bytes);
  }

  text(text: string): this {
    return this.block(encoder.encode(text));
  }

  /** What was written; the writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}

/**
 * Reads a message that may say anything. It never throws: once something does not fit, `isBroken` is true, numbers are 0
 * and bytes are empty. Check `isBroken` before believing any of it.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #position = 0;
  isBroken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u8(): number {
    if (!this.#has(1)) return 0;
    return this.#bytes[this.#position++]!;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16();
  }

  /** Broken above 2^53 − 1. */
  u53(): number {
    const value = this.u32() * 2 ** 32 + this.u32();
    if (Number.isSafeInteger(value)) return value;
    this.isBroken = true;
    return 0;
  }

  /** Shares memory with the message. */
  raw(length: number): Uint8Array {
    if (!this.#has(length)) return new Uint8Array(0);
    this.#position += length;
    return this.#bytes.subarray(this.#position - length, this.#position);
  }

  block(maxBytes: number): Uint8Array {
    const length = this.u16();
    if (length > maxBytes) this.isBroken = true;
    return this.raw(length);
  }

  text(maxBytes: number): string {
    return decoder.decode(this.block(maxBytes));
  }

  rest(): Uint8Array {
    return this.raw(this.#bytes.length - this.#position);
  }

  /** Call it last: nothing may follow. */
  end(): boolean {
    if (this.#position !== this.#bytes.length) this.isBroken = true;
    return !this.isBroken;
  }

  #has(bytes: number): boolean {
    if (this.isBroken || this.#position + bytes > this.#bytes.length) this.isBroken = true;
    return !this.isBroken;
  }
}

/** UTF-8, at most `maxBytes` of it, cut between characters. */
export function encodeText(text: string, maxBytes: number): Uint8Array {
  const bytes = new Uint8Array(Math.min(maxBytes, text.length * 3));
  return bytes.subarray(0, encoder.encodeInto(text, bytes).written);
}

export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
