import type { Argv } from 'yargs';

import type { Command, CommandGroup } from '../program.ts';
import { actionCommands, addCommand, healCommand, partitionCommand } from './actions.ts';
import { memberCommand } from './member.ts';
import { nodeCommand } from './node.ts';
import { filesCommand, groupSendCommand } from './send.ts';
import { statusCommand } from './status.ts';
import { upCommand } from './up.ts';

const subcommands: readonly Command[] = [
  upCommand, statusCommand, groupSendCommand, filesCommand, ...actionCommands, partitionCommand, healCommand, addCommand, memberCommand, nodeCommand,
];

const EPILOGUE = `There are two kinds of groups. \`group up\` starts one that replicates a service,
and all other commands but one are for it. \`group member\` is the other kind: one
of several processes that you start one by one, and that take one file together,
from \`failmask send A,B,C\`, which writes to all of them.`;

export const groupCommand: CommandGroup = {
  command: 'group',
  describe: 'processes that replicate: start a group, hurt it, look at it',
  subcommands,
  builder: (yargs: Argv) => yargs
    .demandCommand(1, 'name what the group is to do: up, status, kill, …')
    .example('$0 group up --size 3', 'a replicated key-value store; the other commands are for it')
    .example('$0 kv put colour blue', 'its client, in another terminal')
    .example('$0 group kill leader', 'and see who takes over: failmask group status')
    .epilogue(EPILOGUE),
  handler: () => {},
};
