import type { Millis } from '../core/machine.ts';
import { CAPABILITY_INTEGRITY } from '../wire/options.ts';
import { ABSENT, ACK, FIN, RST, SYN, type Segment } from '../wire/segment.ts';
import { seqAdd, seqDiff, seqGe, seqGt, seqInWindow, seqLe, seqLt, type Seq } from '../wire/sequence.ts';
import { acknowledgeNow, processAck, updateSendWindow } from './acks.ts';
import { DUPLICATE, FILLED, IN_ORDER, REFUSED } from './reassembly.ts';
import {
  canReceive, CLOSE_WAIT, CLOSED, CLOSING, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, isSynchronized, LAST_ACK, SYN_RECEIVED,
  SYN_SENT, TIME_WAIT,
} from './state.ts';
import {
  ACK_DELAYED, ACK_NONE, ACKS_PER_SECOND, EVENT_CONNECTED, EVENT_END, EVENT_READABLE, MIN_MSS, ORPHAN_TIMEOUT_MS, PENDING_RST, PENDING_SYN, QUICK_ACKS, type Tcb,
} from './tcb.ts';
import { CONNECT, DELAYED_ACK, KEEP_ALIVE, RETRANSMIT, TIME_WAIT_END, USER_TIMEOUT } from './timers.ts';

/** What the endpoint shall do after a segment: nothing, or answer with a RST whose SEQ is the segment's ACK. */
export const ARRIVED = 0;
export const ANSWER_RST = 1;

const MAX_WINDOW_SHIFT = 14;
/** RFC 7323, 5.5: a timestamp this old says nothing any more. */
const PAWS_EXPIRY_MS = 24 * 24 * 3600 * 1000;

/** SEGMENT ARRIVES for every state but LISTEN and CLOSED (RFC 9293, 3.10.7.3 and 3.10.7.4). Never throws for what a peer sends. */
export function segmentArrives(tcb: Tcb, segment: Segment, now: Millis): 0 | 1 {
  tcb.counters.segmentsReceived++;
  // It ended within this batch, and its endpoint has not yet let it go.
  if (tcb.state === CLOSED) return ARRIVED;
  return tcb.state === SYN_SENT ? arrivesInSynSent(tcb, segment, now) : arrivesLater(tcb, segment, now);
}

/** The peer's SYN, on whichever side: sequence numbers and options. */
export function acceptSyn(tcb: Tcb, segment: Segment, now: Millis): void {
  const { config } = tcb;
  tcb.irs = segment.seq;
  tcb.receiver.rcvNxt = seqAdd(segment.seq, 1);
  tcb.rcvAdv = seqAdd(tcb.receiver.rcvNxt, Math.min(65_535, config.receiveBufferBytes));
  tcb.lastHeardAt = now;
  if (segment.mss !== ABSENT) tcb.mss = Math.max(segment.mss, MIN_MSS);
  tcb.sackOn = segment.sackPermitted;
  tcb.integrityOn = config.integrity === 'required' || (segment.hasCrc && (segment.capabilities & CAPABILITY_INTEGRITY) !== 0);
  if (segment.windowShift !== ABSENT) {
    tcb.windowScalingOn = true;
    tcb.sndShift = Math.min(segment.windowShift, MAX_WINDOW_SHIFT);
    tcb.rcvShift = tcb.rcvShiftOffered;
  }
  if (segment.hasTimestamps) {
    tcb.timestampsOn = true;
    tcb.tsRecent = segment.tsVal;
    tcb.tsRecentAt = now;
  }
  tcb.onNegotiated();
}

function arrivesInSynSent(tcb: Tcb, segment: Segment, now: Millis): 0 | 1 {
  const hasAck = segment.has(ACK);
  if (hasAck && (seqLe(segment.ack, tcb.iss) || seqGt(segment.ack, tcb.sndNxt))) {
    return segment.has(RST) ? ARRIVED : ANSWER_RST;
  }
  if (segment.has(RST)) {
    if (hasAck) tcb.fail('ECONNREFUSED', 'connection refused: nobody listens there', now);
    return ARRIVED;
  }
  if (!segment.has(SYN)) return ARRIVED;
  // Only a peer whose offer of integrity arrived whole may do without it: see Integrity.
  acceptSyn(tcb, segment, now);
  if (hasAck) {
    tcb.sndWl1 = segment.seq;
    tcb.sndWl2 = segment.ack;
    processAck(tcb, segment, now);
    establish(tcb, segment, now);
    acknowledgeNow(tcb);
    receiveText(tcb, segment, seqAdd(segment.seq, 1), now);
    receiveFin(tcb, segment, now);
  } else {
    // Simultaneous open (RFC 9293, figure 8).
    tcb.become(SYN_RECEIVED, now);
    tcb.pending |= PENDING_SYN;
  }
  return ARRIVED;
}

function arrivesLater(tcb: Tcb, segment: Segment, now: Millis): 0 | 1 {
  if (tcb.state === SYN_RECEIVED && segment.has(SYN) && segment.seq === tcb.irs) return synAgain(tcb, segment, now);
  // RFC 5961, 4.2: a SYN is challenged whatever its sequence number.
  if (segment.has(SYN) && !segment.has(RST)) {
    challenge(tcb, now);
    return ARRIVED;
  }
  if (!isTimely(tcb, segment, now)) {
    tcb.counters.pawsDropped++;
    limitedAck(tcb, now);
    return ARRIVED;
  }
  if (!isAcceptable(tcb, segment)) {
    if (segment.has(RST)) return ARRIVED;
    tcb.counters.unacceptable++;
    // In TIME-WAIT the peer still waits for our ACK; what it sends again first may be text before its FIN.
    if (tcb.state === TIME_WAIT && segment.length > 0) tcb.restartTimeWait(now);
    noteOld(tcb, segment);
    // Data is not part of an ACK loop, and its sender waits for the answer.
    if (segment.payloadLength > 0) acknowledgeNow(tcb);
    else limitedAck(tcb, now);
    if (isBehind(tcb, segment) && segment.has(ACK) && isSynchronized(tcb.state)) {
      heard(tcb, now);
      processAck(tcb, segment, now);
      advance(tcb, now);
    }
    return ARRIVED;
  }
  if (segment.has(RST)) {
    reset(tcb, segment, now);
    return ARRIVED;
  }
  if (!segment.has(ACK)) return ARRIVED;
  if (tcb.state === SYN_RECEIVED) {
    if (!seqGt(segment.ack, tcb.sndUna) || seqGt(segment.ack, tcb.sndNxt)) return ANSWER_RST;
    tcb.sndWl1 = segment.seq;
    tcb.sndWl2 = segment.ack;
    tcb.sndWnd = segment.window << tcb.sndShift;
    tcb.maxSndWnd = tcb.sndWnd;
    heard(tcb, now);
    processAck(tcb, segment, now);
    establish(tcb, segment, now);
  } else {
    heard(tcb, now);
    if (!processAck(tcb, segment, now)) {
      challenge(tcb, now);
      return ARRIVED;
    }
  }
  rememberTimestamp(tcb, segment, now);
  advance(tcb, now);
  receiveText(tcb, segment, segment.seq, now);
  receiveFin(tcb, segment, now);
  return ARRIVED;
}

function heard(tcb: Tcb, now: Millis): void {
  tcb.lastHeardAt = now;
  tcb.keepAliveUnanswered = 0;
}

/** The same SYN again in SYN-RECEIVED: our SYN-ACK was lost, or, when both opened at once, this is its SYN-ACK. */
function synAgain(tcb: Tcb, segment: Segment, now: Millis): 0 | 1 {
  if (segment.has(RST)) return ARRIVED;
  if (segment.has(ACK) && !tcb.isPassive && segment.ack === tcb.sndNxt) {
    tcb.sndWl1 = segment.seq;
    tcb.sndWl2 = segment.ack;
    heard(tcb, now);
    processAck(tcb, segment, now);
    establish(tcb, segment, now);
    acknowledgeNow(tcb);
  } else {
    // The answer echoes this copy: else the peer would take the time since its first for a round trip.
    rememberTimestamp(tcb, segment, now);
    tcb.pending |= PENDING_SYN;
  }
  return ARRIVED;
}

function establish(tcb: Tcb, segment: Segment, now: Millis): void {
  updateSendWindow(tcb, segment, now);
  tcb.become(ESTABLISHED, now);
  tcb.pending &= ~PENDING_SYN;
  tcb.timers.clear(CONNECT);
  if (tcb.synRetries > 0) tcb.rtt.onSynTimeout();
  if (tcb.outstanding === 0) {
    tcb.timers.clear(RETRANSMIT);
    tcb.timers.clear(USER_TIMEOUT);
  }
  if (tcb.keepAlive !== undefined) tcb.timers.set(KEEP_ALIVE, now + tcb.keepAlive.idleMs);
  tcb.events |= EVENT_CONNECTED;
  // CLOSE was called before the handshake was complete.
  if (tcb.finQueued) tcb.become(FIN_WAIT_1, now);
}

/** PAWS (RFC 7323, 5.3). A segment without a timestamp passes, as on Linux: middleboxes strip options. */
function isTimely(tcb: Tcb, segment: Segment, now: Millis): boolean {
  if (!tcb.timestampsOn || !segment.hasTimestamps || segment.has(RST)) return true;
  return !seqLt(segment.tsVal, tcb.tsRecent) || now - tcb.tsRecentAt > PAWS_EXPIRY_MS;
}

/** RFC 7323, 4.3: only a segment that covers the last ACK sent sets TS.Recent. */
function rememberTimestamp(tcb: Tcb, segment: Segment, now: Millis): void {
  if (tcb.timestampsOn && segment.hasTimestamps && seqGe(segment.tsVal, tcb.tsRecent) && seqLe(segment.seq, tcb.lastAckSent)) {
    tcb.tsRecent = segment.tsVal;
    tcb.tsRecentAt = now;
  }
}

/**
 * The four cases of RFC 9293, 3.4, with one departure, which Linux has, too: a segment without text may also stand at the
 * right edge. There it stands when its sender has used up the window; with a hole on each side, the ACKs that both
 * recoveries wait for would be dropped.
 */
function isAcceptable(tcb: Tcb, segment: Segment): boolean {
  const { rcvNxt } = tcb.receiver;
  const window = tcb.rcvWnd;
  const length = segment.length;
  if (length === 0) return seqInWindow(segment.seq, rcvNxt, window + 1);
  if (window === 0) return false;
  if (seqInWindow(segment.seq, rcvNxt, window)) return true;
  return seqInWindow(seqAdd(segment.seq, length - 1), rcvNxt, window);
}

/**
 * At or below RCV.NXT, by no more than a window: its text is old, or too early at a closed window, but its ACK may be news.
 * RFC 9293 drops it; 4.4BSD goes on to look at the ACK, and so do we. When each side has taken the octet with which the other
 * probed its closed window, no ACK stands where the other side expects it, and both would die.
 */
function isBehind(tcb: Tcb, segment: Segment): boolean {
  const distance = seqDiff(tcb.receiver.rcvNxt, segment.seq);
  return distance >= 0 && distance <= tcb.config.receiveBufferBytes;
}

/** A duplicate of what was received long ago is reported by DSACK, too. */
function noteOld(tcb: Tcb, segment: Segment): void {
  if (segment.payloadLength === 0 || seqGt(segment.end, tcb.receiver.rcvNxt)) return;
  tcb.counters.duplicatesReceived++;
  tcb.receiver.accept(segment.seq, segment.payload.subarray(segment.payloadStart, segment.payloadEnd));
}

/** RFC 5961, 3.2: only the exact next sequence number resets; elsewhere in the window a RST is challenged. */
function reset(tcb: Tcb, segment: Segment, now: Millis): void {
  if (segment.seq !== tcb.receiver.rcvNxt) {
    challenge(tcb, now);
    return;
  }
  switch (tcb.state) {
    case SYN_RECEIVED:
      if (tcb.isPassive) tcb.closeNow(now);
      else tcb.fail('ECONNREFUSED', 'connection refused by the peer', now);
      return;
    case TIME_WAIT:
      // RFC 1337: a RST must not cut TIME-WAIT short.
      return;
  }
  if (tcb.onlyFinOutstanding) tcb.finishAndClose(now);
  else tcb.fail('ECONNRESET', 'connection reset by the peer', now);
}

function challenge(tcb: Tcb, now: Millis): void {
  tcb.counters.challengeAcks++;
  limitedAck(tcb, now);
}

/** An ACK that anybody can provoke is rate-limited (RFC 5961, 7), which also ends ACK loops between confused peers. */
function limitedAck(tcb: Tcb, now: Millis): void {
  tcb.ackTokens = Math.min(ACKS_PER_SECOND, tcb.ackTokens + ((now - tcb.ackTokensAt) * ACKS_PER_SECOND) / 1000);
  tcb.ackTokensAt = now;
  if (tcb.ackTokens >= 1) {
    tcb.ackTokens--;
    acknowledgeNow(tcb);
  } else {
    tcb.counters.ackRateLimited++;
  }
}

/** States that wait for the ACK of our FIN. */
function advance(tcb: Tcb, now: Millis): void {
  if (!tcb.finAcked) return;
  switch (tcb.state) {
    case FIN_WAIT_1:
      tcb.become(FIN_WAIT_2, now);
      if (tcb.isOrphan) tcb.timers.set(TIME_WAIT_END, now + ORPHAN_TIMEOUT_MS);
      break;
    case CLOSING:
      tcb.enterTimeWait(now);
      break;
    case LAST_ACK:
      tcb.closeNow(now);
      break;
  }
}

function receiveText(tcb: Tcb, segment: Segment, seq: Seq, now: Millis): void {
  const length = segment.payloadLength;
  if (length === 0) return;
  if (!canReceive(tcb.state)) {
    // After the peer's FIN nothing new can come; a duplicate is acknowledged.
    if (tcb.state !== CLOSED) acknowledgeNow(tcb);
    return;
  }
  if (tcb.isOrphan && seqGt(seqAdd(seq, length), tcb.receiver.rcvNxt)) {
    // Nobody will ever read it: the peer must not take it for delivered (RFC 2525, 2.17).
    tcb.closeNow(now);
    tcb.pending = PENDING_RST;
    return;
  }
  if (length > tcb.rcvMss) tcb.rcvMss = length;
  const room = seqDiff(tcb.rcvAdv, seq);
  const take = Math.min(length, room);
  if (take <= 0) return;
  const before = tcb.receiver.rcvNxt;
  const accepted = tcb.receiver.accept(seq, segment.payload.subarray(segment.payloadStart, segment.payloadStart + take));
  const delivered = seqDiff(tcb.receiver.rcvNxt, before);
  tcb.counters.bytesReceived += delivered;
  if (delivered > 0) tcb.events |= EVENT_READABLE;
  if (accepted === IN_ORDER) {
    tcb.unackedBytes += delivered;
    // RFC 5681, 4.2: at least every second full-sized segment; every one while the sender's window is small.
    const isQuick = tcb.quickAcks > 0;
    if (isQuick) tcb.quickAcks--;
    if (isQuick || tcb.unackedBytes >= 2 * tcb.rcvMss || tcb.receiver.hasDsack || take < length) {
      acknowledgeNow(tcb);
    } else if (tcb.ackMode === ACK_NONE) {
      tcb.ackMode = ACK_DELAYED;
      tcb.timers.set(DELAYED_ACK, now + tcb.config.delayedAckMs);
    }
    return;
  }
  // A hole, its filling or a duplicate: the sender wants to know at once (RFC 5681, 4.2), and its window shrinks.
  acknowledgeNow(tcb);
  tcb.quickAcks = QUICK_ACKS;
  if (accepted === FILLED) return;
  if (accepted === DUPLICATE) tcb.counters.duplicatesReceived++;
  else tcb.counters.outOfOrder++;
  if (accepted === REFUSED) tcb.counters.reassemblyRefused++;
  if (!tcb.sackOn) tcb.dupAcksOwed++;
}

/** "Eighth, check the FIN bit": it counts once everything before it is here. */
function receiveFin(tcb: Tcb, segment: Segment, now: Millis): void {
  // Bytes beyond a FIN that came ahead of a hole: that was no end, and must not hide the real one.
  if (tcb.peerFin !== undefined && !tcb.finReceived && seqGt(tcb.receiver.rcvNxt, tcb.peerFin)) tcb.peerFin = undefined;
  if (segment.has(FIN) && !tcb.finReceived && canReceive(tcb.state)) {
    const fin = seqAdd(segment.end, -1);
    // A FIN beyond the window comes again.
    if (seqInWindow(fin, tcb.receiver.rcvNxt, Math.max(tcb.rcvWnd, 1))) tcb.peerFin = fin;
  }
  if (segment.has(FIN)) {
    acknowledgeNow(tcb);
    if (tcb.state === TIME_WAIT) tcb.restartTimeWait(now);
  }
  if (tcb.finReceived || tcb.peerFin === undefined || tcb.receiver.rcvNxt !== tcb.peerFin) return;
  tcb.finReceived = true;
  tcb.receiver.rcvNxt = seqAdd(tcb.peerFin, 1);
  if (seqLt(tcb.rcvAdv, tcb.receiver.rcvNxt)) tcb.rcvAdv = tcb.receiver.rcvNxt;
  acknowledgeNow(tcb);
  tcb.events |= EVENT_END;
  switch (tcb.state) {
    case ESTABLISHED:
      tcb.become(CLOSE_WAIT, now);
      break;
    case FIN_WAIT_1:
      tcb.become(CLOSING, now);
      break;
    case FIN_WAIT_2:
      tcb.enterTimeWait(now);
      break;
  }
}
