import { createRandom, type Random } from '../../core/random.ts';
import { textTable } from '../../report/table.ts';
import type { Words } from './english.ts';
import type { Exhibit } from './exhibit.ts';

/**
 * Triple modular redundancy, as a number: three modules that work with probability r each and a voter, against one module. Redundancy
 * helps while r > 1/2 and hurts below: two bad ones outvote a good one.
 */

/** R = 3r² − 2r³: at least two of three work. `r` in [0, 1]. */
export function tripleReliability(r: number): number {
  return 3 * r ** 2 - 2 * r ** 3;
}

export interface ChainReliability {
  /** Stages one behind the other, one module each. */
  readonly simple: number;
  /** Three modules and one voter behind each stage: every voter is a single point of failure. */
  readonly oneVoter: number;
  /** Three modules and three voters behind each stage (Tanenbaum & van Steen, figure of chapter 8): a bad voter is outvoted in the next stage. */
  readonly threeVoters: number;
}

/**
 * How often a chain of stages gives the right result, by drawing which parts work: modules with probability `module`, voters with
 * `voter`, each in [0, 1]. What fails gives a wrong value.
 */
export function drawChain(random: Random, stages: number, module: number, voter: number, runs: number): ChainReliability {
  let simple = 0;
  let oneVoter = 0;
  let threeVoters = 0;
  for (let run = 0; run < runs; run++) {
    let isSimpleRight = true;
    let isOneRight = true;
    let lanes = [true, true, true];
    for (let stage = 0; stage < stages; stage++) {
      const modules = [random.chance(module), random.chance(module), random.chance(module)];
      const voters = [random.chance(voter), random.chance(voter), random.chance(voter)];
      isSimpleRight &&= modules[0]!;
      isOneRight &&= isMajority(modules) && voters[0]!;
      const outputs = modules.map((works, i) => works && lanes[i]!);
      // Each voter hears all three modules of its stage.
      const isRight = isMajority(outputs);
      lanes = voters.map((works) => works && isRight);
    }
    if (isSimpleRight) simple++;
    if (isOneRight) oneVoter++;
    if (isMajority(lanes)) threeVoters++;
  }
  return { simple: simple / runs, oneVoter: oneVoter / runs, threeVoters: threeVoters / runs };
}

function isMajority(values: readonly boolean[]): boolean {
  return values.filter(Boolean).length * 2 > values.length;
}

const SHOWN = [0.3, 0.5, 0.7, 0.9, 0.99];
const STAGES = 3;
const RUNS = 20_000;

export function redundancy(seed: number, words: Words): Exhibit {
  const { title, header, better, worse, same, stages } = words.redundancy;
  const random = createRandom(seed).fork('reliability');
  const chains = SHOWN.map((r) => ({ r, triple: tripleReliability(r), ...drawChain(random, STAGES, r, r, RUNS) }));
  const rows = chains.map(({ r, triple, simple, oneVoter, threeVoters }) => [
    r, triple.toFixed(4), triple === r ? same : triple > r ? better : worse, simple.toFixed(3), oneVoter.toFixed(3), threeVoters.toFixed(3),
  ]);
  const isShown = chains.every(({ r, triple }) => Math.sign(triple - r) === Math.sign(r - 0.5)) && chains.every(({ r, simple, oneVoter, threeVoters }) => r < 0.9 || (threeVoters > simple && threeVoters > oneVoter));
  return { title, text: `${textTable(header, rows)}${stages}\n`, isShown };
}
