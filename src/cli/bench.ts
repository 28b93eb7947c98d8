import type { Argv, CommandModule } from 'yargs';

import { duration, flagValue, rate, seed, size, whole } from './flags.ts';
import type { CommandGroup } from './program.ts';
import { parseProbability } from '../core/units.ts';

const MAX_SEEDS = 1000;
const MAX_ROUNDS = 100;
const MAX_LOSS_RATES = 100;
/** Beyond this, hardly a handshake gets through. */
const MAX_LOSS = 0.9;
const MIN_SIZE_BYTES = 64 * 1024;
const MAX_SIZE_BYTES = 1 << 30;

interface BenchArgs {
  quick: boolean;
  out: string | undefined;
  json: boolean;
  quiet: boolean;
}

export interface GoodputArgs extends BenchArgs {
  rounds: number | undefined;
}

export interface LossArgs extends BenchArgs {
  seed: number;
  seeds: number | undefined;
  loss: readonly number[] | undefined;
  rate: number | undefined;
  rtt: number | undefined;
  size: number | undefined;
  cap: number | undefined;
  where: 'both' | 'simulator' | 'sockets';
}

const COMMON = {
  quick: { type: 'boolean', default: false, describe: 'a small run, to see that it works' },
  out: { type: 'string', requiresArg: true, describe: 'write results (JSON Lines) and plots (SVG) into this directory', coerce: flagValue('--out', (text) => text) },
} as const;

const goodputCommand: CommandModule<object, GoodputArgs> = {
  command: 'goodput',
  describe: 'bytes per second over loopback without loss, beside plain dgram and node:net',
  builder: (yargs: Argv) =>
    yargs
      .options({
        rounds: { type: 'string', requiresArg: true, describe: 'runs of each contestant, in turn (default 3)', coerce: whole('--rounds', 'number of rounds', 1, MAX_ROUNDS) },
        ...COMMON,
      })
      .example('$0 bench goodput --quick', 'does it work?')
      .epilogue('Sender and receiver are processes of their own. Ratios are taken within a round: judge by them and by the CPU time, not by MB/s.') as unknown as Argv<GoodputArgs>,
  async handler(args) {
    const { runGoodput } = await import('./bench-run.ts');
    await runGoodput(args);
  },
};

const lossCommand: CommandModule<object, LossArgs> = {
  command: 'loss',
  describe: 'goodput, time and bytes sent for loss from 0 to 40 %, in the simulator and on real sockets',
  builder: (yargs: Argv) =>
    yargs
      .options({
        where: { choices: ['both', 'simulator', 'sockets'] as const, default: 'both' as const, describe: 'virtual time, real processes through a proxy, or both' },
        loss: { type: 'string', requiresArg: true, describe: 'loss rates each way, with commas (default 0,1%,2%,5%,10%,20%,30%,40%)', coerce: flagValue('--loss', parseLosses) },
        rate: { type: 'string', requiresArg: true, describe: 'speed of the line (default 50mbit)', coerce: rate('--rate') },
        rtt: { type: 'string', requiresArg: true, describe: 'round trip, half of it each way (default 40ms)', coerce: duration('--rtt', 1) },
        size: { type: 'string', requiresArg: true, describe: 'bytes of each transfer (default 8MiB)', coerce: size('--size', MIN_SIZE_BYTES, MAX_SIZE_BYTES) },
        cap: { type: 'string', requiresArg: true, describe: 'stop a transfer after this time (default 60s in the simulator, 3s on sockets)', coerce: duration('--cap', 100) },
        seed: { type: 'string', default: '1', requiresArg: true, describe: 'the first seed; the others count up from it', coerce: seed('--seed') },
        seeds: { type: 'string', requiresArg: true, describe: 'how many seeds (default 10 in the simulator, 1 on sockets)', coerce: whole('--seeds', 'number of seeds', 1, MAX_SEEDS) },
        ...COMMON,
      })
      .example('$0 bench loss --where simulator --out results', 'the loss sweep in virtual time, with plots')
      .epilogue('fixed has a window of one and of two bandwidth-delay products. The same seeds give the same numbers in the simulator, on any machine.') as unknown as Argv<LossArgs>,
  async handler(args) {
    const { runLoss } = await import('./bench-run.ts');
    await runLoss(args);
  },
};

export const benchCommand: CommandGroup = {
  command: 'bench',
  describe: 'measures: goodput without loss, and what loss does to it',
  builder: (yargs: Argv) =>
    yargs
      .demandCommand(1, 'name a benchmark: goodput or loss')
      .example('$0 bench goodput', 'how close to plain dgram and to the kernel')
      .example('$0 bench loss --where simulator --out results', 'the loss sweep in virtual time, with plots')
      .example('$0 bench loss --loss 0,5%,20% --rate 20mbit --rtt 100ms', 'another link'),
  subcommands: [goodputCommand, lossCommand],
  handler: () => {},
};

/** `0,5%,0.2`: loss rates in ascending order. Throws Error with one line. */
export function parseLosses(text: string): readonly number[] {
  const losses = text.split(',').map((word) => parseProbability(word));
  if (losses.length > MAX_LOSS_RATES) throw new Error(`${losses.length} loss rates are too many: at most ${MAX_LOSS_RATES}`);
  const tooLarge = losses.find((loss) => loss > MAX_LOSS);
  if (tooLarge !== undefined) throw new Error(`a loss of ${tooLarge} is too much: at most ${MAX_LOSS}`);
  return [...new Set(losses)].sort((a, b) => a - b);
}
