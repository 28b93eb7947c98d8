import type { RemoteInfo, Socket as DatagramSocket } from 'node:dgram';

import { makeAddress, type Address } from '../core/address.ts';
import type { Machine, Millis } from '../core/machine.ts';
import type { Connection } from '../tcp/connection.ts';
import type { Endpoint } from '../tcp/endpoint.ts';
import { CLOSED } from '../tcp/state.ts';

/**
 * net: the real world. The only folder with dgram, files, timers and clocks. `Driver` turns the crank of one
 * Endpoint; `Socket` and `Server` give it the shape of node:net.
 */

/** A timer this late means that the process was stopped or busy: what disproves a timeout may wait in the socket. */
const LATE_MS = 20;
/** Event-loop turns that late timeouts wait at most for the socket to run dry, at 32 datagrams a turn. */
const MAX_DRAIN_TURNS = 1000;
/** Datagrams sent in one turn, so that receiving and timers have theirs. */
const MAX_BURST = 256;
/** For so long an aborted connection's socket stays: for the RSTs that are said again, and to answer a peer that asks after all. */
const PARTING_MS = 1000;
const MAX_TIMER_MS = 2 ** 31 - 1;
const MAX_INTERNED = 4096;

/** Sees every datagram at this socket, whose own address is `local`; `timeMs` is since 1970. */
export type Tap = (isOutbound: boolean, remote: Address, datagram: Uint8Array, timeMs: number, local: Address) => void;

/** What a driver drives: an endpoint, or a host that has one and runs its application itself. */
export interface Driven extends Machine {
  readonly connectionCount: number;
  icmp(remote: Address, code: string, now: Millis): void;
  abortAll(now: Millis): void;
  nextEventful(): Connection | undefined;
}

export interface DriverOptions<T extends Driven = Endpoint> {
  readonly socket: DatagramSocket;
  readonly endpoint: T;
  /** The one peer of a connected socket; undefined: any peer. */
  readonly remote: Address | undefined;
  /** Keeps the process alive also while there is no connection. */
  readonly isRef: boolean;
  readonly tap: Tap | undefined;
  readonly onEvents: (connection: Connection) => void;
  /** Called in each turn, after sending: a new connection may wait to be accepted. */
  readonly onAcceptable: () => void;
  /** The endpoint has no connection: whoever needs no other may close the driver. */
  readonly onIdle: () => void;
}

/** Monotonic milliseconds of this process. */
export function monotonicNow(): Millis {
  return performance.now();
}

const liveDrivers = new Set<{ abortAll(): void }>();

/** A process that ends in order says so: sends are synchronous, so this works in an exit handler, too. */
process.on('exit', () => {
  for (const driver of liveDrivers) driver.abortAll();
});

/**
 * Drives one Endpoint on one UDP socket. A datagram only changes the endpoint's state; once a turn of the event loop,
 * after all of them, everything that there is to say goes out. One timer for all connections, re-armed only when the
 * next deadline is earlier.
 */
export class Driver<T extends Driven = Endpoint> {
  readonly #socket: DatagramSocket;
  readonly #endpoint: T;
  readonly #remote: Address | undefined;
  readonly #tap: Tap | undefined;
  readonly #onEvents: (connection: Connection) => void;
  readonly #onAcceptable: () => void;
  readonly #onIdle: () => void;
  readonly #interned = new Map<string, Address>();
  #lastAddress: Address | undefined;
  #local: Address | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer was to fire. */
  #armedFor: Millis = Infinity;
  #flushQueued = false;
  /** The system has put off a datagram. */
  #isBlocked = false;
  #receivedThisTurn = 0;
  #drainTurns = 0;
  #isClosed = false;
  #parting: NodeJS.Timeout | undefined;
  /** The owner's wish; a connection keeps the process alive, too, unless it is in `#unrefd`. */
  #isOwnerRef: boolean;
  readonly #unrefd = new Set<Connection>();
  /** What the system was told. */
  #isRef = true;
  /** Send errors that the system reported (EMSGSIZE, ENETUNREACH, …): the datagram is lost, as on a network. */
  sendErrors = 0;

  constructor(options: DriverOptions<T>) {
    this.#socket = options.socket;
    this.#endpoint = options.endpoint;
    this.#remote = options.remote;
    this.#isOwnerRef = options.isRef;
    this.#tap = options.tap;
    this.#onEvents = options.onEvents;
    this.#onAcceptable = options.onAcceptable;
    this.#onIdle = options.onIdle;
    this.#socket.on('message', this.#onMessage);
    this.#socket.on('error', this.#onSocketError);
    liveDrivers.add(this);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** It closes soon. */
  get isParting(): boolean {
    return this.#parting !== undefined;
  }

  get endpoint(): T {
    return this.#endpoint;
  }

  get socket(): DatagramSocket {
    return this.#socket;
  }

  /** The application did something: send what it caused at the end of this turn. */
  wake(): void {
    if (this.#flushQueued || this.#isClosed) return;
    this.#flushQueued = true;
    setImmediate(this.#flush);
  }

  ref(): void {
    this.#isOwnerRef = true;
    this.#updateRef();
  }

  unref(): void {
    this.#isOwnerRef = false;
    this.#updateRef();
  }

  refConnection(connection: Connection): void {
    this.#unrefd.delete(connection);
    this.#updateRef();
  }

  unrefConnection(connection: Connection): void {
    if (connection.state !== CLOSED) this.#unrefd.add(connection);
    this.#updateRef();
  }

  /** Resets every connection, at once. */
  abortAll(): void {
    if (this.#isClosed) return;
    const now = monotonicNow();
    this.#endpoint.abortAll(now);
    this.#send(now, Infinity);
  }

  /** Closes in a second: a RST that is lost, or not exactly what the peer expects, is said again and explained. `done` is called after that. */
  closeAfterParting(done: () => void = () => {}): void {
    this.#parting ??= setTimeout(() => {
      this.close();
      done();
    }, PARTING_MS);
  }

  /** Closes the UDP socket; connections that are left fall silent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    liveDrivers.delete(this);
    clearTimeout(this.#parting);
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#socket.close();
  }

  readonly #onMessage = (datagram: Buffer, info: RemoteInfo): void => {
    if (this.#isClosed) return;
    const now = monotonicNow();
    const from = this.#remote ?? this.#intern(info);
    this.#tap?.(false, from, datagram, performance.timeOrigin + now, this.#localAddress());
    this.#receivedThisTurn++;
    this.#endpoint.receive(from, datagram, now);
    this.wake();
  };

  /** The kernel reports ICMP errors on connected sockets only: as hints (RFC 5927). */
  readonly #onSocketError = (error: NodeJS.ErrnoException): void => {
    if (this.#isClosed) return;
    if (this.#remote === undefined) {
      this.sendErrors++;
      return;
    }
    this.#endpoint.icmp(this.#remote, error.code ?? error.message, monotonicNow());
    this.wake();
  };

  /** One callback for all sends: without one, errors would vanish. */
  readonly #onSent = (error: NodeJS.ErrnoException | null): void => {
    if (error !== null) {
      this.sendErrors++;
      if (!this.#isClosed && this.#remote !== undefined) this.#endpoint.icmp(this.#remote, error.code ?? error.message, monotonicNow());
    }
    if (this.#isBlocked && (this.#isClosed || this.#socket.getSendQueueCount() === 0)) {
      this.#isBlocked = false;
      this.wake();
    }
  };

  readonly #flush = (): void => {
    this.#flushQueued = false;
    if (this.#isClosed) return;
    let isWhole = false;
    try {
      this.#turn();
      isWhole = true;
    } finally {
      // A listener threw: the other connections must not pay for it.
      if (!isWhole) this.wake();
    }
  };

  #turn(): void {
    const now = monotonicNow();
    if (this.#mayTimeOut(now)) this.#endpoint.handleTimeout(now);
    this.#receivedThisTurn = 0;
    let hasMore = this.#send(now, MAX_BURST);
    this.#dispatch();
    // What the application did in answer goes out in the same turn.
    hasMore = this.#send(now, MAX_BURST) || hasMore;
    this.#dispatch();
    if (this.#endpoint.connectionCount === 0) this.#onIdle();
    if (this.#isClosed) return;
    if (hasMore) this.wake();
    // While late timeouts wait, armedFor must tell how late they are; the next turn is on its way.
    if (this.#drainTurns === 0) this.#arm(now);
    this.#updateRef();
  }

  /**
   * After a stop, timeouts wait until a whole turn has brought no datagram: Node runs timers before it polls the sockets,
   * and the stop may have come between a poll and this call.
   */
  #mayTimeOut(now: Millis): boolean {
    if (now < this.#armedFor) return false;
    const isLate = now - this.#armedFor > LATE_MS;
    const hasRunDry = this.#drainTurns > 0 && this.#receivedThisTurn === 0;
    if (isLate && !hasRunDry && this.#drainTurns < MAX_DRAIN_TURNS) {
      this.#drainTurns++;
      this.wake();
      return false;
    }
    this.#drainTurns = 0;
    return true;
  }

  /** Sends at most `limit` datagrams; returns whether there may be more. */
  #send(now: Millis, limit: number): boolean {
    const socket = this.#socket;
    for (let sent = 0; sent < limit; sent++) {
      if (this.#isBlocked) return false;
      const transmit = this.#endpoint.poll(now);
      if (transmit === undefined) return false;
      this.#tap?.(true, transmit.to, transmit.bytes, performance.timeOrigin + now, this.#localAddress());
      if (this.#remote === undefined) socket.send(transmit.bytes, transmit.to.port, transmit.to.host, this.#onSent);
      else socket.send(transmit.bytes, this.#onSent);
      // On EAGAIN libuv keeps a pointer to the bytes: the endpoint must not write over them before they are gone.
      if (socket.getSendQueueCount() > 0) this.#isBlocked = true;
    }
    return true;
  }

  #dispatch(): void {
    this.#onAcceptable();
    for (let connection = this.#endpoint.nextEventful(); connection !== undefined; connection = this.#endpoint.nextEventful()) {
      if (connection.state === CLOSED) this.#unrefd.delete(connection);
      this.#onEvents(connection);
    }
  }

  #updateRef(): void {
    const isRef = this.#isOwnerRef || this.#endpoint.connectionCount > this.#unrefd.size;
    if (isRef === this.#isRef || this.#isClosed) return;
    this.#isRef = isRef;
    if (isRef) {
      this.#socket.ref();
      this.#timer?.ref();
    } else {
      this.#socket.unref();
      this.#timer?.unref();
    }
  }

  #arm(now: Millis): void {
    const deadline = this.#endpoint.nextTimeout();
    // Timers may fire a little before their time: only one that is still running stands for its deadline.
    if (this.#timer !== undefined && deadline >= this.#armedFor && this.#armedFor > now) return;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#armedFor = Math.max(deadline, now);
    if (deadline === Infinity) return;
    const delay = Math.min(Math.max(Math.ceil(deadline - now), 1), MAX_TIMER_MS);
    this.#timer = setTimeout(this.#onTimer, delay);
    if (!this.#isRef) this.#timer.unref();
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    this.wake();
  };

  #localAddress(): Address {
    if (this.#local === undefined) {
      const { address, port } = this.#socket.address();
      this.#local = makeAddress(address, port);
    }
    return this.#local;
  }

  #intern(info: RemoteInfo): Address {
    const last = this.#lastAddress;
    if (last !== undefined && last.port === info.port && last.host === info.address) return last;
    const key = `${info.address}|${info.port}`;
    let address = this.#interned.get(key);
    if (address === undefined) {
      if (this.#interned.size >= MAX_INTERNED) this.#interned.clear();
      address = makeAddress(info.address, info.port);
      this.#interned.set(key, address);
    }
    this.#lastAddress = address;
    return address;
  }
}
