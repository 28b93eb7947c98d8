import type { Argv, CommandModule } from 'yargs';

import { checkCommand } from './check.ts';
import { loadCommand } from './load.ts';
import { targetOptions, type TargetArgs } from '../group/target.ts';
import type { Command, CommandGroup } from '../program.ts';

export interface KvArgs extends TargetArgs {
  key: string;
  value: string | undefined;
  expected: string | undefined;
  absent: boolean | undefined;
  read: 'linearizable' | 'local';
  json: boolean;
  quiet: boolean;
}

function operation(name: string, positionals: string, describe: string, build: (yargs: Argv) => Argv = (yargs) => yargs): CommandModule<object, KvArgs> {
  return {
    command: `${name} <key>${positionals}`,
    describe,
    builder: (yargs: Argv) => build(yargs.positional('key', { type: 'string', demandOption: true }).options(targetOptions)) as unknown as Argv<KvArgs>,
    async handler(args) {
      const { runKv } = await import('./kv-run.ts');
      await runKv(name as 'get', args);
    },
  };
}

const value = (yargs: Argv): Argv => yargs.positional('value', { type: 'string', describe: 'text; "-" reads it from stdin' });

const operations = [
  operation('get', '', 'print a value; exits with 1 if there is none', (yargs) => yargs.options({
    read: { choices: ['linearizable', 'local'] as const, default: 'linearizable' as const, requiresArg: true, describe: 'local: whatever one member has, however old; nothing is voted on then, so one liar is believed' },
  })),
  operation('put', ' <value>', 'set a value', value),
  operation('cas', ' <value>', 'set a value if what is there is what you expect; exits with 1 if not', (yargs) => value(yargs).options({
    expected: { type: 'string', requiresArg: true, describe: 'what must be there' },
    absent: { type: 'boolean', describe: 'nothing must be there' },
  }).conflicts('expected', 'absent')),
  operation('append', ' <value>', 'put text behind what is there', value),
  operation('del', '', 'delete; exits with 1 if there was nothing'),
];

const subcommands: readonly Command[] = [...operations, loadCommand, checkCommand];

export const kvCommand: CommandGroup = {
  command: 'kv',
  describe: 'a client of a replicated key-value store',
  subcommands,
  builder: (yargs: Argv) => yargs.command([...subcommands]).demandCommand(1, 'name an operation: get, put, cas, append, del, load, check'),
  handler: () => {},
};
