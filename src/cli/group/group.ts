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

export const groupCommand: CommandGroup = {
  command: 'group',
  describe: 'processes that replicate: start a group, hurt it, look at it',
  subcommands,
  builder: (yargs: Argv) => yargs.command([...subcommands]).demandCommand(1, 'name what the group is to do: up, status, kill, …'),
  handler: () => {},
};
