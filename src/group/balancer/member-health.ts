import type { Millis } from '../../core/machine.ts';

/** Silent or unreachable members are first suspected, and that can be taken back; `down` is a suspicion that lasted. */
export type Health = 'healthy' | 'suspect' | 'down';

export interface HealthPolicy {
  /** Between two questions. */
  readonly intervalMs: Millis;
  /** Silence that makes a member suspect; four round-trip times are added to it. */
  readonly suspectAfterMs: Millis;
  /** Silence that makes it down. */
  readonly downAfterMs: Millis;
  /** Answers in a row that a suspected member has to give, so that one that comes and goes isn't taken for well each time. */
  readonly riseAnswers: number;
}

/** Weight of a new sample, as RFC 6298 has it. */
const RTT_GAIN = 1 / 8;

/** One member, watched by asking it. */
export class MemberHealth {
  readonly #policy: HealthPolicy;
  #state: Health = 'down';
  #sinceMs: Millis;
  #isConnected = false;
  #heardAtMs: Millis;
  #askAtMs: Millis = Infinity;
  /** When the question was asked that is not answered yet. A member that was stopped shall not find a heap when it wakes. */
  #askedAtMs: Millis | undefined;
  #answers = 0;
  #rttMs: Millis | undefined;
  /** Its connection broke while, or before, it was suspected. */
  #hasBroken = false;
  suspicions = 0;
  /** Suspected for its silence, and answering again on the same connection: it had been slow. */
  falseSuspicions = 0;

  constructor(policy: HealthPolicy, now: Millis) {
    this.#policy = policy;
    this.#sinceMs = now;
    this.#heardAtMs = now;
  }

  get state(): Health {
    return this.#state;
  }

  /** Since when it is in this state. */
  get sinceMs(): Millis {
    return this.#sinceMs;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Requests may be sent to it. A suspected member may be slow only. */
  get isUsable(): boolean {
    return this.#isConnected && this.#state !== 'down';
  }

  /** Smoothed; undefined before the first answer. */
  get rttMs(): Millis | undefined {
    return this.#rttMs;
  }

  connected(now: Millis): void {
    this.#isConnected = true;
    this.#askedAtMs = undefined;
    this.#askAtMs = now;
  }

  disconnected(now: Millis): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#askedAtMs = undefined;
    this.#askAtMs = Infinity;
    this.#hasBroken = true;
    if (this.#state === 'healthy') this.#suspect(now);
    this.#answers = 0;
  }

  /** True: ask it now, once. */
  takeQuestion(now: Millis): boolean {
    if (now < this.#nextQuestionMs) return false;
    this.#askedAtMs = now;
    this.#askAtMs = now + this.#policy.intervalMs;
    return true;
  }

  /** It sent something: it lives. */
  heard(now: Millis): void {
    this.#heardAtMs = now;
  }

  /** It answered the question. `isServing` false: it says itself that it can't serve. */
  answered(isServing: boolean, now: Millis): void {
    this.heard(now);
    if (this.#askedAtMs === undefined) return;
    const sampleMs = now - this.#askedAtMs;
    this.#rttMs = this.#rttMs === undefined ? sampleMs : this.#rttMs + RTT_GAIN * (sampleMs - this.#rttMs);
    this.#askedAtMs = undefined;
    // After a late answer there is no hurry: several in a row shall take their time.
    if (this.#askAtMs <= now) this.#askAtMs = now + this.#policy.intervalMs;
    if (!isServing) {
      this.#answers = 0;
      if (this.#state === 'healthy') this.#suspect(now);
      else if (this.#state === 'down') this.#become('suspect', now);
      this.#hasBroken = true;
      return;
    }
    this.#answers++;
    if (this.#state === 'down') this.#become('suspect', now);
    if (this.#state !== 'suspect' || this.#answers < this.#policy.riseAnswers) return;
    if (!this.#hasBroken && this.suspicions > 0) this.falseSuspicions++;
    this.#hasBroken = false;
    this.#become('healthy', now);
  }

  nextTimeout(): Millis {
    if (this.#state === 'healthy') return Math.min(this.#nextQuestionMs, this.#suspectAtMs);
    return this.#state === 'suspect' ? Math.min(this.#nextQuestionMs, this.#downAtMs) : this.#nextQuestionMs;
  }

  /** The caller asks takeQuestion() afterwards. */
  handleTimeout(now: Millis): void {
    if (this.#state === 'healthy' && now >= this.#suspectAtMs) this.#suspect(now);
    if (this.#state === 'suspect' && now >= this.#downAtMs) {
      this.#become('down', now);
      this.#answers = 0;
    }
  }

  /** A question without an answer is repeated, seldom: the member may have dropped it. */
  get #nextQuestionMs(): Millis {
    return this.#askedAtMs === undefined ? this.#askAtMs : this.#askedAtMs + this.#policy.downAfterMs;
  }

  get #suspectAtMs(): Millis {
    return this.#heardAtMs + this.#policy.suspectAfterMs + 4 * (this.#rttMs ?? 0);
  }

  get #downAtMs(): Millis {
    return Math.max(this.#heardAtMs + this.#policy.downAfterMs, this.#suspectAtMs);
  }

  #suspect(now: Millis): void {
    this.suspicions++;
    this.#answers = 0;
    this.#become('suspect', now);
  }

  #become(state: Health, now: Millis): void {
    this.#state = state;
    this.#sinceMs = now;
  }
}
