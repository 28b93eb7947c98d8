import { createRandom, type Random } from '../../core/random.ts';
import { liesIn, runGenerals, scriptedLies, transcriptOf, type GeneralsResult, type Lie, type Order } from './generals.ts';
import { subsets } from './subsets.ts';

/** All lies are tried up to so many bits; above, so many worlds are drawn. */
const MAX_EXHAUSTIVE_BITS = 14;
const DRAWN_WORLDS = 400;

export interface GeneralsWorld {
  readonly traitors: readonly number[];
  readonly order: Order;
  readonly result: GeneralsResult;
}

export interface GeneralsVerdict {
  readonly runs: number;
  readonly isExhaustive: boolean;
  /** The first world in which loyal generals disagree or a loyal commander is not obeyed; undefined when none was found. */
  readonly counterexample: GeneralsWorld | undefined;
}

/** Tries OM(rounds) with every placement of `faulty` traitors and both orders, with every lie, or with drawn ones where there are too many. */
export function searchGenerals(generals: number, rounds: number, faulty: number, seed: number): GeneralsVerdict {
  const random = createRandom(seed).fork(`generals ${generals} ${rounds} ${faulty}`);
  let runs = 0;
  let isExhaustive = true;
  for (const traitors of subsets(generals, faulty)) {
    const set = new Set(traitors);
    const bits = liesIn(generals, rounds, set);
    const isSmall = bits <= MAX_EXHAUSTIVE_BITS;
    isExhaustive &&= isSmall;
    const worlds = isSmall ? 2 ** bits : DRAWN_WORLDS;
    for (const order of [1, 0] as const) {
      for (let world = 0; world < worlds; world++) {
        const lie = isSmall ? scriptedLies(world).lie : drawnLie(random, world);
        const result = runGenerals({ generals, rounds, traitors: set, order, lie });
        runs++;
        if (!result.isAgreed || !result.isObeyed) return { runs, isExhaustive, counterexample: { traitors, order, result } };
      }
    }
  }
  return { runs, isExhaustive, counterexample: undefined };
}

/** Half of the drawn worlds follow the two strategies that hurt most: the opposite of the truth, and one word to half, another to the other. */
function drawnLie(random: Random, world: number): Lie {
  if (world % 4 === 0) return (_path, _to, truth) => (1 - truth) as Order;
  if (world % 4 === 1) return (_path, to) => (to % 2) as Order;
  return () => random.below(2) as Order;
}

export interface TwoWorlds {
  /** The commander lies. */
  readonly first: GeneralsWorld;
  /** The other lieutenant does. */
  readonly second: GeneralsWorld;
  /** What lieutenant 1 heard, in both. */
  readonly transcript: readonly string[];
}

/**
 * Three generals, one traitor: the world in which the commander lies and the world in which the other lieutenant lies, such that
 * lieutenant 1 hears the same words. In the second he must obey; so he obeys in the first, too, and there lieutenant 2, who
 * reasons likewise, decides the opposite.
 */
export function indistinguishableWorlds(): TwoWorlds {
  const firsts = worldsOf(new Set([0]));
  for (const second of worldsOf(new Set([2]))) {
    const transcript = transcriptOf(second.result, 1);
    const first = firsts.find(({ result }) => transcriptOf(result, 1).join() === transcript.join() && isSplit(result));
    if (first !== undefined) return { first, second, transcript };
  }
  throw new Error('no two worlds look alike');
}

function worldsOf(traitors: ReadonlySet<number>): GeneralsWorld[] {
  return Array.from({ length: 2 ** liesIn(3, 1, traitors) }, (_, choices) => ({
    traitors: [...traitors], order: 1 as const, result: runGenerals({ generals: 3, rounds: 1, traitors, order: 1, lie: scriptedLies(choices).lie }),
  }));
}

/** The commander said one thing to one lieutenant and the opposite to the other. */
function isSplit({ sayings }: GeneralsResult): boolean {
  const direct = sayings.filter(({ path }) => path.length === 1);
  return new Set(direct.map(({ order }) => order)).size === 2;
}
