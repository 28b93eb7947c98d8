import { once } from 'node:events';
import { Agent, createServer as createHttpServer, request, type IncomingMessage, type RequestOptions } from 'node:http';
import { createServer as createHttpsServer, Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect, TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { parseProfile } from '../../src/link/profile.ts';
import { startProxy } from '../../src/net/proxy.ts';
import type { Server } from '../../src/net/server.ts';
import { makeCertificate } from './certificate.ts';
import { atEnd, cleanUp, collect, listen, open, openPair, pattern, portOf } from './loopback.ts';

/** Programs of Node's own that run over our sockets unmodified. */
afterEach(cleanUp);

const LOSSY = 'loss 5% duplicate 2% reorder 5% delay 1ms';

async function lossy(server: Server, seed: number): Promise<number> {
  const proxy = await startProxy({ port: 0, targetHost: '127.0.0.1', targetPort: portOf(server), seed, up: parseProfile(LOSSY), down: parseProfile(LOSSY) });
  atEnd(() => proxy.close());
  return proxy.address.port;
}

interface Answer {
  readonly status: number | undefined;
  readonly body: Buffer;
}

async function ask(send: typeof request, options: RequestOptions, body: Uint8Array): Promise<Answer> {
  const sent = send({ host: 'localhost', method: 'POST', ...options });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: answer.statusCode, body: await collect(answer) };
}

async function serveHttp(): Promise<Server> {
  const http = createHttpServer((incoming, answer) => {
    answer.setHeader('x-path', incoming.url ?? '');
    // Without chunks in between, a pipelined answer's body is easy to find.
    if (incoming.url === '/whole') void collect(incoming).then((body) => answer.end(body));
    else incoming.pipe(answer);
  });
  const server = await listen({ allowHalfOpen: true });
  server.on('connection', (socket) => http.emit('connection', socket));
  return server;
}

describe('node:http', () => {
  it('keeps a connection alive for several requests, through a network that loses 5 % each way', async () => {
    const server = await serveHttp();
    let connections = 0;
    server.on('connection', () => connections++);
    const port = await lossy(server, 1);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = () => open(port);
    atEnd(() => agent.destroy());
    const bodies = [pattern(200_000), pattern(10), pattern(100_000)];
    for (const [i, body] of bodies.entries()) {
      const answer = await ask(request, { agent, path: `/${i}` }, body);
      expect(answer.status).toBe(200);
      expect(answer.body.equals(body)).toBe(true);
    }
    expect(connections).toBe(1);
  });

  it('several connections at once', async () => {
    const port = await lossy(await serveHttp(), 2);
    const agent = new Agent({ keepAlive: true });
    agent.createConnection = () => open(port);
    atEnd(() => agent.destroy());
    const body = pattern(50_000);
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(request, { agent }, body)));
    expect(answers.every((answer) => answer.status === 200 && answer.body.equals(body))).toBe(true);
  });

  it('answers pipelined requests in their order', async () => {
    const port = await lossy(await serveHttp(), 3);
    const client = open(port);
    const bodies = Array.from({ length: 20 }, (_, i) => `body ${i} ${'x'.repeat(i * 500)}`);
    for (const body of bodies) client.write(`POST /whole HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    client.write('GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const text = String(await collect(client));
    const found = [...text.matchAll(/body (\d+) x*/g)].map(([, n]) => Number(n));
    expect(found).toEqual(bodies.map((_, i) => i));
    expect(text).toContain('x-path: /last');
  });
});

describe('node:tls', () => {
  const { key, cert } = makeCertificate();

  it('encrypts over our sockets, both ways', async () => {
    const { client, peer } = await openPair({ allowHalfOpen: true }, { allowHalfOpen: true });
    const served = new TLSSocket(peer as Duplex as TLSSocket, { isServer: true, key, cert });
    served.pipe(served);
    const secure = tlsConnect({ socket: client as Duplex, ca: cert, servername: 'localhost' });
    await once(secure, 'secureConnect');
    expect([secure.authorized, secure.getPeerCertificate().subject.CN]).toEqual([true, 'localhost']);
    const bytes = pattern(500_000);
    secure.end(bytes);
    expect((await collect(secure)).equals(bytes)).toBe(true);
  });

  it('node:https, through a network that loses 5 % each way', async () => {
    const https = createHttpsServer({ key, cert }, (incoming, answer) => void incoming.pipe(answer));
    const server = await listen({ allowHalfOpen: true });
    server.on('connection', (socket) => https.emit('connection', socket));
    const port = await lossy(server, 4);
    const agent = new HttpsAgent({ keepAlive: true, maxSockets: 1 });
    (agent as unknown as Agent).createConnection = () => tlsConnect({ socket: open(port) as Duplex, ca: cert, servername: 'localhost' });
    atEnd(() => agent.destroy());
    for (const length of [100_000, 1000]) {
      const body = pattern(length);
      const answer = await ask(httpsRequest, { agent }, body);
      expect([answer.status, answer.body.equals(body)]).toEqual([200, true]);
    }
  });
});
