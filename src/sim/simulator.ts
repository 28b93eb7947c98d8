/**
 * sim: the deterministic driver. A virtual clock, hosts that are endpoints, links between them, scripted applications
 * and faults, and checkers that watch every datagram. The machines are the ones that run on real sockets; only time,
 * chance and the network are made here. One seed gives one run, to the byte. It shares nothing with net/, and no
 * checker looks into the transport's state where the wire or the application can tell the same.
 */
import { TimeHeap } from '../core/heap.ts';
import type { Millis } from '../core/machine.ts';

/** The virtual clock and what is scheduled on it. Actions of one instant run in the order in which they were scheduled. */
export class Simulator {
  #now: Millis = 0;
  readonly #actions = new TimeHeap<() => void>();

  get now(): Millis {
    return this.#now;
  }

  /** Runs `action` at `time`; a time that has passed means now. */
  at(time: Millis, action: () => void): void {
    this.#actions.push(Math.max(time, this.#now), action);
  }

  /** When the next action is due; Infinity when none is. */
  nextTime(): Millis {
    return this.#actions.nextTime();
  }

  /** Moves the clock; it never goes back. */
  advanceTo(time: Millis): void {
    if (time > this.#now) this.#now = time;
  }

  /** Runs everything that is due; returns whether there was anything. */
  runDue(): boolean {
    let ran = false;
    while (this.#actions.nextTime() <= this.#now) {
      this.#actions.pop()!();
      ran = true;
    }
    return ran;
  }
}
