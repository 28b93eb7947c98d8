/** Entry of the processes that an experiment consists of: one role each, told in the only argument. */
import { exitWithParent } from '../net/supervisor.ts';
import type { RoleName, RoleParameters } from './roles.ts';

type Runner<Role extends RoleName> = (parameters: RoleParameters[Role]) => void | Promise<void>;

const RUNNERS: { readonly [Role in RoleName]: () => Promise<Runner<Role>> } = {
  'stream-receive': async () => (await import('./stream-roles.ts')).receiveStream,
  'stream-send': async () => (await import('./stream-roles.ts')).sendStream,
  'datagram-receive': async () => (await import('./datagram-roles.ts')).receiveDatagrams,
  'datagram-send': async () => (await import('./datagram-roles.ts')).sendDatagrams,
  'paced-receive': async () => (await import('./paced-roles.ts')).receivePaced,
  'paced-send': async () => (await import('./paced-roles.ts')).sendPaced,
  proxy: async () => (await import('./proxy-role.ts')).runProxy,
  simulate: async () => (await import('./simulate-role.ts')).simulate,
};

exitWithParent();
const { role, parameters } = JSON.parse(process.argv[2]!) as { role: RoleName; parameters: never };
const run = (await RUNNERS[role]()) as Runner<RoleName>;
await run(parameters);
