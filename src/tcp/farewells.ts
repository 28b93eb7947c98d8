import type { Address } from '../core/address.ts';
import { Fifo } from '../core/fifo.ts';
import type { Millis } from '../core/machine.ts';
import type { Seq } from '../wire/sequence.ts';

/** After 50, 100, 200 and 400 ms more: the last goes 750 ms after the first, within the second for which a socket stays to answer. */
const REPETITIONS = 4;
const FIRST_DELAY_MS = 50;
/** Peers that are told again; any more are told once. */
const MAX_FAREWELLS = 256;
/** At SND.UNA and at SND.NXT. */
const MAX_RESETS_EACH = 2;

/** All that a RST says. */
export interface Reset {
  readonly to: Address;
  readonly seq: Seq;
  readonly ack: Seq;
  readonly flags: number;
  readonly hasCrc: boolean;
}

interface Farewell {
  readonly resets: Reset[];
  dueAt: Millis;
  delayMs: Millis;
  left: number;
  /** Its RSTs from here on wait in the queue; at the end of them, none does. */
  next: number;
}

/**
 * RSTs of connections that are gone, to be said again. A RST is never acknowledged (RFC 9293, 3.10.7: nothing answers one), so nobody tells
 * this side that it was lost, and a peer with nothing to send never asks. To say it again is harmless: whoever got the first has no connection
 * left and is silent. A short fixed delay will do, for there is no queue that a few empty segments could fill.
 */
export class Farewells {
  readonly #byPeer = new Map<string, Farewell>();
  /** Those whose time has come. */
  readonly #due = new Fifo<Farewell>();
  #nextAt: Millis = Infinity;

  /** Peers that will be told again. */
  get length(): number {
    return this.#byPeer.size;
  }

  /** This RST has been said for the first time. Returns whether it will be said again. */
  add(reset: Reset, now: Millis): boolean {
    const { key } = reset.to;
    const known = this.#byPeer.get(key);
    if (known !== undefined) {
      if (known.resets.length >= MAX_RESETS_EACH) return false;
      known.resets.push(reset);
      return true;
    }
    if (this.#byPeer.size >= MAX_FAREWELLS) return false;
    const dueAt = now + FIRST_DELAY_MS;
    this.#byPeer.set(key, { resets: [reset], dueAt, delayMs: FIRST_DELAY_MS, left: REPETITIONS, next: Infinity });
    this.#nextAt = Math.min(this.#nextAt, dueAt);
    return true;
  }

  /** The peer knows, or has begun something new that these RSTs must not reach. */
  delete(peerKey: string): void {
    const farewell = this.#byPeer.get(peerKey);
    if (farewell === undefined) return;
    this.#byPeer.delete(peerKey);
    farewell.next = Infinity;
    this.#dropSaid();
    this.#look();
  }

  /** The next RST to say now. */
  poll(): Reset | undefined {
    const farewell = this.#due.peek();
    if (farewell === undefined) return undefined;
    const reset = farewell.resets[farewell.next++];
    this.#dropSaid();
    return reset;
  }

  nextTimeout(): Millis {
    return this.#due.length > 0 ? -Infinity : this.#nextAt;
  }

  handleTimeout(now: Millis): void {
    if (now < this.#nextAt) return;
    for (const farewell of this.#byPeer.values()) if (farewell.dueAt <= now) this.#sayAgain(farewell, now);
    this.#look();
  }

  #sayAgain(farewell: Farewell, now: Millis): void {
    // What still waits from last time is not queued twice.
    if (farewell.next >= farewell.resets.length) this.#due.push(farewell);
    farewell.next = 0;
    farewell.delayMs *= 2;
    farewell.dueAt = --farewell.left === 0 ? Infinity : now + farewell.delayMs;
  }

  /** Keeps something to say at the front of the queue. */
  #dropSaid(): void {
    for (let front = this.#due.peek(); front !== undefined && front.next >= front.resets.length; front = this.#due.peek()) {
      this.#due.shift();
      const { key } = front.resets[0]!.to;
      if (front.left === 0 && this.#byPeer.get(key) === front) this.#byPeer.delete(key);
    }
  }

  #look(): void {
    this.#nextAt = Infinity;
    for (const { dueAt } of this.#byPeer.values()) this.#nextAt = Math.min(this.#nextAt, dueAt);
  }
}
