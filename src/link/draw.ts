import type { Random } from '../core/random.ts';

/**
 * Uniform draws in [0, 1) with netem's correlation: x' = ρ·last + (1−ρ)·u. Each call draws exactly once. As in netem this
 * is no true statistical correlation: with ρ > 0 the values crowd around 1/2, and a fault's rate departs from the
 * probability that was asked for.
 */
export class CorrelatedDraw {
  readonly #random: Random;
  #last: number;

  constructor(random: Random) {
    this.#random = random;
    this.#last = random.unit();
  }

  /** `correlation` in [0, 1]. */
  next(correlation: number): number {
    const fresh = this.#random.unit();
    this.#last = correlation === 0 ? fresh : correlation * this.#last + (1 - correlation) * fresh;
    return this.#last;
  }
}
