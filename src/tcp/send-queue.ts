import { seqAdd, seqDiff, type Seq } from '../wire/sequence.ts';
import { assert } from '../core/assert.ts';

const INITIAL_BYTES = 16 * 1024;

/**
 * What the application wrote and the peer has not acknowledged: a byte ring addressed by sequence number. It copies
 * what it is given, so the writer may reuse its buffer at once, and a retransmission can only carry the same bytes.
 * Grows by doubling up to its limit, so an idle connection costs 16 KiB.
 */
export class SendQueue {
  #ring: Uint8Array;
  readonly #limitBytes: number;
  /** Sequence number of the first byte held. */
  #start: Seq = 0;
  #length = 0;
  /** Ring index of the first byte held. */
  #head = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
    this.#ring = new Uint8Array(Math.min(INITIAL_BYTES, ceilPowerOfTwo(limitBytes)));
  }

  /** Sets where the stream begins; only while nothing is held. */
  reset(start: Seq): void {
    assert(this.#length === 0, 'send queue is reset while it holds data');
    this.#start = start;
  }

  get length(): number {
    return this.#length;
  }

  get free(): number {
    return this.#limitBytes - this.#length;
  }

  /** Sequence number after the last byte held. */
  get end(): Seq {
    return seqAdd(this.#start, this.#length);
  }

  /** Copies as much of source[start, end) as fits; returns the number of bytes taken. */
  write(source: Uint8Array, start: number, end: number): number {
    const count = Math.min(end - start, this.free);
    if (count <= 0) return 0;
    if (this.#length + count > this.#ring.length) this.#grow(this.#length + count);
    const mask = this.#ring.length - 1;
    const at = (this.#head + this.#length) & mask;
    const first = Math.min(count, this.#ring.length - at);
    this.#ring.set(source.subarray(start, start + first), at);
    if (first < count) this.#ring.set(source.subarray(start + first, start + count), 0);
    this.#length += count;
    return count;
  }

  /** Bytes held from `seq` on; `seq` within [start, end]. */
  available(seq: Seq): number {
    return this.#length - seqDiff(seq, this.#start);
  }

  /** The bytes [seq, seq + length): a view where they lie in one piece, else a copy in `scratch`. */
  view(seq: Seq, length: number, scratch: Uint8Array): Uint8Array {
    const offset = seqDiff(seq, this.#start);
    assert(offset >= 0 && offset + length <= this.#length, 'send queue is read outside what it holds');
    const at = (this.#head + offset) & (this.#ring.length - 1);
    if (at + length <= this.#ring.length) return this.#ring.subarray(at, at + length);
    const first = this.#ring.length - at;
    scratch.set(this.#ring.subarray(at), 0);
    scratch.set(this.#ring.subarray(0, length - first), first);
    return scratch.subarray(0, length);
  }

  /** Forgets everything before `seq`. */
  release(seq: Seq): void {
    const count = seqDiff(seq, this.#start);
    assert(count >= 0 && count <= this.#length, 'send queue releases more than it holds');
    this.#head = (this.#head + count) & (this.#ring.length - 1);
    this.#length -= count;
    this.#start = seq;
  }

  #grow(needed: number): void {
    const ring = new Uint8Array(ceilPowerOfTwo(Math.max(needed, this.#ring.length * 2)));
    const first = Math.min(this.#length, this.#ring.length - this.#head);
    ring.set(this.#ring.subarray(this.#head, this.#head + first), 0);
    ring.set(this.#ring.subarray(0, this.#length - first), first);
    this.#ring = ring;
    this.#head = 0;
  }
}

function ceilPowerOfTwo(n: number): number {
  return 2 ** Math.ceil(Math.log2(n));
}
