import { Fifo } from '../../core/fifo.ts';
import type { Millis } from '../../core/machine.ts';
import { decodeText } from '../byte-codec.ts';
import type { GroupClient, OperationOutcome, Sending } from '../client.ts';
import { kindOf } from '../client/reply-kind.ts';
import type { ReplyMessage } from '../message.ts';
import { kvRegister } from './kv-register.ts';
import { MAX_SEATS } from './lives.ts';
import { MAX_VALUE_BYTES } from './quorum-operation.ts';
import { QuorumPhase, type Vote } from './quorum-phase.ts';
import type { RegisterRequest, RegisterWords } from './register-words.ts';
import { NO_TAG, type Tag } from './tag.ts';

export interface QuorumClientOptions {
  /** Unique among all that ever write to this group: it is part of the tags. */
  readonly clientId: string;
  /** Places where members can be reached, each of one member or of all. */
  readonly targets: number;
  /** 2k+1. */
  readonly members: number;
  /** Of the service that is asked; the key-value store's unless said otherwise. */
  readonly words?: RegisterWords;
  /** Answers that reading waits for, and writing; a majority unless said otherwise. With R + W ≤ N, or with 2W ≤ N, it's no register any more. */
  readonly readQuorum?: number;
  readonly writeQuorum?: number;
  readonly deadlineMs?: Millis;
  /** The first repetition of a question; each further one waits twice as long, up to the deadline. */
  readonly retryMs?: Millis;
  readonly maxPending?: number;
}

const DEFAULT_DEADLINE_MS = 10_000;
const DEFAULT_RETRY_MS = 300;
const MAX_RETRY_MS = 5000;
const DEFAULT_MAX_PENDING = 256;

class QuorumClientCounters {
  gets = 0;
  puts = 0;
  /** Reads that ended after one round trip, since enough members had the same. */
  fastGets = 0;
  /** Questions to all: each waits for one round trip. */
  roundTrips = 0;
  /** Requests handed out, repetitions included. */
  messages = 0;
  repeated = 0;
  answers = 0;
  /** Answers to a question that is over, or given before. */
  lateAnswers = 0;
  malformed = 0;
  /** Members that couldn't say, or would not. */
  refusals = 0;
  failed = 0;
}

interface Pending {
  readonly ticket: number;
  readonly request: RegisterRequest;
  readonly isStale: boolean;
  readonly deadlineMs: Millis;
  phase: QuorumPhase;
  repeatAtMs: Millis;
  repeatAfterMs: Millis;
  /** Something of this operation has left. */
  hasLeft: boolean;
  /** Its own value has left: it may be written, now or later. */
  hasWritten: boolean;
  /** What reading has found. */
  found: Uint8Array | undefined;
  /** What members said instead of an answer, last. */
  refusal: string | undefined;
}

/**
 * The coordinator of one quorum register operation after the other, or of several at a time (Attiya, Bar-Noy and Dolev 1995;
 * Lynch and Shvartsman 1997). A put asks a read quorum for the newest tag, takes the next, and writes to a write
 * quorum. A get asks a read quorum and returns the newest value, after it has written it back to a write quorum: else a later read might
 * find an older one. When a write quorum has it already, that is known from the answers, and nothing is written back.
 */
export class QuorumClient implements GroupClient {
  readonly counters = new QuorumClientCounters();
  readonly #clientId: string;
  readonly #members: number;
  readonly #words: RegisterWords;
  readonly #readQuorum: number;
  readonly #writeQuorum: number;
  readonly #deadlineMs: Millis;
  readonly #retryMs: Millis;
  readonly #maxPending: number;
  readonly #isConnected: boolean[];
  #nextTicket = 1;
  #nextSerial = 1;
  /** Which target the next stale read asks. */
  #turn = 0;
  /** By the serial of its phase, the oldest phase first. */
  readonly #pending = new Map<number, Pending>();
  readonly #sendings = new Fifo<{ readonly serial: number; readonly target: number }>();
  /** `serial target` of what waits in #sendings: nothing waits twice. */
  readonly #waiting = new Set<string>();
  readonly #outcomes = new Fifo<OperationOutcome>();

  /** Throws RangeError for numbers that cannot be. */
  constructor(options: QuorumClientOptions) {
    const { members, targets } = options;
    if (!(members >= 1 && members <= MAX_SEATS)) throw new RangeError(`a quorum group has 1 to ${MAX_SEATS} members, not ${members}`);
    if (!(targets >= 1)) throw new RangeError('a client needs a place to ask');
    const majority = Math.floor(members / 2) + 1;
    this.#readQuorum = options.readQuorum ?? majority;
    this.#writeQuorum = options.writeQuorum ?? majority;
    for (const quorum of [this.#readQuorum, this.#writeQuorum]) {
      if (!Number.isInteger(quorum) || quorum < 1 || quorum > members) throw new RangeError(`a quorum of ${quorum} among ${members} members`);
    }
    this.#clientId = options.clientId;
    this.#members = members;
    this.#words = options.words ?? kvRegister;
    this.#deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
    this.#retryMs = options.retryMs ?? DEFAULT_RETRY_MS;
    this.#maxPending = options.maxPending ?? DEFAULT_MAX_PENDING;
    this.#isConnected = new Array<boolean>(targets).fill(false);
  }

  get pending(): number {
    return this.#pending.size;
  }

  submit(operation: Uint8Array, now: Millis, options: { readonly isStale?: boolean } = {}): number {
    const ticket = this.#nextTicket++;
    const request = this.#words.read(operation);
    if (typeof request === 'string') return this.#fail(ticket, 'not-executed', request);
    if (request.kind === 'put' && request.value.length > MAX_VALUE_BYTES) {
      return this.#fail(ticket, 'not-executed', `a value of ${request.value.length} bytes: the most is ${MAX_VALUE_BYTES}`);
    }
    if (this.#pending.size >= this.#maxPending) return this.#fail(ticket, 'not-executed', `${this.#maxPending} operations are under way`);
    if (request.kind === 'get') this.counters.gets++;
    else this.counters.puts++;
    const isStale = request.kind === 'get' && options.isStale === true;
    let phase: QuorumPhase;
    try {
      phase = QuorumPhase.read(this.#nextSerial++, request.key, isStale ? 1 : this.#readQuorum, this.#members);
    } catch (error) {
      return this.#fail(ticket, 'not-executed', error instanceof Error ? error.message : String(error));
    }
    const pending: Pending = {
      ticket, request, isStale, deadlineMs: now + this.#deadlineMs, phase, repeatAtMs: 0, repeatAfterMs: 0, hasLeft: false, hasWritten: false, found: undefined,
      refusal: undefined,
    };
    this.#enter(pending, phase, now);
    return ticket;
  }

  connected(target: number, _now: Millis): void {
    this.#isConnected[target] = true;
    for (const { phase } of this.#pending.values()) this.#sendTo(phase, target);
  }

  disconnected(target: number, _now: Millis): void {
    this.#isConnected[target] = false;
  }

  received(_target: number, message: ReplyMessage, now: Millis): void {
    const { memberId, clientId, serial, reply } = message;
    const pending = clientId === this.#clientId ? this.#pending.get(serial) : undefined;
    if (pending === undefined) {
      this.counters.lateAnswers++;
      return;
    }
    if (reply.status !== 'ok') {
      // Repeated in time: whoever recovers, or has no connection to the members, may have one later.
      this.counters.refusals++;
      pending.refusal = `${memberId}: ${decodeText(reply.body) || reply.status}`;
      if (kindOf(reply) === 'answer') pending.phase.refused(memberId);
      if (pending.phase.isHopeless) {
        this.#pending.delete(serial);
        this.#failPending(pending, `too many members refuse (${pending.refusal})`);
      }
      return;
    }
    const counted = pending.phase.answered(memberId, reply.body);
    if (counted === 'malformed') this.counters.malformed++;
    else if (counted === 'repeated') this.counters.lateAnswers++;
    else {
      this.counters.answers++;
      if (pending.phase.isComplete) this.#complete(pending, now);
    }
  }

  nextSending(): Sending | undefined {
    for (let next = this.#sendings.shift(); next !== undefined; next = this.#sendings.shift()) {
      const { serial, target } = next;
      this.#waiting.delete(`${serial} ${target}`);
      const pending = this.#pending.get(serial);
      if (pending === undefined || this.#isConnected[target] !== true) continue;
      pending.hasLeft = true;
      if (pending.phase.kind === 'write' && pending.request.kind === 'put') pending.hasWritten = true;
      this.counters.messages++;
      const { operation } = pending.phase;
      return { target, request: { kind: 'request', clientId: this.#clientId, serial, acknowledged: 0, isStale: pending.isStale, operation } };
    }
    return undefined;
  }

  nextTimeout(): Millis {
    let at = Infinity;
    for (const { deadlineMs, repeatAtMs } of this.#pending.values()) at = Math.min(at, deadlineMs, repeatAtMs);
    return at;
  }

  handleTimeout(now: Millis): void {
    for (const pending of [...this.#pending.values()]) {
      if (pending.deadlineMs <= now) this.#expire(pending);
      else if (pending.repeatAtMs <= now) {
        this.counters.repeated++;
        this.#sendToAll(pending.phase);
        pending.repeatAtMs = now + pending.repeatAfterMs;
        pending.repeatAfterMs = Math.min(2 * pending.repeatAfterMs, MAX_RETRY_MS);
      }
    }
  }

  takeOutcome(): OperationOutcome | undefined {
    return this.#outcomes.shift();
  }

  #complete(pending: Pending, now: Millis): void {
    const { request, phase, isStale } = pending;
    this.#pending.delete(phase.serial);
    if (phase.kind === 'write') return this.#succeed(pending);
    const newest = phase.newest();
    pending.found = newest.tag === NO_TAG ? undefined : newest.value;
    if (request.kind === 'put') {
      if (newest.tag.counter >= Number.MAX_SAFE_INTEGER) return this.#failPending(pending, 'the register has run out of tags');
      const tag: Tag = { counter: newest.tag.counter + 1, clientId: this.#clientId, number: pending.ticket };
      return this.#write(pending, tag, request.value, [], now);
    }
    const isHeld = newest.tag === NO_TAG || newest.holders.length >= this.#writeQuorum;
    if (isHeld || isStale) {
      this.counters.fastGets++;
      return this.#succeed(pending);
    }
    this.#write(pending, newest.tag, newest.value, newest.holders, now);
  }

  #write(pending: Pending, tag: Tag, value: Uint8Array, holders: readonly Vote[], now: Millis): void {
    const { kind, key } = pending.request;
    const phase = QuorumPhase.write(this.#nextSerial++, { kind: kind === 'put' ? 'write' : 'write-back', key, tag, value }, holders, this.#writeQuorum, this.#members);
    this.#enter(pending, phase, now);
  }

  #enter(pending: Pending, phase: QuorumPhase, now: Millis): void {
    pending.phase = phase;
    pending.repeatAtMs = now + this.#retryMs;
    pending.repeatAfterMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
    this.#pending.set(phase.serial, pending);
    this.counters.roundTrips++;
    if (pending.isStale) this.#sendToOne(phase);
    else this.#sendToAll(phase);
  }

  #sendToAll(phase: QuorumPhase): void {
    this.#isConnected.forEach((_, target) => this.#sendTo(phase, target));
  }

  #sendToOne(phase: QuorumPhase): void {
    for (let i = 0; i < this.#isConnected.length; i++) {
      const target = this.#turn++ % this.#isConnected.length;
      if (this.#isConnected[target] === true) return this.#sendTo(phase, target);
    }
  }

  #sendTo({ serial }: QuorumPhase, target: number): void {
    const name = `${serial} ${target}`;
    if (this.#isConnected[target] !== true || this.#waiting.has(name)) return;
    this.#waiting.add(name);
    this.#sendings.push({ serial, target });
  }

  #succeed({ ticket, request, found }: Pending): void {
    const reply = request.kind === 'put' ? this.#words.written() : this.#words.found(found);
    this.#outcomes.push({ ticket, kind: 'answered', reply });
  }

  #expire(pending: Pending): void {
    this.#pending.delete(pending.phase.serial);
    const quorum = pending.phase.kind === 'write' ? this.#writeQuorum : this.#readQuorum;
    const said = pending.refusal === undefined ? '' : ` (${pending.refusal})`;
    this.#failPending(pending, `fewer than ${quorum} of ${this.#members} members answered in ${this.#deadlineMs} ms${said}`, true);
  }

  /** A put is in no register before its value has left; a get leaves none as it was not, but what it would have read is not known. */
  #failPending({ ticket, request, hasLeft, hasWritten }: Pending, reason: string, isLate = false): void {
    this.#fail(ticket, (request.kind === 'put' ? hasWritten : hasLeft) ? 'unknown' : 'not-executed', reason, isLate);
  }

  #fail(ticket: number, outcome: 'not-executed' | 'unknown', reason: string, isLate = false): number {
    this.counters.failed++;
    this.#outcomes.push({ ticket, kind: 'failed', outcome, reason, isLate });
    return ticket;
  }
}
