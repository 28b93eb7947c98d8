import type { Address } from '../core/address.ts';
import { Fifo } from '../core/fifo.ts';
import type { Millis } from '../core/machine.ts';
import type { Connection } from '../tcp/connection.ts';
import type { Endpoint } from '../tcp/endpoint.ts';
import type { Random } from '../core/random.ts';

/** What a host tells the world it lives in. */
export interface HostListener {
  /** A datagram leaves; `bytes` belongs to the endpoint and is valid during the call. */
  onTransmit(host: Host, to: Address, bytes: Uint8Array): void;
  onAccepted(host: Host, connection: Connection): void;
  onEvents(host: Host, connection: Connection, events: number): void;
  onViolation(host: Host, checker: string, message: string): void;
}

export interface HostOptions {
  readonly name: string;
  readonly address: Address;
  readonly wholeMillis: boolean;
  readonly socketBufferBytes: number;
  readonly random: Random;
}

interface Arrival {
  readonly from: Address;
  readonly bytes: Uint8Array;
  readonly isWhole: boolean;
}

/** More datagrams at one instant than any window holds: the endpoint is sending without end. */
const MAX_DATAGRAMS_PER_TURN = 200_000;
/** Rounds of events and sending at one instant. */
const MAX_ROUNDS_PER_TURN = 10_000;
/** How often a turn ends with timeouts that are not due, which must change nothing. */
const SPURIOUS_TIMEOUT_PROBABILITY = 0.02;

/**
 * A process with one UDP socket and an endpoint on it, driven as a real one: receive what has come, handle what is due,
 * let the applications run, send. It can be paused (its socket still takes datagrams, up to its buffer), crash (silence:
 * nothing is left to answer) and start again without memory.
 */
export class Host {
  readonly name: string;
  readonly address: Address;
  endpoint: Endpoint | undefined;
  /** Counts starts: what was scheduled for an earlier life does not run. */
  life = 0;
  isPaused = false;
  accepts = true;
  /** Datagrams that the socket had no room for. */
  overflows = 0;
  readonly #options: HostOptions;
  readonly #listener: HostListener;
  readonly #inbox = new Fifo<Arrival>();
  #inboxBytes = 0;
  #isPoked = false;

  constructor(options: HostOptions, listener: HostListener) {
    this.name = options.name;
    this.address = options.address;
    this.#options = options;
    this.#listener = listener;
  }

  get isRunning(): boolean {
    return this.endpoint !== undefined && !this.isPaused;
  }

  start(endpoint: Endpoint): void {
    this.endpoint = endpoint;
    this.life++;
    this.isPaused = false;
  }

  crash(): void {
    this.endpoint = undefined;
    this.isPaused = false;
    this.#inbox.clear();
    this.#inboxBytes = 0;
  }

  /** A datagram arrives at the socket. `isWhole`: the link did not flip a bit of it. */
  deliver(from: Address, bytes: Uint8Array, isWhole: boolean): void {
    if (this.endpoint === undefined) return;
    if (this.#inboxBytes + bytes.length > this.#options.socketBufferBytes && this.isPaused) {
      this.overflows++;
      return;
    }
    this.#inbox.push({ from, bytes, isWhole });
    this.#inboxBytes += bytes.length;
  }

  /** The application shall run although nothing arrives. */
  poke(): void {
    this.#isPoked = true;
  }

  /** When the host wants to run though nothing arrives; Infinity for never. */
  wakeTime(): Millis {
    if (this.endpoint === undefined || this.isPaused) return Infinity;
    const time = this.endpoint.nextTimeout();
    return this.#options.wholeMillis ? Math.ceil(time) : time;
  }

  /** Lets the process run at this instant, and says whether it did anything. `onReceive` sees each datagram before the endpoint does. */
  turn(now: Millis, onReceive: (from: Address, bytes: Uint8Array, isWhole: boolean) => void): boolean {
    const { endpoint } = this;
    if (endpoint === undefined || this.isPaused) return false;
    let active = false;
    for (let arrival = this.#inbox.shift(); arrival !== undefined; arrival = this.#inbox.shift()) {
      this.#inboxBytes -= arrival.bytes.length;
      onReceive(arrival.from, arrival.bytes, arrival.isWhole);
      endpoint.receive(arrival.from, arrival.bytes, now);
      active = true;
    }
    // After receiving: a late timer first lets one receive turn run dry.
    const wakeMs = this.wakeTime();
    const isDue = wakeMs <= now && wakeMs !== -Infinity;
    if (isDue) {
      endpoint.handleTimeout(now);
      active = true;
    }
    if (!active && !this.#isPoked && endpoint.nextTimeout() !== -Infinity) return false;
    this.#isPoked = false;
    this.#runApplications(endpoint, now);
    if (this.endpoint === endpoint) this.#checkQuiet(endpoint, now, isDue);
    return true;
  }

  #runApplications(endpoint: Endpoint, now: Millis): void {
    for (let round = 0; ; round++) {
      let active = false;
      if (this.accepts) {
        for (let next = endpoint.accept(); next !== undefined; next = endpoint.accept()) this.#listener.onAccepted(this, next);
      }
      for (let next = endpoint.nextEventful(); next !== undefined; next = endpoint.nextEventful()) {
        this.#listener.onEvents(this, next, next.takeEvents());
        active = true;
      }
      let sent = 0;
      for (let transmit = endpoint.poll(now); transmit !== undefined; transmit = endpoint.poll(now)) {
        this.#listener.onTransmit(this, transmit.to, transmit.bytes);
        if (++sent > MAX_DATAGRAMS_PER_TURN) break;
      }
      if (sent === 0 && !active) return;
      if (round > MAX_ROUNDS_PER_TURN || sent > MAX_DATAGRAMS_PER_TURN) {
        this.#listener.onViolation(this, 'spin', 'the endpoint does not come to rest');
        throw new Error('the endpoint does not come to rest');
      }
    }
  }

  /** What holds for a machine at rest: see Machine, and habit 2 of the architecture. */
  #checkQuiet(endpoint: Endpoint, now: Millis, wasDue: boolean): void {
    if (endpoint.poll(now) !== undefined) this.#listener.onViolation(this, 'mirror', 'poll returned a datagram after it had returned none');
    const next = endpoint.nextTimeout();
    if (wasDue && next <= now) this.#listener.onViolation(this, 'spin', `nextTimeout() is ${next} at ${now}, right after handleTimeout and poll`);
    if (!this.#options.random.chance(SPURIOUS_TIMEOUT_PROBABILITY) || next <= now) return;
    endpoint.handleTimeout(now);
    for (const connection of endpoint.connections()) if (connection.nextTimeout() > now) connection.handleTimeout(now);
    if (endpoint.poll(now) !== undefined) this.#listener.onViolation(this, 'mirror', 'a spurious handleTimeout made the endpoint send');
    if (endpoint.nextTimeout() !== next) this.#listener.onViolation(this, 'mirror', 'a spurious handleTimeout moved the next one');
  }
}
