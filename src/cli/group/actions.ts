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

/** What `group up` does for others, with members to name, and an example. */
const ACTIONS = [
  ['kill', 'end processes by SIGKILL: they are gone, without a word', 'leader', 'who takes over?'],
  ['pause', 'stop processes by SIGSTOP: they are silent, and think that no time passes', 'm2', 'a member that seems dead'],
  ['resume', 'let paused processes go on (SIGCONT)', 'm2', 'it wakes, and catches up'],
  ['restart', 'start processes again that have ended, with the disk that they had', 'm1 m2', 'one after the other'],
  ['rebuild', 'replace members whose disk is lost or damaged by new ones, which catch up', 'm2', 'a new member gets everything from the others'],
  ['remove', 'take members out of the group, and end their processes', 'm3', 'the others go on, and fewer are a majority'],
] as const;

function actionCommand(name: string, describe: string, members: string, what: string): CommandModule<object, ActionArgs> {
  return {
    command: `${name} <members..>`,
    describe,
    builder: (yargs: Argv) => yargs
      .positional('members', { type: 'string', array: true, demandOption: true, describe: 'm1, m2, … as in `group status`; `leader` is the leader or primary of the moment' })
      .options({ control: controlOption })
      .example(`$0 group ${name} ${members}`, what) as unknown as Argv<ActionArgs>,
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
  builder: (yargs: Argv) => yargs.options({ control: controlOption }).example('$0 group heal', 'what was apart hears each other again') as unknown as Argv<ActionArgs>,
  handler: (args) => act('heal', args),
};

export const addCommand: CommandModule<object, ActionArgs> = {
  command: 'add',
  describe: 'start a new member, which catches up',
  builder: (yargs: Argv) => yargs.options({ control: controlOption }).example('$0 group add', 'returns when the group counts on it') as unknown as Argv<ActionArgs>,
  handler: (args) => act('add', args),
};

export const actionCommands = ACTIONS.map(([name, describe, members, what]) => actionCommand(name, describe, members, what));

async function act(name: string, args: ActionArgs): Promise<void> {
  const reporter = new Reporter(args);
  const { members = [], direction, control } = args;
  const answer = await askGroup(control, 'POST', `/${name}`, { members, direction, withClients: args['with-clients'] });
  reporter.json({ type: name, ...answer });
  reporter.result(`${name}: ${String(answer['done'])}`);
  if (answer['note'] !== undefined) reporter.info(String(answer['note']));
}
