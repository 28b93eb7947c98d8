import type { Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import type { Segment } from '../wire/segment.ts';
import { seqGt } from '../wire/sequence.ts';
import { ANSWER_RST, segmentArrives } from './arrives.ts';
import type { KeepAlive } from './config.ts';
import type { ConnectionCounters } from './counters.ts';
import { ConnectionError } from './errors.ts';
import { nextSegment } from './output.ts';
import {
  CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, isSynchronized, LAST_ACK, STATE_NAMES, SYN_RECEIVED, SYN_SENT, TIME_WAIT, type State,
} from './state.ts';
import { ORPHAN_TIMEOUT_MS, PENDING_RST, PENDING_RST_AT_UNA, PENDING_SYN, type Tcb } from './tcb.ts';
import { handleTimeouts } from './timeouts.ts';
import { CONNECT, KEEP_ALIVE, TIME_WAIT_END } from './timers.ts';

export { EVENT_CLOSED, EVENT_CONNECTED, EVENT_END, EVENT_FINISHED, EVENT_READABLE, EVENT_WRITABLE } from './tcb.ts';

/** A snapshot, like Linux' TCP_INFO. Sizes in bytes, times in milliseconds. */
export interface ConnectionInfo {
  readonly state: string;
  readonly congestion: string;
  readonly cwndBytes: number;
  readonly ssthreshBytes: number;
  readonly inFlightBytes: number;
  /** 0 before the first sample. */
  readonly srttMs: Millis;
  readonly rttvarMs: Millis;
  readonly rtoMs: Millis;
  readonly minRttMs: Millis | undefined;
  readonly smssBytes: number;
  readonly sendWindowBytes: number;
  readonly receiveWindowBytes: number;
  readonly sendQueueBytes: number;
  readonly receiveQueueBytes: number;
  readonly integrity: boolean;
  readonly sack: boolean;
  readonly timestamps: boolean;
  readonly counters: Readonly<ConnectionCounters>;
}

/**
 * One connection, as an application holds it. Calls change state only; what they cause to be sent leaves at the next
 * poll of the endpoint. Time is an argument everywhere.
 */
export class Connection {
  readonly remote: Address;
  readonly #tcb: Tcb;
  readonly #onActivity: (connection: Connection) => void;
  /** Where the endpoint has put the connection. */
  readonly queue = { isReady: false, isEventful: false, isHalfOpen: false, scheduledAt: Infinity };
  /** The driver's own object for this connection (a socket); the transport never looks at it. */
  owner: unknown;

  constructor(tcb: Tcb, remote: Address, onActivity: (connection: Connection) => void) {
    this.#tcb = tcb;
    this.remote = remote;
    this.#onActivity = onActivity;
  }

  get state(): State {
    return this.#tcb.state;
  }

  get stateName(): string {
    return STATE_NAMES[this.#tcb.state];
  }

  get error(): ConnectionError | undefined {
    return this.#tcb.error;
  }

  get counters(): Readonly<ConnectionCounters> {
    return this.#tcb.counters;
  }

  /** The peer's SYN offered integrity and we hold it to that. */
  get integrityOn(): boolean {
    return this.#tcb.integrityOn;
  }

  /** Bytes written and not yet acknowledged. */
  get sendQueueBytes(): number {
    return this.#tcb.sendQueue.length;
  }

  info(): ConnectionInfo {
    const tcb = this.#tcb;
    const minRttMs = tcb.rack.minRttMs;
    return {
      state: STATE_NAMES[tcb.state],
      congestion: tcb.controller.name,
      cwndBytes: tcb.controller.cwnd,
      ssthreshBytes: tcb.controller.ssthresh,
      inFlightBytes: tcb.inFlight,
      srttMs: tcb.rtt.srttMs,
      rttvarMs: tcb.rtt.rttvarMs,
      rtoMs: tcb.rtt.rtoMs,
      minRttMs: minRttMs === Infinity ? undefined : minRttMs,
      smssBytes: tcb.smss,
      sendWindowBytes: tcb.sndWnd,
      receiveWindowBytes: tcb.rcvWnd,
      sendQueueBytes: tcb.sendQueue.length,
      receiveQueueBytes: tcb.receiver.ready.length,
      integrity: tcb.integrityOn,
      sack: tcb.sackOn,
      timestamps: tcb.timestampsOn,
      counters: { ...tcb.counters },
    };
  }

  /** Active OPEN (RFC 9293, 3.10.1). */
  connect(now: Millis): void {
    const tcb = this.#tcb;
    tcb.become(SYN_SENT, now);
    tcb.pending |= PENDING_SYN;
    tcb.timers.set(CONNECT, now + tcb.config.connectTimeoutMs);
    this.#onActivity(this);
  }

  /**
   * SEND: copies as much of source[start, end) as the send buffer takes and returns how much. Less than asked means
   * full: EVENT_WRITABLE follows when there is room. 0 also after close() or once the connection is gone.
   */
  write(source: Uint8Array, start = 0, end = source.length): number {
    const tcb = this.#tcb;
    if (tcb.finQueued || tcb.state === CLOSED || tcb.state === TIME_WAIT) return 0;
    const taken = tcb.sendQueue.write(source, start, end);
    if (taken < end - start) tcb.writerWaits = true;
    if (taken > 0) this.#onActivity(this);
    return taken;
  }

  /** RECEIVE: the next bytes in order, now the caller's; undefined when there are none. The peer's window opens by as much. */
  read(): Uint8Array | undefined {
    const bytes = this.#tcb.receiver.ready.read();
    if (bytes !== undefined) this.#onActivity(this);
    return bytes;
  }

  /** All of the peer's bytes have been read and its FIN has come. */
  get isReadFinished(): boolean {
    return this.#tcb.finReceived && this.#tcb.receiver.ready.length === 0;
  }

  /** CLOSE: a FIN follows everything written; receiving goes on (half-close). A second call changes nothing. */
  close(now: Millis): void {
    const tcb = this.#tcb;
    if (tcb.finQueued || tcb.state === CLOSED) return;
    tcb.finQueued = true;
    if (tcb.state === ESTABLISHED) tcb.become(FIN_WAIT_1, now);
    else if (tcb.state === CLOSE_WAIT) tcb.become(LAST_ACK, now);
    this.#onActivity(this);
  }

  /** ABORT: a RST at once if the peer knows the connection; nothing more is delivered either way. */
  abort(now: Millis): void {
    const tcb = this.#tcb;
    if (tcb.state === CLOSED) return;
    const isOpen = isSynchronized(tcb.state) && tcb.state !== TIME_WAIT;
    const isHalfOpen = tcb.state === SYN_RECEIVED;
    tcb.closeNow(now, new ConnectionError('ECONNABORTED', 'connection aborted by this side', tcb.details(now)));
    tcb.receiver.ready.clear();
    if (isOpen || isHalfOpen) tcb.pending = PENDING_RST;
    if (isOpen && tcb.outstanding > 0) tcb.pending |= PENDING_RST_AT_UNA;
    this.#onActivity(this);
  }

  /**
   * The application lets go of the connection but not of what it wrote: that, and a FIN, are still delivered, as a
   * kernel does after close(). Unread or new data from the peer is answered with a RST (RFC 2525, 2.17), and the
   * peer's FIN is waited for no longer than a minute.
   */
  release(now: Millis): void {
    const tcb = this.#tcb;
    if (tcb.state === CLOSED || tcb.state === TIME_WAIT) return;
    if (!isSynchronized(tcb.state) || tcb.receiver.ready.length > 0) {
      this.abort(now);
      return;
    }
    this.close(now);
    tcb.isOrphan = true;
    if (tcb.state === FIN_WAIT_2) tcb.timers.set(TIME_WAIT_END, now + ORPHAN_TIMEOUT_MS);
    this.#onActivity(this);
  }

  /** Nagle's algorithm off or on. */
  setNoDelay(noDelay: boolean): void {
    this.#tcb.noDelay = noDelay;
    this.#onActivity(this);
  }

  /** An ICMP error about this peer: a refusal while connecting, else only a hint kept for `error.details` (RFC 5927). */
  icmp(code: string, now: Millis): void {
    const tcb = this.#tcb;
    tcb.icmp = code;
    if (tcb.state === SYN_SENT && code === 'ECONNREFUSED') tcb.fail('ECONNREFUSED', 'connection refused: nobody listens there', now);
    // Everything was delivered both ways; whoever would acknowledge our FIN has gone.
    else if (code === 'ECONNREFUSED' && tcb.onlyFinOutstanding) tcb.finishAndClose(now);
    this.#onActivity(this);
  }

  /** Turns keep-alive on, off (undefined) or to other times. */
  setKeepAlive(keepAlive: KeepAlive | undefined, now: Millis): void {
    const tcb = this.#tcb;
    tcb.keepAlive = keepAlive;
    tcb.keepAliveUnanswered = 0;
    if (keepAlive === undefined) tcb.timers.clear(KEEP_ALIVE);
    else if (isSynchronized(tcb.state) && tcb.state !== TIME_WAIT) tcb.timers.set(KEEP_ALIVE, now + keepAlive.idleMs);
    this.#onActivity(this);
  }

  /** Events since the last call, as a bit set. */
  takeEvents(): number {
    const { events } = this.#tcb;
    this.#tcb.events = 0;
    return events;
  }

  // What follows is the endpoint's side.

  /** Returns whether the segment is to be answered with a RST. */
  receive(segment: Segment, now: Millis): boolean {
    return segmentArrives(this.#tcb, segment, now) === ANSWER_RST;
  }

  /** Fills `out` with the next segment; false when there is none. */
  poll(now: Millis, out: Segment): boolean {
    return nextSegment(this.#tcb, now, out);
  }

  nextTimeout(): Millis {
    return this.#tcb.timers.next();
  }

  handleTimeout(now: Millis): void {
    handleTimeouts(this.#tcb, now);
  }

  get hasEvents(): boolean {
    return this.#tcb.events !== 0;
  }

  /** A SYN that may begin a new incarnation while this one is in TIME-WAIT (RFC 6191; RFC 9293, 3.10.7.4). */
  isNewerIncarnation(segment: Segment): boolean {
    const tcb = this.#tcb;
    if (tcb.state !== TIME_WAIT) return false;
    if (tcb.timestampsOn && segment.hasTimestamps && segment.tsVal !== tcb.tsRecent) {
      return seqGt(segment.tsVal, tcb.tsRecent);
    }
    return seqGt(segment.seq, tcb.receiver.rcvNxt);
  }

  /** Ends TIME-WAIT early, for a new incarnation. */
  endTimeWait(now: Millis): void {
    this.#tcb.closeNow(now);
  }
}
