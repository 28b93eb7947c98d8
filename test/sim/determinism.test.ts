import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../../src/core/random.ts';
import { parseProfile } from '../../src/link/profile.ts';
import { drawScenario } from '../../src/sim/draw.ts';
import { transferScenario } from '../../src/sim/transfer.ts';
import { runScenario } from '../../src/sim/world.ts';

const RUNNER = fileURLToPath(new URL('run-seeds.ts', import.meta.url));

function hashesHere(from: number, to: number): string[] {
  const hashes: string[] = [];
  for (let seed = from; seed < to; seed++) hashes.push(runScenario(drawScenario(seed)).traceHash);
  return hashes;
}

/** The same seed's chance, but for one draw of the streams called `name`, which comes out as `value`. */
class OneDrawChanged implements Random {
  readonly #random: Random;
  readonly #state: { left: number };
  readonly #name: string;
  readonly #value: number;
  readonly #isTarget: boolean;

  constructor(random: Random, name: string, value: number, state: { left: number }, isTarget = false) {
    this.#random = random;
    this.#name = name;
    this.#value = value;
    this.#state = state;
    this.#isTarget = isTarget;
  }

  uint32(): number {
    return this.#random.uint32();
  }

  unit(): number {
    const drawn = this.#random.unit();
    return this.#isTarget && --this.#state.left === 0 ? this.#value : drawn;
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
    return this.#random.normal();
  }

  fork(name: string): Random {
    return new OneDrawChanged(this.#random.fork(name), this.#name, this.#value, this.#state, name === this.#name);
  }
}

describe('trace hash', () => {
  it('is the same for the same seed, also in another process', () => {
    const first = hashesHere(1, 9);
    expect(hashesHere(1, 9)).toEqual(first);
    const other = execFileSync(process.execPath, ['--import', 'tsx', RUNNER, '1', '9', 'hashes'], { encoding: 'utf8' });
    expect(JSON.parse(other)).toEqual(first);
  });

  it('differs for different seeds', () => {
    const hashes = hashesHere(1, 41);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('differs by one draw', () => {
    const profile = parseProfile('loss 5% delay 10ms');
    const scenario = transferScenario({ seed: 3, bytes: 256 * 1024, up: profile, down: profile });
    const hashWith = (nth: number, value: number): string =>
      runScenario(scenario, { random: new OneDrawChanged(createRandom(3), 'loss', value, { left: nth }) }).traceHash;
    const unchanged = runScenario(scenario).traceHash;
    // Never reached: the wrapper itself changes nothing.
    expect(hashWith(Infinity, 0)).toBe(unchanged);
    for (const nth of [20, 100, 150]) expect(new Set([hashWith(nth, 0), hashWith(nth, 0.99)])).toContain(unchanged);
    for (const nth of [20, 100, 150]) expect(hashWith(nth, 0)).not.toBe(hashWith(nth, 0.99));
  });
});
