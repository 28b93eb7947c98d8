import type { Argv, CommandModule } from 'yargs';

import { flagValue } from '../flags.ts';

export interface CheckArgs {
  file: string;
  json: boolean;
  quiet: boolean;
}

export const checkCommand: CommandModule<object, CheckArgs> = {
  command: 'check <file>',
  describe: 'judge a history: could all answers have come from one server? Exits with 99 if not',
  builder: (yargs: Argv) =>
    yargs
      .positional('file', { type: 'string', demandOption: true, describe: 'a history of `kv load`, JSON lines; - is stdin', coerce: flagValue('FILE', (text) => text) })
      .example('$0 kv check h.jsonl', 'was it as if there were one server?') as unknown as Argv<CheckArgs>,
  async handler(args) {
    const { runCheck } = await import('./check-run.ts');
    runCheck(args);
  },
};
