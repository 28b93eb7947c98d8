import type { Argv, CommandModule } from 'yargs';

import { parseLanguage, type Language } from '../../lab/why/language.ts';
import { flagValue, seed, whole } from '../flags.ts';
import type { Command, CommandGroup } from '../program.ts';

export interface WhyArgs {
  members: number;
  seed: number;
  lang: Language;
  /** One cell of the tables; undefined: all that there is to show. */
  story: string | undefined;
  json: boolean;
  quiet: boolean;
}

const whyCommand: CommandModule<object, WhyArgs> = {
  command: 'why',
  describe: 'why k+1, why 2k+1, why 3k+1: tables by runs, and what happens beyond them. Exits with 99 if a cell is not as theory says',
  builder: (yargs: Argv) =>
    yargs
      .options({
        members: { alias: 'n', type: 'string', default: '5', requiresArg: true, describe: 'groups of up to so many members', coerce: whole('--members', 'number of members', 1, 7) },
        seed: { type: 'string', default: '1', requiresArg: true, describe: 'of the runs', coerce: seed('--seed') },
        lang: { type: 'string', default: 'en', requiresArg: true, describe: 'of what people read: en or pt-BR; --json is the same in all', coerce: flagValue('--lang', parseLanguage) },
        story: { type: 'string', requiresArg: true, describe: 'only the worst run of one cell, MODE/FAULT/N/F' },
      })
      .example('$0 lab why', 'all modes, up to five members, all placements of the faulty ones')
      .example('$0 lab why --lang pt-BR', 'the same in Portuguese')
      .example('$0 lab why --story sequencer/wrong-value:colluding/4/2', 'two of four lie alike: what the client sees') as unknown as Argv<WhyArgs>,
  async handler(args) {
    const { runWhy } = await import('./why-run.ts');
    runWhy(args);
  },
};

export interface ModesArgs {
  members: number;
  runs: number;
  seed: number;
  json: boolean;
  quiet: boolean;
}

const modesCommand: CommandModule<object, ModesArgs> = {
  command: 'modes',
  describe: 'what each mode costs, tolerates and assumes, and how long it is silent when a member goes: from counters. Exits with 99 if they are not as the formulas say',
  builder: (yargs: Argv) =>
    yargs
      .options({
        members: { alias: 'n', type: 'string', default: '5', requiresArg: true, describe: 'groups of 3, 5, 7, … up to so many members', coerce: whole('--members', 'number of members', 3, 9) },
        runs: { type: 'string', default: '9', requiresArg: true, describe: 'fail-overs of each kind', coerce: whole('--runs', 'number of runs', 1, 1000) },
        seed: { type: 'string', default: '1', requiresArg: true, describe: 'of the first run', coerce: seed('--seed') },
      })
      .example('$0 lab modes', 'messages, round trips and syncs an operation, and gaps') as unknown as Argv<ModesArgs>,
  async handler(args) {
    const { runModes } = await import('./modes-run.ts');
    runModes(args);
  },
};

const subcommands: readonly Command[] = [whyCommand, modesCommand];

export const labCommand: CommandGroup = {
  command: 'lab',
  describe: 'experiments: what masks which failure, and why',
  subcommands,
  builder: (yargs: Argv) => yargs.demandCommand(1, 'name an experiment: why, modes'),
  handler: () => {},
};
