import { once } from 'node:events';
import type { Duplex, Readable } from 'node:stream';
import { connect as connectFailmask, type ConnectOptions } from '../../src/net/socket.ts';
import { createServer, type Server, type ServerOptions } from '../../src/net/server.ts';
import type { Socket } from '../../src/net/socket.ts';

/** What is open when a test ends, in the order in which it was opened. */
const cleanups: (() => void | Promise<void>)[] = [];

export function atEnd(cleanup: () => void | Promise<void>): void {
  cleanups.push(cleanup);
}

let generation = 0;

/** For afterEach. */
export async function cleanUp(): Promise<void> {
  generation++;
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** TIME-WAIT has no strangers to fear on a port that nobody uses again. */
export const QUICK: ConnectOptions & ServerOptions = { port: 1, timeWaitMs: 20 };

export async function listen(options: ServerOptions = {}, host = '127.0.0.1'): Promise<Server> {
  const server = createServer({ ...QUICK, ...options });
  server.listen({ host });
  await once(server, 'listening');
  atEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  return server;
}

export function portOf(server: Server): number {
  return server.address()!.port;
}

export function open(port: number, options: Partial<ConnectOptions> = {}): Socket {
  const socket = connectFailmask({ ...QUICK, host: '127.0.0.1', ...options, port });
  socket.on('error', () => {});
  atEnd(() => {
    socket.resetAndDestroy();
  });
  return socket;
}

/** Both ends of one established connection. */
export async function openPair(server: ServerOptions = {}, client: Partial<ConnectOptions> = {}): Promise<{ client: Socket; peer: Socket; server: Server }> {
  const listening = await listen(server);
  const socket = open(portOf(listening), client);
  const [[peer]] = (await Promise.all([once(listening, 'connection'), once(socket, 'connect')])) as [[Socket], unknown];
  peer.on('error', () => {});
  return { client: socket, peer, server: listening };
}

/** Everything up to the end; the stream is not destroyed there, so its other half lives on. */
export function collect(stream: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('closed before its end')));
    stream.resume();
  });
}

/** Lets the event loop run until `predicate` holds; vitest's own timeout is the limit, after which cleanUp ends it. */
export async function until(predicate: () => boolean): Promise<void> {
  const begunIn = generation;
  while (!predicate()) {
    if (begunIn !== generation) throw new Error('the test is over');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Every byte tells where in the stream it stands, nearly. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = (i ^ (i >>> 8) * 7 ^ (i >>> 16) * 31) & 255;
  return bytes;
}

/** The named events of `emitter`, written down as they come. */
export function record(emitter: Duplex | Server, names: readonly string[], into: string[] = []): string[] {
  for (const name of names) (emitter as Duplex).on(name, () => into.push(name));
  return into;
}
