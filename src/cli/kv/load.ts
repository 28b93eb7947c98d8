import type { Argv, CommandModule } from 'yargs';

import { duration, flagValue, seed, whole } from '../flags.ts';
import { targetOptions, type TargetArgs } from '../group/target.ts';

export interface LoadArgs extends TargetArgs {
  clients: number;
  seconds: number;
  keys: number;
  rotate: number;
  read: 'linearizable' | 'local';
  history: string | undefined;
  seed: number;
  json: boolean;
  quiet: boolean;
}

export const loadCommand: CommandModule<object, LoadArgs> = {
  command: 'load',
  describe: 'many clients at once, and a history of what they saw',
  builder: (yargs: Argv) =>
    yargs
      .options({
        clients: { alias: 'c', type: 'string', default: '8', requiresArg: true, describe: 'clients at a time', coerce: whole('--clients', 'number of clients', 1, 256) },
        seconds: { alias: 's', type: 'string', default: '20s', requiresArg: true, describe: 'for so long; a bare number is seconds', coerce: (given: unknown) => duration('--seconds', 1)(/^\d+$/.test(String(given)) ? `${String(given)}s` : given) },
        keys: { type: 'string', default: '5', requiresArg: true, describe: 'keys in use at a time', coerce: whole('--keys', 'number of keys', 1, 1000) },
        rotate: { type: 'string', default: '300', requiresArg: true, describe: 'operations after which a key is left for a new one', coerce: whole('--rotate', 'number of operations', 1, 100_000) },
        read: { choices: ['linearizable', 'local'] as const, default: 'linearizable' as const, requiresArg: true, describe: 'local: reads take whatever one member has; nothing is voted on then' },
        history: { type: 'string', requiresArg: true, describe: 'FILE for the history, a JSON line an operation once it has ended: see `kv check`', coerce: flagValue('--history', (text) => text) },
        seed: { type: 'string', default: '1', requiresArg: true, describe: 'of what is asked', coerce: seed('--seed') },
        ...targetOptions,
      })
      .example('$0 kv load --clients 8 --seconds 20 --history h.jsonl', 'in one terminal')
      .example('$0 group kill leader', 'meanwhile, in another')
      .example('$0 kv check h.jsonl', 'was it as if there were one server?')
      .epilogue('Where answers are voted (sequencer, active), clients count as the group was when they were opened: begin anew after `group add`.') as unknown as Argv<LoadArgs>,
  async handler(args) {
    const { runLoad } = await import('./load-run.ts');
    await runLoad(args);
  },
};
