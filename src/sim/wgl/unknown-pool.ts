import type { HistoryEvent } from '../../group/history.ts';
import { effectOf, stepOf, type Step } from './step.ts';
import { ABSENT, type KvStates } from './kv-states.ts';

/** Operations of unknown outcome that take effect one after the other, right before one of known outcome. */
export interface Run {
  /** Numbers in the pool, in order. */
  readonly used: readonly number[];
  /** After them. */
  readonly state: number;
}

const NOBODY = -1;

/**
 * Writes of which nobody knows whether they were done: each takes effect at some time after it was invoked, or never. Which of them must be
 * tried, and when? Of all orders that explain a history take one that uses as few of them as possible, each as late as possible
 * (nothing forbids later: they have no end). In it,
 *  - a run of them that precedes a known operation that would have fitted without the run is there only for an append, whose value has a
 *    trace of what came before. Before a put, a successful cas or a delete it could be left out, before a read or a failed cas it could come later;
 *  - before a read or a successful cas the run ends in exactly the value that these need: it can be found backwards from there;
 *  - before a failed cas, and a delete that found something, the run is one operation: after the first that changes the
 *    state these fit, and the rest could come later, or be left out;
 *  - in a run only the first may be a put or a delete: what precedes those within the run is for nothing.
 * That a value was never read does not make its put idle: it may be why a cas failed. But puts of values that nobody asks for are all alike
 * (see KvStates), and of those that are alike only the first is tried.
 */
export class UnknownPool {
  readonly steps: readonly Step[];
  readonly words: Int32Array;
  /** When the first of the known operations without a place was over: what was invoked later can't have its place now. */
  horizon = 0;
  /** Whether those of its process that came before have their places. */
  readonly #isFree: (unknown: number) => boolean;
  readonly #states: KvStates;
  /** The one before it that is alike in everything but its time. */
  readonly #twin: Int32Array;
  /** Its effect can't be a part of anything that somebody asks for. */
  readonly #isLost: readonly boolean[];
  readonly #hasCas: boolean;
  readonly #workLimit: number;
  /** Steps that were looked at, all in all. */
  work = 0;

  /** `events`: unknown writes in the order of their invocations. */
  constructor(events: readonly HistoryEvent[], states: KvStates, fromAbsent: readonly number[], isFree: (unknown: number) => boolean, workLimit: number) {
    this.steps = events.map((event) => stepOf(event, states, fromAbsent));
    this.words = new Int32Array((events.length + 31) >> 5);
    this.#states = states;
    this.#isFree = isFree;
    this.#workLimit = workLimit;
    this.#isLost = this.steps.map(({ effect, piece }) => effect === 'append' && !states.isPartOfAsked(piece));
    this.#hasCas = events.some(({ op }) => op === 'cas');
    this.#twin = new Int32Array(events.length).fill(NOBODY);
    const latest = new Map<string, number>();
    this.steps.forEach(({ need, needed, effect, target, piece }, i) => {
      const name = JSON.stringify([need, needed, effect, target, piece]);
      this.#twin[i] = latest.get(name) ?? NOBODY;
      latest.set(name, i);
    });
  }

  isUsed(i: number): boolean {
    return (this.words[i >> 5]! & (1 << (i & 31))) !== 0;
  }

  use(i: number): void {
    this.words[i >> 5]! |= 1 << (i & 31);
  }

  giveBack(i: number): void {
    this.words[i >> 5]! &= ~(1 << (i & 31));
  }

  get isExhausted(): boolean {
    return this.work > this.#workLimit;
  }

  /** All that end in `target`. Nothing is used after it. */
  runsTo(target: number, from: number): Run[] {
    const runs: Run[] = [];
    const used: number[] = [];
    this.#backwards(target, from, used, () => runs.push({ used: [...used].reverse(), state: target }));
    return runs;
  }

  /** One operation that makes another state of this one. `live`: states that can be told from the dead one, at this time. */
  runsAway(from: number, live: (state: number) => number): Run[] {
    const runs: Run[] = [];
    const tried = new Set<number>();
    for (let i = 0; i < this.steps.length && this.#isOpen(i); i++) {
      const step = this.steps[i]!;
      if (!this.#canUse(i) || (step.need === 'is' && step.needed !== from)) continue;
      const state = live(effectOf(step, from, this.#states));
      if (state === from) continue;
      // Those that put what nobody asks for are alike, and stay so. Appends differ: each may be asked for elsewhere.
      if (step.effect === 'set' && step.need === 'any' && this.#states.isDead(state)) {
        if (tried.has(state)) continue;
        tried.add(state);
      }
      runs.push({ used: [i], state });
    }
    return runs;
  }

  /** Those, not empty, after which `append` fits. `isIdle`: nobody will ask for a certain value any more. */
  runsBefore(append: Step, from: number, isHopeless: (state: number) => boolean, isIdle: boolean): Run[] {
    const runs: Run[] = [];
    this.#forwards(append, from, [], runs, isHopeless, isIdle);
    return runs;
  }

  #isOpen(i: number): boolean {
    return this.steps[i]!.event.invoke <= this.horizon;
  }

  #canUse(i: number): boolean {
    this.work++;
    const twin = this.#twin[i]!;
    return !this.isUsed(i) && this.#isFree(i) && (twin === NOBODY || this.isUsed(twin) || !this.#isFree(twin));
  }

  #backwards(target: number, from: number, used: number[], found: () => void): void {
    if (this.isExhausted) return;
    const states = this.#states;
    const tryOne = (i: number, before: number | undefined): void => {
      this.use(i);
      used.push(i);
      if (before === undefined || before === from) found();
      else this.#backwards(before, from, used, found);
      used.pop();
      this.giveBack(i);
    };
    for (let i = 0; i < this.steps.length && this.#isOpen(i); i++) {
      const step = this.steps[i]!;
      if (!this.#canUse(i)) continue;
      if (step.effect === 'set') {
        if (step.target !== target) continue;
        if (step.need === 'any') tryOne(i, undefined);
        else if (step.needed !== target) tryOne(i, step.needed);
      } else if (target !== ABSENT && !states.isDead(target)) {
        const text = states.valueOf(target);
        if (typeof text !== 'string' || !text.endsWith(step.piece)) continue;
        const rest = text.slice(0, text.length - step.piece.length);
        if (step.piece !== '') tryOne(i, states.idOf(rest));
        if (rest === '') tryOne(i, ABSENT);
        const number = Number(rest);
        if (rest !== '' && String(number) === rest) tryOne(i, states.idOf(number));
        if (rest === 'true' || rest === 'false') tryOne(i, states.idOf(rest === 'true'));
      }
    }
  }

  #forwards(append: Step, state: number, used: number[], runs: Run[], isHopeless: (state: number) => boolean, isIdle: boolean): void {
    const states = this.#states;
    const tried = new Set<string>();
    for (let i = 0; i < this.steps.length && this.#isOpen(i) && !this.isExhausted; i++) {
      const step = this.steps[i]!;
      if (!this.#canUse(i)) continue;
      if (step.need === 'is' && step.needed !== state) continue;
      if (step.effect === 'set' && step.need === 'any' && used.length > 0) continue;
      const next = effectOf(step, state, states);
      if (next === state && step.effect === 'set') continue;
      const after = states.append(next, append.piece);
      // More of them make it longer still, unless one is a cas, which needs a value that somebody asks for.
      if (append.length >= 0 && states.lengthOf(after) > append.length && (!this.#hasCas || states.isDead(next))) continue;
      // Alike from here on: only the first of them.
      if (states.isDead(next) && (step.effect === 'set' ? step.need === 'any' : isIdle || this.#isLost[i]!)) {
        const name = `${step.effect} ${next}`;
        if (tried.has(name)) continue;
        tried.add(name);
      }
      this.use(i);
      used.push(i);
      if ((append.length < 0 || states.lengthOf(after) === append.length) && !isHopeless(after)) runs.push({ used: [...used], state: next });
      if ((!states.isDead(next) || states.notesLengths) && !isHopeless(next)) this.#forwards(append, next, used, runs, isHopeless, isIdle);
      used.pop();
      this.giveBack(i);
    }
  }
}
