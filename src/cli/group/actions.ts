import type { Argv, CommandModule } from 'yargs';

import type { HostPort } from '../flags.ts';
import { Reporter } from '../output.ts';
import { askGroup, controlOption } from './control.ts';

interface ActionArgs {
  members: string[];
  control: HostPort;
  json: boolean;
  quiet: boolean;
  direction?: 'both' | 'in' | 'out';
  'with-clients'?: boolean;
}

/** What `group up` does for others, with members to name. */
const ACTIONS = [
  ['kill', 'SIGKILL: they are gone, without a word'],
  ['pause', 'SIGSTOP: they are silent, and think that no time passes'],
  ['resume', 'SIGCONT'],
  ['restart', 'start those again that have ended, with the disk that they had'],
  ['rebuild', 'their disk is not to be believed: a new member takes the place of each'],
  ['remove', 'out of the group, and their processes with them'],
] as const;

function actionCommand(name: string, describe: string): CommandModule<object, ActionArgs> {
  return {
    command: `${name} <members..>`,
    describe,
    builder: (yargs: Argv) => yargs
      .positional('members', { type: 'string', array: true, demandOption: true, describe: 'm1, m2, … as in `group status`; `leader` is the leader or primary of the moment' })
      .options({ control: controlOption }) as unknown as Argv<ActionArgs>,
    handler: (args) => act(name, args),
  };
}

export const partitionCommand: CommandModule<object, ActionArgs> = {
  command: 'partition <members..>',
  describe: 'cut the links between these members and all others',
  builder: (yargs: Argv) => yargs
    .positional('members', { type: 'string', array: true, demandOption: true, describe: 'one side of the partition' })
    .options({
      control: controlOption,
      direction: { choices: ['both', 'in', 'out'] as const, default: 'both' as const, requiresArg: true, describe: 'cut only what they hear (in) or say (out)' },
      'with-clients': { type: 'boolean', default: false, describe: 'cut the links to balancers, too' },
    })
    .example('$0 group partition m1 m2', 'two on one side, the others on the other') as unknown as Argv<ActionArgs>,
  handler: (args) => act('partition', args),
};

export const healCommand: CommandModule<object, ActionArgs> = {
  command: 'heal',
  describe: 'end every partition',
  builder: (yargs: Argv) => yargs.options({ control: controlOption }) as unknown as Argv<ActionArgs>,
  handler: (args) => act('heal', args),
};

export const addCommand: CommandModule<object, ActionArgs> = {
  command: 'add',
  describe: 'start a new member, which catches up',
  builder: (yargs: Argv) => yargs.options({ control: controlOption }) as unknown as Argv<ActionArgs>,
  handler: (args) => act('add', args),
};

export const actionCommands = ACTIONS.map(([name, describe]) => actionCommand(name, describe));

async function act(name: string, args: ActionArgs): Promise<void> {
  const reporter = new Reporter(args);
  const { members = [], direction, control } = args;
  const answer = await askGroup(control, 'POST', `/${name}`, { members, direction, withClients: args['with-clients'] });
  reporter.json({ type: name, ...answer });
  reporter.result(`${name}: ${String(answer['done'])}`);
  if (answer['note'] !== undefined) reporter.info(String(answer['note']));
}
