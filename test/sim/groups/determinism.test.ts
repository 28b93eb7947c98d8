import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../../../src/core/random.ts';
import { MODES, type Mode } from '../../../src/group/modes.ts';
import { runGroupSeed } from '../../../src/sim/group-run.ts';
import { OneDrawChanged } from '../one-draw-changed.ts';


const RUNNER = fileURLToPath(new URL('run-group-seeds.ts', import.meta.url));

function hashOf(mode: Mode, seed: number, random?: Random): string {
  return runGroupSeed(mode, seed, { keepLines: 0, ...(random === undefined ? {} : { random }) }).traceHash;
}

describe.each(MODES)('the trace hash of a group, mode %s', (mode) => {
  it('is the same for the same seed, also in another process', () => {
    const first = [1, 2, 3, 4].map((seed) => hashOf(mode, seed));
    expect([1, 2, 3, 4].map((seed) => hashOf(mode, seed))).toEqual(first);
    const other = execFileSync(process.execPath, ['--import', 'tsx', RUNNER, mode, '1', '5', 'hashes'], { encoding: 'utf8' });
    expect(JSON.parse(other)).toEqual(first);
  });

  it('differs by one draw, wherever it is drawn', () => {
    const random = (stream: string, draw: number): Random => new OneDrawChanged(createRandom(3).fork(`group ${mode}`), { stream, draw }, (drawn) => ~drawn);
    const unchanged = hashOf(mode, 3);
    // Never reached: the wrapper itself changes nothing.
    expect(hashOf(mode, 3, random('m0>m1', Infinity))).toBe(unchanged);
    for (const name of ['m0>c0', 'c0>m0', 'workload', 'nemesis', 'disk', 'scenario']) {
      // Some draws say nothing, as whether a message is lost where none is; one of these does.
      const isSeen = [11, 12, 13, 1, 2, 3, 4, 5, 6].some((draw) => hashOf(mode, 3, random(name, draw)) !== unchanged);
      expect(isSeen, name).toBe(true);
    }
  });
});
