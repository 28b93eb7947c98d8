import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { formatFate } from '../../src/link/fate.ts';
import { defaultProfile, parseProfile } from '../../src/link/profile.ts';
import { parseScript } from '../../src/link/script.ts';
import { startProxy } from '../../src/net/proxy.ts';
import type { Proxy, ProxyOptions } from '../../src/net/proxy.ts';

const cleanups: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Peer {
  readonly socket: Socket;
  readonly port: number;
  readonly received: { readonly bytes: Buffer; readonly from: RemoteInfo }[];
  close(): Promise<void>;
}

async function openPeer(port = 0, host = '127.0.0.1', onMessage?: (socket: Socket, bytes: Buffer, from: RemoteInfo) => void): Promise<Peer> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1 << 22 });
  const received: Peer['received'] = [];
  socket.on('message', (bytes, from) => {
    received.push({ bytes, from });
    onMessage?.(socket, bytes, from);
  });
  socket.bind(port, host);
  await once(socket, 'listening');
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    socket.close();
    await once(socket, 'close');
  };
  cleanups.push(close);
  return { socket, port: socket.address().port, received, close };
}

const openEcho = (port = 0, host = '127.0.0.1'): Promise<Peer> =>
  openPeer(port, host, (socket, bytes, from) => socket.send(bytes, from.port, from.address));

async function openProxy(target: Peer, options: Partial<ProxyOptions> = {}): Promise<Proxy> {
  const proxy = await startProxy({ port: 0, targetHost: '127.0.0.1', targetPort: target.port, seed: 1, ...options });
  cleanups.push(() => proxy.close());
  return proxy;
}

/** Lets the event loop run until `predicate` holds; vitest's own timeout is the limit. */
async function until(predicate: () => boolean): Promise<void> {
  while (!predicate()) await new Promise((resolve) => setImmediate(resolve));
}

function numbered(n: number): Buffer {
  const bytes = Buffer.alloc(100);
  bytes.writeUInt32BE(n);
  return bytes;
}

function numbersAt(peer: Peer): number[] {
  return peer.received.map(({ bytes }) => bytes.readUInt32BE());
}

function sendNumbers(client: Peer, proxy: Proxy, from: number, to: number): void {
  for (let n = from; n <= to; n++) client.socket.send(numbered(n), proxy.address.port, proxy.address.host);
}

describe('a proxy without faults', () => {
  it('carries anything both ways, unchanged', async () => {
    const echo = await openEcho();
    const proxy = await openProxy(echo);
    const client = await openPeer();
    const datagrams = [Buffer.from('x'), Buffer.alloc(0), Buffer.alloc(65_507, 0xa5), Buffer.from([0, 255, 0, 255])];
    for (const [i, datagram] of datagrams.entries()) {
      client.socket.send(datagram, proxy.address.port, proxy.address.host);
      await until(() => client.received.length === i + 1);
      expect(client.received[i]!.bytes.equals(datagram)).toBe(true);
      expect(client.received[i]!.from.port).toBe(proxy.address.port);
    }
    expect(proxy.stats()).toMatchObject({
      up: { offered: 4, delivered: 4 }, down: { offered: 4, delivered: 4 }, clients: 1, icmpErrors: 0, socketErrors: 0, strays: 0,
    });
  });

  it('keeps clients apart, each with its own port towards the target', async () => {
    const echo = await openEcho();
    const proxy = await openProxy(echo);
    const clients = await Promise.all([1, 2, 3].map(() => openPeer()));
    for (let round = 0; round < 2; round++) {
      for (const [i, client] of clients.entries()) sendNumbers(client, proxy, 10 * i + round, 10 * i + round);
    }
    await until(() => clients.every((client) => client.received.length === 2));
    for (const [i, client] of clients.entries()) expect(numbersAt(client)).toEqual([10 * i, 10 * i + 1]);
    expect(new Set(echo.received.map(({ from }) => from.port)).size).toBe(3);
    expect(proxy.stats().clients).toBe(3);
  });

  it('speaks IPv6, also to a target with IPv4', async () => {
    const echo = await openEcho();
    const proxy = await openProxy(echo, { host: '::1' });
    const client = await openPeer(0, '::1');
    sendNumbers(client, proxy, 7, 7);
    await until(() => client.received.length === 1);
    expect(numbersAt(client)).toEqual([7]);
    const echo6 = await openEcho(0, '::1');
    const proxy6 = await openProxy(echo6, { host: '::1', targetHost: '::1' });
    sendNumbers(client, proxy6, 8, 8);
    await until(() => client.received.length === 2);
    expect(numbersAt(client)).toEqual([7, 8]);
  });
});

describe('a proxy with faults', () => {
  async function losses(seed: number): Promise<number[]> {
    const target = await openPeer();
    const proxy = await openProxy(target, { seed, up: parseProfile('loss 20%') });
    const client = await openPeer();
    sendNumbers(client, proxy, 1, 300);
    await until(() => proxy.stats().up.offered === 300 && target.received.length === proxy.stats().up.delivered);
    const { lost, delivered } = proxy.stats().up;
    expect(lost + delivered).toBe(300);
    const arrived = new Set(numbersAt(target));
    return Array.from({ length: 300 }, (_, i) => i + 1).filter((n) => !arrived.has(n));
  }

  it('loses the same datagrams with the same seed', async () => {
    const first = await losses(5);
    expect(first.length).toBeGreaterThan(30);
    expect(first.length).toBeLessThan(90);
    expect(await losses(5)).toEqual(first);
    expect(await losses(6)).not.toEqual(first);
  });

  it('hurts each direction on its own, and says to the tap what it did', async () => {
    const fates: string[] = [];
    const echo = await openEcho();
    const proxy = await openProxy(echo, {
      up: parseProfile('drop-nth 2'), down: parseProfile('drop-nth 1 duplicate 100%'),
      tap: (direction, datagram, client, fate) => {
        fates.push(`${direction} ${Buffer.from(datagram).readUInt32BE()} ${client.port} ${formatFate(fate)}`);
      },
    });
    const client = await openPeer();
    for (const n of [1, 2, 3]) {
      sendNumbers(client, proxy, n, n);
      await until(() => proxy.stats().up.offered === n && proxy.stats().down.offered === proxy.stats().up.delivered);
    }
    await until(() => client.received.length === 2);
    expect(numbersAt(client)).toEqual([3, 3]);
    const port = client.port;
    expect(fates).toEqual([`up 1 ${port} delivered`, `down 1 ${port} lost`, `up 2 ${port} lost`, `up 3 ${port} delivered`, `down 3 ${port} duplicated`]);
  });

  it('holds datagrams for the delay and sends them by its timer', async () => {
    const target = await openPeer();
    const proxy = await openProxy(target, { up: parseProfile('delay 30ms') });
    const client = await openPeer();
    const sentAt = performance.now();
    sendNumbers(client, proxy, 1, 3);
    await until(() => proxy.stats().up.offered === 3);
    expect(proxy.stats().held.up).toBe(3);
    await until(() => target.received.length === 3);
    expect(performance.now() - sentAt).toBeGreaterThanOrEqual(30);
    expect(numbersAt(target)).toEqual([1, 2, 3]);
  });

  it('bounds what it holds', async () => {
    const target = await openPeer();
    const proxy = await openProxy(target, { up: parseProfile('delay 1000s limit 10') });
    const client = await openPeer();
    sendNumbers(client, proxy, 1, 50);
    await until(() => proxy.stats().up.offered === 50);
    expect(proxy.stats()).toMatchObject({ up: { queueFull: 40 }, held: { up: 10 } });
  });

  it('takes a new profile while it runs', async () => {
    const echo = await openEcho();
    const proxy = await openProxy(echo);
    const client = await openPeer();
    proxy.setProfile('down', parseProfile('blackhole'));
    expect(proxy.profile('down').blackhole).toBe(true);
    sendNumbers(client, proxy, 1, 1);
    await until(() => proxy.stats().down.blackholed === 1);
    proxy.setProfile('down', defaultProfile);
    sendNumbers(client, proxy, 2, 2);
    await until(() => client.received.length === 1);
    expect(numbersAt(client)).toEqual([2]);
  });

  it('plays a script', async () => {
    const changes: string[] = [];
    const target = await openPeer();
    const proxy = await openProxy(target, {
      script: parseScript('at 0ms up blackhole; at 20ms heal; at 30ms down loss 30%'),
      onProfileChange: ({ direction, words }) => changes.push(`${direction} ${words}`),
    });
    expect(proxy.profile('up').blackhole).toBe(true);
    await until(() => changes.length === 4);
    expect(changes).toEqual(['up blackhole', 'up heal', 'down heal', 'down loss 30%']);
    expect(proxy.profile('up')).toEqual(defaultProfile);
    expect(proxy.profile('down')).toEqual(parseProfile('loss 30%'));
  });
});

describe('mappings', () => {
  it('survive a target that dies and comes back on the same port; ICMP is swallowed and counted', async () => {
    const target = await openPeer();
    const proxy = await openProxy(target);
    const client = await openPeer();
    sendNumbers(client, proxy, 1, 1);
    await until(() => target.received.length === 1);
    await target.close();
    sendNumbers(client, proxy, 2, 4);
    await until(() => proxy.stats().up.offered === 4 && proxy.stats().icmpErrors > 0);
    const again = await openPeer(target.port);
    for (let n = 5; again.received.length === 0; n++) {
      sendNumbers(client, proxy, n, n);
      await until(() => proxy.stats().up.offered === n);
    }
    expect(again.received[0]!.from.port).toBe(target.received[0]!.from.port);
    expect(proxy.stats()).toMatchObject({ clients: 1, mappings: { created: 1, expired: 0 }, socketErrors: 0 });
    expect(client.received).toEqual([]);
  });

  it('hear the target only', async () => {
    const target = await openPeer();
    const proxy = await openProxy(target);
    const client = await openPeer();
    const stranger = await openPeer();
    sendNumbers(client, proxy, 1, 1);
    await until(() => target.received.length === 1);
    const mappingPort = target.received[0]!.from.port;
    stranger.socket.send(numbered(66), mappingPort, '127.0.0.1');
    target.socket.send(numbered(2), mappingPort, '127.0.0.1');
    await until(() => client.received.length === 1);
    expect(numbersAt(client)).toEqual([2]);
    expect(proxy.stats().down.offered).toBe(1);
  });

  it('are bounded: a client in use is not given up for a new one', async () => {
    const target = await openPeer();
    const proxy = await openProxy(target, { maxMappings: 2 });
    const clients = await Promise.all([1, 2, 3].map(() => openPeer()));
    for (const [i, client] of clients.entries()) {
      sendNumbers(client, proxy, i, i);
      await until(() => proxy.stats().up.offered + proxy.stats().mappings.refused === i + 1);
    }
    expect(proxy.stats()).toMatchObject({ clients: 2, mappings: { created: 2, refused: 1, evicted: 0 } });
  });

  it('expire when idle; what the link still holds for them is a stray', async () => {
    const target = await openPeer();
    const proxy = await openProxy(target, { idleTimeoutMs: 10, up: parseProfile('delay 60ms') });
    const client = await openPeer();
    sendNumbers(client, proxy, 1, 1);
    await until(() => proxy.stats().strays === 1);
    expect(proxy.stats()).toMatchObject({ clients: 0, mappings: { created: 1, expired: 1 } });
  });
});

describe('starting and closing', () => {
  it('says when the address is in use', async () => {
    const target = await openPeer();
    const proxy = await openProxy(target);
    await expect(openProxy(target, { port: proxy.address.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
  it('refuses a script that makes no sense, a loop, and a name that does not resolve', async () => {
    const target = await openPeer();
    await expect(openProxy(target, { script: parseScript('at 1s reorder 5%') })).rejects.toThrow('reorder does nothing');
    await expect(openProxy(target, { host: '0.0.0.0', port: target.port })).rejects.toThrow('forward to itself');
    await expect(openProxy(target, { targetHost: 'no.such.host.invalid' })).rejects.toThrow(/no\.such\.host\.invalid/);
  });
  it('closes once, at once, with datagrams held, and frees the port', async () => {
    const target = await openPeer();
    const proxy = await openProxy(target, { up: parseProfile('delay 1000s') });
    const client = await openPeer();
    sendNumbers(client, proxy, 1, 5);
    await until(() => proxy.stats().held.up === 5);
    await Promise.all([proxy.close(), proxy.close()]);
    await openProxy(target, { port: proxy.address.port });
  });
});
