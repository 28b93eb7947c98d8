import type { Millis } from '../core/machine.ts';

const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 1000;
/** Places that are remembered: members come and go, under addresses of their own. */
const MAX_PLACES = 256;

interface Place {
  dueAt: Millis;
  delayMs: Millis;
}

/** When to try again to connect to whom: at once, then after a while that doubles until a connection stands. */
export class Redial {
  readonly #places = new Map<string, Place>();
  /** The connections that were opened by this side, and where to. */
  readonly #connections = new Map<number, string>();

  tried(address: string, now: Millis): void {
    const delayMs = Math.min((this.#places.get(address)?.delayMs ?? FIRST_DELAY_MS / 2) * 2, MAX_DELAY_MS);
    this.#places.delete(address);
    if (this.#places.size >= MAX_PLACES) {
      const [oldest] = this.#places.keys();
      this.#places.delete(oldest!);
    }
    this.#places.set(address, { dueAt: now + delayMs, delayMs });
  }

  opened(connection: number, address: string): void {
    this.#connections.set(connection, address);
  }

  succeeded(connection: number): void {
    const address = this.#connections.get(connection);
    const place = address === undefined ? undefined : this.#places.get(address);
    if (place !== undefined) place.delayMs = FIRST_DELAY_MS / 2;
  }

  /** False when the other side had opened it. */
  closed(connection: number): boolean {
    return this.#connections.delete(connection);
  }

  /** When it may be tried (again); in the past for one that never was. */
  dueAt(address: string): Millis {
    return this.#places.get(address)?.dueAt ?? -Infinity;
  }
}
