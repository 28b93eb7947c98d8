import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { parseProfile } from '../../src/link/profile.ts';
import { drawScenario } from '../../src/sim/draw.ts';
import { transferScenario } from '../../src/sim/transfer.ts';
import { runScenario } from '../../src/sim/world.ts';
import { OneDrawChanged } from './one-draw-changed.ts';

const RUNNER = fileURLToPath(new URL('run-seeds.ts', import.meta.url));

function hashesHere(from: number, to: number): string[] {
  const hashes: string[] = [];
  for (let seed = from; seed < to; seed++) hashes.push(runScenario(drawScenario(seed)).traceHash);
  return hashes;
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
      runScenario(scenario, { random: new OneDrawChanged(createRandom(3), { stream: 'loss', draw: nth }, () => value * 2 ** 32) }).traceHash;
    const unchanged = runScenario(scenario).traceHash;
    // Never reached: the wrapper itself changes nothing.
    expect(hashWith(Infinity, 0)).toBe(unchanged);
    for (const nth of [20, 100, 150]) expect(new Set([hashWith(nth, 0), hashWith(nth, 0.99)])).toContain(unchanged);
    for (const nth of [20, 100, 150]) expect(hashWith(nth, 0)).not.toBe(hashWith(nth, 0.99));
  });
});
