import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { isIPv6 } from 'node:net';

import type { Sink } from '../core/trace.ts';
import { resolveConfig, type TcpConfig } from '../tcp/config.ts';
import type { Connection } from '../tcp/connection.ts';
import { Endpoint, type EndpointCounters } from '../tcp/endpoint.ts';
import { bindSocket, createDatagramSocket, resolveHost } from './datagram-socket.ts';
import { Driver, monotonicNow, type Tap } from './driver.ts';
import { receiveBufferFor } from './receive-buffer.ts';
import { pickConfig, Socket, type SocketAddress, type SocketOptions } from './socket.ts';

/** As in node:net. */
const DEFAULT_BACKLOG = 511;

export interface ServerOptions extends SocketOptions, Partial<TcpConfig> {
  readonly tap?: Tap;
  readonly sink?: Sink;
}

export interface ListenOptions {
  /** 0 (default) lets the system choose. */
  readonly port?: number;
  /** Name or IP literal; default: all IPv4 addresses. */
  readonly host?: string;
  readonly backlog?: number;
}

interface ServerEvents {
  connection: [socket: Socket];
  listening: [];
  close: [];
  /** A connection beyond maxConnections was reset. */
  drop: [dropped: { readonly remoteAddress: string; readonly remotePort: number }];
  error: [error: Error];
}

/** Accepts connections on one UDP port, shaped like node:net's Server. */
export class Server extends EventEmitter<ServerEvents> {
  readonly #options: ServerOptions;
  readonly #config: TcpConfig;
  readonly #sockets = new Set<Socket>();
  #driver: Driver | undefined;
  #isListening = false;
  #isClosing = false;
  #isRef = true;
  /** Sockets that one server holds; further connections are reset. */
  maxConnections = Infinity;

  /** Throws RangeError for options out of range. */
  constructor(options: ServerOptions = {}, onConnection?: (socket: Socket) => void) {
    super();
    this.#options = options;
    this.#config = resolveConfig(pickConfig(options));
    if (onConnection !== undefined) this.on('connection', onConnection);
  }

  get listening(): boolean {
    return this.#isListening && !this.#isClosing;
  }

  /** Counted drops and stateless answers; undefined before 'listening'. */
  get counters(): Readonly<EndpointCounters> | undefined {
    return this.#driver?.endpoint.counters;
  }

  /** As in node:net: listen(port[, host][, callback]) or listen(options[, callback]). Fails with an 'error' event. */
  listen(options?: ListenOptions | number | (() => void), ...rest: (string | number | (() => void) | undefined)[]): this {
    if (this.#isListening) throw withCode('ERR_SERVER_ALREADY_LISTEN', 'the server listens already');
    const host = rest.find((value) => typeof value === 'string');
    const callback = [options, ...rest].find((value) => typeof value === 'function');
    const port = typeof options === 'number' ? options : 0;
    const listenOptions = typeof options === 'object' ? options : { port, ...(host === undefined ? {} : { host }) };
    if (callback !== undefined) this.once('listening', callback);
    this.#isListening = true;
    // Events leave in a tick of their own, so that what a listener throws is no failure of ours.
    this.#open(listenOptions).then(
      () => process.nextTick(() => this.emit('listening')),
      (error: Error) => {
        this.#isListening = false;
        this.#isClosing = false;
        process.nextTick(() => this.emit('error', error));
      },
    );
    return this;
  }

  address(): SocketAddress | null {
    if (this.#driver === undefined || this.#driver.isClosed) return null;
    const { address, port } = this.#driver.socket.address();
    return { address, port, family: isIPv6(address) ? 'IPv6' : 'IPv4' };
  }

  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(callback, null, this.#sockets.size);
    return this;
  }

  /** No new connections; 'close' when those that are left have ended, as in node:net, and the peers of any that were reset had a second to hear of it. */
  close(callback?: (error?: Error) => void): this {
    if (!this.#isListening || this.#isClosing) {
      if (callback !== undefined) process.nextTick(callback, withCode('ERR_SERVER_NOT_RUNNING', 'the server does not listen'));
      return this;
    }
    if (callback !== undefined) this.once('close', () => callback());
    this.#isClosing = true;
    if (this.#driver !== undefined) {
      this.#driver.endpoint.stopListening(monotonicNow());
      this.#driver.wake();
    }
    return this;
  }

  /** Resets every connection. */
  closeAllConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  ref(): this {
    this.#isRef = true;
    this.#driver?.ref();
    return this;
  }

  unref(): this {
    this.#isRef = false;
    this.#driver?.unref();
    return this;
  }

  async #open(options: ListenOptions): Promise<void> {
    const { host, family } = await resolveHost(options.host ?? '0.0.0.0');
    const datagrams = createDatagramSocket(family);
    await bindSocket(datagrams, host, options.port ?? 0);
    const endpoint = new Endpoint({
      secret: randomBytes(32),
      config: { ...this.#config, receiveBufferBytes: receiveBufferFor(datagrams, this.#config.receiveBufferBytes) },
      ...(this.#options.sink === undefined ? {} : { sink: this.#options.sink }),
      name: 'server',
    });
    endpoint.listen(options.backlog ?? DEFAULT_BACKLOG);
    this.#driver = new Driver({
      socket: datagrams,
      endpoint,
      remote: undefined,
      isRef: this.#isRef,
      tap: this.#options.tap,
      onEvents: (connection) => (connection.owner as Socket | undefined)?.onEvents(),
      onAcceptable: () => this.#accept(),
      onIdle: () => this.#closeIfDone(),
    });
    if (this.#isClosing) {
      endpoint.stopListening(monotonicNow());
      this.#driver.wake();
    }
  }

  #accept(): void {
    const driver = this.#driver!;
    for (let connection = driver.endpoint.accept(); connection !== undefined; connection = driver.endpoint.accept()) {
      if (this.#sockets.size >= this.maxConnections) {
        connection.abort(monotonicNow());
        this.emit('drop', { remoteAddress: connection.remote.host, remotePort: connection.remote.port });
        continue;
      }
      this.#admit(driver, connection);
    }
  }

  #admit(driver: Driver, connection: Connection): void {
    const socket = new Socket(this.#options);
    socket.attach(driver, connection, false);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    this.emit('connection', socket);
    // What came with the handshake.
    socket.onEvents();
  }

  #closeIfDone(): void {
    const driver = this.#driver!;
    if (!this.#isClosing || driver.isClosed) return;
    if (driver.endpoint.isParting) driver.closeAfterParting(this.#onClosed);
    else if (!driver.isParting) {
      driver.close();
      this.#onClosed();
    }
  }

  readonly #onClosed = (): void => {
    this.#isListening = false;
    this.#isClosing = false;
    this.emit('close');
  };
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** As net.createServer. */
export function createServer(options?: ServerOptions | ((socket: Socket) => void), onConnection?: (socket: Socket) => void): Server {
  return typeof options === 'function' ? new Server({}, options) : new Server(options, onConnection);
}
