import { assert } from '../core/assert.ts';
import type { Millis } from '../core/machine.ts';
import { seqDiff, seqGe, seqGt, seqLe, seqLt, type Seq } from '../wire/sequence.ts';

/** The peer holds it (SACK). */
export const SACKED = 1;
/** Deemed lost and not sent again since. */
export const LOST = 2;
/** Sent more than once, ever: no RTT sample (Karn). */
export const RETRANSMITTED = 4;
/** The last sequence number of the record is the FIN. */
export const HAS_FIN = 8;
/** The record is the SYN. */
export const HAS_SYN = 16;

const NONE = -1;
const INITIAL_RECORDS = 64;

/** Told of every record that an ACK says has arrived for the first time, in sequence order, before it is forgotten. */
export interface DeliveryListener {
  onDelivered(sentMs: Millis, end: Seq, wasRetransmitted: boolean, bySack: boolean): void;
}

/**
 * One record for each segment in flight, in sequence order: when it was last sent and what is known of it
 * (RFC 6675's scoreboard, with RFC 8985's send times). Records lie in a ring of typed arrays: nothing is allocated
 * per segment. Those in flight and neither SACKed nor lost are also chained by send time, so that loss detection
 * looks at the oldest only (RFC 8985, 6.2, last paragraph).
 */
export class Scoreboard {
  #start = new Uint32Array(INITIAL_RECORDS);
  #end = new Uint32Array(INITIAL_RECORDS);
  #sentMs = new Float64Array(INITIAL_RECORDS);
  #flags = new Uint8Array(INITIAL_RECORDS);
  #next = new Int32Array(INITIAL_RECORDS);
  #previous = new Int32Array(INITIAL_RECORDS);
  #mask = INITIAL_RECORDS - 1;
  /** Slot of the oldest record. */
  #head = 0;
  #count = 0;
  /** Ends of the chain by send time. */
  #oldest = NONE;
  #newest = NONE;
  /** Position (0 = oldest record) from which on the next LOST record is looked for. */
  #lostHint = 0;
  #lostCount = 0;
  /** The blocks of the last ACK: most of what the next one says is known already. */
  readonly #seenBlocks: Seq[] = [];

  sackedBytes = 0;
  lostBytes = 0;
  sackedCount = 0;

  get count(): number {
    return this.#count;
  }

  get hasLost(): boolean {
    return this.#lostCount > 0;
  }

  /** Flags of the oldest record, 0 when there is none. */
  get headFlags(): number {
    return this.#count === 0 ? 0 : this.#flags[this.#head]!;
  }

  /** When the oldest record was last sent. */
  get headSentMs(): Millis {
    return this.#sentMs[this.#head]!;
  }

  startOf(slot: number): Seq {
    return this.#start[slot]!;
  }

  endOf(slot: number): Seq {
    return this.#end[slot]!;
  }

  flagsOf(slot: number): number {
    return this.#flags[slot]!;
  }

  /** A new segment [start, end) goes out. */
  add(start: Seq, end: Seq, now: Millis, flags: number): void {
    if (this.#count > this.#mask) this.#grow();
    const slot = (this.#head + this.#count) & this.#mask;
    this.#start[slot] = start;
    this.#end[slot] = end;
    this.#sentMs[slot] = now;
    this.#flags[slot] = flags;
    this.#count++;
    this.#chain(slot);
  }

  /** The record's segment goes out once more. */
  resend(slot: number, now: Millis): void {
    const flags = this.#flags[slot]!;
    if ((flags & LOST) !== 0) {
      this.lostBytes -= this.#length(slot);
      this.#lostCount--;
    } else if ((flags & SACKED) === 0) {
      this.#unchain(slot);
    }
    this.#flags[slot] = (flags & ~LOST) | RETRANSMITTED;
    this.#sentMs[slot] = now;
    if ((flags & SACKED) === 0) this.#chain(slot);
  }

  /** Slot of the lost record with the lowest sequence number; −1 without one. */
  firstLost(): number {
    if (this.#lostCount === 0) return NONE;
    while (this.#lostHint < this.#count) {
      const slot = (this.#head + this.#lostHint) & this.#mask;
      if ((this.#flags[slot]! & LOST) !== 0) return slot;
      this.#lostHint++;
    }
    assert(false, 'a lost record is counted but not found');
  }

  /** Slot of the oldest record; only when there is one. */
  first(): number {
    assert(this.#count > 0, 'the scoreboard is empty');
    return this.#head;
  }

  /** Slot of the record with the highest sequence number; only when there is one. */
  last(): number {
    assert(this.#count > 0, 'the scoreboard is empty');
    return (this.#head + this.#count - 1) & this.#mask;
  }

  /** Everything before `ack` has arrived: reports and forgets it. A record that is covered in part keeps its rest. */
  acknowledge(ack: Seq, listener: DeliveryListener): void {
    while (this.#count > 0) {
      const slot = this.#head;
      const end = this.#end[slot]!;
      if (seqGt(end, ack)) {
        const start = this.#start[slot]!;
        if (seqLt(start, ack)) {
          const covered = seqDiff(ack, start);
          if ((this.#flags[slot]! & SACKED) !== 0) this.sackedBytes -= covered;
          if ((this.#flags[slot]! & LOST) !== 0) this.lostBytes -= covered;
          this.#start[slot] = ack;
        }
        break;
      }
      const flags = this.#flags[slot]!;
      if ((flags & SACKED) !== 0) {
        this.sackedBytes -= this.#length(slot);
        this.sackedCount--;
      } else {
        if ((flags & LOST) !== 0) {
          this.lostBytes -= this.#length(slot);
          this.#lostCount--;
        } else {
          this.#unchain(slot);
        }
        listener.onDelivered(this.#sentMs[slot]!, end, (flags & RETRANSMITTED) !== 0, false);
      }
      this.#head = (this.#head + 1) & this.#mask;
      this.#count--;
      if (this.#lostHint > 0) this.#lostHint--;
    }
    if (this.#count === 0) this.#seenBlocks.length = 0;
  }

  /**
   * The peer holds [left, right): marks the records that lie wholly within. Returns whether anything was news.
   */
  sack(left: Seq, right: Seq, listener: DeliveryListener): boolean {
    let from = left;
    let to = right;
    for (let i = 0; i < this.#seenBlocks.length; i += 2) {
      const seenLeft = this.#seenBlocks[i]!;
      const seenRight = this.#seenBlocks[i + 1]!;
      if (seqLe(seenLeft, from) && seqLe(to, seenRight)) return false;
      if (seqLe(seenLeft, from) && seqLt(from, seenRight)) from = seenRight;
      else if (seqLt(seenLeft, to) && seqLe(to, seenRight)) to = seenLeft;
    }
    let news = false;
    // A record may straddle the edge of what was seen before: start with the record that holds `from`, not after it.
    for (let i = this.#positionOf(from, left); i < this.#count; i++) {
      const slot = (this.#head + i) & this.#mask;
      if (seqGe(this.#start[slot]!, to)) break;
      if (seqGt(this.#end[slot]!, right)) break;
      const flags = this.#flags[slot]!;
      if ((flags & SACKED) !== 0) continue;
      const length = this.#length(slot);
      if ((flags & LOST) !== 0) {
        this.lostBytes -= length;
        this.#lostCount--;
      } else {
        this.#unchain(slot);
      }
      this.#flags[slot] = (flags & ~LOST) | SACKED;
      this.sackedBytes += length;
      this.sackedCount++;
      news = true;
      listener.onDelivered(this.#sentMs[slot]!, this.#end[slot]!, (flags & RETRANSMITTED) !== 0, true);
    }
    return news;
  }

  /** Remembers the blocks of the ACK just processed, `count` pairs. */
  rememberBlocks(blocks: Uint32Array, count: number): void {
    this.#seenBlocks.length = 0;
    for (let i = 0; i < 2 * count; i++) this.#seenBlocks.push(blocks[i]!);
  }

  /** Deems the record in `slot` lost; it must be in flight. */
  #markLost(slot: number): void {
    this.#unchain(slot);
    this.#flags[slot] = this.#flags[slot]! | LOST;
    this.lostBytes += this.#length(slot);
    this.#lostCount++;
    const position = (slot - this.#head) & this.#mask;
    if (position < this.#lostHint) this.#lostHint = position;
  }

  /** Deems the oldest record lost, unless it is SACKed or lost already. Returns whether that is news. */
  markHeadLost(): boolean {
    if (this.#count === 0 || (this.#flags[this.#head]! & (SACKED | LOST)) !== 0) return false;
    this.#markLost(this.#head);
    return true;
  }

  /**
   * RFC 8985, 6.2 step 5: deems lost what was sent before (`xmitMs`, `endSeq`) and at least `allowanceMs` ago.
   * Returns how long until the rest would be; 0 when nothing is left to wait for.
   */
  detectLost(xmitMs: Millis, endSeq: Seq, allowanceMs: Millis, now: Millis): Millis {
    let timeoutMs = 0;
    let slot = this.#oldest;
    while (slot !== NONE) {
      const next = this.#next[slot]!;
      const sentMs = this.#sentMs[slot]!;
      if (sentMs > xmitMs) break;
      if (sentMs < xmitMs || seqLt(this.#end[slot]!, endSeq)) {
        const remainingMs = sentMs + allowanceMs - now;
        // Below a microsecond is rounding; a timer for it would not move the clock.
        if (remainingMs < 0.001) this.#markLost(slot);
        else timeoutMs = Math.max(timeoutMs, remainingMs);
      }
      slot = next;
    }
    return timeoutMs;
  }

  /** Deems lost all in flight that was sent `allowanceMs` or longer ago (RFC 8985, 6.3). */
  markLostOlderThan(allowanceMs: Millis, now: Millis): void {
    let slot = this.#oldest;
    while (slot !== NONE && this.#sentMs[slot]! + allowanceMs - now <= 0) {
      const next = this.#next[slot]!;
      this.#markLost(slot);
      slot = next;
    }
  }

  /** The peer threw away what it had SACKed (RFC 2018, section 8): everything SACKed is in flight again, as lost. */
  forgetSacks(): void {
    for (let i = 0; i < this.#count; i++) {
      const slot = (this.#head + i) & this.#mask;
      const flags = this.#flags[slot]!;
      if ((flags & SACKED) === 0) continue;
      this.#flags[slot] = (flags & ~SACKED) | LOST;
      this.lostBytes += this.#length(slot);
      this.#lostCount++;
    }
    this.sackedBytes = 0;
    this.sackedCount = 0;
    this.#lostHint = 0;
    this.#seenBlocks.length = 0;
  }

  #length(slot: number): number {
    return seqDiff(this.#end[slot]!, this.#start[slot]!);
  }

  /** Position of the first record that starts at or after `left` and ends after `from`. */
  #positionOf(from: Seq, left: Seq): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      const slot = (this.#head + middle) & this.#mask;
      if (seqLe(this.#end[slot]!, from) || seqLt(this.#start[slot]!, left)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #chain(slot: number): void {
    this.#previous[slot] = this.#newest;
    this.#next[slot] = NONE;
    if (this.#newest === NONE) this.#oldest = slot;
    else this.#next[this.#newest] = slot;
    this.#newest = slot;
  }

  #unchain(slot: number): void {
    const next = this.#next[slot]!;
    const previous = this.#previous[slot]!;
    if (previous === NONE) this.#oldest = next;
    else this.#next[previous] = next;
    if (next === NONE) this.#newest = previous;
    else this.#previous[next] = previous;
  }

  /** Doubles the ring; records move so that the oldest is in slot 0, and the chain's links move with them. */
  #grow(): void {
    const size = this.#mask + 1;
    const head = this.#head;
    const mask = this.#mask;
    const moved = (slot: number): number => (slot === NONE ? NONE : (slot - head) & mask);
    const start = new Uint32Array(2 * size);
    const end = new Uint32Array(2 * size);
    const sentMs = new Float64Array(2 * size);
    const flags = new Uint8Array(2 * size);
    const next = new Int32Array(2 * size);
    const previous = new Int32Array(2 * size);
    for (let i = 0; i < size; i++) {
      const slot = (head + i) & mask;
      start[i] = this.#start[slot]!;
      end[i] = this.#end[slot]!;
      sentMs[i] = this.#sentMs[slot]!;
      flags[i] = this.#flags[slot]!;
      next[i] = moved(this.#next[slot]!);
      previous[i] = moved(this.#previous[slot]!);
    }
    this.#oldest = moved(this.#oldest);
    this.#newest = moved(this.#newest);
    this.#start = start;
    this.#end = end;
    this.#sentMs = sentMs;
    this.#flags = flags;
    this.#next = next;
    this.#previous = previous;
    this.#head = 0;
    this.#mask = 2 * size - 1;
  }
}
