import { basename } from 'node:path';
import type { Argv, CommandModule } from 'yargs';

import { problemOfName } from '../../group/file-store-operation.ts';
import { UsageError } from '../exit.ts';
import { duration, flagValue } from '../flags.ts';
import { targetOptions, type TargetArgs } from './target.ts';

export interface FilesArgs extends TargetArgs {
  json: boolean;
  quiet: boolean;
}

export interface GroupSendArgs extends FilesArgs {
  file: string;
  name: string | undefined;
  'take-over': boolean;
}

const options = {
  ...targetOptions,
  timeout: { ...targetOptions.timeout, default: '30s', describe: 'give up when the group has confirmed nothing for so long', coerce: duration('--timeout', 1) },
};

/** Throws UsageError when there is none. */
export function nameOf({ file, name }: Pick<GroupSendArgs, 'file' | 'name'>): string {
  if (name === undefined && file === '-') throw new UsageError('stdin has no name: give it one with --name NAME');
  const wanted = name ?? basename(file);
  const problem = problemOfName(wanted);
  if (problem !== undefined) throw new UsageError(`${name === undefined ? 'FILE' : '--name'}: ${problem}`);
  return wanted;
}

export const groupSendCommand: CommandModule<object, GroupSendArgs> = {
  command: 'send [file]',
  describe: 'send FILE or stdin to a group that was started with --service file',
  builder: (yargs: Argv) =>
    yargs
      .positional('file', { type: 'string', default: '-', describe: 'what to send; - is stdin', coerce: flagValue('FILE', (text) => text) })
      .options({
        name: { type: 'string', requiresArg: true, describe: 'what the group is to call it; default: as FILE is called' },
        'take-over': {
          type: 'boolean', default: false,
          describe: 'another sender holds the name and is gone: go on where it stood if what is there is the beginning of FILE, else begin anew',
        },
        ...options,
      })
      .example('$0 group up --service file --data-dir copies', 'a group that takes files')
      .example('$0 group send photo.jpg', 'each member has it then: copies/m1/files/photo.jpg, …')
      .example('tar c . | $0 group send --name src.tar', 'a stream')
      .epilogue('Exits with 0 only when the group has committed: every member that is up has, or is about to have, every byte on its disk, synced, and the SHA-256 is right. A member that crashes in the middle changes nothing, as long as no more do than the group masks.') as unknown as Argv<GroupSendArgs>,
  async handler(args) {
    const { runGroupSend } = await import('./send-run.ts');
    await runGroupSend(args, nameOf(args));
  },
};

export const filesCommand: CommandModule<object, FilesArgs> = {
  command: 'files',
  describe: 'what a group that was started with --service file holds',
  builder: (yargs: Argv) => yargs.options(options).example('$0 group files', 'names, bytes, state, SHA-256') as unknown as Argv<FilesArgs>,
  async handler(args) {
    const { runFiles } = await import('./send-run.ts');
    await runFiles(args);
  },
};
