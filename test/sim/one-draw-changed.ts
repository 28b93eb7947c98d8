import type { Random } from '../../src/core/random.ts';

/** Which draw is changed, counted over all streams of the name, from 1; Infinity: none. */
export interface Target {
  readonly stream: string;
  draw: number;
}

/** The same chance, but for one draw of 32 bits, which comes out as `change` says. */
export class OneDrawChanged implements Random {
  readonly #random: Random;
  readonly #target: Target;
  readonly #change: (drawn: number) => number;
  readonly #isTarget: boolean;

  constructor(random: Random, target: Target, change: (drawn: number) => number, isTarget = false) {
    this.#random = random;
    this.#target = target;
    this.#change = change;
    this.#isTarget = isTarget;
  }

  uint32(): number {
    const drawn = this.#random.uint32();
    return this.#isTarget && --this.#target.draw === 0 ? this.#change(drawn) >>> 0 : drawn;
  }

  unit(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  below(n: number): number {
    return Math.floor(this.unit() * n);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.unit());
  }

  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.unit()));
    return radius * Math.cos(2 * Math.PI * this.unit());
  }

  fork(name: string): Random {
    return new OneDrawChanged(this.#random.fork(name), this.#target, this.#change, name === this.#target.stream);
  }
}
