import { startProxy } from '../net/proxy.ts';
import { linkOf } from './loss-sweep.ts';
import { report, type ProxyParameters, type Ready } from './roles.ts';

/** The link of a sweep in front of a port; runs until it is killed. */
export async function runProxy({ targetPort, sweep, lossProbability, seed }: ProxyParameters): Promise<void> {
  const link = linkOf(sweep, lossProbability);
  const proxy = await startProxy({ port: 0, targetHost: '127.0.0.1', targetPort, seed, up: link, down: link });
  const ready: Ready = { port: proxy.address.port };
  report('ready', ready);
}
