import type { Argv, CommandModule } from 'yargs';

import { actionCommands, addCommand, healCommand, partitionCommand } from './actions.ts';
import { memberCommand } from './member.ts';
import { nodeCommand } from './node.ts';
import { filesCommand, groupSendCommand } from './send.ts';
import { statusCommand } from './status.ts';
import { upCommand } from './up.ts';

export const groupCommand: CommandModule = {
  command: 'group',
  describe: 'processes that replicate: start a group, hurt it, look at it',
  builder: (yargs: Argv) =>
    [upCommand, statusCommand, groupSendCommand, filesCommand, ...actionCommands, partitionCommand, healCommand, addCommand, memberCommand, nodeCommand]
      .reduce((parser, command) => parser.command(command as CommandModule), yargs)
      .demandCommand(1, 'name what the group is to do: up, status, kill, …'),
  handler: () => {},
};
