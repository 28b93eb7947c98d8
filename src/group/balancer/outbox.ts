import { Fifo } from '../../core/fifo.ts';

/** Messages that a connection has not taken yet, bounded. */
export class Outbox<T> {
  readonly #messages = new Fifo<T>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get length(): number {
    return this.#messages.length;
  }

  /** False: it is full, and the message is not in it. */
  put(message: T): boolean {
    if (this.#messages.length >= this.#max) return false;
    this.#messages.push(message);
    return true;
  }

  take(): T | undefined {
    return this.#messages.shift();
  }

  clear(): void {
    this.#messages.clear();
  }
}
