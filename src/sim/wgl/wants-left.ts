import type { Step } from './step.ts';
import type { KvStates } from './kv-states.ts';

/**
 * What the operations without a place still need: the values that they found, and who can bring those about. Where values are unique this
 * makes the search nearly straight: a value is not overwritten while somebody is still to find it, for nobody can write it a second time.
 */
export class WantsLeft {
  readonly #states: KvStates;
  /** By want: operations that found this value. */
  readonly #finders: Int32Array;
  /** By want: writes that may bring it about. */
  readonly #producers: Int32Array;
  /** By state: operations that ask whether it is this one. */
  readonly #askers: number[] = [];
  #found = 0;
  #asked = 0;
  #writers = 0;

  constructor(states: KvStates, steps: readonly Step[]) {
    this.#states = states;
    this.#finders = new Int32Array(states.wants);
    this.#producers = new Int32Array(states.wants);
    for (const step of steps) this.giveBack(step);
  }

  /** The step has its place. */
  take(step: Step): void {
    this.#count(step, -1);
  }

  giveBack(step: Step): void {
    this.#count(step, 1);
  }

  /** Nobody will find a certain value any more, nor ask for one. */
  get isIdle(): boolean {
    return this.#asked === 0;
  }

  /** The state, or the dead one if nobody asks for it any more. */
  live(state: number): number {
    return this.#states.hasAppends || state === 0 || (this.#askers[state] ?? 0) > 0 ? state : this.#states.dead(0);
  }

  /** Nobody asks for what is there, nobody will write anew, and somebody is still to find something. */
  isHopeless(state: number): boolean {
    return this.#writers === 0 && this.#found > 0 && this.#states.isDead(state);
  }

  /** Whether something that somebody is to find can't come true any more, after `steps`, already taken, have led from one state to another. */
  hasLost(from: number, to: number, steps: readonly Step[]): boolean {
    const before = this.#states.wantsFrom(from);
    const after = this.#states.wantsFrom(to);
    for (let want = before.from; want < before.to; want++) if (this.#isLost(want) && (want < after.from || want >= after.to)) return true;
    for (const { produces } of steps) for (const want of produces) if (this.#isLost(want) && (want < after.from || want >= after.to)) return true;
    return false;
  }

  #isLost(want: number): boolean {
    return this.#finders[want]! > 0 && this.#producers[want]! === 0;
  }

  #count({ need, needed, want, produces, effect }: Step, by: number): void {
    if (need !== 'any') {
      this.#askers[needed] = (this.#askers[needed] ?? 0) + by;
      this.#asked += by;
    }
    if (want >= 0) {
      this.#finders[want]! += by;
      this.#found += by;
    }
    if (effect === 'set') this.#writers += by;
    for (const each of produces) this.#producers[each]! += by;
  }
}
