import type { Argv, CommandModule } from 'yargs';

import { seed, whole } from './flags.ts';

const MAX_COUNT = 1_000_000;

export interface SimArgs {
  seed: number;
  count: number;
  trace: boolean;
  json: boolean;
  quiet: boolean;
}

export const simCommand: CommandModule<object, SimArgs> = {
  command: 'sim',
  describe: 'runs the transport in a simulated world: virtual time, faults from a seed, every checker on',
  builder: (yargs: Argv) =>
    yargs
      .options({
        seed: { type: 'string', default: '1', describe: 'the world to draw; the same seed does the same, to the byte', coerce: seed('--seed') },
        count: { type: 'string', default: '1', describe: 'so many seeds, from this one on', coerce: whole('--count', 'number of seeds', 1, MAX_COUNT) },
        trace: { type: 'boolean', default: false, describe: 'print every event: segments, states, losses, timeouts' },
      })
      .example('$0 sim --seed 42 --trace', 'one world, step by step')
      .example('$0 sim --seed 1 --count 500', 'five hundred worlds, and what they came across')
      .epilogue('Exits with 99 when a checker finds a violation.') as unknown as Argv<SimArgs>,
  async handler(args) {
    const { runSim } = await import('./sim-run.ts');
    runSim(args);
  },
};
