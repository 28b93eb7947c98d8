import type { Argv, CommandModule } from 'yargs';

import { duration, flagValue, hostPorts, type HostPort } from './flags.ts';
import { transportOptions, type TransportArgs } from './transport-flags.ts';

export interface SendArgs extends TransportArgs {
  /** One address; several, separated by commas, are the members of a group. */
  to: readonly HostPort[];
  file: string;
  'connect-timeout': number;
  ipv4: boolean | undefined;
  ipv6: boolean | undefined;
  json: boolean;
  quiet: boolean;
}

export const sendCommand: CommandModule<object, SendArgs> = {
  command: 'send <to> [file]',
  describe: 'sends FILE or stdin and waits until the peer has confirmed all of it',
  builder: (yargs: Argv) =>
    yargs
      .positional('to', {
        type: 'string', demandOption: true, describe: 'HOST:PORT; several, with commas between them, are the members of a group',
        coerce: hostPorts('HOST:PORT'),
      })
      .positional('file', { type: 'string', default: '-', describe: 'what to send; - is stdin', coerce: flagValue('FILE', (text) => text) })
      .options({
        'connect-timeout': { type: 'string', default: '60s', describe: 'give up when nobody answers for so long', coerce: duration('--connect-timeout', 1) },
        ipv4: { alias: '4', type: 'boolean', describe: 'only IPv4', conflicts: 'ipv6' },
        ipv6: { alias: '6', type: 'boolean', describe: 'only IPv6' },
        ...transportOptions,
      })
      .example('$0 send 127.0.0.1:9001 photo.jpg', 'send a file')
      .example('tar c . | $0 send example.org:9000', 'send a stream')
      .example('$0 send -C fixed --user-timeout 5s [::1]:9001 big.iso', 'no congestion control, five seconds of patience')
      .example('$0 group send photo.jpg', 'send to a replicated group that "failmask group up --service file" runs')
      .epilogue('Exits with 0 only when the peer has acknowledged every byte and has closed its own side, which recv does once the file is safe on its disk.') as unknown as Argv<SendArgs>,
  async handler(args) {
    if (args.to.length > 1) {
      const { runMembersSend } = await import('./send-members.ts');
      await runMembersSend(args);
    } else {
      const { runSend } = await import('./send-run.ts');
      await runSend(args);
    }
  },
};
