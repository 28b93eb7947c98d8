import type { Argv, CommandModule } from 'yargs';

import { flagValue, port } from '../flags.ts';
import { transportOptions, type TransportArgs } from '../transport-flags.ts';

export interface GroupMemberArgs extends TransportArgs {
  port: number;
  host: string;
  output: string;
  json: boolean;
  quiet: boolean;
}

export const memberCommand: CommandModule<object, GroupMemberArgs> = {
  command: 'member',
  describe: 'no part of a `group up`: takes one file, of a `failmask send A,B,…`, and ends',
  builder: (yargs: Argv) =>
    yargs
      // Groups are printed in the order in which they are first named.
      .group([], 'Options:')
      .options({
        port: { alias: 'p', type: 'string', demandOption: true, requiresArg: true, describe: 'UDP port to listen on; 0 lets the system choose', coerce: port('--port') },
        host: { alias: 'H', type: 'string', default: '127.0.0.1', requiresArg: true, describe: 'address to listen on', coerce: flagValue('--host', (text) => text) },
        output: { alias: 'o', type: 'string', demandOption: true, requiresArg: true, describe: 'FILE, written as FILE.part until it is complete', coerce: flagValue('--output', checkOutput) },
        ...transportOptions,
      })
      .requiresArg(Object.keys(transportOptions))
      .example('$0 group member -p 9001 -o copy1.jpg', 'the first member; the others in other terminals')
      .example('$0 send 127.0.0.1:9001,127.0.0.1:9002 photo.jpg', 'send to both: one may die meanwhile')
      .epilogue('Takes one file and exits with 0 when it is on disk, whole and synced. Members speak with no authentication: keep them on loopback or a network that you trust.') as unknown as Argv<GroupMemberArgs>,
  async handler(args) {
    const { runGroupMember } = await import('./member-run.ts');
    await runGroupMember(args);
  },
};

function checkOutput(text: string): string {
  if (text === '-') throw new Error('a member writes a FILE: what is to be committed cannot be stdout');
  return text;
}
