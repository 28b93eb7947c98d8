import type { Random } from '../core/random.ts';
import { CorrelatedDraw } from './draw.ts';
import type { GemodelLoss, LinkProfile, RandomLoss } from './profile.ts';

/** Decides which datagrams are lost. Asked once for every offered datagram, whatever else befalls it. */
export interface LossModel {
  /** `number` counts the datagrams offered to the link, from 1. The draws of a call never depend on earlier decisions. */
  isLost(number: number): boolean;
}

/** Independent loss with a fixed probability (Bernoulli), or correlated in netem's way. One draw a datagram. */
export class BernoulliLoss implements LossModel {
  readonly #probability: number;
  readonly #correlation: number;
  readonly #draw: CorrelatedDraw;

  constructor(loss: RandomLoss, random: Random) {
    this.#probability = loss.probability;
    this.#correlation = loss.correlation;
    this.#draw = new CorrelatedDraw(random);
  }

  isLost(): boolean {
    return this.#draw.next(this.#correlation) < this.#probability;
  }
}

/**
 * Two-state Markov loss (Gilbert 1960, Elliott 1963), with the order of Linux's sch_netem: the transition is drawn first,
 * the loss then with the probability of the state held *before* it. Starts in the good state. Two draws a datagram.
 * Stationary loss is [r(1−k) + p(1−h)] / (p + r); with h = 0 and k = 1 the mean burst is 1/r datagrams.
 */
export class GilbertElliottLoss implements LossModel {
  readonly #loss: GemodelLoss;
  readonly #random: Random;
  #isBad = false;

  constructor(loss: GemodelLoss, random: Random) {
    this.#loss = loss;
    this.#random = random;
  }

  isLost(): boolean {
    const { toBad, toGood, lossInBad, lossInGood } = this.#loss;
    const wasBad = this.#isBad;
    if (this.#random.unit() < (wasBad ? toGood : toBad)) this.#isBad = !wasBad;
    return this.#random.unit() < (wasBad ? lossInBad : lossInGood);
  }
}

/** Drops exactly the given datagrams. No draw. */
export class ExactLoss implements LossModel {
  readonly #numbers: readonly number[];
  #next = 0;

  /** `numbers` ascending, from 1. */
  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  isLost(number: number): boolean {
    while (this.#next < this.#numbers.length && this.#numbers[this.#next]! < number) this.#next++;
    return this.#numbers[this.#next] === number;
  }
}

/** The random loss model that `loss` asks for; undefined if it loses nothing. */
export function createLossModel(loss: LinkProfile['loss'], random: Random): LossModel | undefined {
  if (loss.model === 'gemodel') return new GilbertElliottLoss(loss, random);
  return loss.probability > 0 ? new BernoulliLoss(loss, random) : undefined;
}
