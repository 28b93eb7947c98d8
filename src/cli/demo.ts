import type { Argv, CommandModule } from 'yargs';

import { flagValue, probability, seed, size } from './flags.ts';

const MIN_SIZE_BYTES = 256 * 1024;

export interface DemoArgs {
  seed: number;
  loss: number;
  size: number;
  file: string | undefined;
  json: boolean;
  quiet: boolean;
}

export const demoCommand: CommandModule<object, DemoArgs> = {
  command: 'demo',
  describe: 'what TCP masks, what it does not, and what a group adds: with real processes, in under a minute',
  builder: (yargs: Argv) =>
    yargs
      .options({
        seed: { type: 'string', default: '1', describe: 'of the network and of the file', coerce: seed('--seed') },
        loss: { type: 'string', default: '20%', describe: 'datagrams lost, each way', coerce: flagValue('--loss', checkLoss) },
        size: { type: 'string', default: '8MiB', describe: 'random bytes to send', coerce: size('--size', MIN_SIZE_BYTES) },
        file: { type: 'string', describe: 'a file to send instead', coerce: flagValue('--file', (text) => text) },
      })
      .example('$0 demo', 'the whole of it')
      .example('$0 demo --loss 40% --seed 7', 'a worse network, other losses')
      .epilogue('Exits with 99 if a verdict is not what theory says, or if a fault did not really hit.') as unknown as Argv<DemoArgs>,
  async handler(args) {
    const { runDemo } = await import('./demo/run.ts');
    await runDemo(args);
  },
};

function checkLoss(text: string): number {
  const loss = probability('--loss')(text);
  if (loss === 0 || loss > 0.5) throw new Error(`${text} is out of range: a demonstration of loss needs more than 0% and at most 50%`);
  return loss;
}
