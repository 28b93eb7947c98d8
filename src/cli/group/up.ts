import type { Argv, CommandModule } from 'yargs';

import { MODES, type Mode } from '../../group/modes.ts';
import { SERVICES, type ServiceName } from '../../group/services.ts';
import { parseProfile, type LinkProfile } from '../../link/profile.ts';
import { duration, flagValue, listenAddress, port, seed, whole, type HostPort } from '../flags.ts';
import { controlOption } from './control.ts';

export interface GroupUpArgs {
  size: number;
  mode: Mode;
  service: ServiceName;
  'data-dir': string | undefined;
  proxy: LinkProfile | undefined;
  balancers: number;
  port: number;
  host: string;
  control: HostPort;
  cluster: string;
  fence: 'view-service' | 'none';
  faulty: string[] | undefined;
  'replace-after': number | undefined;
  'election-timeout': number | undefined;
  seed: number | undefined;
  json: boolean;
  quiet: boolean;
}

const MAX_SIZE = 9;

const EPILOGUE = `Which mode:
  raft            a leader; goes on while a majority is up. If in doubt, this
  primary-backup  a primary; goes on with one member, and three servers beside
  sequencer       a leader orders, all answer, clients take what most say
  active          the same without a leader: order by agreement. Slowest
  quorum          nobody orders: get and put only. Fastest
Modes with views are primary-backup, sequencer and active.

Faults: wrong-value and two-faced lie, to clients, or to members, too; all tell
the same lie, or each another (wrong-value:independent). drops-replies and
drops-requests drop all, or a part (drops-replies:50%). slow answers clients
after 500 ms, or more (slow:2s).

Runs until Ctrl-C, and exits with 0 then. Members speak with no authentication:
keep them on loopback or a network that you trust.`;

export const upCommand: CommandModule<object, GroupUpArgs> = {
  command: 'up',
  describe: 'start a replicated service: members and balancers as processes of their own',
  builder: (yargs: Argv) =>
    yargs
      .options({
        size: { alias: 'n', type: 'string', default: '3', requiresArg: true, describe: 'members', coerce: whole('--size', 'number of members', 1, MAX_SIZE) },
        mode: { alias: 'm', choices: MODES, default: 'raft' as const, requiresArg: true, describe: 'how they agree: see below' },
        service: { alias: 's', choices: SERVICES, default: 'kv' as const, requiresArg: true, describe: 'kv: a key-value store; file: takes files, each member keeps them as DIR/MEMBER/files/NAME (with --data-dir DIR)' },
        'data-dir': { type: 'string', requiresArg: true, describe: 'where members keep their disks, from one start to the next; default: a temporary directory', coerce: flagValue('--data-dir', (text) => text) },
        proxy: {
          type: 'string', requiresArg: true, describe: 'a lossy proxy on every link, in tc-netem\'s words: "loss 10% delay 5ms"; "limit 1000" is a perfect one. Default: none, and `group partition` has nothing to cut',
          coerce: flagValue('--proxy', (text) => parseProfile(text)),
        },
        balancers: { type: 'string', default: '1', requiresArg: true, describe: 'balancers in front', coerce: whole('--balancers', 'number of balancers', 0, MAX_SIZE) },
        port: { alias: 'p', type: 'string', default: '7001', requiresArg: true, describe: 'UDP port of the first balancer; the others follow. 0 lets the system choose', coerce: port('--port') },
        host: { alias: 'H', type: 'string', default: '127.0.0.1', requiresArg: true, describe: 'address that everything listens on', coerce: flagValue('--host', (text) => text) },
        control: { ...controlOption, describe: 'HOST:PORT (TCP) to listen on for `group status`, `group kill`, …', coerce: listenAddress('--control') },
        cluster: { type: 'string', default: 'failmask', requiresArg: true, describe: 'name of the group: members of another are refused', coerce: flagValue('--cluster', checkCluster) },
        fence: { choices: ['view-service', 'none'] as const, default: 'view-service' as const, requiresArg: true, describe: 'modes with views only: who decides that a member is dead, a majority of three servers outside the group, or timeouts alone, each member for itself' },
        faulty: { type: 'string', array: true, requiresArg: true, describe: 'MEMBER:FAULT …: members that are wrong on purpose, as in 2:wrong-value 4:slow:2s; see below. Default: none' },
        'replace-after': { type: 'string', requiresArg: true, describe: 'a member that a balancer has found down for so long is replaced by a new one, which catches up. Default: only `group rebuild` replaces', coerce: duration('--replace-after') },
        'election-timeout': { type: 'string', requiresArg: true, describe: 'silence after which a leader, or any member of a view, is taken for dead. Default: 1s', coerce: duration('--election-timeout', 50) },
        seed: { type: 'string', requiresArg: true, describe: 'makes what the proxies do repeatable; drawn and printed if not given', coerce: seed('--seed') },
      })
      .example('$0 group up --size 5 --mode raft --proxy "loss 10% delay 5ms" --balancers 2', 'five members, each link through a lossy proxy')
      .example('$0 kv put colour blue', 'in another terminal')
      .example('$0 group up --service file --data-dir copies', 'a group that takes files; in another terminal: failmask group send photo.jpg')
      .example('$0 group kill leader', 'and a kv get still says blue')
      .epilogue(EPILOGUE) as unknown as Argv<GroupUpArgs>,
  async handler(args) {
    const { runGroupUp } = await import('./up-run.ts');
    await runGroupUp(args);
  },
};

function checkCluster(text: string): string {
  if (!/^[\w.-]{1,32}$/.test(text)) throw new Error(`"${text}" is no name: letters, digits, ".", "-" and "_", at most 32`);
  return text;
}
