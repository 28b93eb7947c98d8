import { describe, expect, it } from 'vitest';

import { parseLosses, type LossArgs } from '../../src/cli/bench.ts';
import { sweepOf } from '../../src/cli/bench-run.ts';
import { commands } from '../../src/cli/commands.ts';
import { runProgram } from '../../src/cli/program.ts';

const ARGS: LossArgs = {
  seed: 5, seeds: undefined, loss: undefined, rate: undefined, rtt: undefined, size: undefined, cap: undefined, where: 'both', quick: false, out: undefined,
  json: false, quiet: false,
};

describe('parseLosses', () => {
  it('sorts, and takes each once', () => {
    expect(parseLosses('20%,0,0.05,5%')).toEqual([0, 0.05, 0.2]);
  });

  it.each(['', '5%,', '101%', '95%', 'x'])('refuses %j', (text) => {
    expect(() => parseLosses(text)).toThrow();
  });
});

describe('sweepOf', () => {
  it('counts seeds from the one given', () => {
    expect(sweepOf(ARGS, 'simulator').seeds).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect(sweepOf(ARGS, 'sockets').seeds).toEqual([5]);
  });

  it('fits the windows to the link', () => {
    const sweep = sweepOf({ ...ARGS, rate: 11_616_000, rtt: 100 }, 'simulator');
    expect(sweep.contestants).toEqual(['udp', 'newreno', 'fixed:100', 'fixed:200']);
    expect(sweep.limit).toBe(250);
  });

  it('measures on sockets only what the simulator has, too', () => {
    const simulated = sweepOf(ARGS, 'simulator');
    const real = sweepOf(ARGS, 'sockets');
    expect(simulated.lossProbabilities).toEqual(expect.arrayContaining([...real.lossProbabilities]));
    expect({ ...real, lossProbabilities: [], seeds: [], capMs: 0 }).toEqual({ ...simulated, lossProbabilities: [], seeds: [], capMs: 0 });
  });
});

describe('bench', () => {
  it.each([
    [['bench'], /name a benchmark/],
    [['bench', 'loss', '--loss', '95%'], /--loss: a loss of 0\.95 is too much/],
    [['bench', 'loss', '--where', 'moon'], /--where/],
    [['bench', 'loss', '--rtt'], /--rtt needs a value/],
    [['bench', 'goodput', '--rounds', '0'], /--rounds/],
    [['bench', 'goodput', '--loss', '3%'], /not understood: --loss/],
  ])('%j is wrong usage', async (args, message) => {
    await expect(runProgram(args, commands)).rejects.toThrow(message);
  });
});
