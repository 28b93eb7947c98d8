import type { Millis } from '../../core/machine.ts';
import type { Request } from '../message.ts';

/** Where a request goes: to whoever leads, to everybody, or to any one member. */
export type Route = 'leader' | 'all' | 'one';

/** A request that a client waits for. */
export interface Flight {
  readonly request: Request;
  readonly route: Route;
  readonly sinceMs: Millis;
  /** Its place among all that came. */
  readonly number: number;
  /** The connection that asked last, and is answered. */
  client: number;
  /** Targets that were asked and have not answered. */
  readonly asked: Set<string>;
  /** Targets that could not say. */
  readonly refused: Set<string>;
  /** It is with nobody and waits for a leader. */
  isWaiting: boolean;
  /** The client has at least one reply. */
  hasReply: boolean;
}

/** The requests in flight, the oldest first; each of them known by its client and serial, and counted at its target and its connection. */
export class Flights {
  readonly #flights = new Map<string, Flight>();
  readonly #byClient = new Map<number, Set<Flight>>();
  readonly #outstanding = new Map<string, number>();
  #bytes = 0;
  readonly #waiting = new Set<Flight>();
  #number = 0;

  get size(): number {
    return this.#flights.size;
  }

  /** Of operations. */
  get bytes(): number {
    return this.#bytes;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  [Symbol.iterator](): Iterator<Flight> {
    return this.#flights.values();
  }

  /** Those that wait, in the order in which they came: one client's requests must not overtake each other. */
  inLine(): Flight[] {
    return [...this.#waiting].sort((a, b) => a.number - b.number);
  }

  oldestWaiting(): Flight | undefined {
    let oldest: Flight | undefined;
    for (const flight of this.#waiting) if (oldest === undefined || flight.number < oldest.number) oldest = flight;
    return oldest;
  }

  find(clientId: string, serial: number): Flight | undefined {
    return this.#flights.get(keyOf(clientId, serial));
  }

  /** Requests of a connection. */
  of(client: number): ReadonlySet<Flight> {
    return this.#byClient.get(client) ?? NONE;
  }

  /** Requests that a target has not answered. */
  outstanding(target: string): number {
    return this.#outstanding.get(target) ?? 0;
  }

  add(client: number, request: Request, route: Route, now: Millis): Flight {
    const flight: Flight = { request, route, sinceMs: now, number: this.#number++, client, asked: new Set(), refused: new Set(), isWaiting: false, hasReply: false };
    this.#flights.set(keyOf(request.clientId, request.serial), flight);
    this.#attach(flight);
    this.#bytes += request.operation.length;
    return flight;
  }

  /** The client asks again, from another connection. */
  move(flight: Flight, client: number): void {
    this.#detach(flight);
    flight.client = client;
    this.#attach(flight);
  }

  ask(flight: Flight, target: string): void {
    if (flight.asked.has(target)) return;
    flight.asked.add(target);
    this.#outstanding.set(target, this.outstanding(target) + 1);
  }

  /** The target has answered, or can't any more. False: it was not asked. */
  settle(flight: Flight, target: string): boolean {
    if (!flight.asked.delete(target)) return false;
    const left = this.outstanding(target) - 1;
    if (left > 0) this.#outstanding.set(target, left);
    else this.#outstanding.delete(target);
    return true;
  }

  setWaiting(flight: Flight, isWaiting: boolean): void {
    flight.isWaiting = isWaiting;
    if (isWaiting) this.#waiting.add(flight);
    else this.#waiting.delete(flight);
  }

  remove(flight: Flight): void {
    for (const target of [...flight.asked]) this.settle(flight, target);
    this.setWaiting(flight, false);
    this.#detach(flight);
    this.#flights.delete(keyOf(flight.request.clientId, flight.request.serial));
    this.#bytes -= flight.request.operation.length;
  }

  #attach(flight: Flight): void {
    const flights = this.#byClient.get(flight.client);
    if (flights === undefined) this.#byClient.set(flight.client, new Set([flight]));
    else flights.add(flight);
  }

  #detach(flight: Flight): void {
    const flights = this.#byClient.get(flight.client);
    flights?.delete(flight);
    if (flights?.size === 0) this.#byClient.delete(flight.client);
  }
}

const NONE: ReadonlySet<Flight> = new Set();

function keyOf(clientId: string, serial: number): string {
  return `${serial} ${clientId}`;
}
