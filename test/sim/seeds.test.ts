import { afterAll, describe, expect, it } from 'vitest';
import { textTable } from '../../src/report/table.ts';
import { Coverage, COVERAGE, COVERAGE_NAMES } from '../../src/sim/coverage.ts';
import { drawScenario } from '../../src/sim/draw.ts';
import { runScenario } from '../../src/sim/world.ts';

const SEEDS = 500;
const SEEDS_PER_TEST = 50;

const coverage = new Coverage();
let ran = 0;

/** The violations of a seed, with the command that replays it; empty when every checker agrees. */
function run(seed: number): string {
  const result = runScenario(drawScenario(seed));
  coverage.addAll(result.coverage);
  ran++;
  if (result.violations.length === 0) return '';
  const found = result.violations.map(({ checker, atMs, host, message }) => `  ${atMs.toFixed(3)} ms ${host}: ${checker}: ${message}`);
  return [`seed ${seed}, replay with: npx tsx src/cli/main.ts sim --seed ${seed} --trace`, ...found].join('\n');
}

describe('the transport in random worlds, all checkers on', () => {
  for (let first = 1; first <= SEEDS; first += SEEDS_PER_TEST) {
    it(`seeds ${first} to ${first + SEEDS_PER_TEST - 1}`, { timeout: 120_000 }, () => {
      const failures: string[] = [];
      for (let seed = first; seed < first + SEEDS_PER_TEST; seed++) failures.push(run(seed));
      expect(failures.filter((failure) => failure !== '').join('\n')).toBe('');
    });
  }

  it('came across everything that they are meant to', ({ skip }) => {
    if (ran < SEEDS) skip('only some of the seeds were run');
    expect(coverage.missing()).toEqual([]);
  });

  afterAll(() => {
    console.log(textTable(['came across', 'times', 'what'], COVERAGE_NAMES.map((name) => [name, coverage.counts[name], COVERAGE[name]])));
  });
});

describe('a drawn world', () => {
  it('moves at least 256 KiB each way', () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const attempts = drawScenario(seed).clients.flatMap((client) => client.attempts);
      expect(attempts.reduce((sum, { client }) => sum + client.writeBytes, 0)).toBeGreaterThanOrEqual(256 * 1024);
      expect(attempts.reduce((sum, { server }) => sum + server.writeBytes, 0)).toBeGreaterThanOrEqual(256 * 1024);
    }
  });

  it('corrupts only where both ends insist on the CRC', () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { server, clients } = drawScenario(seed);
      for (const { up, down, config } of clients) {
        if (up.corrupt.probability + down.corrupt.probability === 0) continue;
        expect([server.config.integrity, config.integrity]).toEqual(['required', 'required']);
      }
    }
  });
});
