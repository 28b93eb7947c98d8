import { createHash } from 'node:crypto';
import type { Address } from '../core/address.ts';
import { Fifo } from '../core/fifo.ts';
import { TimeHeap } from '../core/heap.ts';
import type { Machine, Millis, Transmit } from '../core/machine.ts';
import type { Sink } from '../core/trace.ts';
import { DECODE_RESULT_NAMES, decodeInto, encodeInto, OK } from '../wire/codec.ts';
import { formatSegment } from '../wire/format.ts';
import { ACK, RST, Segment, SYN } from '../wire/segment.ts';
import { seqAdd, type Seq } from '../wire/sequence.ts';
import { acceptSyn } from './arrives.ts';
import { datagramRoom, resolveConfig, type TcpConfig } from './config.ts';
import { Connection } from './connection.ts';
import { Farewells, type Reset } from './farewells.ts';
import { CLOSED, SYN_RECEIVED } from './state.ts';
import { PENDING_SYN, Tcb } from './tcb.ts';

/** Segments that one connection may send before another has its turn. */
const BURST_SEGMENTS = 16;
/** Stateless answers waiting to be sent; more are dropped and counted. */
const MAX_RESETS = 64;

/** So many superseded deadlines are not worth cleaning up. */
const MIN_STALE_DEADLINES = 64;

/** What an endpoint counts, next to its connections' counters. Drops by reason. */
export class EndpointCounters {
  datagramsReceived = 0;
  datagramsSent = 0;
  droppedTooShort = 0;
  droppedBadOffset = 0;
  droppedBadOption = 0;
  droppedBadCrc = 0;
  /** No CRC where one is required. */
  droppedNoCrc = 0;
  /** Neither a connection nor a SYN for a listener. */
  strangers = 0;
  resetsSent = 0;
  resetsSuppressed = 0;
  /** RSTs of connections that are gone, said again (see Farewells), and those of so many that they are said once. */
  resetsRepeated = 0;
  resetsSaidOnce = 0;
  /** SYNs that found the backlog full. */
  backlogFull = 0;
  /** SYNs that found the table of connections full. */
  tableFull = 0;
}

const DROP_COUNTERS = [undefined, 'droppedTooShort', 'droppedBadOffset', 'droppedBadOption', 'droppedBadCrc'] as const;

export interface EndpointOptions {
  /** Defaults for its connections. */
  readonly config?: Partial<TcpConfig>;
  /** Secret of the ISN and timestamp hashes (RFC 6528); give it real randomness. */
  readonly secret: Uint8Array;
  readonly sink?: Sink;
  /** Prefix of its connections' names in traces. */
  readonly name?: string;
  readonly maxConnections?: number;
  /** Initial sequence number to use instead of RFC 6528's, for experiments near the end of sequence space. */
  readonly initialSequence?: Seq;
}

/** Passive OPENs: half-open connections and those established but not yet taken by accept(). */
interface Listener {
  readonly config: TcpConfig;
  readonly backlog: number;
  readonly established: Fifo<Connection>;
  readonly pending: Set<Connection>;
}

/**
 * One UDP socket's worth of TCP: finds the connection a datagram belongs to, listens, answers strangers with RST, and
 * shares the socket among its connections. As the UDP ports are TCP's, a peer's address names one connection.
 */
export class Endpoint implements Machine {
  readonly counters = new EndpointCounters();
  readonly #config: TcpConfig;
  readonly #secret: Uint8Array;
  readonly #sink: Sink | undefined;
  readonly #name: string;
  readonly #maxConnections: number;
  readonly #initialSequence: Seq | undefined;
  readonly #connections = new Map<string, Connection>();
  #listener: Listener | undefined;
  readonly #incoming = new Segment();
  readonly #outgoing = new Segment();
  readonly #resets = new Fifo<Reset>();
  readonly #farewells = new Farewells();
  /** Connections that may have something to send, each at most once. */
  readonly #ready = new Fifo<Connection>();
  #burst = 0;
  /** Connections with events for the application, each at most once. */
  readonly #eventful = new Fifo<Connection>();
  #deadlines = new TimeHeap<Connection>();
  #buffer: Uint8Array;

  constructor(options: EndpointOptions) {
    this.#config = resolveConfig(options.config);
    this.#secret = options.secret;
    this.#sink = options.sink;
    this.#name = options.name ?? '';
    this.#maxConnections = options.maxConnections ?? 65_536;
    this.#initialSequence = options.initialSequence;
    this.#buffer = new Uint8Array(datagramRoom(this.#config));
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Half-open connections in the backlog. */
  get halfOpenCount(): number {
    return this.#listener?.pending.size ?? 0;
  }

  /** Peers of connections that were reset are still to be told again: whoever closes the socket now leaves it at one RST. */
  get isParting(): boolean {
    return this.#farewells.length > 0;
  }

  connections(): IterableIterator<Connection> {
    return this.#connections.values();
  }

  /** A connection with this peer exists, in whatever state: none can be opened meanwhile. */
  hasConnection(remote: Address): boolean {
    return this.#connections.has(remote.key);
  }

  /** Opens a connection to `remote`. Throws RangeError for bad options, Error when there is one already. */
  connect(remote: Address, now: Millis, options: Partial<TcpConfig> = {}): Connection {
    if (this.#connections.has(remote.key)) throw new Error(`there is a connection to ${remote.host}:${remote.port} already`);
    const connection = this.#create(remote, resolveConfig({ ...this.#config, ...options }), false, now).connection;
    connection.connect(now);
    return connection;
  }

  /** Accepts connections from now on. `backlog` bounds those that are half-open or wait for accept(). */
  listen(backlog = 511, options: Partial<TcpConfig> = {}): void {
    this.#listener = {
      config: resolveConfig({ ...this.#config, ...options }), backlog, established: new Fifo(), pending: new Set(),
    };
  }

  /** No new connections; those not yet accepted are reset. */
  stopListening(now: Millis): void {
    const listener = this.#listener;
    this.#listener = undefined;
    if (listener === undefined) return;
    for (const connection of listener.pending) connection.abort(now);
    for (let next = listener.established.shift(); next !== undefined; next = listener.established.shift()) next.abort(now);
  }

  /** The next established connection from the backlog. */
  accept(): Connection | undefined {
    return this.#listener?.established.shift();
  }

  /** The next connection that has events; take them with takeEvents(). */
  nextEventful(): Connection | undefined {
    const connection = this.#eventful.shift();
    if (connection !== undefined) connection.queue.isEventful = false;
    return connection;
  }

  /** An ICMP error concerning a peer. */
  icmp(remote: Address, code: string, now: Millis): void {
    this.#connections.get(remote.key)?.icmp(code, now);
  }

  /** Resets every connection; the RSTs leave with the next polls. */
  abortAll(now: Millis): void {
    for (const connection of [...this.#connections.values()]) connection.abort(now);
  }

  receive(from: Address, datagram: Uint8Array, now: Millis): void {
    const segment = this.#incoming;
    this.counters.datagramsReceived++;
    const result = decodeInto(segment, datagram);
    if (result !== OK) {
      this.counters[DROP_COUNTERS[result]!]++;
      this.#sink?.emit(now, { type: 'drop', endpoint: this.#name, from: from.key, reason: DECODE_RESULT_NAMES[result] });
      return;
    }
    const connection = this.#connections.get(from.key);
    // Dropped without an answer: a flipped bit must not look like a peer without integrity.
    if (!segment.hasCrc && (connection === undefined ? this.#integrityRequired : connection.integrityOn)) {
      this.counters.droppedNoCrc++;
      this.#sink?.emit(now, { type: 'drop', endpoint: this.#name, from: from.key, reason: 'no-crc' });
      return;
    }
    this.#sink?.emit(now, { type: 'receive', endpoint: this.#name, from: from.key, segment: formatSegment(segment) });
    if (connection === undefined) {
      this.#receiveFromStranger(from, segment, now);
      return;
    }
    if (segment.has(SYN) && !segment.has(ACK | RST) && this.#listener !== undefined && connection.isNewerIncarnation(segment)) {
      connection.endTimeWait(now);
      this.#forget(connection);
      this.#receiveFromStranger(from, segment, now);
      return;
    }
    if (connection.receive(segment, now)) this.#answerWithReset(from, segment);
    this.#touch(connection);
  }

  poll(now: Millis): Transmit | undefined {
    const reset = this.#resets.shift() ?? this.#pollFarewell();
    if (reset !== undefined) return this.#sendReset(reset);
    for (let connection = this.#ready.peek(); connection !== undefined; connection = this.#ready.peek()) {
      const out = this.#outgoing;
      if (connection.poll(now, out)) {
        if (++this.#burst >= BURST_SEGMENTS) this.#rotate();
        const length = encodeInto(out, this.#buffer);
        this.counters.datagramsSent++;
        if (out.has(RST)) this.#noteFarewell(connection.remote, out, now);
        return { to: connection.remote, bytes: this.#buffer.subarray(0, length) };
      }
      this.#ready.shift();
      connection.queue.isReady = false;
      this.#burst = 0;
      this.#settle(connection);
    }
    return undefined;
  }

  nextTimeout(): Millis {
    if (this.#resets.length > 0 || this.#ready.length > 0) return -Infinity;
    return Math.min(this.#deadlines.nextTime(), this.#farewells.nextTimeout());
  }

  handleTimeout(now: Millis): void {
    this.#farewells.handleTimeout(now);
    while (this.#deadlines.nextTime() <= now) {
      const time = this.#deadlines.nextTime();
      const connection = this.#deadlines.pop()!;
      if (connection.queue.scheduledAt !== time) continue;
      connection.queue.scheduledAt = Infinity;
      // A deadline that has moved on since is only looked at again later.
      if (connection.nextTimeout() <= now) {
        connection.handleTimeout(now);
        this.#touch(connection);
      } else {
        this.#schedule(connection);
      }
    }
  }

  get #integrityRequired(): boolean {
    return (this.#listener?.config ?? this.#config).integrity === 'required';
  }

  #create(remote: Address, config: TcpConfig, isPassive: boolean, now: Millis): { connection: Connection; tcb: Tcb } {
    const hash = createHash('sha256').update(this.#secret).update(remote.key).digest();
    // RFC 6528: a clock of 4 µs a tick plus a keyed hash of the tuple. Our own address is the secret's business.
    const iss = this.#initialSequence ?? (Math.floor(now * 250) + hash.readUInt32BE(0)) >>> 0;
    const name = `${this.#name}>${remote.key}`;
    const tcb = new Tcb({ config, iss, tsOffset: hash.readUInt32BE(4), isPassive, name, sink: this.#sink });
    const connection = new Connection(tcb, remote, this.#touch);
    if (datagramRoom(config) > this.#buffer.length) this.#buffer = new Uint8Array(datagramRoom(config));
    this.#connections.set(remote.key, connection);
    // What was said to an earlier connection of this peer's must not reach this one.
    this.#farewells.delete(remote.key);
    return { connection, tcb };
  }

  /** LISTEN and CLOSED (RFC 9293, 3.10.7.1 and 3.10.7.2). */
  #receiveFromStranger(from: Address, segment: Segment, now: Millis): void {
    const listener = this.#listener;
    // He knows of no connection either, or begins a new one, which he may have to do more than once.
    if (segment.has(RST) || (segment.has(SYN) && !segment.has(ACK))) this.#farewells.delete(from.key);
    if (segment.has(RST)) {
      this.counters.strangers++;
      return;
    }
    if (listener === undefined || segment.has(ACK) || !segment.has(SYN)) {
      this.counters.strangers++;
      // LISTEN drops what has neither SYN nor ACK; CLOSED answers it, too.
      if (listener === undefined || segment.has(ACK)) this.#answerWithReset(from, segment);
      return;
    }
    if (listener.pending.size + listener.established.length >= listener.backlog) {
      // Silence: the client tries again, as with a lost SYN.
      this.counters.backlogFull++;
      return;
    }
    if (this.#connections.size >= this.#maxConnections) {
      this.counters.tableFull++;
      return;
    }
    const { connection, tcb } = this.#create(from, listener.config, true, now);
    tcb.become(SYN_RECEIVED, now);
    acceptSyn(tcb, segment, now);
    tcb.pending |= PENDING_SYN;
    listener.pending.add(connection);
    connection.queue.isHalfOpen = true;
    this.#touch(connection);
  }

  /** RFC 9293, 3.5.2: acceptable to whoever sent the segment, from no state of ours. */
  #answerWithReset(to: Address, segment: Segment): void {
    if (segment.has(RST)) return;
    if (this.#resets.length >= MAX_RESETS) {
      this.counters.resetsSuppressed++;
      return;
    }
    const hasAck = segment.has(ACK);
    this.#resets.push({
      to,
      seq: hasAck ? segment.ack : 0,
      ack: hasAck ? 0 : seqAdd(segment.seq, segment.length),
      flags: hasAck ? RST : RST | ACK,
      hasCrc: segment.hasCrc,
    });
  }

  #sendReset(reset: Reset): Transmit {
    const out = this.#outgoing;
    out.clear();
    out.seq = reset.seq;
    out.ack = reset.ack;
    out.flags = reset.flags;
    out.hasCrc = reset.hasCrc;
    this.counters.resetsSent++;
    this.counters.datagramsSent++;
    return { to: reset.to, bytes: this.#buffer.subarray(0, encodeInto(out, this.#buffer)) };
  }

  #noteFarewell(to: Address, { seq, ack, flags, hasCrc }: Segment, now: Millis): void {
    if (!this.#farewells.add({ to, seq, ack, flags, hasCrc }, now)) this.counters.resetsSaidOnce++;
  }

  #pollFarewell(): Reset | undefined {
    const reset = this.#farewells.poll();
    if (reset !== undefined) this.counters.resetsRepeated++;
    return reset;
  }

  /** Something happened to the connection: it may have segments to send, events to tell, another deadline. */
  readonly #touch = (connection: Connection): void => {
    if (!connection.queue.isReady) {
      connection.queue.isReady = true;
      this.#ready.push(connection);
    }
    this.#publish(connection);
  };

  #publish(connection: Connection): void {
    const listener = this.#listener;
    if (connection.queue.isHalfOpen) {
      if (connection.state === SYN_RECEIVED) return;
      connection.queue.isHalfOpen = false;
      if (listener === undefined || !listener.pending.delete(connection)) return;
      if (connection.state === CLOSED) {
        // The application never heard of it, and shall not hear of its end.
        connection.takeEvents();
        return;
      }
      listener.established.push(connection);
    }
    if (connection.hasEvents && !connection.queue.isEventful) {
      connection.queue.isEventful = true;
      this.#eventful.push(connection);
    }
  }

  /** Nothing to send any more: note its deadline, or let it go. */
  #settle(connection: Connection): void {
    if (connection.state === CLOSED) this.#forget(connection);
    else this.#schedule(connection);
  }

  #schedule(connection: Connection): void {
    const deadline = connection.nextTimeout();
    // A later deadline is found when the earlier one comes: moving it on costs nothing.
    if (deadline < connection.queue.scheduledAt) {
      if (this.#deadlines.length > MIN_STALE_DEADLINES + 2 * this.#connections.size) this.#dropStaleDeadlines();
      this.#deadlines.push(deadline, connection);
      connection.queue.scheduledAt = deadline;
    }
  }

  /** Deadlines that were superseded lie in the heap until their time, which may be hours away. */
  #dropStaleDeadlines(): void {
    this.#deadlines = new TimeHeap();
    for (const connection of this.#connections.values()) {
      if (connection.queue.scheduledAt !== Infinity) this.#deadlines.push(connection.queue.scheduledAt, connection);
    }
  }

  #forget(connection: Connection): void {
    if (this.#connections.get(connection.remote.key) === connection) this.#connections.delete(connection.remote.key);
    connection.queue.scheduledAt = Infinity;
    this.#publish(connection);
  }

  #rotate(): void {
    this.#burst = 0;
    const connection = this.#ready.shift();
    if (connection !== undefined) this.#ready.push(connection);
  }
}
