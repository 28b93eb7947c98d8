/**
 * link: the network that hurts. A profile in the words of tc-netem, loss models, and one direction of a link as a pure
 * machine: datagrams and the time go in, decisions and the datagrams that are due come out. The UDP proxy and the
 * simulator drive the same class. It sees bytes, never segments: it knows no protocol and cannot favour one.
 *
 * Chance: one random stream per purpose. For every offered datagram each fault that is on draws a fixed number of times,
 * whatever happened to the datagram before, so that the n-th decision about loss, say, does not depend on whether
 * duplication, corruption or delay are on. Duplicates draw from streams of their own for the same reason.
 */
import { Fifo } from '../core/fifo.ts';
import { TimeHeap } from '../core/heap.ts';
import type { Millis } from '../core/machine.ts';
import type { Random } from '../core/random.ts';
import { deviationAt } from './distribution.ts';
import { CorrelatedDraw } from './draw.ts';
import {
  FATE_BLACKHOLED, FATE_CORRUPTED, FATE_DELIVERED, FATE_DUPLICATED, FATE_LOST, FATE_QUEUE_FULL, FATE_REORDERED, FATE_TOO_BIG,
} from './fate.ts';
import type { Fate } from './fate.ts';
import { createLossModel, ExactLoss } from './loss.ts';
import type { LossModel } from './loss.ts';
import { checkProfile, isPerfect, spellLoss } from './profile.ts';
import type { LinkProfile } from './profile.ts';

/** A datagram that leaves the link, with what the caller gave to find its destination again. */
export interface Delivery<To> {
  /** Shared with the caller's datagram unless corrupted: read only. */
  readonly bytes: Uint8Array;
  readonly to: To;
}

/**
 * Counts of datagrams since the link was made. Every datagram is accounted for:
 * offered + duplicated = delivered + lost + queueFull + blackholed + tooBig + those still held.
 */
export interface LinkCounters {
  readonly offered: number;
  readonly offeredBytes: number;
  readonly delivered: number;
  readonly deliveredBytes: number;
  readonly lost: number;
  readonly duplicated: number;
  /** Copies with a flipped bit. */
  readonly corrupted: number;
  /** Copies that overtook the delay by `reorder`. Those that jitter brings out of order are not counted. */
  readonly reordered: number;
  readonly queueFull: number;
  readonly blackholed: number;
  readonly tooBig: number;
}

/** The random streams that decide about one copy: the original's, and the duplicate's. */
class Streams {
  readonly corrupt: CorrelatedDraw;
  readonly corruptPosition: Random;
  readonly reorder: CorrelatedDraw;
  readonly delay: CorrelatedDraw;

  constructor(random: Random) {
    this.corrupt = new CorrelatedDraw(random.fork('corrupt'));
    this.corruptPosition = random.fork('corrupt-position');
    this.reorder = new CorrelatedDraw(random.fork('reorder'));
    this.delay = new CorrelatedDraw(random.fork('delay'));
  }
}

/**
 * One direction of a link. Decisions come in netem's order: a duplicate is drawn (+1 copy), loss is drawn (−1 copy), then
 * each copy may get one random bit flipped, waits for the line (`rate`), and is sent on after the delay, or at once if
 * `reorder` lets it overtake. Departures from netem: exact drops, the black hole and the MTU take both copies; a duplicate
 * is not exposed to loss a second time, so that losses number one decision a datagram; the delay follows the line instead
 * of preceding it, as propagation does; `gap` counts offered datagrams; the rate counts UDP payload only.
 *
 * Order: first in, first out at equal delay. Jitter does reorder, since each datagram leaves at its own time, as with
 * netem's tfifo. Datagrams already held keep their time when the profile changes.
 *
 * Bounds: `limit` datagrams are held at most, waiting, delayed or due; the next is dropped at the tail.
 * `now` must never go backwards.
 */
export class Link<To = undefined> {
  readonly counters: LinkCounters;
  readonly #count: { -readonly [Name in keyof LinkCounters]: number };
  readonly #lossRandom: Random;
  readonly #duplicate: CorrelatedDraw;
  readonly #original: Streams;
  readonly #copy: Streams;
  #profile: LinkProfile;
  #isPerfect = false;
  #loss: LossModel | undefined;
  #exactLoss: LossModel | undefined;
  /** Due already, in order: spares a link without delay the heap. */
  readonly #due = new Fifo<Delivery<To>>();
  #dueSince: Millis = 0;
  readonly #waiting = new TimeHeap<Delivery<To>>();
  /** When the line has sent all it was given. */
  #lineFreeAt: Millis = 0;
  /** Datagrams since the last one that overtook. */
  #sinceReorder = 0;

  /** `random` is forked by purpose and never drawn from. Throws Error if the profile makes no sense, see `checkProfile`. */
  constructor(profile: LinkProfile, random: Random) {
    this.#count = {
      offered: 0, offeredBytes: 0, delivered: 0, deliveredBytes: 0, lost: 0, duplicated: 0,
      corrupted: 0, reordered: 0, queueFull: 0, blackholed: 0, tooBig: 0,
    };
    this.counters = this.#count;
    this.#lossRandom = random.fork('loss');
    this.#duplicate = new CorrelatedDraw(random.fork('duplicate'));
    this.#original = new Streams(random);
    this.#copy = new Streams(random.fork('copy'));
    this.#profile = profile;
    this.#adopt(profile);
    this.#loss = createLossModel(profile.loss, this.#lossRandom);
  }

  get profile(): LinkProfile {
    return this.#profile;
  }

  /** Datagrams held now. */
  get held(): number {
    return this.#due.length + this.#waiting.length;
  }

  /**
   * Holds for datagrams offered from now on. Loss in bursts keeps its state if its parameters stay the same.
   * Throws Error if the profile makes no sense; the old one then stays.
   */
  setProfile(profile: LinkProfile): void {
    const lossBefore = spellLoss(this.#profile.loss);
    this.#adopt(profile);
    if (spellLoss(profile.loss) !== lossBefore) this.#loss = createLossModel(profile.loss, this.#lossRandom);
  }

  #adopt(profile: LinkProfile): void {
    checkProfile(profile);
    this.#profile = profile;
    this.#exactLoss = profile.dropNth.length > 0 ? new ExactLoss(profile.dropNth) : undefined;
    this.#isPerfect = isPerfect(profile);
  }

  /**
   * Takes in a datagram and decides its fate. The link keeps a reference, so the caller must not write to the bytes
   * afterwards; it never writes to them itself. `to` comes back with each delivery.
   */
  offer(datagram: Uint8Array, now: Millis, to: To): Fate {
    const count = this.#count;
    count.offered++;
    count.offeredBytes += datagram.length;
    if (this.#isPerfect) return this.#isFull() ? FATE_QUEUE_FULL : this.#enqueue(datagram, now, now, to);

    const profile = this.#profile;
    const { duplicate, reorder } = profile;
    const isDuplicated =
      duplicate.probability > 0 && this.#duplicate.next(duplicate.correlation) < duplicate.probability;
    const isLostByChance = this.#loss !== undefined && this.#loss.isLost(count.offered);
    const isDropped = this.#exactLoss !== undefined && this.#exactLoss.isLost(count.offered);

    let fate = 0;
    if (profile.blackhole) {
      count.blackholed++;
      fate = FATE_BLACKHOLED;
    } else if (datagram.length > profile.mtuBytes) {
      count.tooBig++;
      fate = FATE_TOO_BIG;
    } else if (isDropped || isLostByChance) {
      count.lost++;
      fate = FATE_LOST;
    }
    const hasOriginal = fate === 0;
    const hasCopy = isDuplicated && !isDropped && (fate & (FATE_BLACKHOLED | FATE_TOO_BIG)) === 0;
    if (hasCopy) {
      count.duplicated++;
      fate |= FATE_DUPLICATED;
    }
    const mayReorder = reorder.probability > 0 && this.#sinceReorder >= reorder.gap - 1;
    fate |= this.#carry(this.#original, hasOriginal, mayReorder, datagram, now, to);
    if (duplicate.probability > 0) fate |= this.#carry(this.#copy, hasCopy, mayReorder, datagram, now, to);
    return fate;
  }

  /** Draws what befalls one copy, and sends it on its way if it exists. */
  #carry(streams: Streams, exists: boolean, mayReorder: boolean, datagram: Uint8Array, now: Millis, to: To): Fate {
    const { corrupt, reorder, delay, rateBitsPerSecond } = this.#profile;
    const count = this.#count;
    let isCorrupted = false;
    let position = 0;
    if (corrupt.probability > 0) {
      isCorrupted = streams.corrupt.next(corrupt.correlation) < corrupt.probability && datagram.length > 0;
      position = streams.corruptPosition.unit();
    }
    let overtakes = false;
    if (reorder.probability > 0) {
      overtakes = streams.reorder.next(reorder.correlation) < reorder.probability && mayReorder;
      if (streams === this.#original) this.#sinceReorder = overtakes ? 0 : this.#sinceReorder + 1;
    }
    let delayMs = delay.delayMs;
    if (delay.jitterMs > 0) {
      delayMs += delay.jitterMs * deviationAt(delay.distribution, streams.delay.next(delay.correlation));
      if (delayMs < 0) delayMs = 0;
    }
    if (!exists) return 0;
    if (this.#isFull()) return FATE_QUEUE_FULL;

    let fate = 0;
    let bytes = datagram;
    if (isCorrupted) {
      bytes = flipBit(datagram, Math.floor(position * datagram.length * 8));
      count.corrupted++;
      fate |= FATE_CORRUPTED;
    }
    let leavesAt = now;
    if (rateBitsPerSecond !== Infinity) {
      leavesAt = Math.max(now, this.#lineFreeAt) + (datagram.length * 8000) / rateBitsPerSecond;
      this.#lineFreeAt = leavesAt;
    }
    if (overtakes) {
      count.reordered++;
      fate |= FATE_REORDERED;
    } else {
      leavesAt += delayMs;
    }
    return fate | this.#enqueue(bytes, leavesAt, now, to);
  }

  /** Counts the drop at the tail if there is no room. */
  #isFull(): boolean {
    if (this.held < this.#profile.limit) return false;
    this.#count.queueFull++;
    return true;
  }

  #enqueue(bytes: Uint8Array, leavesAt: Millis, now: Millis, to: To): Fate {
    if (leavesAt <= now && this.#waiting.length === 0) {
      if (this.#due.length === 0) this.#dueSince = now;
      this.#due.push({ bytes, to });
    } else {
      this.#waiting.push(leavesAt, { bytes, to });
    }
    return FATE_DELIVERED;
  }

  /** The next datagram that is due, or undefined. Call until undefined after `offer` and at `nextTimeout()`. */
  poll(now: Millis): Delivery<To> | undefined {
    // What is in #due was offered while nothing waited, so all that waits leaves later.
    const delivery = this.#due.shift() ?? (this.#waiting.nextTime() <= now ? this.#waiting.pop() : undefined);
    if (delivery === undefined) return undefined;
    this.#count.delivered++;
    this.#count.deliveredBytes += delivery.bytes.length;
    return delivery;
  }

  /** When `poll` has something to give; Infinity for never. */
  nextTimeout(): Millis {
    return this.#due.length > 0 ? this.#dueSince : this.#waiting.nextTime();
  }
}

function flipBit(datagram: Uint8Array, bit: number): Uint8Array {
  const bytes = datagram.slice();
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  return bytes;
}
