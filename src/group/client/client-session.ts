import { Fifo } from '../../core/fifo.ts';
import type { Millis } from '../../core/machine.ts';
import { MAX_MESSAGE_BYTES } from '../framing.ts';
import type { OperationOutcome } from '../client.ts';
import type { Request } from '../message.ts';
import { sessionClientId } from '../sessions.ts';
import type { Reply } from '../state-machine.ts';
import { ClientCounters, type CompleteClientOptions } from './client-options.ts';

/** Longest operation: with the names around it, its request fits a message, also inside one of another member. */
const MAX_OPERATION_BYTES = MAX_MESSAGE_BYTES - 4096;
const NO_OPERATION = new Uint8Array(0);

interface Submitted {
  readonly ticket: number;
  readonly operation: Uint8Array;
  readonly isStale: boolean;
  readonly isRead: boolean;
  readonly deadlineMs: Millis;
}

/** A request that has left, or is leaving now: from here on it is this request, with this serial, until it has an outcome. */
export interface Flight<State> {
  readonly request: Request;
  /** Undefined: it opens the session. */
  readonly submitted: Submitted | undefined;
  /** Of the client that sends it. */
  readonly state: State;
}

/**
 * One client's operations, in the order in which they came: which wait, which are on their way and under which serial, and in which
 * session. Where they are sent is not its concern.
 *
 * A session is opened when the first operation that needs one is next. A request gets its serial when it leaves for the first
 * time, so serials have no holes, and what has no serial was surely never executed. When the group says that a session has expired, the
 * operation that heard it ends unknown, what has not left yet gets another session, and what has left waits for its own reply.
 * Unknown also where it left once only: a balancer that turns to the next leader sends it again, members pass it on, and the copy before
 * may have been executed while the session was there.
 */
export class ClientSession<State> {
  readonly counters = new ClientCounters();
  readonly #options: CompleteClientOptions;
  readonly #newState: (request: Request) => State;
  readonly #waiting = new Fifo<Submitted>();
  /** By client id and serial, in the order in which they left first. */
  readonly #flights = new Map<string, Flight<State>>();
  readonly #outcomes = new Fifo<OperationOutcome>();
  /** What the client calls itself in its session. */
  #sessionId: string | undefined;
  /** Of the last session. Numbers grow: an opening's reply that is not above it is an echo of an earlier one. */
  #sessionNumber = 0;
  #nextSerial = 1;
  #nextReadSerial = 1;
  #nextTicket = 1;
  #opening: Flight<State> | undefined;

  constructor(options: CompleteClientOptions, newState: (request: Request) => State) {
    this.#options = options;
    this.#newState = newState;
  }

  /** Of the session, or of the last one; 0: there was none. */
  get number(): number {
    return this.#sessionNumber;
  }

  /** Operations without outcome. */
  get pending(): number {
    return this.#waiting.length + this.#operationsInFlight;
  }

  /** In the order in which they left first. */
  flights(): Iterable<Flight<State>> {
    return this.#flights.values();
  }

  find(clientId: string, serial: number): Flight<State> | undefined {
    return this.#flights.get(keyOf(clientId, serial));
  }

  submit(operation: Uint8Array, isStale: boolean, now: Millis): number {
    const ticket = this.#nextTicket++;
    this.counters.submitted++;
    if (operation.length > MAX_OPERATION_BYTES) this.#end(ticket, 'not-executed', `an operation of ${operation.length} bytes: the most is ${MAX_OPERATION_BYTES}`);
    else if (this.pending >= this.#options.maxPending) this.#end(ticket, 'not-executed', `${this.#options.maxPending} operations are under way`);
    else {
      const isRead = this.#options.isReadOnly(operation);
      this.#waiting.push({ ticket, operation, isStale: isRead && isStale, isRead, deadlineMs: now + this.#options.operationTimeoutMs });
    }
    return ticket;
  }

  /** What may leave for the first time now. The caller sends it. */
  launch(): Flight<State> | undefined {
    const next = this.#waiting.peek();
    if (next === undefined || this.#operationsInFlight >= this.#options.window) return undefined;
    if (!next.isRead && this.#sessionId === undefined) {
      if (this.#opening !== undefined) return undefined;
      this.#opening = this.#add(undefined, { clientId: this.#options.clientId, serial: 0, acknowledged: 0 });
      return this.#opening;
    }
    this.#waiting.shift();
    if (next.isRead) return this.#add(next, { clientId: this.#options.clientId, serial: this.#nextReadSerial++, acknowledged: 0 });
    const serial = this.#nextSerial++;
    return this.#add(next, { clientId: this.#sessionId!, serial, acknowledged: this.#acknowledged(serial) });
  }

  /** The group's word on the session that was asked for. Its number is above the last one's, or it is an echo that the caller passes over. */
  opened(reply: Reply): void {
    if (this.#opening === undefined || reply.offset <= this.#sessionNumber) return;
    this.#remove(this.#opening);
    this.#opening = undefined;
    this.#sessionNumber = reply.offset;
    this.#sessionId = sessionClientId(reply.offset);
    this.#nextSerial = 1;
    this.counters.sessions++;
  }

  answer(flight: Flight<State>, reply: Reply): void {
    this.#remove(flight);
    this.counters.answered++;
    this.#outcomes.push({ ticket: flight.submitted!.ticket, kind: 'answered', reply });
  }

  /** The group knows nothing of this session any more, or not what this serial's reply was. */
  expired(flight: Flight<State>): void {
    if (flight.request.clientId === this.#sessionId) this.#sessionId = undefined;
    this.fail(flight, 'the session has expired');
  }

  /** An operation that has left has no answer. */
  fail(flight: Flight<State>, reason: string, isLate = false): void {
    this.#remove(flight);
    this.#end(flight.submitted!.ticket, 'unknown', reason, isLate);
  }

  nextDeadline(): Millis {
    // All have the same time, so the first is the first to run out of it.
    let at = this.#waiting.peek()?.deadlineMs ?? Infinity;
    for (const { submitted } of this.#flights.values()) at = Math.min(at, submitted?.deadlineMs ?? Infinity);
    return at;
  }

  /** Ends what has run out of time. `describe` says what was heard of it; undefined: it has not left. */
  expireDue(now: Millis, describe: (flight: Flight<State> | undefined) => string): void {
    for (const flight of [...this.#flights.values()]) {
      if (flight.submitted !== undefined && flight.submitted.deadlineMs <= now) this.fail(flight, `no answer in ${this.#options.operationTimeoutMs} ms (${describe(flight)})`, true);
    }
    for (let first = this.#waiting.peek(); first !== undefined && first.deadlineMs <= now; first = this.#waiting.peek()) {
      this.#waiting.shift();
      this.#end(first.ticket, 'not-executed', `${this.#opening === undefined ? 'not sent' : 'no session was opened'} in ${this.#options.operationTimeoutMs} ms (${describe(this.#opening)})`, true);
    }
    if (this.#waiting.length > 0 || this.#opening === undefined) return;
    // Nobody wants it any more.
    this.#remove(this.#opening);
    this.#opening = undefined;
  }

  takeOutcome(): OperationOutcome | undefined {
    return this.#outcomes.shift();
  }

  get #operationsInFlight(): number {
    return this.#flights.size - (this.#opening === undefined ? 0 : 1);
  }

  /** All replies up to this serial have come, or are not waited for any more. */
  #acknowledged(serial: number): number {
    let lowest = serial;
    for (const { request } of this.#flights.values()) if (request.clientId === this.#sessionId) lowest = Math.min(lowest, request.serial);
    return lowest - 1;
  }

  #add(submitted: Submitted | undefined, numbers: Pick<Request, 'clientId' | 'serial' | 'acknowledged'>): Flight<State> {
    const { operation, isStale } = submitted ?? { operation: NO_OPERATION, isStale: false };
    const request = { kind: 'request' as const, ...numbers, isStale, operation };
    const flight = { request, submitted, state: this.#newState(request) };
    this.#flights.set(keyOf(numbers.clientId, numbers.serial), flight);
    return flight;
  }

  #remove({ request }: Flight<State>): void {
    this.#flights.delete(keyOf(request.clientId, request.serial));
  }

  #end(ticket: number, outcome: 'not-executed' | 'unknown', reason: string, isLate = false): void {
    if (outcome === 'unknown') this.counters.unknown++;
    else this.counters.notExecuted++;
    this.#outcomes.push({ ticket, kind: 'failed', outcome, reason, isLate });
  }
}

function keyOf(clientId: string, serial: number): string {
  return `${serial} ${clientId}`;
}
