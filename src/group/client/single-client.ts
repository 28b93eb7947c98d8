import type { Millis } from '../../core/machine.ts';
import { formatDuration } from '../../core/units.ts';
import { decodeText } from '../byte-codec.ts';
import type { GroupClient, OperationOutcome, Sending } from '../client.ts';
import type { ReplyMessage } from '../message.ts';
import type { Reply } from '../state-machine.ts';
import { completeClientOptions, type ClientCounters, type ClientOptions, type CompleteClientOptions } from './client-options.ts';
import { ClientSession, type Flight } from './client-session.ts';
import { describeReply, kindOf } from './reply-kind.ts';

const MAX_SILENCE_DOUBLINGS = 3;
const MAX_BACKOFF_DOUBLINGS = 5;

interface Attempt {
  /** The round in which it was sent last; 0: never. */
  round: number;
  dueAtMs: Millis;
}

type Asked = Flight<Attempt>;

/**
 * Asks one place at a time: who orders, or a balancer that knows him. It follows hints at once, and goes on to the next place when one
 * is silent, refuses, or loses its connection, always with the same serials.
 *
 * With a window above 1, order matters: members take a client's serials as they come, and one that comes after a later one is lost (its
 * reply is `expired`, so it ends unknown; it is never executed then, and never silently dropped). So all that is on its way goes to one
 * place, over one connection, in the order of serials; each change of place or repetition is a new round that begins with the oldest;
 * and until something is answered in it, only one request is out, since a place that refuses the first and takes the second would break the
 * order. What is left is a place that refuses one request in the middle of a round and takes the next: then the first may end unknown.
 */
export class SingleClient implements GroupClient {
  readonly #options: CompleteClientOptions;
  readonly #session: ClientSession<Attempt>;
  readonly #isConnected: boolean[];
  /** Who is asked. */
  #current: number | undefined;
  /** Named by a hint, and not connected then. */
  #preferred: number | undefined;
  #round = 1;
  /** Nothing has been answered in this round. */
  #isProbing = true;
  /** Nothing is sent before this; undefined: there is no pause. */
  #resumeAtMs: Millis | undefined;
  /** In a row, since something was accepted. */
  #refusals = 0;
  #silences = 0;
  #hops = 0;
  /** Who said something last, when, and what instead of an answer. */
  #heard: { readonly target: number; readonly atMs: Millis; readonly refusal: string } | undefined;
  /** When it was told the time last. */
  #now: Millis = 0;

  /** Throws RangeError for numbers that cannot be. */
  constructor(options: ClientOptions) {
    this.#options = completeClientOptions(options);
    this.#session = new ClientSession(this.#options, () => ({ round: 0, dueAtMs: Infinity }));
    this.#isConnected = this.#options.targets.map(() => false);
  }

  get counters(): ClientCounters {
    return this.#session.counters;
  }

  get pending(): number {
    return this.#session.pending;
  }

  submit(operation: Uint8Array, now: Millis, options: { readonly isStale?: boolean } = {}): number {
    this.#now = now;
    return this.#session.submit(operation, options.isStale === true, now);
  }

  connected(target: number, now: Millis): void {
    this.#now = now;
    this.#isConnected[target] = true;
    // Over another connection nothing is known of what went over the one before.
    if (target === this.#current) this.#goTo(target);
    else if (target === this.#preferred && (this.#resumeAtMs !== undefined || this.#connectedCurrent === undefined)) {
      this.#goTo(target);
      this.#resumeAtMs = undefined;
    }
  }

  disconnected(target: number, now: Millis): void {
    this.#now = now;
    this.#isConnected[target] = false;
  }

  received(target: number, { clientId, serial, reply }: ReplyMessage, now: Millis): void {
    this.#now = now;
    const isRefusal = kindOf(reply) === 'elsewhere' || kindOf(reply) === 'later';
    this.#heard = { target, atMs: now, refusal: isRefusal ? `: ${describeReply(reply)}` : '' };
    const flight = this.#session.find(clientId, serial);
    const isEcho = flight !== undefined && flight.submitted === undefined && reply.status === 'ok' && reply.offset <= this.#session.number;
    if (flight === undefined || isEcho) {
      this.counters.lateReplies++;
      return;
    }
    const isFromCurrent = target === this.#current && flight.state.round === this.#round;
    if (this.#settle(flight, reply)) {
      if (isFromCurrent) this.#accepted();
      return;
    }
    // One that was asked before may refuse late: it has been left already.
    if (isFromCurrent && this.#resumeAtMs === undefined) this.#refused(reply, now);
    else this.counters.lateReplies++;
  }

  nextSending(): Sending | undefined {
    if (this.#resumeAtMs !== undefined) return undefined;
    const target = this.#choose();
    if (target === undefined) return undefined;
    const next = this.#nextFlight();
    if (next === undefined) return undefined;
    this.counters.sent++;
    if (next.state.round > 0) this.counters.retries++;
    next.state.round = this.#round;
    next.state.dueAtMs = this.#now + this.#patienceMs();
    return { target, request: next.request };
  }

  nextTimeout(): Millis {
    return Math.min(this.#session.nextDeadline(), this.#resumeAtMs ?? this.#nextSilence());
  }

  handleTimeout(now: Millis): void {
    this.#now = now;
    this.#session.expireDue(now, () => this.#describe());
    if (this.#resumeAtMs !== undefined) {
      if (this.#resumeAtMs <= now) this.#resumeAtMs = undefined;
    } else if (this.#nextSilence() <= now) {
      this.counters.timeouts++;
      this.#silences++;
      this.#goTo(this.#nextConnected());
    }
  }

  takeOutcome(): OperationOutcome | undefined {
    return this.#session.takeOutcome();
  }

  get #connectedCurrent(): number | undefined {
    return this.#current !== undefined && this.#isConnected[this.#current] === true ? this.#current : undefined;
  }

  /** True: the request has what it was sent for, or will never have it. */
  #settle(flight: Asked, reply: Reply): boolean {
    if (flight.submitted === undefined) {
      if (reply.status === 'ok') this.#session.opened(reply);
      return reply.status === 'ok';
    }
    const kind = kindOf(reply);
    if (kind === 'answer') this.#session.answer(flight, reply);
    if (kind === 'expired') this.#session.expired(flight);
    return kind === 'answer' || kind === 'expired';
  }

  #accepted(): void {
    this.#isProbing = false;
    this.#preferred = undefined;
    this.#refusals = 0;
    this.#silences = 0;
    this.#hops = 0;
  }

  #refused(reply: Reply, now: Millis): void {
    this.counters.refusals++;
    let next = kindOf(reply) === 'later' ? this.#current : this.#nextConnected();
    if (reply.status === 'not-leader') {
      this.counters.redirects++;
      const hinted = this.#options.targets.indexOf(decodeText(reply.body));
      if (hinted >= 0 && hinted !== this.#current) {
        if (this.#isConnected[hinted] === true) {
          next = hinted;
          // Two that name each other must not keep us running.
          if (this.#hops++ < this.#options.targets.length) return this.#goTo(hinted);
        } else this.#preferred = hinted;
      }
    }
    const doublings = Math.min(Math.floor(this.#refusals++ / this.#options.targets.length), MAX_BACKOFF_DOUBLINGS);
    this.#resumeAtMs = now + this.#options.backoffMs * 2 ** doublings * (0.5 + this.#options.random.unit() / 2);
    this.#goTo(next);
  }

  /** A new round: all that is on its way is sent again, the oldest first. */
  #goTo(target: number | undefined): void {
    this.#current = target;
    this.#round++;
    this.#isProbing = true;
  }

  #choose(): number | undefined {
    if (this.#connectedCurrent === undefined) {
      const next = this.#nextConnected();
      if (next === undefined) return undefined;
      this.#goTo(next);
    }
    return this.#current;
  }

  /** The next place after the current one that can be reached; the current one if it is the only one; undefined if there is none. */
  #nextConnected(): number | undefined {
    const { length } = this.#isConnected;
    // Anywhere at first: of clients that all began with the same silent place, none with little time would ever come to the others.
    const from = this.#current ?? this.#options.random.below(length);
    for (let i = 1; i <= length; i++) if (this.#isConnected[(from + i) % length] === true) return (from + i) % length;
    return undefined;
  }

  #nextFlight(): Asked | undefined {
    let isAnySent = false;
    let unsent: Asked | undefined;
    for (const flight of this.#session.flights()) {
      if (flight.state.round === this.#round) isAnySent = true;
      else unsent ??= flight;
    }
    if (this.#isProbing && isAnySent) return undefined;
    return unsent ?? this.#session.launch();
  }

  /** More after each time that all have been silent; but all can be asked once before an operation runs out of time. */
  #patienceMs(): Millis {
    const { attemptTimeoutMs, operationTimeoutMs, targets } = this.#options;
    const doublings = Math.min(Math.floor(this.#silences / targets.length), MAX_SILENCE_DOUBLINGS);
    return Math.min(attemptTimeoutMs, operationTimeoutMs / (targets.length + 1)) * 2 ** doublings;
  }

  /** What is known when there is no answer. */
  #describe(): string {
    const { targets } = this.#options;
    const asked = this.#connectedCurrent === undefined ? `no connection to ${targets.join(', ')}` : `asked ${targets[this.#connectedCurrent]}`;
    if (this.#heard === undefined) return `${asked}; nobody was heard`;
    return `${asked}; last heard: ${targets[this.#heard.target]}, ${formatDuration(this.#now - this.#heard.atMs)} ago${this.#heard.refusal}`;
  }

  /** When somebody that was asked has been silent for too long. */
  #nextSilence(): Millis {
    let at = Infinity;
    if (this.#connectedCurrent === undefined) return at;
    for (const { state } of this.#session.flights()) if (state.round === this.#round) at = Math.min(at, state.dueAtMs);
    return at;
  }
}
