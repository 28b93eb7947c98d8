import { expect } from 'vitest';
import { makeAddress, type Address } from '../../src/core/address.ts';
import { TimeHeap } from '../../src/core/heap.ts';
import type { TcpConfig } from '../../src/tcp/config.ts';
import type { Connection } from '../../src/tcp/connection.ts';
import { Endpoint } from '../../src/tcp/endpoint.ts';
import { streamByte } from './trace.ts';

export const CLIENT = makeAddress('192.0.2.10', 1000);
export const SERVER = makeAddress('192.0.2.20', 2000);

interface Flight {
  readonly to: Address;
  readonly from: Address;
  readonly bytes: Uint8Array;
}

export interface PairOptions {
  readonly client?: Partial<TcpConfig>;
  readonly server?: Partial<TcpConfig>;
  readonly delayMs?: number;
  readonly initialSequence?: number;
  /** True: this datagram never arrives. */
  readonly drop?: (toServer: boolean, now: number) => boolean;
  /** Called before each delivery to the server. */
  readonly onDelivery?: (pair: Pair) => void;
}

/** Two endpoints of ours and a path of constant delay between them, in virtual time. */
export class Pair {
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly c: Connection;
  now = 0;
  readonly #flights = new TimeHeap<Flight>();
  readonly #options: PairOptions;

  constructor(options: PairOptions = {}) {
    this.#options = options;
    const iss = options.initialSequence === undefined ? {} : { initialSequence: options.initialSequence };
    this.client = new Endpoint({ secret: Uint8Array.of(1), config: options.client ?? {}, ...iss });
    this.server = new Endpoint({ secret: Uint8Array.of(2), config: options.server ?? {}, ...iss });
    this.server.listen();
    this.c = this.client.connect(SERVER, 0);
    this.flush();
  }

  flush(): void {
    for (const [endpoint, from] of [[this.client, CLIENT], [this.server, SERVER]] as const) {
      for (let out = endpoint.poll(this.now); out !== undefined; out = endpoint.poll(this.now)) {
        if (this.#options.drop?.(endpoint === this.client, this.now) === true) continue;
        this.#flights.push(this.now + (this.#options.delayMs ?? 10), { to: out.to, from, bytes: out.bytes.slice() });
      }
    }
  }

  /** One event further; false when nothing is to come before `until`. */
  step(until: number): boolean {
    const next = Math.min(this.#flights.nextTime(), this.client.nextTimeout(), this.server.nextTimeout());
    if (next > until || next === Infinity) return false;
    this.now = Math.max(this.now, next);
    if (this.#flights.nextTime() <= this.now) {
      const flight = this.#flights.pop()!;
      const endpoint = flight.to.key === SERVER.key ? this.server : this.client;
      if (endpoint === this.server) this.#options.onDelivery?.(this);
      endpoint.receive(flight.from, flight.bytes, this.now);
    }
    this.client.handleTimeout(this.now);
    this.server.handleTimeout(this.now);
    this.flush();
    return true;
  }

  run(until: number): void {
    for (let steps = 0; this.step(until); steps++) if (steps > 5_000_000) throw new Error(`spins at ${this.now}`);
    this.now = Math.max(this.now, until);
  }

  runUntil(done: () => boolean, limitMs: number): void {
    while (!done()) if (!this.step(limitMs)) expect.fail(`not done at ${this.now}`);
  }

  accept(): Connection {
    let accepted: Connection | undefined;
    this.runUntil(() => (accepted = this.server.accept()) !== undefined, this.now + 120_000);
    return accepted!;
  }
}

/** Reads and checks the test stream from where the last call left off. */
export class Checker {
  received = 0;

  read(connection: Connection): void {
    for (let chunk = connection.read(); chunk !== undefined; chunk = connection.read()) {
      for (let i = 0; i < chunk.length; i++) {
        if (chunk[i] !== streamByte(this.received + i)) expect.fail(`wrong byte at ${this.received + i}`);
      }
      this.received += chunk.length;
    }
  }
}
