import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Exit } from '../../src/cli/exit.ts';
import { runSim } from '../../src/cli/sim-run.ts';
import type { SimArgs } from '../../src/cli/sim.ts';
import * as groupRun from '../../src/sim/group-run.ts';

const ARGS: SimArgs = { seed: 2, count: 1, trace: false, group: 'quorum', detector: undefined, log: undefined, shiviz: undefined, json: false, quiet: false };

let directory: string;
const written = { stdout: '', stderr: '' };

/** What it printed, and the error it ended with. */
function sim(args: Partial<SimArgs>): { readonly stdout: string; readonly stderr: string; readonly error: unknown } {
  written.stdout = '';
  written.stderr = '';
  try {
    runSim({ ...ARGS, ...args });
  } catch (error) {
    return { ...written, error };
  }
  return { ...written, error: undefined };
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'failmask-sim-'));
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text);
      return true;
    });
  }
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

describe('failmask sim --group', () => {
  it('prints what was drawn, what was come across, the verdict and the hash, the same each time', () => {
    const { stdout, stderr, error } = sim({});
    expect(error).toBeUndefined();
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^seed 2 of quorum\nworld: \d members.*\nmessages: .*\nhosts: .*\nfaults: for .*: [a-z]/);
    expect(stderr).toMatch(/^history judged +\d+ /m);
    expect(stderr).toMatch(/trace [0-9a-f]{64}\nevery checker agrees\n$/);
    expect(sim({}).stderr).toBe(stderr);
    expect(sim({ seed: 3 }).stderr).not.toBe(stderr);
  });

  it('--json and --count: one line a world, then the summary', () => {
    const lines = sim({ json: true, count: 2 }).stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ type }) => type)).toEqual(['world', 'world', 'summary']);
    expect(lines[1]).toMatchObject({ mode: 'quorum', seed: 3, violations: [], scenario: { mode: 'quorum' } });
    expect(lines[2]).toMatchObject({ mode: 'quorum', seed: 2, count: 2, failed: 0, different: 2 });
  });

  it('--trace prints each transition; --log and --shiviz write files', () => {
    const log = join(directory, 'trace.jsonl');
    const shiviz = join(directory, 'trace.txt');
    const { stderr } = sim({ trace: true, log, shiviz });
    expect(stderr).toMatch(/^ +\d+\.\d{3} =+ +c\d +(get|put) /m);
    const events = readFileSync(log, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(new Set(events.map(({ type }) => type))).toContain('append');
    expect(events.every(({ ms, member }) => typeof ms === 'number' && typeof member === 'string')).toBe(true);
    expect(readFileSync(shiviz, 'utf8').split('\n')).toHaveLength(events.length + 3);
  });

  it('--log is of the transport, too', () => {
    const log = join(directory, 'trace.jsonl');
    expect(sim({ group: undefined, seed: 4, log }).error).toBeUndefined();
    const [first] = readFileSync(log, 'utf8').split('\n');
    expect(JSON.parse(first!)).toMatchObject({ ms: expect.any(Number) as number, host: expect.any(String) as string, type: expect.any(String) as string });
  });

  it('--detector perfect: nobody who lives is suspected; with timeouts somebody is', () => {
    const suspicions = (detector: 'perfect' | 'timeout'): unknown => {
      const { stdout, error } = sim({ group: 'primary-backup', detector, seed: 11, count: 3, json: true });
      expect(error).toBeUndefined();
      return (JSON.parse(stdout.trim().split('\n').at(-1)!) as { coverage: Record<string, number> }).coverage['false suspicion'];
    };
    expect(suspicions('timeout')).toBeGreaterThan(0);
    expect(suspicions('perfect')).toBe(0);
  });

  it('a violation: what, the world, the last transitions, how to see it again, and exit code 99', () => {
    const real = groupRun.runGroupSeed;
    vi.spyOn(groupRun, 'runGroupSeed').mockImplementation((mode, seed, options) => ({
      ...real(mode, seed, options), violations: [{ checker: 'vote', atMs: 7, host: 'm1', message: 'voted twice' }],
    }));
    const { stderr, error } = sim({ count: 2 });
    expect(error).toMatchObject({ exitCode: Exit.expectationNotMet, message: '2 of 2 worlds broke a rule' });
    expect(stderr).toMatch(/seed 3 of quorum, replay with: failmask sim --group quorum --seed 3 --trace\n +7\.000 ms m1: vote: voted twice\n +world: /);
  });

  it.each<[string, Partial<SimArgs>]>([
    ['--shiviz', { group: undefined, shiviz: 'file' }],
    ['--log', { count: 2, log: 'file' }],
    ['--shiviz', { count: 2, shiviz: 'file' }],
    ['--detector', { detector: 'perfect' }],
    ['--detector', { group: undefined, detector: 'timeout' }],
  ])('%s where it makes no sense is refused before anything is run', (flag, args) => {
    expect(sim(args).error).toMatchObject({ exitCode: Exit.wrongUsage, message: expect.stringContaining(flag) as string });
  });
});
