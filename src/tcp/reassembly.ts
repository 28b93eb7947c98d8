import type { Segment } from '../wire/segment.ts';
import { seqAdd, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, type Seq } from '../wire/sequence.ts';
import { ReadQueue } from './read-queue.ts';

/** What became of a payload; the ACK policy depends on it. */
export const IN_ORDER = 0;
/** In order, and it filled all or part of a hole. */
export const FILLED = 1;
export const OUT_OF_ORDER = 2;
export const DUPLICATE = 3;
/** Out of order, and too many pieces are held already: as if it had been lost. */
export const REFUSED = 4;
export type Accepted = 0 | 1 | 2 | 3 | 4;

/** Pieces held out of order, beyond one per 512 bytes of window: enough for small segments, too few to exhaust memory (SegmentSmack, CVE-2018-5390). */
const EXTRA_CHUNKS = 256;
const WINDOW_BYTES_PER_CHUNK = 512;

/** A contiguous run of bytes received ahead of a hole. */
interface Range {
  left: Seq;
  right: Seq;
  chunks: Uint8Array[];
  /** When it last grew, on a counter. SACK reports the most recent first (RFC 2018, section 4). */
  stamp: number;
  /** ACKs that have reported it since then. */
  reports: number;
}

/**
 * Puts segments in order (RFC 9293, 3.10.7.4, "seventh"), holds what came ahead of a hole, and says in SACK blocks
 * what it holds (RFC 2018) and what came twice (RFC 2883). The first copy of a byte wins.
 */
export class Reassembly {
  rcvNxt: Seq = 0;
  readonly ready = new ReadQueue();
  readonly #ranges: Range[] = [];
  readonly #maxChunks: number;
  /** Ranges in the SACK option being built; scratch. */
  readonly #listed: Range[] = [];
  #chunkCount = 0;
  #stamp = 0;
  #dsackLeft: Seq = 0;
  #dsackRight: Seq = 0;
  /** A duplicate waits to be reported. */
  hasDsack = false;

  constructor(windowBytes: number) {
    this.#maxChunks = EXTRA_CHUNKS + Math.floor(windowBytes / WINDOW_BYTES_PER_CHUNK);
  }

  get hasHoles(): boolean {
    return this.#ranges.length > 0;
  }

  get rangeCount(): number {
    return this.#ranges.length;
  }

  /** Takes bytes [seq, seq + bytes.length), already cut to the window on the right. */
  accept(seq: Seq, bytes: Uint8Array): Accepted {
    const right = seqAdd(seq, bytes.length);
    if (seqLe(right, this.rcvNxt)) {
      this.#noteDuplicate(seq, right);
      return DUPLICATE;
    }
    if (seqGt(seq, this.rcvNxt)) return this.#hold(seq, right, bytes);
    if (seqLt(seq, this.rcvNxt)) this.#noteDuplicate(seq, this.rcvNxt);
    else this.#noteOverlap(0, seq, right);
    const hadHoles = this.hasHoles;
    this.#deliver(seq, right, bytes);
    return hadHoles ? FILLED : IN_ORDER;
  }

  /** Ranges that no ACK has reported since they last grew. */
  countUnreported(): number {
    let count = 0;
    for (const range of this.#ranges) if (range.reports === 0) count++;
    return count;
  }

  /** Writes at most `room` SACK blocks: the duplicate first (RFC 2883, section 4), then ranges, the latest news first. */
  fillSack(segment: Segment, room: number): void {
    let count = 0;
    if (this.hasDsack && room > 0) {
      segment.sack[0] = this.#dsackLeft;
      segment.sack[1] = this.#dsackRight;
      count = 1;
      this.hasDsack = false;
    }
    const limit = Math.min(room, count + this.#ranges.length);
    const listed = this.#listed;
    listed.length = 0;
    // First what was reported less than twice, then what was, each by recency: a lost ACK costs little.
    for (let pass = 0; pass < 2; pass++) {
      let newest = Infinity;
      while (count < limit) {
        const range = this.#newestBefore(newest, pass === 0);
        if (range === undefined) break;
        newest = range.stamp;
        segment.sack[2 * count] = range.left;
        segment.sack[2 * count + 1] = range.right;
        listed.push(range);
        count++;
      }
    }
    // Not before: a range that reaches its second report in the first pass must not be listed again in the second.
    for (const range of listed) range.reports++;
    segment.sackCount = count;
  }

  #newestBefore(stamp: number, fresh: boolean): Range | undefined {
    let best: Range | undefined;
    for (const range of this.#ranges) {
      if (range.stamp < stamp && range.reports < 2 === fresh && (best === undefined || range.stamp > best.stamp)) best = range;
    }
    return best;
  }

  #noteDuplicate(left: Seq, right: Seq): void {
    this.#dsackLeft = left;
    this.#dsackRight = right;
    this.hasDsack = true;
  }

  /** Part of [seq, right) is held already, in the range at `index` or the next: the first such part is a duplicate (RFC 2883, 4.2). */
  #noteOverlap(index: number, seq: Seq, right: Seq): void {
    for (let i = index; i < index + 2; i++) {
      const range = this.#ranges[i];
      if (range === undefined || seqGe(range.left, right)) return;
      if (seqLe(range.right, seq)) continue;
      this.#noteDuplicate(seqMax(seq, range.left), seqLt(right, range.right) ? right : range.right);
      return;
    }
  }

  #deliver(seq: Seq, right: Seq, bytes: Uint8Array): void {
    let range = this.#ranges[0];
    const end = range !== undefined && seqLt(range.left, right) ? range.left : right;
    if (seqGt(end, this.rcvNxt)) {
      this.ready.push(own(bytes, seqDiff(this.rcvNxt, seq), seqDiff(end, seq)));
      this.rcvNxt = end;
    }
    let taken = 0;
    while (range !== undefined && seqLe(range.left, this.rcvNxt)) {
      for (const chunk of range.chunks) this.ready.push(chunk);
      this.#chunkCount -= range.chunks.length;
      this.rcvNxt = range.right;
      taken++;
      range = this.#ranges[taken];
      // The segment may reach over the range into the next hole.
      if (seqGt(right, this.rcvNxt)) {
        const next = range !== undefined && seqLt(range.left, right) ? range.left : right;
        this.ready.push(own(bytes, seqDiff(this.rcvNxt, seq), seqDiff(next, seq)));
        this.rcvNxt = next;
      }
    }
    if (taken > 0) this.#ranges.splice(0, taken);
  }

  #hold(seq: Seq, right: Seq, bytes: Uint8Array): Accepted {
    const ranges = this.#ranges;
    const first = this.#firstTouching(seq);
    const range = ranges[first];
    if (range === undefined || seqGt(range.left, right)) {
      if (this.#chunkCount >= this.#maxChunks) return REFUSED;
      this.#chunkCount++;
      ranges.splice(first, 0, { left: seq, right, chunks: [own(bytes, 0, bytes.length)], stamp: ++this.#stamp, reports: 0 });
      return OUT_OF_ORDER;
    }
    if (seqLe(range.left, seq) && seqGe(range.right, right)) {
      range.stamp = ++this.#stamp;
      // News again: the block that a duplicate belongs to comes second (RFC 2883, section 4), and tells it from a plain SACK.
      range.reports = 0;
      this.#noteDuplicate(seq, right);
      return DUPLICATE;
    }
    if (this.#chunkCount >= this.#maxChunks) return REFUSED;
    this.#noteOverlap(first, seq, right);
    this.#merge(first, seq, right, bytes);
    return OUT_OF_ORDER;
  }

  /** Index of the first range that ends at or after `seq`. */
  #firstTouching(seq: Seq): number {
    const ranges = this.#ranges;
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (seqLt(ranges[middle]!.right, seq)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Joins [seq, right) with the ranges it touches, from index `first` on, keeping the bytes already held. */
  #merge(first: number, seq: Seq, right: Seq, bytes: Uint8Array): void {
    const ranges = this.#ranges;
    const merged = ranges[first]!;
    const before = merged.chunks.length;
    let chunks: Uint8Array[] = [];
    if (seqLt(seq, merged.left)) {
      chunks.push(own(bytes, 0, seqDiff(merged.left, seq)));
      merged.left = seq;
    }
    chunks = chunks.length === 0 ? merged.chunks : chunks.concat(merged.chunks);
    let held = before;
    let last = first;
    while (seqLt(merged.right, right)) {
      const next = ranges[last + 1];
      const end = next !== undefined && seqLt(next.left, right) ? next.left : right;
      if (seqGt(end, merged.right)) {
        chunks.push(own(bytes, seqDiff(merged.right, seq), seqDiff(end, seq)));
        merged.right = end;
      }
      if (next === undefined || seqGt(next.left, merged.right)) break;
      last = this.#absorb(merged, chunks, next, last);
      held += next.chunks.length;
    }
    // A range that now begins exactly where the merged one ends belongs to it.
    const next = ranges[last + 1];
    if (next !== undefined && next.left === merged.right) {
      last = this.#absorb(merged, chunks, next, last);
      held += next.chunks.length;
    }
    merged.chunks = chunks;
    merged.stamp = ++this.#stamp;
    merged.reports = 0;
    this.#chunkCount += chunks.length - held;
    if (last > first) ranges.splice(first + 1, last - first);
  }

  #absorb(merged: Range, chunks: Uint8Array[], next: Range, last: number): number {
    for (const chunk of next.chunks) chunks.push(chunk);
    merged.right = seqMax(merged.right, next.right);
    return last + 1;
  }
}

/** bytes[start, end) as a chunk to keep: a view, or a copy where the view would pin a datagram more than twice its size. */
function own(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  const view = bytes.subarray(start, end);
  // Not slice(): on a Buffer that would be a view again.
  return 2 * length < bytes.buffer.byteLength ? new Uint8Array(view) : view;
}
