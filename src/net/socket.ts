import { randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { addAbortSignal, Duplex } from 'node:stream';

import { makeAddress } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import type { Sink } from '../core/trace.ts';
import { resolveConfig, type KeepAlive, type TcpConfig } from '../tcp/config.ts';
import {
  EVENT_CLOSED, EVENT_CONNECTED, EVENT_END, EVENT_FINISHED, EVENT_READABLE, EVENT_WRITABLE, type Connection, type ConnectionInfo,
} from '../tcp/connection.ts';
import { Endpoint } from '../tcp/endpoint.ts';
import { ConnectionError } from '../tcp/errors.ts';
import { createDatagramSocket, resolveHost } from './datagram-socket.ts';
import { Driver, monotonicNow, type Tap } from './driver.ts';
import { receiveBufferFor } from './receive-buffer.ts';

/** What node:net sends on after setKeepAlive(true, delay): ten probes, a second apart. */
const KEEP_ALIVE_INTERVAL_MS = 1000;
const KEEP_ALIVE_COUNT = 10;
/** Linux' tcp_keepalive_time. */
const KEEP_ALIVE_IDLE_MS = 7_200_000;
/** As much as the stream keeps on its own side of the transport's buffers. */
const HIGH_WATER_MARK = 64 * 1024;

type Callback = (error?: Error | null) => void;

export interface SocketAddress {
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly port: number;
}

export interface SocketOptions {
  /** As in node:net: false (default) ends our half when the peer has ended its own. */
  readonly allowHalfOpen?: boolean;
}

export interface ConnectOptions extends SocketOptions, Partial<TcpConfig> {
  readonly port: number;
  /** Name or IP literal; default localhost. */
  readonly host?: string;
  /** 4 or 6: look up only addresses of this family. */
  readonly family?: 4 | 6;
  readonly localPort?: number;
  readonly signal?: AbortSignal;
  readonly tap?: Tap;
  readonly sink?: Sink;
}

/**
 * A connection as a stream, shaped like node:net's Socket: the same events, properties and error codes, and `info()`
 * and `error.details` beside them. `'finish'` means that the peer has acknowledged everything and our FIN; a write's
 * callback, that its bytes are copied. `destroy()` lets the rest be delivered, `resetAndDestroy()` does not.
 */
export class Socket extends Duplex {
  #connection: Connection | undefined;
  #driver: Driver | undefined;
  #connecting: boolean;
  #pendingWrite: { bytes: Uint8Array; offset: number; callback: Callback } | undefined;
  #finalCallback: Callback | undefined;
  #readWanted = false;
  #bytesRead = 0;
  #bytesWritten = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #idleTimeoutMs: Millis | undefined;
  #isRef = true;
  #noDelay: boolean | undefined;
  #keepAlive: KeepAlive | undefined;
  #remote: SocketAddress | undefined;

  /** Use connect() or a server's 'connection' event. */
  constructor(options: SocketOptions = {}) {
    super({
      allowHalfOpen: options.allowHalfOpen ?? false,
      readableHighWaterMark: HIGH_WATER_MARK,
      writableHighWaterMark: HIGH_WATER_MARK,
      decodeStrings: true,
      // _destroy emits 'close' itself: with node:net's argument.
      emitClose: false,
    });
    this.#connecting = true;
  }

  /** Ties the socket to a connection, new (connect) or established (Server); called once. What was written meanwhile follows. */
  attach(driver: Driver, connection: Connection, isConnecting: boolean): void {
    this.#driver = driver;
    this.#connecting = isConnecting;
    this.#connection = connection;
    connection.owner = this;
    this.#remote = toSocketAddress(connection.remote.host, connection.remote.port);
    if (this.#noDelay !== undefined) connection.setNoDelay(this.#noDelay);
    if (this.#keepAlive !== undefined) connection.setKeepAlive(this.#keepAlive, monotonicNow());
    if (!this.#isRef) driver.unrefConnection(connection);
    this.#continueWrite();
    // All writes were empty or none: the end was called for before there was a connection.
    if (this.#finalCallback !== undefined) connection.close(monotonicNow());
  }

  /** What happened to the connection; called by the driver, once a turn. */
  onEvents(): void {
    const connection = this.#connection!;
    const events = connection.takeEvents();
    const isNews = this.#connecting && (events & EVENT_CONNECTED) !== 0;
    if (!isNews) {
      this.#onProgress(connection, events);
      return;
    }
    this.#connecting = false;
    try {
      this.emit('connect');
      this.emit('ready');
    } finally {
      // Also when a listener throws.
      this.#onProgress(connection, events);
    }
  }

  #onProgress(connection: Connection, events: number): void {
    if ((events & (EVENT_READABLE | EVENT_END)) !== 0) {
      this.#touch();
      this.#pull();
    }
    if ((events & EVENT_WRITABLE) !== 0) {
      this.#touch();
      this.#continueWrite();
    }
    if ((events & EVENT_FINISHED) !== 0) this.#finish();
    if ((events & EVENT_CLOSED) !== 0 && connection.error !== undefined) this.#fail(connection.error);
  }

  get connecting(): boolean {
    return this.#connecting;
  }

  /** As in node:net: not yet connected, or destroyed. */
  get pending(): boolean {
    return this.#connection === undefined || this.#connecting || this.destroyed;
  }

  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.#connecting) return 'opening';
    if (this.readable && this.writable) return 'open';
    if (this.readable) return 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Bytes handed to write(), also those that still wait. */
  get bytesWritten(): number {
    return this.#bytesWritten + this.writableLength - (this.#pendingWrite?.offset ?? 0);
  }

  /** What setTimeout() was given last. */
  get timeout(): Millis | undefined {
    return this.#idleTimeoutMs;
  }

  get remoteAddress(): string | undefined {
    return this.#remote?.address;
  }

  get remotePort(): number | undefined {
    return this.#remote?.port;
  }

  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return this.#remote?.family;
  }

  get localAddress(): string | undefined {
    return this.address().address;
  }

  get localPort(): number | undefined {
    return this.address().port;
  }

  address(): SocketAddress | Record<string, never> {
    if (this.#driver === undefined || this.#driver.isClosed) return {};
    const { address, port } = this.#driver.socket.address();
    return toSocketAddress(address, port);
  }

  /** Like TCP_INFO: windows, RTT, counters. Undefined until the connection is begun; stays readable after its end. */
  info(): ConnectionInfo | undefined {
    return this.#connection?.info();
  }

  setNoDelay(noDelay = true): this {
    this.#noDelay = noDelay;
    this.#connection?.setNoDelay(noDelay);
    return this;
  }

  /**
   * As in node:net: after `initialDelayMs` of silence (0: two hours), ten probes a second apart, then ETIMEDOUT.
   * A KeepAlive object sets all three.
   */
  setKeepAlive(enable: boolean | KeepAlive = false, initialDelayMs = 0): this {
    if (typeof enable === 'object') this.#keepAlive = enable;
    else if (enable) this.#keepAlive = { idleMs: initialDelayMs || KEEP_ALIVE_IDLE_MS, intervalMs: KEEP_ALIVE_INTERVAL_MS, count: KEEP_ALIVE_COUNT };
    else this.#keepAlive = undefined;
    this.#connection?.setKeepAlive(this.#keepAlive, monotonicNow());
    this.#driver?.wake();
    return this;
  }

  /** As in node:net: 'timeout' after so long without traffic; the socket stays open. 0 turns it off. */
  setTimeout(timeoutMs: Millis, callback?: () => void): this {
    if (this.#idleTimer !== undefined) clearTimeout(this.#idleTimer);
    this.#idleTimeoutMs = timeoutMs;
    this.#idleTimer = timeoutMs > 0 ? setTimeout(() => this.emit('timeout'), timeoutMs).unref() : undefined;
    if (callback !== undefined) {
      if (timeoutMs > 0) this.once('timeout', callback);
      else this.removeListener('timeout', callback);
    }
    return this;
  }

  ref(): this {
    this.#isRef = true;
    if (this.#connection !== undefined) this.#driver!.refConnection(this.#connection);
    return this;
  }

  unref(): this {
    this.#isRef = false;
    if (this.#connection !== undefined) this.#driver!.unrefConnection(this.#connection);
    return this;
  }

  /** Ends our half and destroys the socket once everything is acknowledged. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', this.destroy);
  }

  /** RST: nothing more is delivered in either direction, and the peer is told. */
  resetAndDestroy(): this {
    this.#connection?.abort(monotonicNow());
    this.#driver?.wake();
    return this.destroy();
  }

  override _read(): void {
    this.#readWanted = true;
    this.#pull();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#pendingWrite = { bytes: chunk, offset: 0, callback };
    this.#continueWrite();
  }

  override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], callback: Callback): void {
    const bytes = chunks.length === 1 ? chunks[0]!.chunk : Buffer.concat(chunks.map(({ chunk }) => chunk));
    this.#pendingWrite = { bytes, offset: 0, callback };
    this.#continueWrite();
  }

  override _final(callback: Callback): void {
    this.#finalCallback = callback;
    if (this.#connection === undefined) return;
    this.#connection.close(monotonicNow());
    this.#driver!.wake();
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#connecting = false;
    if (this.#idleTimer !== undefined) clearTimeout(this.#idleTimer);
    const connection = this.#connection;
    if (connection !== undefined) {
      connection.release(monotonicNow());
      this.#driver!.wake();
    }
    const pending = this.#pendingWrite;
    this.#pendingWrite = undefined;
    this.#finalCallback = undefined;
    pending?.callback(error ?? destroyedError());
    callback(error);
    process.nextTick(() => this.emit('close', error !== null));
  }

  #continueWrite(): void {
    const pending = this.#pendingWrite;
    if (pending === undefined || this.#connection === undefined) return;
    const taken = this.#connection.write(pending.bytes, pending.offset, pending.bytes.length);
    pending.offset += taken;
    this.#bytesWritten += taken;
    if (taken > 0) this.#driver!.wake();
    if (pending.offset < pending.bytes.length) return;
    this.#pendingWrite = undefined;
    this.#touch();
    pending.callback();
  }

  /** Hands over what has come, as long as the reader wants it: what it does not take closes the peer's window. */
  #pull(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    while (this.#readWanted) {
      const bytes = connection.read();
      if (bytes === undefined) break;
      this.#bytesRead += bytes.length;
      this.#readWanted = this.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
      this.#driver!.wake();
    }
    if (connection.isReadFinished && !this.readableEnded) {
      this.push(null);
      // Lets 'end' come although nobody reads, as node:net does for an empty rest.
      if (this.readableLength === 0) this.read(0);
    }
  }

  #finish(): void {
    const callback = this.#finalCallback;
    this.#finalCallback = undefined;
    callback?.();
  }

  /** Called by connect() when there is no connection to be had, and for every error of one. */
  #fail(error: Error): void {
    // This side's own doing is no news.
    if (error instanceof ConnectionError && error.code === 'ECONNABORTED') {
      this.destroy();
      return;
    }
    this.destroy(error);
  }

  #touch(): void {
    this.#idleTimer?.refresh();
  }
}

/**
 * Connects to a failmask or TCP-over-UDP peer, as net.connect does: `connect(options)`, `connect(port[, host])`, each
 * with an optional 'connect' listener. Throws RangeError for options out of range; what fails later is an 'error' event.
 */
export function connect(options: ConnectOptions, onConnect?: () => void): Socket;
export function connect(port: number, host?: string, onConnect?: () => void): Socket;
export function connect(first: ConnectOptions | number, second?: string | (() => void), third?: () => void): Socket {
  const options = typeof first === 'number' ? { port: first, ...(typeof second === 'string' ? { host: second } : {}) } : first;
  const onConnect = typeof second === 'function' ? second : third;
  const config = resolveConfig(pickConfig(options));
  if (!Number.isInteger(options.port) || options.port < 1 || options.port > 65_535) throw new RangeError(`port must be in [1, 65535], not ${options.port}`);
  const socket = new Socket(options);
  if (onConnect !== undefined) socket.once('connect', onConnect);
  if (options.signal !== undefined) addAbortSignal(options.signal, socket);
  open(socket, options, config).catch((error: Error) => socket.destroy(error));
  return socket;
}

async function open(socket: Socket, options: ConnectOptions, config: TcpConfig): Promise<void> {
  const { host, family } = await resolveHost(options.host ?? 'localhost', options.family);
  if (socket.destroyed) return;
  const datagrams = createDatagramSocket(family);
  await new Promise<void>((resolve, reject) => {
    datagrams.once('error', reject);
    datagrams.once('connect', () => {
      datagrams.off('error', reject);
      resolve();
    });
    // The lookup is synchronous, so binding and connecting are done when the calls return.
    datagrams.bind(options.localPort ?? 0, () => datagrams.connect(options.port, host));
  }).catch((error: Error) => {
    datagrams.close();
    throw error;
  });
  if (socket.destroyed) {
    datagrams.close();
    return;
  }
  const remote = makeAddress(host, options.port);
  const endpoint = new Endpoint({
    secret: randomBytes(32),
    config: { ...config, receiveBufferBytes: receiveBufferFor(datagrams, config.receiveBufferBytes) },
    ...(options.sink === undefined ? {} : { sink: options.sink }),
    name: 'client',
  });
  const driver = new Driver({
    socket: datagrams,
    endpoint,
    remote,
    isRef: false,
    tap: options.tap,
    onEvents: () => socket.onEvents(),
    onAcceptable: () => {},
    onIdle: () => {
      // Also before there was a connection: a SYN-ACK that comes late is answered.
      if (endpoint.isParting || connection.error?.code === 'ECONNABORTED') driver.closeAfterParting();
      else if (!driver.isParting) driver.close();
    },
  });
  const connection = endpoint.connect(remote, monotonicNow());
  socket.attach(driver, connection, true);
  driver.wake();
}

const CONFIG_KEYS: readonly (keyof TcpConfig)[] = [
  'mtuBytes', 'sendBufferBytes', 'receiveBufferBytes', 'integrity', 'congestion', 'connectTimeoutMs', 'userTimeoutMs', 'keepAlive',
  'noDelay', 'minRtoMs', 'maxRtoMs', 'initialRtoMs', 'maxBackoffMs', 'delayedAckMs', 'timeWaitMs', 'synAckRetries', 'initialWindowSegments',
];

/** The transport's options among others. */
export function pickConfig(options: Partial<TcpConfig>): Partial<TcpConfig> {
  return Object.fromEntries(CONFIG_KEYS.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]));
}

/** For a write that was not through: its bytes are copied in part only. */
function destroyedError(): Error {
  return Object.assign(new Error('the socket was destroyed before the write was through'), { code: 'ERR_STREAM_DESTROYED' });
}

function toSocketAddress(address: string, port: number): SocketAddress {
  return { address, family: isIPv6(address) ? 'IPv6' : 'IPv4', port };
}
