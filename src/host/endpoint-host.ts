import type { Address } from '../core/address.ts';
import type { Machine, Millis, Transmit } from '../core/machine.ts';
import type { Endpoint } from '../tcp/endpoint.ts';

/**
 * host: composition, still sans-I/O. An endpoint and what runs on it (framing, a member, a client) as one Machine, so that
 * the simulator drives a whole process as it drives a bare endpoint. What happens on real sockets is in net/.
 */

/** More rounds at one instant: the application and the endpoint keep each other busy. */
const MAX_ROUNDS = 1000;

/** An endpoint with an application, which has its turn before the endpoint is polled. */
export abstract class EndpointHost implements Machine {
  readonly endpoint: Endpoint;
  #isDirty = true;
  #rounds = 0;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }

  receive(from: Address, datagram: Uint8Array, now: Millis): void {
    this.endpoint.receive(from, datagram, now);
    this.#isDirty = true;
  }

  poll(now: Millis): Transmit | undefined {
    for (;;) {
      if (this.#isDirty) {
        this.#isDirty = false;
        if (++this.#rounds > MAX_ROUNDS) throw new Error('the application does not come to rest');
        this.run(now);
      }
      const transmit = this.endpoint.poll(now);
      if (transmit !== undefined) return transmit;
      if (!this.#takeEvents() && !this.#isDirty) {
        this.#rounds = 0;
        return undefined;
      }
      this.#isDirty = true;
    }
  }

  get connectionCount(): number {
    return this.endpoint.connectionCount;
  }

  icmp(remote: Address, code: string, now: Millis): void {
    this.endpoint.icmp(remote, code, now);
    this.#isDirty = true;
  }

  abortAll(now: Millis): void {
    this.endpoint.abortAll(now);
  }

  /** Its application has seen to all events itself. */
  nextEventful(): undefined {
    return undefined;
  }

  nextTimeout(): Millis {
    return this.#isDirty ? -Infinity : Math.min(this.endpoint.nextTimeout(), this.applicationTimeout());
  }

  handleTimeout(now: Millis): void {
    if (this.endpoint.nextTimeout() > now && this.applicationTimeout() > now) return;
    this.endpoint.handleTimeout(now);
    this.handleApplicationTimeout(now);
    this.#isDirty = true;
  }

  /** The application wants a turn. */
  protected wake(): void {
    this.#isDirty = true;
  }

  /** The application's turn: looks at its connections, reads and writes. */
  protected abstract run(now: Millis): void;

  protected abstract applicationTimeout(): Millis;

  protected abstract handleApplicationTimeout(now: Millis): void;

  /** Events only wake the application, which looks for itself. */
  #takeEvents(): boolean {
    let hasEvents = false;
    for (let next = this.endpoint.nextEventful(); next !== undefined; next = this.endpoint.nextEventful()) {
      next.takeEvents();
      hasEvents = true;
    }
    return hasEvents;
  }
}
