import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { cleanUp, collect, until } from './loopback.ts';
import { closeOf, codeOf, toolsOf, type SocketApi, type StreamSocket } from './socket-api.ts';

/** The behaviour of a server that programs written for node:net rely on. */
export function describeServers(api: SocketApi): void {
  const { listen, open, openPair } = toolsOf(api);

  describe(`${api.name}: a server`, () => {
    afterEach(cleanUp);

    it('serves 200 connections at once', async () => {
      const { server, port } = await listen();
      server.on('connection', (peer: StreamSocket) => peer.pipe(peer));
      const echoes = await Promise.all(
        [...Array(200).keys()].map(async (i) => {
          const client = open(port);
          client.end(`I am ${i}. `.repeat(500));
          return String(await collect(client));
        }),
      );
      expect(echoes).toEqual([...Array(200).keys()].map((i) => `I am ${i}. `.repeat(500)));
    });

    it('counts its connections', async () => {
      const { server, port } = await listen();
      const count = (): Promise<number> => new Promise((resolve) => server.getConnections((_error, n) => resolve(n)));
      expect(await count()).toBe(0);
      const clients = [open(port), open(port)];
      await until(() => clients.every((client) => !client.connecting));
      let n = 0;
      // Both are known to the server soon after the clients know it.
      const poll = (wanted: number): Promise<void> => until(() => (void count().then((got) => (n = got)), n === wanted));
      await poll(2);
      clients[0]!.destroy();
      await poll(1);
    });

    it('close(): refuses new connections, lets the old ones live, and closes after them', async () => {
      const { client, peer, server } = await openPair();
      const { port } = server.address() as AddressInfo;
      let closed = 0;
      server.close(() => closed++);
      expect(server.listening).toBe(false);
      const late = open(port);
      const refused = once(late, 'error');
      expect((await refused).map(codeOf)).toEqual(['ECONNREFUSED']);
      client.write('still here');
      expect(String((await once(peer, 'data'))[0])).toBe('still here');
      expect(closed).toBe(0);
      client.end();
      client.resume();
      await once(server, 'close');
      expect([closed, server.address()]).toEqual([1, null]);
    });

    it('close() when it does not listen', async () => {
      const server = api.createServer({});
      const error = await new Promise((resolve) => server.close(resolve));
      expect(codeOf(error)).toBe('ERR_SERVER_NOT_RUNNING');
    });

    it('close() right after listen()', async () => {
      const server = api.createServer({});
      server.listen(0, '127.0.0.1');
      await new Promise<void>((resolve) => server.close(() => resolve()));
      expect(server.listening).toBe(false);
    });

    it('cannot listen twice, but again after it was closed', async () => {
      const { server } = await listen();
      expect(() => server.listen(0)).toThrow(expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }));
      await new Promise<void>((resolve) => server.close(() => resolve()));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const client = open((server.address() as AddressInfo).port);
      await once(client, 'connect');
    });

    it('a port in use: EADDRINUSE, and another try is possible', async () => {
      const { port } = await listen();
      const server = api.createServer({});
      server.listen(port, '127.0.0.1');
      expect((await once(server, 'error')).map(codeOf)).toEqual(['EADDRINUSE']);
      expect(server.listening).toBe(false);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      server.close();
    });

    it('takes a callback, a port alone, or an object', async () => {
      for (const args of [[0], [0, '127.0.0.1'], [{ port: 0, host: '127.0.0.1' }], [{ port: 0, host: '127.0.0.1', backlog: 5 }], []]) {
        const server = api.createServer({});
        await new Promise<void>((resolve) => server.listen(...args, () => resolve()));
        expect((server.address() as AddressInfo).port).toBeGreaterThan(0);
        await new Promise<void>((resolve) => server.close(() => resolve()));
      }
    });

    it('maxConnections: one more is dropped, and said', async () => {
      const { server, port, sockets } = await listen();
      server.maxConnections = 1;
      const first = open(port);
      await Promise.all([once(first, 'connect'), once(server, 'connection')]);
      const dropped = once(server, 'drop');
      const second = open(port);
      second.resume();
      await Promise.all([closeOf(second), dropped]);
      expect(sockets.length).toBe(1);
      first.destroy();
      await until(() => sockets[0]!.closed || (sockets[0]!.resume(), false));
      const third = open(port);
      await Promise.all([once(third, 'connect'), once(server, 'connection')]);
      expect(sockets.length).toBe(2);
    });

    it('IPv6', async (context) => {
      let v6;
      try {
        v6 = await listen({}, '::1');
      } catch (error) {
        if (codeOf(error) === 'EADDRNOTAVAIL') context.skip('this machine has no IPv6');
        throw error;
      }
      const client = open(v6.port, { host: '::1' });
      v6.server.on('connection', (peer: StreamSocket) => peer.pipe(peer));
      await once(client, 'connect');
      expect([client.remoteAddress, client.remoteFamily]).toEqual(['::1', 'IPv6']);
      client.end('six');
      expect(String(await collect(client))).toBe('six');
      expect(v6.server.address()).toEqual({ address: '::1', family: 'IPv6', port: v6.port });
    });
  });
}
