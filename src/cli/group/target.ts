import type { Options } from 'yargs';

import { MODES, traitsOf, type Mode } from '../../group/modes.ts';
import type { ServiceName } from '../../group/services.ts';
import type { GroupPlace } from '../../net/group-client.ts';
import { CommandError, Exit, UsageError } from '../exit.ts';
import { duration, hostPorts, whole, type HostPort } from '../flags.ts';
import { askGroup, controlOption } from './control.ts';

export interface TargetArgs {
  control: HostPort;
  to: HostPort[] | undefined;
  mode: Mode | undefined;
  members: number | undefined;
  cluster: string | undefined;
  timeout: number;
}

/** How clients find their group. */
export const targetOptions = {
  control: { ...controlOption, describe: 'where `group up` listens: tells mode and balancers' },
  to: { type: 'string', requiresArg: true, describe: 'HOST:PORT,… of balancers or members, needs --mode. Default: as --control tells', coerce: hostPorts('--to') },
  mode: { choices: MODES, requiresArg: true, describe: 'of the group, with --to' },
  members: { type: 'string', requiresArg: true, describe: 'of the group, with --to, in the modes in which a majority of answers counts: sequencer, active, quorum', coerce: whole('--members', 'number of members', 1, 9) },
  cluster: { type: 'string', requiresArg: true, describe: 'name of the group, with --to; default: failmask' },
  timeout: { type: 'string', default: '10s', requiresArg: true, describe: 'an operation that is not answered by then has failed', coerce: duration('--timeout', 1) },
} satisfies Record<string, Options>;

export type Target = Required<GroupPlace>;

/** Throws CommandError when there is no group to ask, or one with another service, and UsageError when --to leaves open how many answers are enough. */
export async function findTarget(args: TargetArgs, service: ServiceName): Promise<Target> {
  const { to, mode, members, cluster = 'failmask', timeout, control } = args;
  if (to !== undefined) {
    if (mode === undefined) throw new UsageError('--to: say which --mode the group has: in some, one answer is enough, and in others it must not be');
    const isCounted = traitsOf(mode).asks === 'all';
    if (isCounted && members === undefined) throw new UsageError(`--to: in mode ${mode} a majority of answers counts: say how many --members the group has`);
    return { mode, clusterId: cluster, members: members ?? 1, targets: to, mayBeBalancers: true, operationTimeoutMs: timeout };
  }
  const group = await askGroup(control, 'GET', '/group');
  if (group['service'] !== service) throw new CommandError(`the group "${String(group['clusterId'])}" was started with --service ${String(group['service'])}, and this needs --service ${service}`, Exit.runtimeError);
  const balancers = group['balancers'] as string[];
  const places = balancers.length > 0 ? balancers : (group['members'] as string[]);
  return {
    mode: group['mode'] as Mode, clusterId: String(group['clusterId']), members: Number(group['size']),
    targets: hostPorts('--control')(places.join(',')), mayBeBalancers: balancers.length > 0, operationTimeoutMs: timeout,
  };
}
