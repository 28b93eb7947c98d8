import type { Millis } from '../core/machine.ts';
import { HEADER_BYTES, MAX_MSS } from '../wire/codec.ts';
import { formatSegment } from '../wire/format.ts';
import { CAPABILITY_INTEGRITY, CRC_BYTES, MAX_OPTION_BYTES, TIMESTAMPS_BYTES } from '../wire/options.ts';
import { ACK, FIN, MAX_SACK_BLOCKS, PSH, RST, SYN, type Segment } from '../wire/segment.ts';
import { seqAdd, seqDiff, seqGt, seqLe, type Seq } from '../wire/sequence.ts';
import { armLossProbe } from './recovery.ts';
import { HAS_FIN, HAS_SYN } from './scoreboard.ts';
import { canReceive, CLOSED, isSynchronized, SYN_SENT, TIME_WAIT } from './state.ts';
import {
  ACK_NONE, ACK_NOW, PENDING_KEEP_ALIVE, PENDING_OVERRIDE, PENDING_PROBE, PENDING_RETRANSMIT, PENDING_RST, PENDING_RST_AT_UNA, PENDING_SYN,
  PENDING_WINDOW_PROBE, type Tcb,
} from './tcb.ts';
import { DELAYED_ACK, LOSS_PROBE, REORDER, RETRANSMIT, USER_TIMEOUT } from './timers.ts';

/** Fs of RFC 9293, 3.8.6.2.1. */
const SWS_FRACTION = 1 / 2;

/** Payload that straddles the end of the send ring is put together here, for the moment of encoding. */
let scratch = new Uint8Array(0);

/**
 * Chooses the next segment to send and fills `out` with it; false when there is nothing to send now. It first decides
 * why a segment goes, then builds it once. Call until it returns false.
 */
export function nextSegment(tcb: Tcb, now: Millis, out: Segment): boolean {
  const reason = decide(tcb, now, out);
  if (reason === undefined) return false;
  tcb.counters.segmentsSent++;
  tcb.sink?.emit(now, { type: 'send', connection: tcb.name, reason, segment: formatSegment(out) });
  return true;
}

function decide(tcb: Tcb, now: Millis, out: Segment): string | undefined {
  out.clear();
  if (tcb.pending !== 0) {
    if ((tcb.pending & PENDING_RST) !== 0) return buildReset(tcb, out);
    if ((tcb.pending & PENDING_SYN) !== 0) return buildSyn(tcb, now, out);
  }
  if (tcb.state === CLOSED || tcb.state === SYN_SENT) return undefined;
  if (isSynchronized(tcb.state) && tcb.state !== TIME_WAIT) {
    const reason = decideData(tcb, now, out);
    if (reason !== undefined) return reason;
  }
  return decideAck(tcb, now, out);
}

function decideData(tcb: Tcb, now: Millis, out: Segment): string | undefined {
  if ((tcb.pending & PENDING_PROBE) !== 0) return buildLossProbe(tcb, now, out);
  if ((tcb.pending & PENDING_WINDOW_PROBE) !== 0) return buildWindowProbe(tcb, now, out);
  if (tcb.scoreboard.hasLost) {
    const slot = tcb.scoreboard.firstLost();
    const length = seqDiff(tcb.scoreboard.endOf(slot), tcb.scoreboard.startOf(slot));
    if ((tcb.pending & PENDING_RETRANSMIT) !== 0 || tcb.inFlight === 0 || tcb.inFlight + length <= tcb.controller.cwnd) {
      tcb.pending &= ~PENDING_RETRANSMIT;
      buildRetransmission(tcb, slot, now, out);
      return 'retransmit';
    }
    tcb.noteWindowLimited();
    return undefined;
  }
  tcb.pending &= ~PENDING_RETRANSMIT;
  return buildNewData(tcb, now, out);
}

/** New data or the FIN, if windows, Nagle and silly-window avoidance let it go (RFC 9293, 3.8.6.2.1 and 3.7.4). */
function buildNewData(tcb: Tcb, now: Millis, out: Segment): string | undefined {
  if (tcb.finSent) return undefined;
  const available = tcb.sendQueue.available(tcb.sndNxt);
  if (available === 0 && !tcb.finQueued) return undefined;
  const full = tcb.smss;
  const usable = seqDiff(seqAdd(tcb.sndUna, tcb.sndWnd), tcb.sndNxt);
  const size = Math.min(available, usable, full);
  const isLast = size === available;
  // The FIN takes one of the window itself.
  const withFin = isLast && tcb.finQueued && usable > size;
  if (size <= 0 && !withFin) return blockedByWindow(tcb, now);
  if (tcb.lastDataSentAt > 0 && tcb.outstanding === 0 && now - tcb.lastDataSentAt > tcb.rtt.rtoMs) tcb.controller.onIdle(now);
  const { inFlight } = tcb;
  if (inFlight > 0 && inFlight + size > tcb.controller.cwnd) {
    tcb.noteWindowLimited();
    return undefined;
  }
  if (size < full && !withFin && (tcb.pending & PENDING_OVERRIDE) === 0) {
    const smallOutstanding = !tcb.noDelay && seqGt(tcb.smallEnd, tcb.sndUna);
    const maySend = !smallOutstanding && (isLast || size >= SWS_FRACTION * tcb.maxSndWnd);
    if (!maySend) return isLast ? undefined : blockedByWindow(tcb, now);
  }
  tcb.pending &= ~PENDING_OVERRIDE;
  sendNew(tcb, size, withFin, now, out);
  return withFin && size === 0 ? 'fin' : 'data';
}

/** The peer's window holds everything back and nothing in flight will open it: look again after an RTO (RFC 9293, 3.8.6.1). */
function blockedByWindow(tcb: Tcb, now: Millis): undefined {
  if (tcb.outstanding === 0 && !tcb.timers.isSet(RETRANSMIT)) tcb.timers.set(RETRANSMIT, now + tcb.rtt.rtoMs);
  return undefined;
}

function sendNew(tcb: Tcb, size: number, withFin: boolean, now: Millis, out: Segment): void {
  const start = tcb.sndNxt;
  // RFC 6298 (5.1). What runs with nothing outstanding is the persist timer: it says nothing of this segment.
  if (tcb.outstanding === 0) tcb.timers.set(RETRANSMIT, now + tcb.rtt.rtoMs);
  tcb.sndNxt = seqAdd(start, size + (withFin ? 1 : 0));
  tcb.scoreboard.add(start, tcb.sndNxt, now, withFin ? HAS_FIN : 0);
  if (withFin) tcb.finSent = true;
  if (size < tcb.smss) tcb.smallEnd = tcb.sndNxt;
  fillData(tcb, start, size, withFin, now, out);
  tcb.lastDataSentAt = now;
  tcb.counters.bytesSent += size;
  tcb.controller.onSent(now, size, tcb.inFlight);
  armForSent(tcb, now);
  // The cumulative ACK of what is before decides on recovery; a probe is for an undisturbed tail.
  armLossProbeUnlessReordering(tcb, now);
}

function armLossProbeUnlessReordering(tcb: Tcb, now: Millis): void {
  if (!tcb.timers.isSet(REORDER)) armLossProbe(tcb, now);
}

/** RFC 6298 (5.1), and the user timeout: both run while something is outstanding. */
function armForSent(tcb: Tcb, now: Millis): void {
  if (!tcb.timers.isSet(RETRANSMIT)) tcb.timers.set(RETRANSMIT, now + tcb.rtt.rtoMs);
  if (!tcb.timers.isSet(USER_TIMEOUT)) tcb.timers.set(USER_TIMEOUT, now + tcb.config.userTimeoutMs);
}

function buildRetransmission(tcb: Tcb, slot: number, now: Millis, out: Segment): void {
  const { scoreboard } = tcb;
  const start = scoreboard.startOf(slot);
  const flags = scoreboard.flagsOf(slot);
  const withFin = (flags & HAS_FIN) !== 0;
  const size = seqDiff(scoreboard.endOf(slot), start) - (withFin ? 1 : 0);
  scoreboard.resend(slot, now);
  tcb.lastDataSentAt = now;
  tcb.counters.retransmissions++;
  tcb.counters.bytesRetransmitted += size;
  tcb.counters.bytesSent += size;
  fillData(tcb, start, size, withFin, now, out);
  tcb.controller.onSent(now, size, tcb.inFlight);
  // The RTO runs from the last transmission of the head: while it is being sent again, silence has not lasted an RTO yet.
  if (start === tcb.sndUna) tcb.timers.set(RETRANSMIT, now + tcb.rtt.rtoMs);
  armForSent(tcb, now);
}

/** RFC 8985, 7.3: new data if there is any and the peer's window lets it, else the last segment again. */
function buildLossProbe(tcb: Tcb, now: Millis, out: Segment): string | undefined {
  tcb.pending &= ~PENDING_PROBE;
  if (tcb.outstanding === 0) return undefined;
  const available = tcb.finSent ? 0 : tcb.sendQueue.available(tcb.sndNxt);
  const usable = seqDiff(seqAdd(tcb.sndUna, tcb.sndWnd), tcb.sndNxt);
  const size = Math.min(available, usable, tcb.smss);
  tcb.probeIsRetransmission = size <= 0;
  if (tcb.probeIsRetransmission) buildRetransmission(tcb, tcb.scoreboard.last(), now, out);
  else sendNew(tcb, size, false, now, out);
  tcb.counters.lossProbes++;
  tcb.probeEnd = tcb.sndNxt;
  tcb.rttSinceProbe = false;
  tcb.timers.clear(LOSS_PROBE);
  tcb.timers.set(RETRANSMIT, now + tcb.rtt.rtoMs);
  return 'loss-probe';
}

/** RFC 9293, 3.8.6.1: one octet of new data, or what is outstanding, at a window that is closed. */
function buildWindowProbe(tcb: Tcb, now: Millis, out: Segment): string | undefined {
  tcb.pending &= ~PENDING_WINDOW_PROBE;
  if (tcb.outstanding > 0) {
    buildRetransmission(tcb, tcb.scoreboard.first(), now, out);
  } else {
    const available = tcb.finSent ? 0 : tcb.sendQueue.available(tcb.sndNxt);
    if (available === 0 && !tcb.finQueued) return undefined;
    sendNew(tcb, Math.min(available, 1), available === 0, now, out);
  }
  tcb.windowProbed = true;
  tcb.counters.windowProbes++;
  tcb.timers.set(RETRANSMIT, now + tcb.rtt.rtoMs);
  return 'window-probe';
}

function fillData(tcb: Tcb, start: Seq, size: number, withFin: boolean, now: Millis, out: Segment): void {
  fillHeader(tcb, start, now, out);
  if (size > 0) {
    if (scratch.length < size) scratch = new Uint8Array(MAX_MSS);
    const bytes = tcb.sendQueue.view(start, size, scratch);
    out.payload = bytes;
    out.payloadStart = 0;
    out.payloadEnd = size;
    if (seqAdd(start, size) === tcb.sendQueue.end) out.flags |= PSH;
  }
  if (withFin) out.flags |= FIN;
  fillSackWithin(tcb, size, out);
  onAckSent(tcb);
}

function decideAck(tcb: Tcb, now: Millis, out: Segment): string | undefined {
  if ((tcb.pending & PENDING_KEEP_ALIVE) !== 0) {
    tcb.pending &= ~PENDING_KEEP_ALIVE;
    // RFC 1122, 4.2.3.6: below the window, so that the peer has to answer.
    fillHeader(tcb, seqAdd(tcb.sndNxt, -1), now, out);
    tcb.counters.keepAliveProbes++;
    return 'keep-alive';
  }
  if (tcb.ackMode !== ACK_NOW && !shouldUpdateWindow(tcb)) return undefined;
  const reason = tcb.ackMode === ACK_NOW ? 'ack' : 'window-update';
  fillHeader(tcb, acceptableSeq(tcb), now, out);
  fillSackWithin(tcb, 0, out);
  onAckSent(tcb);
  return reason;
}

/**
 * SEQ of a segment without text: SND.NXT, but never beyond the peer's window (a zero-window probe is, and so is what a
 * shrunk window leaves behind). Outside it, the peer would not even look at the ACK or the RST. Linux does likewise.
 */
function acceptableSeq(tcb: Tcb): Seq {
  // Before the SYN is acknowledged the window is not known.
  if (tcb.sndUna === tcb.iss) return tcb.sndNxt;
  const edge = seqAdd(tcb.sndUna, tcb.sndWnd);
  return seqGt(tcb.sndNxt, edge) ? edge : tcb.sndNxt;
}

/** ACK, window, timestamp and CRC: what every segment of a synchronized connection carries. */
function fillHeader(tcb: Tcb, seq: Seq, now: Millis, out: Segment): void {
  out.seq = seq;
  out.flags = ACK;
  out.ack = tcb.receiver.rcvNxt;
  out.window = advertise(tcb);
  out.hasCrc = tcb.integrityOn;
  fillTimestamps(tcb, now, out);
}

function fillTimestamps(tcb: Tcb, now: Millis, out: Segment): void {
  if (!tcb.timestampsOn) return;
  out.hasTimestamps = true;
  out.tsVal = tcb.timestamp(now);
  out.tsEcr = tcb.tsRecent;
}

function fillSackWithin(tcb: Tcb, payloadBytes: number, out: Segment): void {
  if (!tcb.sackOn || (!tcb.receiver.hasHoles && !tcb.receiver.hasDsack)) return;
  const others = (tcb.timestampsOn ? TIMESTAMPS_BYTES : 0) + (tcb.integrityOn ? CRC_BYTES : 0);
  const room = Math.min(MAX_OPTION_BYTES - others, tcb.config.mtuBytes - HEADER_BYTES - others - payloadBytes) - 4;
  const blocks = Math.min(MAX_SACK_BLOCKS, Math.floor(room / 8));
  if (blocks > 0) tcb.receiver.fillSack(out, blocks);
}

/** The segment just built acknowledges everything received, unless SACK blocks or duplicate ACKs are still owed. */
function onAckSent(tcb: Tcb): void {
  tcb.lastAckSent = tcb.receiver.rcvNxt;
  tcb.unackedBytes = 0;
  tcb.timers.clear(DELAYED_ACK);
  if (tcb.dupAcksOwed > 0) tcb.dupAcksOwed--;
  // Several ACKs follow one batch where its news does not fit into one: a SACK block that is never sent is a segment sent twice.
  const owes = tcb.sackOn ? tcb.receiver.hasDsack || tcb.receiver.countUnreported() > 0 : tcb.dupAcksOwed > 0;
  tcb.ackMode = owes ? ACK_NOW : ACK_NONE;
}

/**
 * The window that could be offered now: free buffer in whole units of the scale, rounded down. Rounding is the one
 * way in which scaling takes window back (RFC 7323, 2.4).
 */
function windowOnOffer(tcb: Tcb): number {
  const unit = 1 << tcb.rcvShift;
  const free = tcb.config.receiveBufferBytes - tcb.receiver.ready.length;
  return Math.min(65_535, Math.floor(free / unit)) * unit;
}

/** The largest window ever on offer. */
function windowLimit(tcb: Tcb): number {
  return Math.min(tcb.config.receiveBufferBytes, 65_535 << tcb.rcvShift);
}

/**
 * The window field, and with it the right edge, which moves only forward and only by a worthwhile step
 * (receiver's silly-window avoidance, RFC 9293, 3.8.6.2.2).
 */
function advertise(tcb: Tcb): number {
  const offer = windowOnOffer(tcb);
  if (offer - tcb.rcvWnd >= Math.min(windowLimit(tcb) / 2, tcb.smss)) tcb.rcvAdv = seqAdd(tcb.receiver.rcvNxt, offer);
  return Math.min(65_535, tcb.rcvWnd >>> tcb.rcvShift);
}

/** The reader has made room that the sender should hear of without waiting for data. */
function shouldUpdateWindow(tcb: Tcb): boolean {
  if (!canReceive(tcb.state)) return false;
  const limit = windowLimit(tcb);
  const window = tcb.rcvWnd;
  const growth = windowOnOffer(tcb) - window;
  if (growth < Math.min(limit / 2, tcb.smss)) return false;
  // A starving sender hears of two segments' room, a well-fed one of half the buffer: fewer ACKs, and no deadlock.
  return window < limit / 4 ? growth >= Math.min(limit / 4, 2 * tcb.smss) : growth >= limit / 2;
}

function buildSyn(tcb: Tcb, now: Millis, out: Segment): string {
  const isFirst = seqLe(tcb.sndNxt, tcb.iss);
  tcb.pending &= ~PENDING_SYN;
  const isAnswer = tcb.state !== SYN_SENT;
  if (isFirst) {
    tcb.sndNxt = seqAdd(tcb.iss, 1);
    tcb.scoreboard.add(tcb.iss, tcb.sndNxt, now, HAS_SYN);
  } else {
    tcb.scoreboard.resend(tcb.scoreboard.first(), now);
    tcb.counters.retransmissions++;
  }
  out.seq = tcb.iss;
  out.flags = isAnswer ? SYN | ACK : SYN;
  out.window = Math.min(65_535, tcb.config.receiveBufferBytes);
  out.mss = MAX_MSS;
  // An answer offers only what was offered.
  if (!isAnswer || tcb.sackOn) out.sackPermitted = true;
  if (!isAnswer || tcb.windowScalingOn) out.windowShift = tcb.rcvShiftOffered;
  if (!isAnswer || tcb.integrityOn) {
    out.capabilities = CAPABILITY_INTEGRITY;
    out.hasCrc = true;
  }
  if (isAnswer) {
    out.ack = tcb.receiver.rcvNxt;
    fillTimestamps(tcb, now, out);
    onAckSent(tcb);
  } else {
    out.hasTimestamps = true;
    out.tsVal = tcb.timestamp(now);
  }
  tcb.timers.set(RETRANSMIT, now + tcb.rtt.rtoMs);
  return isAnswer ? 'syn-ack' : 'syn';
}

function buildReset(tcb: Tcb, out: Segment): string {
  // A peer that misses something is reset by SND.UNA, any other by SND.NXT: it takes only the exact number (RFC 5961, 3.2),
  // and whoever aborts may be gone before the challenge to a wrong one comes back.
  const isFirst = (tcb.pending & PENDING_RST_AT_UNA) !== 0;
  tcb.pending = isFirst ? PENDING_RST : 0;
  out.seq = isFirst ? tcb.sndUna : acceptableSeq(tcb);
  out.ack = tcb.receiver.rcvNxt;
  out.flags = RST | ACK;
  out.hasCrc = tcb.integrityOn;
  return 'reset';
}
