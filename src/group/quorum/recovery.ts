import type { Random } from '../../core/random.ts';
import { mergeLives, withoutOutlived, type Lives, type Witness } from './lives.ts';
import type { ChunkAnswer, Fetch, Inquiry, LivesAnswer } from './recovery-message.ts';
import { readChunk } from './register-store.ts';
import type { Cell } from './quorum-operation.ts';

/** How far one of the others has told what it has. */
interface Stream extends Witness {
  readonly run: number;
  readonly next: number;
  readonly isComplete: boolean;
}

/**
 * A member that has lost its memory, or may have lost some, asks the others. First a majority of them says how many lives its
 * seat has had; the next one begins. Then each learns of the new life and, after that, gives all its cells. Once a
 * majority has given all, whatever any earlier life of the seat helped to complete is here: two majorities share a member, and the
 * writes that were counted with the earlier life were at that member before it knew of the new one.
 *
 * The member itself can't be one of the majority: with 2k+1 members, k + 1 of the other 2k must have their memory.
 */
export class Recovery {
  readonly #seat: number;
  readonly #quorum: number;
  readonly #nonce: number;
  #lives: Lives;
  readonly #known = new Map<number, LivesAnswer>();
  readonly #streams = new Map<number, Stream>();
  #life: number | undefined;
  /** Streams begun anew, since the member at the other end or its numbers are no longer the same. */
  restarts = 0;

  /** `lives`: what is still known; it can be less than the truth. */
  constructor(seat: number, lives: Lives, quorum: number, random: Random) {
    this.#seat = seat;
    this.#lives = lives;
    this.#quorum = quorum;
    // An answer to an earlier life, or to an earlier attempt, says nothing about this one.
    this.#nonce = random.uint32();
  }

  /** What was learned about all seats, this one's new life included as soon as it has one. */
  get lives(): Lives {
    return this.#lives;
  }

  /** A majority of the others has given all that it has. */
  get isComplete(): boolean {
    const complete = [...this.#streams.values()].filter((stream) => stream.isComplete);
    return this.#life !== undefined && complete.length >= this.#quorum;
  }

  /** What to ask `seat`, now and again until it answers; undefined when it has given all. */
  question(seat: number): Inquiry | Fetch | undefined {
    if (this.#life === undefined) return this.#known.has(seat) ? undefined : { kind: 'inquiry', nonce: this.#nonce, seat: this.#seat };
    const stream = this.#streams.get(seat);
    if (stream?.isComplete === true) return undefined;
    return { kind: 'fetch', nonce: this.#nonce, seat: this.#seat, life: this.#life, from: stream?.next ?? 0 };
  }

  /** False: nothing new. True: ask again, each of them if `isComplete` is still false. */
  learned(answer: LivesAnswer): boolean {
    if (answer.nonce !== this.#nonce || this.#life !== undefined) return false;
    this.#lives = mergeLives(this.#lives, answer.lives);
    this.#known.set(answer.seat, answer);
    dropOutlived(this.#known);
    if (this.#known.size < this.#quorum) return false;
    this.#begin();
    return true;
  }

  /** The cells of a chunk that is the next one of its stream; undefined when it is not. Throws SnapshotError when they cannot be read. */
  fetched(answer: ChunkAnswer): readonly Cell[] | undefined {
    if (answer.nonce !== this.#nonce || this.#life === undefined) return undefined;
    this.#lives = mergeLives(this.#lives, answer.lives);
    if (this.#lives[this.#seat]! > this.#life) {
      // An attempt before this one got further than the majority knew.
      this.#begin();
      return undefined;
    }
    const stream = this.#streams.get(answer.seat);
    const isSame = stream === undefined || (stream.run === answer.run && stream.lives[answer.seat] === answer.lives[answer.seat]);
    if (!isSame) {
      this.#streams.delete(answer.seat);
      this.restarts++;
      return undefined;
    }
    if (answer.from !== (stream?.next ?? 0) || stream?.isComplete === true) return undefined;
    // A member that has not heard of this life may still be counting the one before.
    if (answer.lives[this.#seat] !== this.#life) return undefined;
    const cells = readChunk(answer.cells);
    this.#streams.set(answer.seat, { seat: answer.seat, lives: answer.lives, run: answer.run, next: answer.next, isComplete: answer.isLast });
    this.restarts += dropOutlived(this.#streams);
    return cells;
  }

  #begin(): void {
    this.#life = this.#lives[this.#seat]! + 1;
    this.#lives = this.#lives.map((life, seat) => (seat === this.#seat ? this.#life! : life));
    this.#streams.clear();
  }
}

/** Returns how many there were. */
function dropOutlived(bySeat: Map<number, Witness>): number {
  const current = new Set(withoutOutlived(bySeat.values()));
  let dropped = 0;
  for (const [seat, witness] of bySeat) {
    if (current.has(witness)) continue;
    bySeat.delete(seat);
    dropped++;
  }
  return dropped;
}
