import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import type { TraceEvent } from '../../src/core/trace.ts';
import { defaultProfile, parseProfile } from '../../src/link/profile.ts';
import { startProxy, type Proxy } from '../../src/net/proxy.ts';
import type { Server } from '../../src/net/server.ts';
import { connect, type Socket } from '../../src/net/socket.ts';
import type { ConnectionError } from '../../src/tcp/errors.ts';
import { atEnd, cleanUp, collect, listen, open, openPair, pattern, portOf, record, until } from './loopback.ts';

afterEach(cleanUp);

const BLACKHOLE = parseProfile('blackhole');

async function between(server: Server, words = ''): Promise<Proxy> {
  const profile = words === '' ? defaultProfile : parseProfile(words);
  const proxy = await startProxy({ port: 0, targetHost: '127.0.0.1', targetPort: portOf(server), seed: 1, up: profile, down: profile });
  atEnd(() => proxy.close());
  return proxy;
}

async function errorOf(socket: Socket): Promise<ConnectionError> {
  const [error] = (await once(socket, 'error')) as [ConnectionError];
  return error;
}

describe("'finish'", () => {
  it('comes only when the peer has acknowledged every byte and the FIN', async () => {
    const { client, peer } = await openPair({ receiveBufferBytes: 65_536 });
    peer.pause();
    const length = 1 << 20;
    let finished = false;
    client.once('finish', () => {
      finished = true;
      expect(client.info()).toMatchObject({ sendQueueBytes: 0, state: expect.stringMatching(/FIN-WAIT-2|TIME-WAIT|CLOSING/), counters: { bytesAcked: length } });
    });
    client.end(pattern(length));
    await until(() => client.info()!.sendWindowBytes === 0);
    expect(finished).toBe(false);
    const received = await collect(peer);
    expect(received.equals(pattern(length))).toBe(true);
    await until(() => finished);
  });

  it('does not come for bytes that nobody acknowledged', async () => {
    const server = await listen();
    const proxy = await between(server);
    const client = open(proxy.address.port, { userTimeoutMs: 150 });
    await once(client, 'connect');
    proxy.setProfile('down', BLACKHOLE);
    const seen = record(client, ['finish', 'error', 'close']);
    client.end('is anybody there?');
    await new Promise((resolve) => client.once('close', resolve));
    expect(seen).toEqual(['error', 'close']);
  });
});

describe('backpressure', () => {
  it('bounds what both sides hold', async () => {
    const { client, peer } = await openPair({ receiveBufferBytes: 100_000 }, { sendBufferBytes: 200_000 });
    peer.pause();
    client.write(pattern(1 << 20));
    await until(() => client.info()!.sendWindowBytes === 0 && client.info()!.sendQueueBytes === 200_000);
    expect(peer.info()!.receiveQueueBytes).toBeLessThanOrEqual(100_000);
    expect(peer.readableLength).toBeLessThanOrEqual(2 * peer.readableHighWaterMark);
    expect(client.writableNeedDrain).toBe(true);
    peer.resume();
    await once(client, 'drain');
  });

  it('a reader that stalls for longer than the user timeout costs nothing: the peer is alive', async () => {
    const { client, peer } = await openPair({ receiveBufferBytes: 65_536 }, { userTimeoutMs: 300 });
    peer.pause();
    client.end(pattern(500_000));
    // The only clock here that is not the transport's own.
    peer.setTimeout(1000);
    await once(peer, 'timeout');
    expect(client.info()!.counters.windowProbes).toBeGreaterThan(0);
    expect((await collect(peer)).length).toBe(500_000);
  });
});

describe('when nobody answers', () => {
  it('ECONNREFUSED at once where nobody listens, with what is known', async () => {
    const server = await listen();
    const port = portOf(server);
    server.close();
    await once(server, 'close');
    const startedAt = performance.now();
    const error = await errorOf(open(port));
    expect(error).toMatchObject({ code: 'ECONNREFUSED', details: { established: false, bytesAcked: 0 } });
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  it('a silent network: ETIMEDOUT at the connect timeout', async () => {
    const proxy = await between(await listen(), 'blackhole');
    const startedAt = performance.now();
    const error = await errorOf(open(proxy.address.port, { connectTimeoutMs: 200 }));
    expect(error).toMatchObject({ code: 'ETIMEDOUT', timeout: 'connect timeout', details: { established: false, lastHeardMs: Infinity } });
    expect(performance.now() - startedAt).toBeGreaterThan(199);
  });

  it('an established connection: ETIMEDOUT at the user timeout, with what was known', async () => {
    const server = await listen();
    const proxy = await between(server);
    const client = open(proxy.address.port, { userTimeoutMs: 400 });
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], unknown];
    peer.resume();
    client.write(pattern(50_000));
    await until(() => client.info()!.counters.bytesAcked === 50_000);
    proxy.setProfile('up', BLACKHOLE);
    const startedAt = performance.now();
    client.write(pattern(30_000));
    const error = await errorOf(client);
    expect(error).toMatchObject({
      code: 'ETIMEDOUT', timeout: 'user timeout',
      details: { established: true, bytesAcked: 50_000, bytesUnsent: expect.any(Number), srttMs: expect.any(Number), rtoMs: expect.any(Number) },
    });
    const { details } = error;
    expect(details.bytesInFlight + details.bytesUnsent).toBe(30_000);
    expect(details.bytesInFlight).toBeGreaterThan(0);
    expect(details.retransmissions).toBeGreaterThan(0);
    expect(details.lastHeardMs).toBeGreaterThan(399);
    expect(performance.now() - startedAt).toBeGreaterThan(399);
    // It stays readable.
    expect(client.info()).toMatchObject({ state: 'CLOSED', counters: { bytesAcked: 50_000 } });
  });

  it('an idle connection: nothing without keep-alive, ETIMEDOUT with it', async () => {
    const server = await listen();
    const proxy = await between(server);
    const [silent, probing] = [open(proxy.address.port, { userTimeoutMs: 100 }), open(proxy.address.port, { keepAlive: { idleMs: 100, intervalMs: 30, count: 4 } })];
    await Promise.all([once(silent, 'connect'), once(probing, 'connect')]);
    proxy.setProfile('up', BLACKHOLE);
    const error = await errorOf(probing);
    expect(error).toMatchObject({ code: 'ETIMEDOUT', timeout: 'keep-alive', details: { established: true } });
    expect(probing.info()!.counters.keepAliveProbes).toBe(4);
    // More than its user timeout has gone by.
    expect([silent.destroyed, silent.errored]).toEqual([false, null]);
  });

  it('keep-alive can be turned on later, and a live peer answers it', async () => {
    const { client, peer } = await openPair();
    client.setKeepAlive({ idleMs: 20, intervalMs: 20, count: 2 });
    await until(() => client.info()!.counters.keepAliveProbes >= 5);
    expect(client.destroyed).toBe(false);
    client.setKeepAlive(false);
    peer.end('bye');
    expect(String(await collect(client))).toBe('bye');
  });
});

describe('a reset', () => {
  it('carries what was known', async () => {
    const { client, peer } = await openPair();
    client.write('hello');
    await once(peer, 'data');
    const failed = errorOf(client);
    peer.resetAndDestroy();
    expect(await failed).toMatchObject({ name: 'ConnectionError', code: 'ECONNRESET', details: { established: true, bytesInFlight: 0, bytesUnsent: 0 } });
  });

  it('answers data that nobody will read', async () => {
    const { client, peer } = await openPair({ allowHalfOpen: true }, { allowHalfOpen: true });
    peer.pause();
    client.write(pattern(300_000));
    await until(() => peer.info()!.receiveQueueBytes > 0);
    const failed = errorOf(client);
    peer.destroy();
    expect((await failed).code).toBe('ECONNRESET');
  });

  it('is what connections beyond maxConnections get', async () => {
    const server = await listen();
    server.maxConnections = 0;
    expect((await errorOf(open(portOf(server)))).code).toBe('ECONNRESET');
  });

  it('ends all connections at closeAllConnections', async () => {
    const { client, server } = await openPair();
    const failed = errorOf(client);
    server.closeAllConnections();
    expect((await failed).code).toBe('ECONNRESET');
  });

  it.each(['client', 'server'] as const)('that is lost is said again, although the %s has ended', { timeout: 10_000 }, async (side) => {
    const server = await listen();
    const proxy = await between(server);
    const client = open(proxy.address.port);
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], unknown];
    const [victim, other, direction] = side === 'client' ? [client, peer, 'up' as const] : [peer, client, 'down' as const];
    const failed = errorOf(other);
    proxy.setProfile(direction, BLACKHOLE);
    const { blackholed } = proxy.stats()[direction];
    victim.resetAndDestroy();
    server.close();
    await until(() => proxy.stats()[direction].blackholed > blackholed);
    proxy.setProfile(direction, defaultProfile);
    expect((await failed).code).toBe('ECONNRESET');
  });

  it('keeps a closing server for a second, lest nobody answers who missed it', async () => {
    const { peer, server } = await openPair();
    peer.resetAndDestroy();
    const startedAt = performance.now();
    server.close();
    await once(server, 'close');
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    expect(server.address()).toBe(null);
  });

  it('while connecting goes to nobody', async () => {
    const server = await listen();
    const client = open(portOf(server));
    client.resetAndDestroy();
    await once(client, 'close');
    expect(client.errored).toBe(null);
  });
});

describe('options', () => {
  it.each([
    [{ port: 0 }, 'port must be in [1, 65535], not 0'],
    [{ port: 1.5 }, 'port must be in [1, 65535], not 1.5'],
    [{ port: 9, mtuBytes: 10 }, 'mtuBytes must be an integer'],
    [{ port: 9, userTimeoutMs: 0 }, 'userTimeoutMs must be positive'],
    [{ port: 9, keepAlive: { idleMs: 1, intervalMs: 1, count: 0 } }, 'keepAlive.count'],
  ])('out of range are refused at once: %j', (options, message) => {
    expect(() => connect(options)).toThrow(message);
  });

  it('a local port that is taken: EADDRINUSE', async () => {
    const { client, server } = await openPair();
    const error = await errorOf(open(portOf(server), { localPort: client.localPort! }));
    expect((error as NodeJS.ErrnoException).code).toBe('EADDRINUSE');
  });

  it('tap sees every datagram, sink every event', async () => {
    const datagrams: string[] = [];
    const events: TraceEvent[] = [];
    const { client, peer } = await openPair({}, {
      tap: (isOutbound, remote, datagram, timeMs) => {
        expect(Math.abs(timeMs - Date.now())).toBeLessThan(60_000);
        datagrams.push(`${isOutbound ? 'to' : 'from'} ${remote.port}: ${datagram.length}`);
      },
      sink: { emit: (_now, event) => events.push(event) },
    });
    peer.end();
    client.resume();
    await once(client, 'close');
    const info = client.info()!;
    expect(datagrams.filter((text) => text.startsWith(`to ${peer.localPort}`)).length).toBe(info.counters.segmentsSent);
    expect(datagrams.filter((text) => text.startsWith('from')).length).toBe(info.counters.segmentsReceived);
    expect(events.filter(({ type }) => type === 'state').map(({ to }) => to)).toContain('ESTABLISHED');
  });

  it('info() follows the connection', async () => {
    const { client } = await openPair({ integrity: 'accept' }, { congestion: 'fixed:20', mtuBytes: 2000 });
    expect(client.info()).toMatchObject({ state: 'ESTABLISHED', integrity: true, sack: true, timestamps: true, inFlightBytes: 0 });
    expect(client.info()!.smssBytes).toBeLessThanOrEqual(2000 - 12);
    expect(client.info()!.cwndBytes).toBe(20 * client.info()!.smssBytes);
  });
});

describe('a server', () => {
  it('counts what it drops', async () => {
    const server = await listen();
    const { createSocket } = await import('node:dgram');
    const stranger = createSocket('udp4');
    atEnd(() => void stranger.close());
    for (const bytes of [Buffer.alloc(3), Buffer.alloc(12), Buffer.alloc(40, 0xff)]) stranger.send(bytes, portOf(server), '127.0.0.1');
    await until(() => server.counters!.datagramsReceived === 3);
    const { droppedTooShort, droppedBadOffset, droppedBadOption, droppedBadCrc, droppedNoCrc, strangers } = server.counters!;
    expect(droppedTooShort + droppedBadOffset + droppedBadOption + droppedBadCrc + droppedNoCrc + strangers).toBe(3);
  });

  it('gives its options to its sockets', async () => {
    const { peer, client } = await openPair({ allowHalfOpen: true, noDelay: true, congestion: 'fixed:7' });
    expect(peer.info()!.congestion).toMatch(/^fixed/);
    client.end();
    peer.resume();
    await once(peer, 'end');
    expect(peer.writable).toBe(true);
  });
});
