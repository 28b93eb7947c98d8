import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { cleanUp, collect, pattern, record, until } from './loopback.ts';
import { closeOf, codeOf, toolsOf, type SocketApi, type StreamSocket } from './socket-api.ts';

const EVENTS = ['connect', 'ready', 'data', 'end', 'finish', 'close'];

/** The behaviour of a connection that programs written for node:net rely on. */
export function describeSockets(api: SocketApi): void {
  const { listen, open, openPair } = toolsOf(api);

  describe(`${api.name}: a connection`, () => {
    afterEach(cleanUp);

    it('tells its life in events, in order', async () => {
      const { port, server } = await listen();
      const served: string[] = [];
      server.once('connection', (peer: StreamSocket) => {
        record(peer, EVENTS, served);
        peer.end('hello');
      });
      const client = open(port);
      const seen = record(client, EVENTS);
      await once(client, 'close');
      expect(seen).toEqual(['connect', 'ready', 'data', 'end', 'finish', 'close']);
      await until(() => served.includes('close'));
      // The server's side was never connecting, and nobody read its empty rest.
      expect(served.filter((name) => name !== 'end' && name !== 'data')).toEqual(['finish', 'close']);
    });

    it('knows its state', async () => {
      const { server, port } = await listen({ allowHalfOpen: true });
      const states: unknown[] = [];
      server.once('connection', (peer: StreamSocket) => states.push(peer.connecting, peer.pending, peer.readyState));
      const client = open(port, { allowHalfOpen: true });
      expect([client.connecting, client.pending, client.readyState]).toEqual([true, true, 'opening']);
      await Promise.all([once(client, 'connect'), once(server, 'connection')]);
      expect(states).toEqual([false, false, 'open']);
      expect([client.connecting, client.pending, client.readyState]).toEqual([false, false, 'open']);
      client.end();
      expect(client.readyState).toBe('readOnly');
      client.destroy();
      await once(client, 'close');
      expect([client.connecting, client.pending, client.readyState, client.destroyed]).toEqual([false, true, 'closed', true]);
    });

    it('knows its addresses', async () => {
      const { client, peer, server } = await openPair();
      const { port } = server.address() as AddressInfo;
      expect(server.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port });
      expect([client.remoteAddress, client.remotePort, client.remoteFamily]).toEqual(['127.0.0.1', port, 'IPv4']);
      expect(client.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: client.localPort });
      expect([peer.remoteAddress, peer.remotePort]).toEqual([client.localAddress, client.localPort]);
      expect(peer.localPort).toBe(port);
    });

    it('carries bytes both ways, and counts them', async () => {
      const { client, peer } = await openPair();
      peer.pipe(peer);
      const bytes = pattern(300_000);
      client.end(bytes);
      expect((await collect(client)).equals(bytes)).toBe(true);
      expect([client.bytesWritten, client.bytesRead]).toEqual([bytes.length, bytes.length]);
      expect([peer.bytesWritten, peer.bytesRead]).toEqual([bytes.length, bytes.length]);
    });

    it('counts as written what is still waiting', async () => {
      const { client, peer } = await openPair();
      peer.pause();
      const chunk = pattern(1 << 20);
      for (let i = 1; i <= 20; i++) client.write(chunk);
      expect(client.bytesWritten).toBe(20 * chunk.length);
      // Now the first chunks are partly taken.
      let drained = false;
      client.once('drain', () => {
        drained = true;
      });
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(client.bytesWritten).toBe(20 * chunk.length);
      expect(drained).toBe(false);
    });

    it('takes writes and an end before it is connected', async () => {
      const { port, server } = await listen();
      const client = open(port);
      client.write('one ');
      client.write('two ', 'utf8');
      client.end('three');
      const [peer] = (await once(server, 'connection')) as [StreamSocket];
      expect(String(await collect(peer))).toBe('one two three');
      await until(() => client.writableFinished);
    });

    it('takes an end alone before it is connected', async () => {
      const { port, server } = await listen();
      const client = open(port);
      let called = 0;
      client.end(() => called++);
      const [peer] = (await once(server, 'connection')) as [StreamSocket];
      peer.resume();
      await once(client.resume(), 'close');
      expect([client.writableFinished, called]).toEqual([true, 1]);
    });

    it('takes empty writes, strings in encodings, and corked ones', async () => {
      const { client, peer } = await openPair();
      client.setDefaultEncoding('hex');
      const callbacks: number[] = [];
      client.write('', () => callbacks.push(0));
      client.cork();
      client.write('6162');
      client.write(Buffer.alloc(0));
      client.write('é', 'latin1', () => callbacks.push(1));
      client.uncork();
      client.end();
      expect([...(await collect(peer))]).toEqual([0x61, 0x62, 0xe9]);
      expect(callbacks).toEqual([0, 1]);
    });

    it('gives strings when asked to', async () => {
      const { client, peer } = await openPair();
      client.setEncoding('utf8');
      const text = 'äöü€'.repeat(10_000);
      peer.end(text);
      let got = '';
      for await (const part of client) got += part as string;
      expect(got).toBe(text);
    });

    it('works with pipeline and async iteration', async () => {
      const { client, peer } = await openPair();
      const bytes = pattern(1 << 20);
      const chunks = [...Array(16).keys()].map((i) => bytes.subarray(i << 16, (i + 1) << 16));
      const [, echoed] = await Promise.all([
        pipeline(peer, new PassThrough(), peer),
        collect(client),
        pipeline(Readable.from(chunks), client, { end: true }),
      ]);
      expect(echoed.equals(bytes)).toBe(true);
    });
  });

  describe(`${api.name}: half-close`, () => {
    afterEach(cleanUp);

    it.each(['client', 'server'])('the %s ends first, the other way still works', async (first) => {
      const { client, peer } = await openPair({ allowHalfOpen: true });
      const [ender, other] = first === 'client' ? [client, peer] : [peer, client];
      ender.end('request');
      expect(String(await collect(other))).toBe('request');
      expect([ender.readable, ender.writable, other.writable]).toEqual([true, false, true]);
      other.write('late ');
      const [answer] = (await once(ender, 'data')) as [Buffer];
      expect(String(answer)).toBe('late ');
      other.end('answer');
      expect(String(await collect(ender))).toBe('answer');
      await Promise.all([until(() => ender.closed), until(() => other.closed)]);
      expect([ender.errored, other.errored]).toEqual([null, null]);
    });

    it('without allowHalfOpen the end is answered with an end', async () => {
      const { client, peer } = await openPair();
      peer.resume();
      client.resume();
      client.end();
      await Promise.all([once(client, 'close'), once(peer, 'close')]);
      expect([peer.writableEnded, peer.writableFinished, client.readableEnded]).toEqual([true, true, true]);
    });

    it('a write after end is an error, and tells its callback', async () => {
      const { client } = await openPair({ allowHalfOpen: true });
      client.end();
      const failed = once(client, 'error');
      const told = new Promise((resolve) => client.write('more', resolve));
      expect((await failed).map(codeOf)).toEqual(['ERR_STREAM_WRITE_AFTER_END']);
      expect(codeOf(await told)).toBe('ERR_STREAM_WRITE_AFTER_END');
    });
  });

  describe(`${api.name}: backpressure`, () => {
    afterEach(cleanUp);

    it('a reader that pauses stops the writer; nothing is lost when it goes on', async () => {
      const { client, peer } = await openPair();
      peer.pause();
      const chunk = pattern(1 << 16);
      let written = 0;
      // The kernel's buffers take some megabytes.
      while (written < 1000 && client.write(chunk)) written++;
      written++;
      expect(client.writableNeedDrain).toBe(true);
      const rest = (async () => {
        for (; written < 1200; written++) if (!client.write(chunk)) await once(client, 'drain');
        client.end();
      })();
      const received = await collect(peer);
      await rest;
      expect(received.length).toBe(1200 * chunk.length);
      expect(received.subarray(-chunk.length).equals(chunk)).toBe(true);
    });

    it("'drain' comes when the buffer is empty again", async () => {
      const { client, peer } = await openPair();
      peer.resume();
      expect(client.write(pattern(4 << 20))).toBe(false);
      await once(client, 'drain');
      expect([client.writableLength, client.writableNeedDrain]).toEqual([0, false]);
    });
  });

  describe(`${api.name}: when things go wrong`, () => {
    afterEach(cleanUp);

    it("nobody listens: 'error' ECONNREFUSED, then 'close' with true", async () => {
      const { server, port } = await listen();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      const client = open(port);
      const seen = record(client, ['connect', 'error', 'close', 'end', 'finish']);
      const error = once(client, 'error');
      const [hadError] = await closeOf(client);
      expect((await error).map(codeOf)).toEqual(['ECONNREFUSED']);
      expect([hadError, seen]).toEqual([true, ['error', 'close']]);
    });

    it('a name that does not exist', async () => {
      const client = api.connect({ port: 9, host: 'nowhere.invalid' });
      const [error] = await new Promise<[unknown]>((resolve) => client.once('error', (reason: unknown) => resolve([reason])));
      expect(['ENOTFOUND', 'EAI_AGAIN']).toContain(codeOf(error));
    });

    it('the peer resets: ECONNRESET, and later writes fail', async () => {
      const { client, peer } = await openPair();
      const failed = once(client, 'error');
      const closed = closeOf(client);
      peer.resetAndDestroy();
      expect((await failed).map(codeOf)).toEqual(['ECONNRESET']);
      expect(await closed).toEqual([true]);
      expect(codeOf(await new Promise((resolve) => client.write('x', resolve)))).toBe('ERR_STREAM_DESTROYED');
    });

    it('a reset in the middle of a large transfer', async () => {
      const { client, peer } = await openPair();
      const told: unknown[] = [];
      for (let i = 0; i < 20; i++) client.write(pattern(1 << 20), (error) => told.push(codeOf(error)));
      await once(peer, 'data');
      const failed = once(client, 'error');
      peer.resetAndDestroy();
      expect(['ECONNRESET', 'EPIPE']).toContain(codeOf((await failed)[0]));
      // Every write is answered; the last of them cannot have worked.
      await until(() => told.length === 20);
      expect(told.at(-1)).not.toBe(undefined);
    });

    it('destroy() ends the connection without an error on either side', async () => {
      const { client, peer } = await openPair();
      peer.resume();
      const seen = record(peer, ['end', 'error', 'close']);
      const closed = closeOf(peer);
      client.destroy();
      expect(await once(client, 'close')).toEqual([false]);
      await closed;
      expect(seen).toEqual(['end', 'close']);
    });

    it('destroy() lets what was written be delivered', async () => {
      const { client, peer } = await openPair();
      const received = collect(peer);
      client.write('last words', () => client.destroy());
      expect(String(await received)).toBe('last words');
    });

    it('destroy(error) says so, once', async () => {
      const { client } = await openPair();
      const seen = record(client, ['error', 'close']);
      client.destroy(new Error('enough'));
      client.destroy(new Error('again'));
      expect(await closeOf(client)).toEqual([true]);
      expect(seen).toEqual(['error', 'close']);
      expect(client.errored?.message).toBe('enough');
    });

    it('destroy() answers every write and end that is under way', async () => {
      const { client, peer } = await openPair();
      peer.pause();
      const told: unknown[] = [];
      for (let i = 0; i < 32; i++) client.write(pattern(1 << 20), (error) => told.push(error instanceof Error));
      client.end(() => told.push('end'));
      client.destroy();
      await once(client, 'close');
      await until(() => told.length === 33);
      // What the transport had taken by then counts as written.
      expect(told.filter((answer) => answer === true).length).toBeGreaterThan(16);
    });

    it('destroy() while connecting: no event but close', async () => {
      const { port } = await listen();
      const client = open(port);
      const seen = record(client, ['connect', 'ready', 'error', 'close']);
      client.destroy();
      expect(await once(client, 'close')).toEqual([false]);
      expect(seen).toEqual(['close']);
    });

    it('destroySoon() waits until all is written', async () => {
      const { client, peer } = await openPair();
      const bytes = pattern(3 << 20);
      const received = collect(peer);
      client.write(bytes);
      client.destroySoon();
      await once(client, 'close');
      expect((await received).equals(bytes)).toBe(true);
    });

    it('an AbortSignal destroys the socket, before and after it is connected', async () => {
      const { port } = await listen();
      const early = new AbortController();
      early.abort();
      const never = open(port, { signal: early.signal });
      const [error] = (await once(never, 'error')) as [Error];
      expect([error.name, codeOf(error)]).toEqual(['AbortError', 'ABORT_ERR']);
      const late = new AbortController();
      const client = open(port, { signal: late.signal });
      await once(client, 'connect');
      const failed = once(client, 'error');
      late.abort();
      expect((await failed).map(codeOf)).toEqual(['ABORT_ERR']);
      expect(client.destroyed).toBe(true);
    });
  });

  describe(`${api.name}: settings`, () => {
    afterEach(cleanUp);

    it('setTimeout: an event after silence, the socket stays open', async () => {
      const { client, peer } = await openPair();
      client.resume();
      let calls = 0;
      const startedAt = performance.now();
      expect(client.setTimeout(30, () => calls++)).toBe(client);
      expect(client.timeout).toBe(30);
      await once(client, 'timeout');
      // Timers count whole milliseconds.
      expect(performance.now() - startedAt).toBeGreaterThan(28);
      expect([calls, client.destroyed]).toEqual([1, false]);
      peer.write('still there');
      await once(client, 'data');
      client.setTimeout(0);
      expect(client.timeout).toBe(0);
    });

    it('setNoDelay, setKeepAlive, ref and unref return the socket, at any time', async () => {
      const { port, server } = await listen();
      const client = open(port);
      for (const time of ['before', 'after', 'end']) {
        expect(client.setNoDelay(true).setNoDelay(false).setNoDelay()).toBe(client);
        expect(client.setKeepAlive(true, 1000).setKeepAlive(false).setKeepAlive(true)).toBe(client);
        expect(client.unref().ref()).toBe(client);
        if (time === 'before') await once(client, 'connect');
        else client.destroy();
      }
      expect(server.unref().ref()).toBe(server);
    });
  });
}
