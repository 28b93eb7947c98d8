import type { Options } from 'yargs';

import { MODES, type Mode } from '../../group/modes.ts';
import { KvClient } from '../../net/kv-client.ts';
import { duration, hostPorts, whole, type HostPort } from '../flags.ts';
import { askGroup, controlOption } from '../group/control.ts';

export interface TargetArgs {
  control: HostPort;
  to: HostPort[] | undefined;
  mode: Mode | undefined;
  members: number | undefined;
  cluster: string | undefined;
  timeout: number;
}

/** How the kv commands find their group. */
export const targetOptions = {
  control: { ...controlOption, describe: 'where `group up` listens: tells mode and balancers' },
  to: { type: 'string', requiresArg: true, describe: 'HOST:PORT,… of balancers or members, without asking --control', coerce: hostPorts('--to') },
  mode: { choices: MODES, requiresArg: true, describe: 'of the group, with --to' },
  members: { type: 'string', requiresArg: true, describe: 'of the group, with --to: how many answers are a majority', coerce: whole('--members', 'number of members', 1, 9) },
  cluster: { type: 'string', requiresArg: true, describe: 'name of the group, with --to' },
  timeout: { type: 'string', default: '10s', requiresArg: true, describe: 'an operation that is not answered by then has failed', coerce: duration('--timeout', 1) },
} satisfies Record<string, Options>;

export interface Target {
  readonly mode: Mode;
  readonly clusterId: string;
  readonly members: number;
  readonly targets: readonly HostPort[];
  readonly operationTimeoutMs: number;
}

/** Throws CommandError when there is no group to ask. */
export async function findTarget(args: TargetArgs): Promise<Target> {
  const { to, mode = 'raft', members, cluster = 'failmask', timeout, control } = args;
  if (to !== undefined) return { mode, clusterId: cluster, members: members ?? to.length, targets: to, operationTimeoutMs: timeout };
  const group = await askGroup(control, 'GET', '/group');
  const places = (group['balancers'] as string[]).length > 0 ? (group['balancers'] as string[]) : (group['members'] as string[]);
  return {
    mode: group['mode'] as Mode, clusterId: String(group['clusterId']), members: Number(group['size']),
    targets: hostPorts('--control')(places.join(',')), operationTimeoutMs: timeout,
  };
}

export function openClient(target: Target): Promise<KvClient> {
  return KvClient.open(target);
}
