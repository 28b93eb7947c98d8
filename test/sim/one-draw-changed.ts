import { RandomStream, type Random } from '../../src/core/random.ts';

/** Which draw is changed, counted over all streams of the name, from 1; Infinity: none. */
export interface Target {
  readonly stream: string;
  draw: number;
}

/** The same chance, but for one draw of 32 bits, which comes out as `change` says. */
export class OneDrawChanged extends RandomStream {
  readonly #random: Random;
  readonly #target: Target;
  readonly #change: (drawn: number) => number;
  readonly #isTarget: boolean;

  constructor(random: Random, target: Target, change: (drawn: number) => number, isTarget = false) {
    super();
    this.#random = random;
    this.#target = target;
    this.#change = change;
    this.#isTarget = isTarget;
  }

  uint32(): number {
    const drawn = this.#random.uint32();
    return this.#isTarget && --this.#target.draw === 0 ? this.#change(drawn) >>> 0 : drawn;
  }

  fork(name: string): Random {
    return new OneDrawChanged(this.#random.fork(name), this.#target, this.#change, name === this.#target.stream);
  }
}
