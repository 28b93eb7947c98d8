import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { atEnd } from './loopback.ts';

/** What node:net's Socket and ours have in common: what people write programs against. */
export interface StreamSocket extends Duplex {
  readonly connecting: boolean;
  readonly pending: boolean;
  readonly readyState: string;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly timeout?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly remoteFamily?: string | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  address(): unknown;
  setNoDelay(noDelay?: boolean): this;
  setKeepAlive(enable?: boolean, initialDelayMs?: number): this;
  setTimeout(ms: number, callback?: () => void): this;
  ref(): this;
  unref(): this;
  destroySoon(): void;
  resetAndDestroy(): this;
}

export interface StreamServer extends NodeJS.EventEmitter {
  readonly listening: boolean;
  maxConnections: number;
  listen(...args: unknown[]): this;
  address(): unknown;
  close(callback?: (error?: Error) => void): this;
  getConnections(callback: (error: Error | null, count: number) => void): unknown;
  ref(): this;
  unref(): this;
}

export interface Options {
  allowHalfOpen?: boolean;
}

export interface SocketApi {
  readonly name: string;
  connect(options: Options & { port: number; host: string; signal?: AbortSignal }, onConnect?: () => void): StreamSocket;
  createServer(options: Options, onConnection?: (socket: StreamSocket) => void): StreamServer;
}

export const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException | null | undefined)?.code;

/** events.once would take an error before it for a failure. */
export const closeOf = (socket: StreamSocket): Promise<unknown[]> => new Promise((resolve) => socket.once('close', (...args: unknown[]) => resolve(args)));

export interface Listening {
  readonly server: StreamServer;
  readonly port: number;
  readonly sockets: StreamSocket[];
}

export interface Tools {
  listen(options?: Options, host?: string): Promise<Listening>;
  open(port: number, options?: Options & { host?: string; signal?: AbortSignal }): StreamSocket;
  openPair(options?: Options): Promise<{ client: StreamSocket; peer: StreamSocket; server: StreamServer }>;
}

/** Servers and sockets of one implementation that end with the test. */
export function toolsOf(api: SocketApi): Tools {
  async function listen(options: Options = {}, host = '127.0.0.1'): Promise<Listening> {
    const sockets: StreamSocket[] = [];
    const server = api.createServer(options, (socket) => {
      socket.on('error', () => {});
      sockets.push(socket);
    });
    server.listen(0, host);
    await once(server, 'listening');
    atEnd(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return { server, port: (server.address() as AddressInfo).port, sockets };
  }

  function open(port: number, options: Options & { host?: string; signal?: AbortSignal } = {}): StreamSocket {
    const socket = api.connect({ host: '127.0.0.1', ...options, port });
    socket.on('error', () => {});
    atEnd(() => {
      socket.destroy();
    });
    return socket;
  }

  async function openPair(options: Options = {}): Promise<{ client: StreamSocket; peer: StreamSocket; server: StreamServer }> {
    const { server, port, sockets } = await listen(options);
    const client = open(port, options);
    await Promise.all([once(client, 'connect'), once(server, 'connection')]);
    return { client, peer: sockets[0]!, server };
  }

  return { listen, open, openPair };
}
