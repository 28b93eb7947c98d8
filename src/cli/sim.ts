import type { Argv, CommandModule } from 'yargs';

import { MODES, type Mode } from '../group/modes.ts';
import { DETECTORS, type DetectorKind } from '../sim/group/detector-kind.ts';
import { flagValue, seed, whole } from './flags.ts';

const MAX_COUNT = 1_000_000;

export interface SimArgs {
  seed: number;
  count: number;
  trace: boolean;
  group: Mode | undefined;
  detector: DetectorKind | undefined;
  log: string | undefined;
  shiviz: string | undefined;
  json: boolean;
  quiet: boolean;
}

export const simCommand: CommandModule<object, SimArgs> = {
  command: 'sim',
  describe: 'runs the transport, or a replicated group, in a simulated world: virtual time, faults from a seed, every checker on',
  builder: (yargs: Argv) =>
    yargs
      .options({
        seed: { type: 'string', default: '1', describe: 'the world to draw; the same seed does the same, to the byte', coerce: seed('--seed') },
        count: { type: 'string', default: '1', describe: 'so many seeds, from this one on', coerce: whole('--count', 'number of seeds', 1, MAX_COUNT) },
        trace: { type: 'boolean', default: false, describe: 'print every event: segments, states, losses, timeouts; of a group: transitions, operations, faults' },
        group: { choices: MODES, requiresArg: true, describe: 'a replicated group of this mode in the place of the transport' },
        detector: { choices: DETECTORS, requiresArg: true, describe: 'how members of a group with views find out who is dead: by silence, or told by the simulator, as no real network can. Default: timeout' },
        log: { type: 'string', describe: 'write every event, one JSON object a line', coerce: flagValue('--log', (text) => text) },
        shiviz: { type: 'string', describe: "write a group's transitions and messages with vector clocks, for ShiViz", coerce: flagValue('--shiviz', (text) => text) },
      })
      .example('$0 sim --seed 42 --trace', 'one world, step by step')
      .example('$0 sim --seed 1 --count 500', 'five hundred worlds, and what they came across')
      .example('$0 sim --group raft --seed 7 --log raft.jsonl', 'a Raft group among faults, and its protocol trace')
      .epilogue('Exits with 99 when a checker finds a violation.') as unknown as Argv<SimArgs>,
  async handler(args) {
    const { runSim } = await import('./sim-run.ts');
    runSim(args);
  },
};
