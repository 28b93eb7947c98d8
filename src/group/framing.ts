/** Messages on a byte stream: four bytes of length, big-endian, then so many bytes. */

export const FRAME_HEADER_BYTES = 4;
/** Largest message, so that a length from a stranger cannot make us hold more. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

/** `message` with its length in front. Throws RangeError when it is empty or too long. */
export function encodeFrame(message: Uint8Array): Uint8Array {
  const { length } = message;
  if (length === 0 || length > MAX_MESSAGE_BYTES) throw new RangeError(`a message of ${length} bytes cannot be framed`);
  const frame = new Uint8Array(FRAME_HEADER_BYTES + length);
  frame[0] = length >>> 24;
  frame[1] = length >>> 16;
  frame[2] = length >>> 8;
  frame[3] = length;
  frame.set(message, FRAME_HEADER_BYTES);
  return frame;
}

/** Cuts a byte stream into messages, however it comes in pieces. Holds one unfinished message at most. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerLength = 0;
  #message: Uint8Array | undefined;
  #filled = 0;
  #error: string | undefined;

  constructor(maxBytes = MAX_MESSAGE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Why the stream cannot be read any further; undefined as long as it can. */
  get error(): string | undefined {
    return this.#error;
  }

  /** The stream ended here in the middle of a message. */
  get isInsideMessage(): boolean {
    return this.#headerLength > 0;
  }

  /** The messages that `bytes` completes, each with memory of its own. After an error: none. */
  push(bytes: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = [];
    let position = 0;
    while (position < bytes.length && this.#error === undefined) {
      if (this.#message === undefined) {
        this.#header[this.#headerLength++] = bytes[position++]!;
        if (this.#headerLength === FRAME_HEADER_BYTES) this.#begin();
        continue;
      }
      const take = Math.min(bytes.length - position, this.#message.length - this.#filled);
      this.#message.set(bytes.subarray(position, position + take), this.#filled);
      this.#filled += take;
      position += take;
      if (this.#filled < this.#message.length) continue;
      messages.push(this.#message);
      this.#message = undefined;
      this.#headerLength = 0;
    }
    return messages;
  }

  #begin(): void {
    const header = this.#header;
    const length = header[0]! * 2 ** 24 + header[1]! * 2 ** 16 + header[2]! * 2 ** 8 + header[3]!;
    if (length === 0 || length > this.#maxBytes) {
      this.#error = `a message of ${length} bytes: the least is 1, the most ${this.#maxBytes}`;
      return;
    }
    this.#message = new Uint8Array(length);
    this.#filled = 0;
  }
}
