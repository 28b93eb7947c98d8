import type { Millis } from '../core/machine.ts';
import { FIN, SYN, type Segment } from '../wire/segment.ts';
import { seqAdd, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, type Seq } from '../wire/sequence.ts';
import { armLossProbe, detectLoss, enterFastRecovery, exitRecoveryIfDone, processProbeAck } from './recovery.ts';
import type { DeliveryListener } from './scoreboard.ts';
import { ACK_NOW, EVENT_FINISHED, EVENT_WRITABLE, FAST_RECOVERY, OPEN, PENDING_RETRANSMIT, type Tcb } from './tcb.ts';
import { LOSS_PROBE, REORDER, RETRANSMIT, USER_TIMEOUT } from './timers.ts';

/** RFC 5681, 3.2. */
const DUP_THRESHOLD = 3;

/** What one ACK delivered. Filled anew for each ACK; ACKs are processed one at a time. */
class Deliveries implements DeliveryListener {
  #tcb!: Tcb;
  #now: Millis = 0;
  #hasEcho = false;
  #echo = 0;
  /** When the oldest segment was sent that was acknowledged, or SACKed, for the first time and sent only once. */
  oldestAckedMs = Infinity;
  oldestSackedMs = Infinity;
  retransmissionAcked = false;
  /** What was acknowledged was sent again, and the echo is not that of the last copy. */
  isAmbiguous = false;

  begin(tcb: Tcb, segment: Segment, now: Millis): void {
    this.#tcb = tcb;
    this.#now = now;
    this.#hasEcho = tcb.timestampsOn && segment.hasTimestamps && segment.tsEcr !== 0;
    this.#echo = segment.tsEcr;
    this.oldestAckedMs = Infinity;
    this.oldestSackedMs = Infinity;
    this.retransmissionAcked = false;
    this.isAmbiguous = false;
  }

  onDelivered(sentMs: Millis, end: Seq, wasRetransmitted: boolean, bySack: boolean): void {
    const tcb = this.#tcb;
    if (!wasRetransmitted) {
      if (bySack) this.oldestSackedMs = Math.min(this.oldestSackedMs, sentMs);
      else this.oldestAckedMs = Math.min(this.oldestAckedMs, sentMs);
    } else if (!bySack) {
      this.retransmissionAcked = true;
    }
    const isAmbiguous = this.#hasEcho && seqLt(this.#echo, tcb.timestamp(sentMs));
    if (wasRetransmitted && isAmbiguous) this.isAmbiguous = true;
    tcb.rack.onDelivered(sentMs, end, wasRetransmitted, isAmbiguous, this.#now);
  }

  /**
   * The ACK's RTT sample: of a segment sent once (Karn; RFC 6298, section 3), else by the echoed timestamp
   * (RFC 7323, 4.1), else none (−1). An ACK that reports a duplicate was made by the second copy, but echoes the first:
   * the time between is that of a lost ACK and our own RTO, not of the path, and an RTO fed by it would grow on itself.
   */
  rttMs(acked: number, hasDsack: boolean): Millis {
    if (this.oldestAckedMs !== Infinity && !this.retransmissionAcked) return this.#now - this.oldestAckedMs;
    if (this.oldestSackedMs !== Infinity) return this.#now - this.oldestSackedMs;
    // The first sample sets the RTO alone: a handshake that took several SYNs must not (RFC 6298, 5.7 has 3 s for it).
    if (this.isAmbiguous && this.#tcb.rtt.samples === 0) return -1;
    if (acked > 0 && this.#hasEcho && !hasDsack) {
      const elapsed = seqDiff(this.#tcb.timestamp(this.#now), this.#echo);
      // A peer that echoes nonsense must not set our timers.
      if (elapsed >= 0 && elapsed <= this.#tcb.config.maxRtoMs) return elapsed;
    }
    return -1;
  }
}

const deliveries = new Deliveries();

/**
 * The ACK of an acceptable segment (RFC 9293, 3.10.7.4, "fifth"; RFC 5961, 5.2). Returns false when the segment is
 * to be dropped: it acknowledges what was never sent, or something implausibly old.
 */
export function processAck(tcb: Tcb, segment: Segment, now: Millis): boolean {
  const { ack } = segment;
  if (seqGt(ack, tcb.sndNxt) || seqLt(ack, seqAdd(tcb.sndUna, -Math.max(tcb.maxSndWnd, 1)))) return false;
  const acked = seqDiff(ack, tcb.sndUna);
  // An old ACK, overtaken on the way: what it says is known already.
  if (acked < 0) return true;

  const { scoreboard, ackSample } = tcb;
  const priorInFlight = tcb.inFlight;
  const priorSacked = scoreboard.sackedBytes;
  const priorOutstanding = tcb.outstanding;
  deliveries.begin(tcb, segment, now);
  if (acked > 0) moveUna(tcb, ack);
  const sackNews = tcb.sackOn && segment.sackCount > 0 ? processSack(tcb, segment) : 0;
  // At a closed window it is the answer to a probe.
  const isRepeated = acked === 0 && segment.payloadLength === 0 && !segment.has(SYN | FIN) && tcb.sndWnd > 0 && !windowChanges(tcb, segment);
  const isDupAck = isRepeated && priorOutstanding > 0;
  updateSendWindow(tcb, segment, now, acked > 0);

  tcb.rack.endOfAck(now);
  const rttMs = takeRttSample(tcb, acked, (sackNews & SACK_DSACK) !== 0, now);
  const { probeEnd } = tcb;
  if (probeEnd !== undefined) {
    processProbeAck(tcb, seqGe(ack, probeEnd), seqGt(ack, probeEnd), (sackNews & SACK_DSACK) !== 0, isRepeated && segment.sackCount === 0, priorOutstanding, now);
  }
  if (acked > 0) exitRecoveryIfDone(tcb, now);
  if (tcb.sackOn) {
    if (acked > 0 || sackNews !== 0) detectLoss(tcb, now);
  } else {
    countDuplicates(tcb, acked, isDupAck, now);
  }

  if (acked > 0 || sackNews !== 0) {
    ackSample.now = now;
    ackSample.ackedBytes = acked;
    ackSample.deliveredBytes = acked + scoreboard.sackedBytes - priorSacked;
    ackSample.priorInFlightBytes = priorInFlight;
    ackSample.isWindowLimited = tcb.isWindowLimited;
    ackSample.isInRecovery = tcb.isInRecovery;
    ackSample.rttMs = Math.max(rttMs, 0);
    tcb.controller.onAck(ackSample);
    if (seqGe(tcb.sndUna, tcb.limitedAt)) tcb.isWindowLimited = false;
  }
  if (acked > 0) restartTimers(tcb, now);
  return true;
}

function moveUna(tcb: Tcb, ack: Seq): void {
  tcb.scoreboard.acknowledge(ack, deliveries);
  tcb.sndUna = ack;
  tcb.dupAcks = 0;
  tcb.rack.onUnaMoved(ack);
  const before = tcb.sendQueue.length;
  // The SYN before the data and the FIN after it have sequence numbers, too, but no bytes.
  const dataEnd = tcb.sendQueue.end;
  tcb.sendQueue.release(seqLe(ack, dataEnd) ? ack : dataEnd);
  tcb.counters.bytesAcked += before - tcb.sendQueue.length;
  if (tcb.writerWaits && tcb.sendQueue.free > 0) {
    tcb.writerWaits = false;
    tcb.events |= EVENT_WRITABLE;
  }
  if (tcb.finAcked) tcb.events |= EVENT_FINISHED;
}

const SACK_NEWS = 1;
const SACK_DSACK = 2;

/** RFC 2018 and 2883: marks what the peer holds. Blocks that cannot be true are ignored. */
function processSack(tcb: Tcb, segment: Segment): number {
  const { sack, sackCount, ack } = segment;
  let news = 0;
  for (let i = 0; i < sackCount; i++) {
    const left = sack[2 * i]!;
    const right = sack[2 * i + 1]!;
    if (!seqLt(left, right) || seqGt(right, tcb.sndNxt)) continue;
    if (i === 0 && isDuplicateBlock(left, right, segment)) {
      tcb.counters.duplicatesReported++;
      tcb.rack.onDsack(tcb.sndNxt);
      news |= SACK_DSACK;
      continue;
    }
    if (seqLe(right, ack)) continue;
    if (tcb.scoreboard.sack(seqMax(left, ack), right, deliveries)) news |= SACK_NEWS;
  }
  tcb.scoreboard.rememberBlocks(sack, sackCount);
  return news;
}

/** RFC 2883, section 4: the first block lies below the ACK, or within the second block. */
function isDuplicateBlock(left: Seq, right: Seq, segment: Segment): boolean {
  if (seqLe(right, segment.ack)) return true;
  return segment.sackCount > 1 && seqGe(left, segment.sack[2]!) && seqLe(right, segment.sack[3]!);
}

function windowChanges(tcb: Tcb, segment: Segment): boolean {
  return (segment.window << tcb.sndShift) !== tcb.sndWnd;
}

/**
 * SND.WND from a segment that is not older than the last that set it (RFC 9293, 3.10.7.4). A SYN's window is not scaled.
 * An ACK with news is newer than all before, also on a retransmission with an old sequence number: SND.UNA moved, and
 * with the old window behind it the right edge would be one that nobody offered. Linux takes it likewise.
 */
export function updateSendWindow(tcb: Tcb, segment: Segment, now: Millis, hasNews = false): void {
  const isNewer = hasNews || seqLt(tcb.sndWl1, segment.seq) || (tcb.sndWl1 === segment.seq && seqLe(tcb.sndWl2, segment.ack));
  if (!isNewer) return;
  const wasClosed = tcb.sndWnd === 0;
  tcb.sndWnd = segment.window << (segment.has(SYN) ? 0 : tcb.sndShift);
  tcb.sndWl1 = segment.seq;
  tcb.sndWl2 = segment.ack;
  tcb.maxSndWnd = Math.max(tcb.maxSndWnd, tcb.sndWnd);
  if (tcb.sndWnd === 0) {
    if (!wasClosed) tcb.counters.zeroWindowsSeen++;
    // An answer, if only "not yet": a slow reader is not a dead one (RFC 9293, MUST-37).
    // But nobody waits for it on behalf of an application that has gone (RFC 6429).
    if (!tcb.isOrphan) tcb.timers.clear(USER_TIMEOUT);
    tcb.timers.clear(LOSS_PROBE);
  } else if (tcb.windowProbed) {
    onWindowOpened(tcb, now);
  }
}

/** The octet with which the closed window was probed was thrown away, most likely: it goes first. */
function onWindowOpened(tcb: Tcb, now: Millis): void {
  tcb.windowProbed = false;
  tcb.rtt.backoff = 0;
  if (tcb.outstanding > 0) {
    if (tcb.scoreboard.markHeadLost()) tcb.pending |= PENDING_RETRANSMIT;
    tcb.timers.set(RETRANSMIT, now + tcb.rtt.rtoMs);
  } else {
    tcb.timers.clear(RETRANSMIT);
  }
}

function takeRttSample(tcb: Tcb, acked: number, hasDsack: boolean, now: Millis): Millis {
  const rttMs = deliveries.rttMs(acked, hasDsack);
  if (rttMs < 0) return rttMs;
  tcb.rtt.sample(rttMs);
  tcb.rack.onRttSample(rttMs, now);
  tcb.rttSinceProbe = true;
  tcb.sink?.emit(now, { type: 'rtt', connection: tcb.name, rttMs });
  return rttMs;
}

/** Fast retransmit and NewReno's partial ACKs, for a peer without SACK (RFC 5681, 3.2; RFC 6582, 3.2). */
function countDuplicates(tcb: Tcb, acked: number, isDupAck: boolean, now: Millis): void {
  if (acked > 0) {
    // After an RTO everything is marked already: a head that is not has just been sent again.
    if (tcb.recovery === FAST_RECOVERY && tcb.outstanding > 0 && tcb.scoreboard.markHeadLost()) tcb.pending |= PENDING_RETRANSMIT;
    return;
  }
  if (!isDupAck) return;
  tcb.dupAcks++;
  if (tcb.dupAcks === DUP_THRESHOLD && tcb.recovery === OPEN && tcb.scoreboard.markHeadLost()) {
    tcb.sink?.emit(now, { type: 'lost', connection: tcb.name, by: 'duplicate-acks', bytes: tcb.scoreboard.lostBytes });
    enterFastRecovery(tcb, now);
  }
}

/** RFC 6298 (5.2, 5.3) and the user timeout: progress starts both anew. */
function restartTimers(tcb: Tcb, now: Millis): void {
  if (tcb.outstanding === 0) {
    tcb.timers.clear(RETRANSMIT);
    tcb.timers.clear(LOSS_PROBE);
    tcb.timers.clear(REORDER);
    tcb.timers.clear(USER_TIMEOUT);
    return;
  }
  tcb.timers.set(RETRANSMIT, now + tcb.rtt.rtoMs);
  if (tcb.sndWnd > 0) tcb.timers.set(USER_TIMEOUT, now + tcb.config.userTimeoutMs);
  if (!tcb.timers.isSet(REORDER)) armLossProbe(tcb, now);
}

/** An ACK goes out at the next poll. */
export function acknowledgeNow(tcb: Tcb): void {
  tcb.ackMode = ACK_NOW;
}
