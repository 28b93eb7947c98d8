import type { Argv, CommandModule } from 'yargs';

import { flagValue, port } from './flags.ts';
import { transportOptions, type TransportArgs } from './transport-flags.ts';

export interface RecvArgs extends TransportArgs {
  port: number;
  host: string;
  output: string;
  'keep-open': boolean;
  json: boolean;
  quiet: boolean;
}

export const recvCommand: CommandModule<object, RecvArgs> = {
  command: 'recv',
  describe: 'listens, writes what it receives to FILE or stdout',
  builder: (yargs: Argv) =>
    yargs
      .options({
        port: { alias: 'p', type: 'string', demandOption: true, describe: 'UDP port to listen on; 0 lets the system choose', coerce: port('--port') },
        host: { alias: 'H', type: 'string', default: '127.0.0.1', describe: 'address to listen on', coerce: flagValue('--host', (text) => text) },
        output: { alias: 'o', type: 'string', default: '-', describe: 'FILE, written as FILE.part until it is complete; - is stdout', coerce: flagValue('--output', (text) => text) },
        'keep-open': { alias: 'k', type: 'boolean', default: false, describe: 'serve one connection after the other; FILE gets a number from the second on' },
        ...transportOptions,
      })
      .example('$0 recv -p 9000 -o copy.jpg', 'receive one file')
      .example('$0 recv -p 9000 | tar x', 'receive a stream')
      .example('$0 recv -p 9000 -k -o upload', 'upload, upload.2, upload.3, …')
      .epilogue('Its own side is closed only when FILE is written, synced and renamed: that is what send waits for.') as unknown as Argv<RecvArgs>,
  async handler(args) {
    const { runRecv } = await import('./recv-run.ts');
    await runRecv(args);
  },
};
