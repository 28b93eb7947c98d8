import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { parseAddress } from '../../src/core/address.ts';
import { defaultProfile } from '../../src/link/profile.ts';
import { GroupLinks, type Place } from '../../src/net/group-links.ts';
import { startProxy } from '../../src/net/proxy.ts';

/** Datagrams after which one that was sent at the same time would have come, too. */
const ROUNDS = 50;

let links: GroupLinks;
let targets: Socket[];
let places: Place[];

beforeEach(async () => {
  links = new GroupLinks({ host: '127.0.0.1', profile: defaultProfile, seed: 1 });
  targets = await Promise.all([1, 2, 3].map(() => bound()));
  places = targets.map((socket, i) => ({ id: `m${i + 1}`, address: `127.0.0.1:${socket.address().port}` }));
});

afterEach(async () => {
  await links.close();
  for (const socket of targets) socket.close();
});

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** Whether datagrams that `from` sends to `to` get there, while others get there through a proxy of their own. */
async function reaches(from: string, to: number): Promise<boolean> {
  const { address } = places[to - 1]!;
  const target = targets[to - 1]!;
  const { port } = target.address();
  const beside = await startProxy({ port: 0, targetHost: '127.0.0.1', targetPort: port, seed: 1 });
  const link = parseAddress((await links.routes(from, places))[address]!)!;
  const client = await bound();
  const heard = { link: 0, beside: 0 };
  target.on('message', (text) => heard[String(text) as 'link' | 'beside']++);
  while (heard.link === 0 && heard.beside < ROUNDS) {
    client.send('link', link.port, link.host);
    client.send('beside', beside.address.port, beside.address.host);
    await once(target, 'message');
  }
  client.close();
  target.removeAllListeners('message');
  await beside.close();
  return heard.link > 0;
}

async function isFree(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  const free = await new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(false)).bind(port, '127.0.0.1', () => resolve(true));
  });
  socket.close();
  return free;
}

const portsOf = (routes: Record<string, string>): number[] => Object.values(routes).map((route) => parseAddress(route)!.port);

it('a member that is gone takes its proxies with it, and nobody else\'s', async () => {
  const [fromM1, fromM2] = [await links.routes('m1', places), await links.routes('m2', places)];
  const [toM2, toM3] = portsOf(fromM1);
  await links.remove('m2');
  for (const port of [toM2!, ...portsOf(fromM2)]) expect(await isFree(port)).toBe(true);
  expect(await isFree(toM3!)).toBe(false);
});

it('two who ask at once get one proxy a link', async () => {
  const [one, other] = await Promise.all([links.routes('m1', places), links.routes('m1', places)]);
  expect(one).toEqual(other);
});

it('a link that is made while a partition lasts is cut, too, until it is healed', async () => {
  await links.partition({ members: new Set(['m1']), direction: 'both', spares: () => false });
  expect(await reaches('m1', 2)).toBe(false);
  expect(await reaches('m2', 3)).toBe(true);
  await links.heal();
  expect(await reaches('m1', 2)).toBe(true);
});

it('cuts only what a member says, or only what it hears', async () => {
  await links.partition({ members: new Set(['m1']), direction: 'out', spares: () => false });
  expect([await reaches('m1', 2), await reaches('m2', 1)]).toEqual([false, true]);
  await links.heal();
  await links.partition({ members: new Set(['m1']), direction: 'in', spares: () => false });
  expect([await reaches('m1', 2), await reaches('m2', 1)]).toEqual([true, false]);
});
