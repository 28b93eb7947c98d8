import { assert } from '../core/assert.ts';
import type { Millis } from '../core/machine.ts';
import type { Sink } from '../core/trace.ts';
import { CRC_BYTES, TIMESTAMPS_BYTES } from '../wire/options.ts';
import { seqAdd, seqDiff, type Seq } from '../wire/sequence.ts';
import { payloadRoom, type KeepAlive, type TcpConfig } from './config.ts';
import { createController, type AckSample, type CongestionController } from './congestion/controller.ts';
import { ConnectionCounters } from './counters.ts';
import { ConnectionError, type ErrorCode, type ErrorDetails, type TimeoutCause } from './errors.ts';
import { Rack } from './rack.ts';
import { Reassembly } from './reassembly.ts';
import { RttEstimator } from './rtt.ts';
import { Scoreboard } from './scoreboard.ts';
import { SendQueue } from './send-queue.ts';
import { CLOSED, CLOSING, isLegalTransition, isSynchronized, LAST_ACK, STATE_NAMES, TIME_WAIT, type State } from './state.ts';
import { TIME_WAIT_END, TimerTable } from './timers.ts';

/** MSS of a peer that names none (RFC 9293, 3.7.1, MUST-15). */
export const DEFAULT_MSS = 536;
/** A smaller MSS would let a peer multiply our segments (CVE-2019-11479); Linux clamps likewise. */
export const MIN_MSS = 88;

/** RFC 5961, 7: at most so many challenge ACKs and ACKs of unacceptable segments a second. */
export const ACKS_PER_SECOND = 100;

/** Segments that are acknowledged one by one at the start and after a loss, when a delayed ACK would stall a small window (as Linux' quickack). */
export const QUICK_ACKS = 16;

/** How long FIN-WAIT-2 waits for the FIN of a peer whose connection the application has let go (Linux: tcp_fin_timeout). */
export const ORPHAN_TIMEOUT_MS = 60_000;

/** Events for the application, as a bit set. */
export const EVENT_CONNECTED = 1;
export const EVENT_READABLE = 2;
export const EVENT_WRITABLE = 4;
/** The peer's FIN came, in order. */
export const EVENT_END = 8;
/** Everything written and our FIN are acknowledged. */
export const EVENT_FINISHED = 16;
/** The connection is gone, or in TIME-WAIT; `error` says why it failed, if it did. */
export const EVENT_CLOSED = 32;

/** OPEN, or recovering from loss found by ACKs (fast) or by silence (RTO). */
export const OPEN = 0;
export const FAST_RECOVERY = 1;
export const RTO_RECOVERY = 2;

/** What poll shall send although no window or timer asks for it. */
export const PENDING_SYN = 1;
export const PENDING_RST = 2;
/** A loss probe (TLP). */
export const PENDING_PROBE = 4;
/** A zero-window probe. */
export const PENDING_WINDOW_PROBE = 8;
export const PENDING_KEEP_ALIVE = 16;
/** The first lost segment of an episode goes out whatever cwnd says. */
export const PENDING_RETRANSMIT = 32;
/** SWS override: data goes out though it is neither full-sized nor half the window (RFC 9293, 3.8.6.2.1). */
export const PENDING_OVERRIDE = 64;
/** A RST at SND.UNA before the one at SND.NXT. */
export const PENDING_RST_AT_UNA = 128;

/** When to acknowledge. */
export const ACK_NONE = 0;
export const ACK_DELAYED = 1;
export const ACK_NOW = 2;

/** The transmission control block (RFC 9293, 3.3.1): everything one connection knows. Data; the logic is beside it. */
export class Tcb {
  readonly config: TcpConfig;
  readonly isPassive: boolean;
  readonly sink: Sink | undefined;
  /** Names the connection in traces. */
  readonly name: string;
  state: State = CLOSED;
  events = 0;
  error: ConnectionError | undefined;
  pending = 0;
  readonly timers = new TimerTable();
  readonly counters = new ConnectionCounters();

  // Send sequence variables.
  readonly iss: Seq;
  sndUna: Seq;
  sndNxt: Seq;
  /** In bytes, scaled. */
  sndWnd = 0;
  sndWl1: Seq = 0;
  sndWl2: Seq = 0;
  maxSndWnd = 0;
  sndShift = 0;
  readonly sendQueue: SendQueue;
  /** The application closed: a FIN follows the last byte. */
  finQueued = false;
  finSent = false;
  /** End of the last segment smaller than a full one (Minshall's variant of Nagle, as Linux does). */
  smallEnd: Seq;

  // Receive sequence variables.
  irs: Seq = 0;
  readonly receiver: Reassembly;
  /** Right edge of the advertised window; it never moves left (RFC 9293, 3.8.6). */
  rcvAdv: Seq = 0;
  readonly rcvShiftOffered: number;
  rcvShift = 0;
  /** Sequence number of the peer's FIN, once seen. */
  peerFin: Seq | undefined;
  finReceived = false;
  ackMode = ACK_NONE;
  /** Payload bytes received in order since the last ACK went out. */
  unackedBytes = 0;
  /** Estimate of the peer's full segment, RMSS of RFC 5681: it may send smaller ones than we do. At first what anyone can send. */
  rcvMss = DEFAULT_MSS;
  /** In-order segments that still get an ACK each. */
  quickAcks = QUICK_ACKS;
  /** Duplicate ACKs due to a peer without SACK: it counts them (RFC 5681, 3.2). */
  dupAcksOwed = 0;
  lastAckSent: Seq = 0;

  // Negotiated.
  mss = DEFAULT_MSS;
  timestampsOn = false;
  windowScalingOn = false;
  sackOn = false;
  integrityOn: boolean;
  readonly tsOffset: number;
  tsRecent = 0;
  tsRecentAt: Millis = 0;

  // Loss detection and recovery.
  readonly rtt: RttEstimator;
  readonly rack = new Rack();
  readonly scoreboard = new Scoreboard();
  controller: CongestionController;
  recovery: 0 | 1 | 2 = OPEN;
  recoveryPoint: Seq;
  /** Duplicate ACKs in a row, where the peer has no SACK (RFC 5681, 3.2). */
  dupAcks = 0;
  /** End of the outstanding loss probe (TLP.end_seq); undefined without one. */
  probeEnd: Seq | undefined;
  probeIsRetransmission = false;
  /** An RTT sample came since the last loss probe (RFC 8985, 7.3). */
  rttSinceProbe = true;
  /** A zero-window probe went out and the window has not opened since. */
  windowProbed = false;
  /** The application was told that the send queue is full and waits for EVENT_WRITABLE. */
  writerWaits = false;
  /** cwnd held something back, and SND.NXT when it last did: growth is judged by flights, not by single ACKs. */
  isWindowLimited = false;
  limitedAt: Seq;
  /** ACKs do not count: they say nothing about the path's room for data (RFC 5681, 4.1). */
  lastDataSentAt: Millis = 0;
  readonly ackSample: AckSample = {
    now: 0, deliveredBytes: 0, ackedBytes: 0, priorInFlightBytes: 0, isWindowLimited: false, isInRecovery: false, rttMs: 0,
  };

  // Death.
  /** The application has let go: the rest of the closing goes on without it. */
  isOrphan = false;
  lastHeardAt: Millis = -Infinity;
  noDelay: boolean;
  keepAlive: KeepAlive | undefined;
  keepAliveUnanswered = 0;
  synRetries = 0;
  icmp: string | undefined;
  /** Token bucket of challenge ACKs and ACKs to unacceptable segments (RFC 5961, 7). */
  ackTokens = ACKS_PER_SECOND;
  ackTokensAt: Millis = 0;

  constructor(options: TcbOptions) {
    const { config, iss } = options;
    this.config = config;
    this.keepAlive = config.keepAlive;
    this.noDelay = config.noDelay;
    this.isPassive = options.isPassive;
    this.sink = options.sink;
    this.name = options.name;
    this.iss = iss;
    this.sndUna = iss;
    this.sndNxt = iss;
    this.smallEnd = iss;
    this.recoveryPoint = iss;
    this.limitedAt = iss;
    this.tsOffset = options.tsOffset;
    this.integrityOn = config.integrity === 'required';
    this.sendQueue = new SendQueue(config.sendBufferBytes);
    this.sendQueue.reset(seqAdd(iss, 1));
    this.receiver = new Reassembly(config.receiveBufferBytes);
    this.rcvShiftOffered = windowShiftFor(config.receiveBufferBytes);
    this.rtt = new RttEstimator(config);
    this.rack.begin(iss);
    this.controller = this.#newController();
  }

  /** cwnd holds back what could be sent. */
  noteWindowLimited(): void {
    this.isWindowLimited = true;
    this.limitedAt = this.sndNxt;
  }

  /** Payload of a full data segment (SMSS less the options that every segment carries). */
  get smss(): number {
    const options = (this.timestampsOn ? TIMESTAMPS_BYTES : 0) + (this.integrityOn ? CRC_BYTES : 0);
    return Math.min(this.mss - options, payloadRoom(this.config.mtuBytes, options));
  }

  /** Sequence space sent and not acknowledged. */
  get outstanding(): number {
    return seqDiff(this.sndNxt, this.sndUna);
  }

  /** Estimate of what is still in the network (RFC 6675's pipe). Duplicate ACKs count as departures where there is no SACK. */
  get inFlight(): number {
    const gone = this.scoreboard.sackedBytes + this.scoreboard.lostBytes + (this.sackOn ? 0 : this.dupAcks * this.smss);
    return Math.max(0, this.outstanding - gone);
  }

  get isInRecovery(): boolean {
    return this.recovery !== OPEN;
  }

  /** What the peer may still send us: RCV.WND. */
  get rcvWnd(): number {
    return Math.max(0, seqDiff(this.rcvAdv, this.receiver.rcvNxt));
  }

  /** Our FIN is acknowledged, and so is everything before it. */
  get finAcked(): boolean {
    return this.finSent && this.sndUna === this.sndNxt;
  }

  /** Our timestamp clock: milliseconds, with an offset that tells nobody our uptime. */
  timestamp(at: Millis): number {
    return (Math.floor(at) + this.tsOffset) >>> 0;
  }

  /** In LAST-ACK or CLOSING, everything delivered both ways, only the ACK of our FIN is missing: nobody can be sure of the last one. */
  get onlyFinOutstanding(): boolean {
    return (this.state === LAST_ACK || this.state === CLOSING) && this.sendQueue.length === 0;
  }

  /** The only way to change `state`. */
  become(state: State, now: Millis): void {
    assert(isLegalTransition(this.state, state), `${STATE_NAMES[this.state]} to ${STATE_NAMES[state]}`);
    this.sink?.emit(now, { type: 'state', connection: this.name, from: STATE_NAMES[this.state], to: STATE_NAMES[state] });
    this.state = state;
  }

  enterTimeWait(now: Millis): void {
    this.become(TIME_WAIT, now);
    this.timers.clearAll();
    this.restartTimeWait(now);
    this.events |= EVENT_FINISHED | EVENT_CLOSED;
  }

  restartTimeWait(now: Millis): void {
    this.timers.set(TIME_WAIT_END, now + (this.config.timeWaitMs ?? Math.max(1000, 4 * this.rtt.rtoMs)));
  }

  /** The connection ends here, without or with an error; what was not delivered is given up. */
  closeNow(now: Millis, error?: ConnectionError): void {
    if (this.state === CLOSED) return;
    this.become(CLOSED, now);
    this.timers.clearAll();
    this.pending &= PENDING_RST;
    this.ackMode = ACK_NONE;
    this.error = error;
    this.events |= EVENT_CLOSED;
  }

  /** Silence, a RST or an ICMP error where only the ACK of our FIN is missing counts as that ACK. */
  finishAndClose(now: Millis): void {
    this.events |= EVENT_FINISHED;
    this.closeNow(now);
  }

  fail(code: ErrorCode, message: string, now: Millis, timeout?: TimeoutCause): void {
    const error = new ConnectionError(code, message, this.details(now), timeout);
    this.sink?.emit(now, { type: 'error', connection: this.name, code, message });
    this.closeNow(now, error);
  }

  details(now: Millis): ErrorDetails {
    const unsent = Math.max(0, seqDiff(this.sendQueue.end, this.sndNxt));
    return {
      established: isSynchronized(this.state),
      bytesAcked: this.counters.bytesAcked,
      bytesInFlight: Math.max(0, this.sendQueue.length - unsent),
      bytesUnsent: Math.min(unsent, this.sendQueue.length),
      lastHeardMs: now - this.lastHeardAt,
      retransmissions: this.counters.retransmissions,
      srttMs: this.rtt.samples > 0 ? this.rtt.srttMs : undefined,
      rtoMs: this.rtt.rtoMs,
      icmp: this.icmp,
    };
  }

  /** The handshake fixed the segment size: the controller counts in it. */
  onNegotiated(): void {
    this.controller = this.#newController();
  }

  #newController(): CongestionController {
    return createController(this.config.congestion, {
      smssBytes: this.smss,
      initialWindowSegments: this.config.initialWindowSegments,
    });
  }
}

export interface TcbOptions {
  readonly config: TcpConfig;
  readonly iss: Seq;
  readonly tsOffset: number;
  readonly isPassive: boolean;
  readonly name: string;
  readonly sink: Sink | undefined;
}

/** The least shift with which 16 bits express the whole buffer (RFC 7323, 2.3: at most 14). */
function windowShiftFor(bytes: number): number {
  let shift = 0;
  while (shift < 14 && 65_535 * 2 ** shift < bytes) shift++;
  return shift;
}
