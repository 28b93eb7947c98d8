import type { Millis } from '../../core/machine.ts';
import type { GroupClient, OperationOutcome, Sending } from '../client.ts';
import type { ReplyMessage } from '../message.ts';
import { majorityOf } from '../modes.ts';
import { isOpening } from '../sessions.ts';
import { Ballot } from './ballot.ts';
import { completeClientOptions, type ClientCounters, type ClientOptions, type CompleteClientOptions } from './client-options.ts';
import { ClientSession, type Flight } from './client-session.ts';
import { kindOf } from './reply-kind.ts';

const MAX_MEMBERS = 64;
const MAX_SILENCE_DOUBLINGS = 3;
const MAX_BACKOFF_DOUBLINGS = 5;

export interface VoteClientOptions extends ClientOptions {
  /** How many members there are. */
  readonly members: number;
  /** Equal answers that are believed; ⌊members / 2⌋ + 1 unless said otherwise. With fewer, k liars may be enough. */
  readonly votes?: number;
}

interface Poll {
  readonly ballot: Ballot;
  /** Over the connections that stand now. */
  readonly sentTo: Set<number>;
  /** When everybody is asked again. */
  repeatAtMs: Millis;
  repetitions: number;
  /** Where somebody could not say. */
  readonly refusedBy: Set<number>;
  /** When those are asked again. */
  reaskAtMs: Millis;
  reasks: number;
}

type Asked = Flight<Poll>;

/**
 * Asks everybody, and believes what enough members say alike. A member has one vote, wherever its reply came from: one place may
 * be a balancer with all members behind it, which sees to it that nobody speaks for another. What can't be decided any more fails at once and says who
 * said what.
 *
 * A session's number is voted on like any answer. Since each repetition of an opening may open one more, members may truly name several;
 * the first that enough of them name is taken. With a window above 1, requests may get into the order the other way round (over several connections
 * nothing keeps it): an earlier one then ends unknown, as `expired`. Leave it at 1 where that matters.
 *
 * A read whose answer may be old is not voted on, since members may truly differ: the first answer is believed, and a liar with it.
 */
export class VoteClient implements GroupClient {
  readonly #options: CompleteClientOptions;
  readonly #session: ClientSession<Poll>;
  readonly #isConnected: boolean[];
  /** When it was told the time last. */
  #now: Millis = 0;

  /** Throws RangeError for numbers that cannot be. */
  constructor(options: VoteClientOptions) {
    const { members, votes = majorityOf(members), ...others } = options;
    if (!Number.isInteger(members) || members < 1 || members > MAX_MEMBERS) throw new RangeError(`a group of ${members} members: 1 to ${MAX_MEMBERS}`);
    if (!Number.isInteger(votes) || votes < 1 || votes > members) throw new RangeError(`${votes} equal answers of ${members} members`);
    this.#options = completeClientOptions(others);
    this.#session = new ClientSession(this.#options, (request) => ({
      ballot: new Ballot(members, request.isStale ? 1 : votes, isOpening(request)), sentTo: new Set(), repeatAtMs: this.#now + this.#options.attemptTimeoutMs, repetitions: 0,
      refusedBy: new Set(), reaskAtMs: Infinity, reasks: 0,
    }));
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
    for (const { state } of this.#session.flights()) state.sentTo.delete(target);
  }

  disconnected(target: number, now: Millis): void {
    this.#now = now;
    this.#isConnected[target] = false;
    for (const { state } of this.#session.flights()) state.sentTo.delete(target);
  }

  received(target: number, message: ReplyMessage, now: Millis): void {
    this.#now = now;
    const flight = this.#session.find(message.clientId, message.serial);
    if (flight === undefined) this.counters.lateReplies++;
    else if (this.#isVote(flight, message)) this.#count(flight, message);
    else this.#refused(flight, target, message);
  }

  nextSending(): Sending | undefined {
    for (const flight of this.#session.flights()) {
      const target = this.#unasked(flight);
      if (target !== undefined) return this.#send(flight, target);
    }
    const target = this.#isConnected.indexOf(true);
    if (target < 0) return undefined;
    const flight = this.#session.launch();
    return flight === undefined ? undefined : this.#send(flight, target);
  }

  nextTimeout(): Millis {
    let at = this.#session.nextDeadline();
    for (const { state } of this.#session.flights()) at = Math.min(at, state.repeatAtMs, state.reaskAtMs);
    return at;
  }

  handleTimeout(now: Millis): void {
    this.#now = now;
    this.#session.expireDue(now, (flight) => {
      if (flight !== undefined) return `it takes ${flight.state.ballot.votes} alike; ${flight.state.ballot.describe()}`;
      return this.#isConnected.includes(true) ? 'others were under way' : `no connection to ${this.#options.targets.join(', ')}`;
    });
    for (const { state } of this.#session.flights()) {
      if (state.reaskAtMs <= now) {
        for (const target of state.refusedBy) state.sentTo.delete(target);
        state.refusedBy.clear();
        state.reaskAtMs = Infinity;
        state.reasks++;
      }
      if (state.repeatAtMs > now) continue;
      this.counters.timeouts++;
      state.sentTo.clear();
      state.repetitions++;
      state.repeatAtMs = now + this.#options.attemptTimeoutMs * 2 ** Math.min(state.repetitions, MAX_SILENCE_DOUBLINGS);
    }
  }

  takeOutcome(): OperationOutcome | undefined {
    return this.#session.takeOutcome();
  }

  /** An opening's only answer is a session that is new; anything else is answered for good, or not yet. */
  #isVote({ submitted }: Asked, { reply }: ReplyMessage): boolean {
    const kind = kindOf(reply);
    return submitted === undefined ? reply.status === 'ok' && reply.offset > this.#session.number : kind === 'answer' || kind === 'expired';
  }

  #refused({ state }: Asked, target: number, { memberId, reply }: ReplyMessage): void {
    this.counters.refusals++;
    state.ballot.refuse(memberId, reply);
    state.refusedBy.add(target);
    if (state.reaskAtMs !== Infinity) return;
    state.reaskAtMs = this.#now + this.#options.backoffMs * 2 ** Math.min(state.reasks, MAX_BACKOFF_DOUBLINGS) * (0.5 + this.#options.random.unit() / 2);
  }

  #count(flight: Asked, { memberId, reply }: ReplyMessage): void {
    const { ballot } = flight.state;
    ballot.cast(memberId, reply);
    const { answer } = ballot;
    if (answer !== undefined) {
      if (flight.submitted === undefined) this.#session.opened(answer);
      else if (answer.status === 'expired') this.#session.expired(flight);
      else this.#session.answer(flight, answer);
    } else if (ballot.isHopeless) {
      this.counters.disagreements++;
      this.#session.fail(flight, `no majority: ${ballot.describe()}`);
    }
  }

  #unasked({ state }: Asked): number | undefined {
    for (let target = 0; target < this.#isConnected.length; target++) if (this.#isConnected[target] === true && !state.sentTo.has(target)) return target;
    return undefined;
  }

  #send({ request, state }: Asked, target: number): Sending {
    state.sentTo.add(target);
    this.counters.sent++;
    if (state.repetitions > 0 || state.reasks > 0) this.counters.retries++;
    return { target, request };
  }
}
