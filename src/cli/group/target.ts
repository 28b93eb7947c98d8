import type { Options } from 'yargs';

import { MODES, type Mode } from '../../group/modes.ts';
import type { ServiceName } from '../../group/services.ts';
import type { GroupPlace } from '../../net/group-client.ts';
import { CommandError, Exit } from '../exit.ts';
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
  to: { type: 'string', requiresArg: true, describe: 'HOST:PORT,… of balancers or members, without asking --control', coerce: hostPorts('--to') },
  mode: { choices: MODES, requiresArg: true, describe: 'of the group, with --to' },
  members: { type: 'string', requiresArg: true, describe: 'of the group, with --to: how many answers are a majority', coerce: whole('--members', 'number of members', 1, 9) },
  cluster: { type: 'string', requiresArg: true, describe: 'name of the group, with --to' },
  timeout: { type: 'string', default: '10s', requiresArg: true, describe: 'an operation that is not answered by then has failed', coerce: duration('--timeout', 1) },
} satisfies Record<string, Options>;

export type Target = Required<GroupPlace>;

/** Throws CommandError when there is no group to ask, or one with another service. */
export async function findTarget(args: TargetArgs, service: ServiceName): Promise<Target> {
  const { to, mode = 'raft', members, cluster = 'failmask', timeout, control } = args;
  if (to !== undefined) return { mode, clusterId: cluster, members: members ?? to.length, targets: to, operationTimeoutMs: timeout };
  const group = await askGroup(control, 'GET', '/group');
  if (group['service'] !== service) throw new CommandError(`the group "${String(group['clusterId'])}" was started with --service ${String(group['service'])}, and this needs --service ${service}`, Exit.runtimeError);
  const places = (group['balancers'] as string[]).length > 0 ? (group['balancers'] as string[]) : (group['members'] as string[]);
  return {
    mode: group['mode'] as Mode, clusterId: String(group['clusterId']), members: Number(group['size']),
    targets: hostPorts('--control')(places.join(',')), operationTimeoutMs: timeout,
  };
}
