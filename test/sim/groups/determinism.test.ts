import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../../../src/core/random.ts';
import type { Mode } from '../../../src/group/modes.ts';
import { runGroupSeed } from '../../../src/sim/group-run.ts';
import { GROUP_MODES } from './group-modes.ts';

const RUNNER = fileURLToPath(new URL('run-group-seeds.ts', import.meta.url));

function hashOf(mode: Mode, seed: number, random?: Random): string {
  return runGroupSeed(mode, seed, { keepLines: 0, ...(random === undefined ? {} : { random }) }).traceHash;
}

/** The same stream, but for one draw of the streams called `name`, which comes out turned round. */
class OneDrawFlipped implements Random {
  readonly #random: Random;
  readonly #name: string;
  readonly #left: { draws: number };
  readonly #isTarget: boolean;

  constructor(random: Random, name: string, left: { draws: number }, isTarget = false) {
    this.#random = random;
    this.#name = name;
    this.#left = left;
    this.#isTarget = isTarget;
  }

  uint32(): number {
    const drawn = this.#random.uint32();
    return this.#isTarget && --this.#left.draws === 0 ? ~drawn >>> 0 : drawn;
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
    return new OneDrawFlipped(this.#random.fork(name), this.#name, this.#left, name === this.#name);
  }
}

describe.each(GROUP_MODES)('the trace hash of a group, mode %s', (mode) => {
  it('is the same for the same seed, also in another process', () => {
    const first = [1, 2, 3, 4].map((seed) => hashOf(mode, seed));
    expect([1, 2, 3, 4].map((seed) => hashOf(mode, seed))).toEqual(first);
    const other = execFileSync(process.execPath, ['--import', 'tsx', RUNNER, mode, '1', '5', 'hashes'], { encoding: 'utf8' });
    expect(JSON.parse(other)).toEqual(first);
  });

  it('differs by one draw, wherever it is drawn', () => {
    const random = (): Random => createRandom(3).fork(`group ${mode}`);
    const unchanged = hashOf(mode, 3);
    // Never reached: the wrapper itself changes nothing.
    expect(hashOf(mode, 3, new OneDrawFlipped(random(), 'm0>m1', { draws: Infinity }))).toBe(unchanged);
    for (const name of ['m0>c0', 'c0>m0', 'workload', 'nemesis', 'disk', 'scenario']) {
      // Some draws say nothing, as whether a message is lost where none is; one of these does.
      const isSeen = [11, 12, 13, 1, 2, 3, 4, 5, 6].some((draws) => hashOf(mode, 3, new OneDrawFlipped(random(), name, { draws })) !== unchanged);
      expect(isSeen, name).toBe(true);
    }
  });
});
