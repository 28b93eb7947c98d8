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

function operation(name: string, positionals: string, describe: string, examples: readonly (readonly [string, string])[], build: (yargs: Argv) => Argv = (yargs) => yargs): CommandModule<object, KvArgs> {
  return {
    command: `${name} <key>${positionals}`,
    describe,
    builder: (yargs: Argv) => build(yargs.positional('key', { type: 'string', demandOption: true, describe: 'name of the value' }).options(targetOptions))
      .example(examples.map(([words, what]) => [`$0 kv ${name} ${words}`, what])) as unknown as Argv<KvArgs>,
    async handler(args) {
      const { runKv } = await import('./kv-run.ts');
      await runKv(name as 'get', args);
    },
  };
}

const value = (yargs: Argv): Argv => yargs.positional('value', { type: 'string', describe: 'text; "-" reads it from stdin' });

const operations = [
  operation('get', '', 'print a value; exits with 1 if there is none', [['colour', 'blue'], ['colour --read local', 'maybe what it was before']], (yargs) => yargs.options({
    read: { choices: ['linearizable', 'local'] as const, default: 'linearizable' as const, requiresArg: true, describe: 'local: whatever one member has, however old; nothing is voted on then, so one liar is believed' },
  })),
  operation('put', ' <value>', 'set a value', [['colour blue', 'done when the group has it']], value),
  operation('cas', ' <value>', 'set a value if what is there is what you expect; exits with 1 if not', [['colour red --expected blue', 'only if it is blue'], ['colour red --absent', 'only if there is none']], (yargs) => value(yargs).options({
    expected: { type: 'string', requiresArg: true, describe: 'what must be there' },
    absent: { type: 'boolean', describe: 'nothing must be there' },
  }).conflicts('expected', 'absent')),
  operation('append', ' <value>', 'put text behind what is there', [['log "one more line;"', 'done once, however often it had to be asked']], value),
  operation('del', '', 'delete; exits with 1 if there was nothing', [['colour', 'it is gone']]),
];

const subcommands: readonly Command[] = [...operations, loadCommand, checkCommand];

export const kvCommand: CommandGroup = {
  command: 'kv',
  describe: 'a client of a replicated key-value store',
  subcommands,
  builder: (yargs: Argv) => yargs
    .demandCommand(1, 'name an operation: get, put, cas, append, del, load, check')
    .example('$0 group up', 'a group for it, in another terminal')
    .example('$0 kv put colour blue', 'and failmask kv get colour')
    .epilogue('Exits with 1 if what was asked for is not so, and with 5 if the group gave no answer in time: more members have failed than it masks.'),
  handler: () => {},
};
