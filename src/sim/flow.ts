import type { Millis } from '../core/machine.ts';
import { ABSENT, ACK, FIN, RST, SYN, type Segment } from '../wire/segment.ts';
import { seqAdd, type Seq } from '../wire/sequence.ts';
import { BackoffWatch } from './backoff-watch.ts';
import { IntervalSet } from './interval-set.ts';
import { LossWatch } from './loss-watch.ts';
import { ResetWatch } from './reset-watch.ts';
import type { Report } from './verdict.ts';

/** What the watched host promised by its configuration. */
export interface FlowLimits {
  readonly receiveBufferBytes: number;
  readonly maxBackoffMs: Millis;
  readonly requiresIntegrity: boolean;
  /** No round trip can be shorter. */
  readonly minRttMs: Millis;
}

const MAX_WINDOW_SHIFT = 14;
const INITIAL_BYTES = 64 * 1024;
/** Timestamps echoed count whole milliseconds on both ends of the interval. */
const TIMESTAMP_ROUNDING_MS = 1.001;
/** Where a RST is the end. Not in TIME-WAIT (RFC 1337); before ESTABLISHED other rules hold. */
const RESETTABLE: ReadonlySet<string> = new Set(['ESTABLISHED', 'FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSE-WAIT', 'CLOSING', 'LAST-ACK']);

/**
 * One end of one connection as the wire shows it: what its host sent, and what reached it. Everything is kept as offsets
 * from the initial sequence numbers: the SYN is 0, the first byte 1. It never looks into the connection itself.
 */
export class Flow {
  readonly resets = new ResetWatch();
  readonly #limits: FlowLimits;
  readonly #report: Report;
  readonly #backoff: BackoffWatch;
  readonly #losses: LossWatch;
  iss: Seq | undefined;
  irs: Seq | undefined;

  /** First offset never sent. */
  #sentEnd = 0;
  /** First transmission of every payload byte, from offset 1 on. */
  #sentBytes = new Uint8Array(INITIAL_BYTES);
  #finOffset: number | undefined;
  /** Highest offset acknowledged by a segment that reached the host. */
  #una = 0;
  /** Right edge of the widest window that reached the host. */
  #peerEdge = 0;
  #lastTsVal = -1;
  #tsRecent: number | undefined;
  /** Bytes written by the application, and whether it has closed. */
  #written = 0;
  #isClosed = false;

  readonly #received = new IntervalSet();
  readonly #twice = new IntervalSet();
  #finReceived = false;
  /** Bytes read by the application. */
  #read = 0;
  /** What the host has acknowledged and offered. */
  #acked = 0;
  #edge = 0;
  #offeredShift = ABSENT;
  #peerShift = ABSENT;
  isGone = false;
  goneAtMs: Millis = Infinity;
  state = 'CLOSED';
  readonly isPassive: boolean;
  // For coverage.
  synsSent = 0;
  finsSent = 0;
  bytesAfterOwnFin = 0;
  wrapped = false;
  hasTimestamps = false;
  peerPermitsSack = false;

  constructor(limits: FlowLimits, isPassive: boolean, report: Report) {
    this.#limits = limits;
    this.isPassive = isPassive;
    this.#report = report;
    this.#backoff = new BackoffWatch(limits.maxBackoffMs, report);
    this.#losses = new LossWatch(report);
  }

  get scaling(): boolean {
    return this.#offeredShift !== ABSENT && this.#peerShift !== ABSENT;
  }

  /** RCV.NXT, as far as it can be told: what has come in one piece, up to the edge that was offered. */
  get #expected(): number {
    const contiguous = this.#received.endOfRun(0);
    return this.#edge > 0 ? Math.min(contiguous, this.#edge + (this.#finReceived ? 1 : 0)) : contiguous;
  }

  onWritten(totalBytes: number): void {
    this.#written = totalBytes;
  }

  onRead(totalBytes: number): void {
    this.#read = totalBytes;
  }

  onClose(): void {
    this.#isClosed = true;
  }

  /** The host did not run for a while: its timers may have been late. */
  onPause(): void {
    this.#backoff.forget();
    this.#losses.forget();
    this.resets.excuse();
  }

  onRtt(rttMs: Millis): void {
    this.#losses.onRtt(rttMs);
    if (rttMs < this.#limits.minRttMs - TIMESTAMP_ROUNDING_MS) {
      this.#report('rtt', `a round trip of ${rttMs.toFixed(3)} ms was measured where none is shorter than ${this.#limits.minRttMs.toFixed(3)} ms`);
    }
  }

  /** A retransmission timeout of an established connection. `windowBytes`: how much may be in flight, 0 when that varies. */
  onTimeout(now: Millis, windowBytes: number): void {
    if (this.peerPermitsSack && this.#sentEnd - this.#una < windowBytes) this.#losses.onTimeout(this.#una, now);
  }

  /** A segment reached the host whole. */
  onReceive(segment: Segment, now: Millis): void {
    if (!this.#learnIrs(segment)) return;
    if (segment.has(RST)) {
      this.#receiveReset(segment, now);
      return;
    }
    this.#backoff.forget();
    const expected = this.#expected;
    const left = offsetOf(segment.seq, this.irs!, expected);
    // Its ACK counts wherever it stands, but beyond the window.
    const isBeyond = this.#edge > 0 && left > Math.max(this.#edge, expected);
    if (left >= 0) this.#take(segment, left);
    if (!segment.has(ACK) || this.iss === undefined) return;
    const ack = offsetOf(segment.ack, this.iss, this.#una);
    if (ack > this.#sentEnd) return;
    const shift = segment.has(SYN) || !this.scaling ? 0 : Math.min(this.#peerShift, MAX_WINDOW_SHIFT);
    this.#peerEdge = Math.max(this.#peerEdge, ack + segment.window * 2 ** shift);
    if (ack > this.#una) this.#una = ack;
    if (isBeyond || this.#isOutdated(segment, left)) return;
    this.#losses.onAck(this.#una, now);
    for (let i = 0; i < segment.sackCount; i++) {
      const sackLeft = offsetOf(segment.sack[2 * i]!, this.iss, this.#una);
      this.#losses.onSack(sackLeft, offsetOf(segment.sack[2 * i + 1]!, this.iss, this.#una), this.#una, now);
    }
  }

  /** The host sends a segment; RSTs are not shown to the flow, except by `isGone`. */
  onSend(segment: Segment, now: Millis): void {
    if (this.isGone) {
      this.#report('close', 'a segment was sent on a connection that is gone');
      return;
    }
    if (this.#limits.requiresIntegrity && !segment.hasCrc) this.#report('integrity', 'a segment left without its CRC');
    if (segment.has(SYN)) this.#sendSyn(segment);
    if (this.iss === undefined) {
      this.#report('sequence', 'a segment was sent before a SYN');
      return;
    }
    if (segment.hasTimestamps) this.#checkTimestamp(segment.tsVal);
    const left = offsetOf(segment.seq, this.iss, this.#sentEnd);
    if (segment.length > 0) this.#checkSent(segment, left, now);
    if (segment.has(ACK)) this.#checkAck(segment);
  }

  /** Only what the host has acknowledged, with nothing beyond it, is surely the number that it expects (RFC 5961, 3.2). */
  #receiveReset(segment: Segment, now: Millis): void {
    if (!RESETTABLE.has(this.state) || (this.#limits.requiresIntegrity && !segment.hasCrc)) return;
    const expected = this.#expected;
    if (this.#acked === expected && offsetOf(segment.seq, this.irs!, expected) === expected) this.resets.onExact(now);
  }

  /** PAWS drops it (RFC 7323, 5.3): the host does not learn what it says. */
  #isOutdated(segment: Segment, left: number): boolean {
    if (!segment.hasTimestamps) return false;
    if (this.#tsRecent !== undefined && ((segment.tsVal - this.#tsRecent) | 0) < 0) return true;
    if (left <= this.#acked) this.#tsRecent = segment.tsVal;
    return false;
  }

  #learnIrs(segment: Segment): boolean {
    if (segment.has(SYN) && !segment.has(RST)) {
      const answersUs = !segment.has(ACK) || (this.iss !== undefined && segment.ack === seqAdd(this.iss, 1));
      if (this.irs === undefined && answersUs) {
        this.irs = segment.seq;
        this.#peerShift = segment.windowShift;
        this.peerPermitsSack = segment.sackPermitted;
        this.hasTimestamps = segment.hasTimestamps;
      }
      return this.irs === segment.seq;
    }
    return this.irs !== undefined;
  }

  #take(segment: Segment, left: number): void {
    const end = left + segment.length;
    if (this.#finOffset !== undefined && segment.payloadLength > 0 && !this.#received.covers(left, end)) {
      this.bytesAfterOwnFin += segment.payloadLength;
    }
    this.#received.add(left, end, (from, to) => this.#twice.add(from, to));
    if (segment.has(FIN)) this.#finReceived = true;
  }

  #sendSyn(segment: Segment): void {
    this.synsSent++;
    if (this.iss !== undefined && this.iss !== segment.seq) this.#report('sequence', 'a SYN was sent again with another sequence number');
    this.iss ??= segment.seq;
    this.#offeredShift = segment.windowShift;
    // Without an ACK there is no number to count from yet; the window of a SYN is never scaled.
    if (!segment.has(ACK)) this.#edge = Math.max(this.#edge, 1 + segment.window);
  }

  #checkTimestamp(tsVal: number): void {
    if (this.#lastTsVal >= 0 && ((tsVal - this.#lastTsVal) | 0) < 0) this.#report('timestamp', `a timestamp went back from ${this.#lastTsVal} to ${tsVal}`);
    this.#lastTsVal = tsVal;
  }

  #checkSent(segment: Segment, left: number, now: Millis): void {
    const size = segment.payloadLength;
    const dataLeft = left + (segment.has(SYN) ? 1 : 0);
    const dataRight = dataLeft + size;
    const end = left + segment.length;
    if (left > this.#sentEnd) this.#report('sequence', `sent [${left}, ${end}) but nothing after ${this.#sentEnd} before`);
    if (dataRight > 1 + this.#written) this.#report('stream', `sent up to ${dataRight - 1} of ${this.#written} bytes written`);
    if (!segment.has(SYN) && end > this.#peerEdge && !(segment.length === 1 && end === this.#peerEdge + 1)) {
      this.#report('window', `sent up to ${end}, beyond the right edge ${this.#peerEdge} that the peer has offered`);
    }
    if (segment.has(FIN)) this.#checkFin(dataRight);
    else if (this.#finOffset !== undefined && dataRight > this.#finOffset) this.#report('fin', 'data was sent after the FIN');
    if (size > 0) this.#checkBytes(segment, dataLeft, dataRight);
    if (segment.seq > seqAdd(segment.seq, segment.length)) this.wrapped = true;
    this.#sentEnd = Math.max(this.#sentEnd, end);
    this.#backoff.onSend(left <= this.#una && this.#una < end, this.#una, now);
    this.#losses.onSend(left, end, now);
  }

  #checkFin(finOffset: number): void {
    this.finsSent++;
    if (!this.#isClosed) this.#report('fin', 'a FIN was sent though the application has not closed');
    if (finOffset !== 1 + this.#written) this.#report('fin', `the FIN stands after ${finOffset - 1} of ${this.#written} bytes`);
    this.#finOffset ??= finOffset;
    if (this.#finOffset !== finOffset) this.#report('fin', 'the FIN moved');
  }

  /** A retransmission carries the bytes of the first transmission. */
  #checkBytes(segment: Segment, left: number, right: number): void {
    while (this.#sentBytes.length < right) {
      const larger = new Uint8Array(this.#sentBytes.length * 2);
      larger.set(this.#sentBytes);
      this.#sentBytes = larger;
    }
    const { payload, payloadStart } = segment;
    const known = Math.min(right, Math.max(left, this.#sentEnd));
    for (let i = left; i < known; i++) {
      if (this.#sentBytes[i] === payload[payloadStart + i - left]) continue;
      this.#report('retransmission', `byte ${i - 1} of the stream was sent with two values`);
      return;
    }
    this.#sentBytes.set(payload.subarray(payloadStart + known - left, segment.payloadEnd), known);
  }

  #checkAck(segment: Segment): void {
    if (this.irs === undefined) {
      this.#report('ack', 'a segment acknowledges a SYN that never came');
      return;
    }
    const contiguous = this.#received.endOfRun(0);
    const ack = offsetOf(segment.ack, this.irs, contiguous);
    if (ack > contiguous) this.#report('ack', `acknowledged up to ${ack}, but only ${contiguous} has come`);
    if (ack < this.#acked) this.#report('ack', `the acknowledgement went back from ${this.#acked} to ${ack}`);
    if (this.#edge > 0 && ack > this.#edge + (this.#finReceived ? 1 : 0)) {
      this.#report('window', `took bytes up to ${ack}, beyond the right edge ${this.#edge} that was offered`);
    }
    this.#acked = Math.max(this.#acked, ack);
    this.#checkWindow(segment, ack);
    this.#checkSack(segment, ack);
  }

  #checkWindow(segment: Segment, ack: number): void {
    const shift = segment.has(SYN) || !this.scaling ? 0 : this.#offeredShift;
    const edge = ack + segment.window * 2 ** shift;
    // Rounding to the unit of the scale is the only way to take window back (RFC 7323, 2.4). A SYN has not room for more than 65,535.
    if (!segment.has(SYN) && edge <= this.#edge - 2 ** shift) this.#report('window', `the right edge went back from ${this.#edge} to ${edge}`);
    const limit = 1 + this.#read + this.#limits.receiveBufferBytes + (this.#finReceived ? 1 : 0);
    if (edge > limit) this.#report('window', `offered up to ${edge} though the buffer ends at ${limit}`);
    this.#edge = Math.max(this.#edge, edge);
  }

  #checkSack(segment: Segment, ack: number): void {
    for (let i = 0; i < segment.sackCount; i++) {
      const left = offsetOf(segment.sack[2 * i]!, this.irs!, ack);
      const right = offsetOf(segment.sack[2 * i + 1]!, this.irs!, ack);
      if (left >= right) {
        this.#report('sack', `block [${left}, ${right}) is empty`);
      } else if (i === 0 && this.#isDuplicateBlock(segment, left, right, ack)) {
        // Below the SYN: from another incarnation, whose segments may still be about.
        if (left >= 0 && !this.#twice.covers(left, right)) this.#report('sack', `D-SACK [${left}, ${right}) reports bytes that did not come twice`);
      } else if (left <= ack) {
        this.#report('sack', `block [${left}, ${right}) touches the acknowledgement ${ack}`);
      } else if (!this.#received.covers(left, right)) {
        this.#report('sack', `block [${left}, ${right}) reports bytes that have not come`);
      }
    }
  }

  /** RFC 2883, section 4. */
  #isDuplicateBlock(segment: Segment, left: number, right: number, ack: number): boolean {
    if (right <= ack) return true;
    if (segment.sackCount < 2) return false;
    return left >= offsetOf(segment.sack[2]!, this.irs!, ack) && right <= offsetOf(segment.sack[3]!, this.irs!, ack);
  }
}

/** Offset of `seq` from `base`, which lies within 2^31 of `near`. */
function offsetOf(seq: Seq, base: Seq, near: number): number {
  return near + ((seq - (base + near)) | 0);
}
