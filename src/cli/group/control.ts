import { callControl } from '../../net/control-client.ts';
import { CommandError, Exit } from '../exit.ts';
import { hostPort, type HostPort } from '../flags.ts';
import { formatAddress } from '../../core/address.ts';

export const DEFAULT_CONTROL = '127.0.0.1:7700';

/** --control of the commands that talk to a running group. */
export const controlOption = {
  type: 'string', default: DEFAULT_CONTROL, requiresArg: true, describe: 'where `group up` listens for commands (TCP)', coerce: hostPort('--control'),
} as const;

/** Asks the group that listens there. Throws CommandError when none does; what the group refuses is a runtime error. */
export async function askGroup(
  { host, port }: HostPort, method: 'GET' | 'POST', path: string, body?: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await callControl(host, port, method, path, body);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED') throw new CommandError(`no group listens on ${formatAddress({ host, port })}: start one with "failmask group up"`, Exit.noConnection);
    throw new CommandError(message, Exit.runtimeError);
  }
}
