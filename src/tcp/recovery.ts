import type { Millis } from '../core/machine.ts';
import { seqGe } from '../wire/sequence.ts';
import { SACKED } from './scoreboard.ts';
import { FAST_RECOVERY, OPEN, PENDING_RETRANSMIT, RTO_RECOVERY, type Tcb } from './tcb.ts';
import { LOSS_PROBE, REORDER, RETRANSMIT } from './timers.ts';

/** RFC 8985, 7.2: PTO before the first RTT sample. */
const PTO_WITHOUT_RTT_MS = 1000;
/** A probe earlier than this finds a peer that is merely not scheduled; Linux adds 2 ms, timers here have 1. */
const MIN_PTO_MS = 10;
/** TLP.max_ack_delay: our own peers delay ACKs by 40 ms; of others we only know RFC 9293's 500 ms, and take Linux' 200. */
const ACK_DELAY_OWN_MS = 50;
const ACK_DELAY_OTHER_MS = 200;

/**
 * RFC 8985, RACK_detect_loss_and_arm_timer: deems segments lost by time, begins recovery if that is news, and arms
 * the reordering timer for the rest. Retransmissions are segments like others here, so lost ones are found again.
 */
export function detectLoss(tcb: Tcb, now: Millis): void {
  if (!tcb.sackOn || tcb.rack.xmitMs < 0) return;
  const before = tcb.scoreboard.lostBytes;
  const windowMs = tcb.rack.reorderingWindowMs(tcb.isInRecovery, tcb.scoreboard.sackedCount, tcb.rtt.srttMs);
  const timeoutMs = tcb.scoreboard.detectLost(tcb.rack.xmitMs, tcb.rack.endSeq, tcb.rack.rttMs + windowMs, now);
  if (timeoutMs > 0) {
    tcb.timers.set(REORDER, now + timeoutMs);
    tcb.timers.clear(LOSS_PROBE);
  } else {
    tcb.timers.clear(REORDER);
  }
  if (tcb.scoreboard.lostBytes > before) {
    tcb.sink?.emit(now, { type: 'lost', connection: tcb.name, by: 'rack', bytes: tcb.scoreboard.lostBytes - before });
    if (tcb.recovery === OPEN) enterFastRecovery(tcb, now);
  }
}

/**
 * FlightSize for the reduction, but no more than the window. RFC 5681 counts all that is not acknowledged; behind a hole
 * that includes whole windows that the peer has SACKed long ago, and "half of it" would be more than there was.
 */
function flightForController(tcb: Tcb): number {
  return Math.min(tcb.outstanding, tcb.controller.cwnd);
}

/** RFC 5681, 3.2: the window is reduced once, and the first lost segment goes out at once. */
export function enterFastRecovery(tcb: Tcb, now: Millis): void {
  tcb.controller.onLoss(now, flightForController(tcb));
  tcb.counters.fastRecoveries++;
  enter(tcb, FAST_RECOVERY, now);
}

/** The retransmission timer ran out with data outstanding: RFC 6298 (5.4–5.6), RFC 8985, 6.3. */
export function onRetransmissionTimeout(tcb: Tcb, now: Millis): void {
  const { scoreboard } = tcb;
  // The head would have been acknowledged if the peer still had it (RFC 2018, section 8).
  if ((scoreboard.headFlags & SACKED) !== 0) scoreboard.forgetSacks();
  scoreboard.markHeadLost();
  if (tcb.sackOn) {
    const windowMs = tcb.rack.reorderingWindowMs(tcb.isInRecovery, scoreboard.sackedCount, tcb.rtt.srttMs);
    scoreboard.markLostOlderThan(tcb.rack.rttMs + windowMs, now);
  } else {
    scoreboard.markLostOlderThan(0, now);
    tcb.dupAcks = 0;
  }
  if (tcb.recovery !== RTO_RECOVERY) tcb.controller.onTimeout(now, flightForController(tcb));
  tcb.counters.timeouts++;
  tcb.rtt.backOff();
  tcb.sink?.emit(now, { type: 'timeout', connection: tcb.name, rtoMs: tcb.rtt.rtoMs });
  enter(tcb, RTO_RECOVERY, now);
  tcb.timers.set(RETRANSMIT, now + tcb.rtt.rtoMs);
}

function enter(tcb: Tcb, recovery: 1 | 2, now: Millis): void {
  tcb.recovery = recovery;
  tcb.recoveryPoint = tcb.sndNxt;
  tcb.pending |= PENDING_RETRANSMIT;
  // RFC 8985, 7.1: a new episode forgets the loss probe.
  tcb.probeEnd = undefined;
  tcb.timers.clear(LOSS_PROBE);
  tcb.sink?.emit(now, { type: 'recovery', connection: tcb.name, kind: recovery === FAST_RECOVERY ? 'fast' : 'rto' });
}

/** SND.UNA moved: everything that was outstanding when recovery began has arrived. */
export function exitRecoveryIfDone(tcb: Tcb, now: Millis): void {
  if (tcb.recovery === OPEN || !seqGe(tcb.sndUna, tcb.recoveryPoint)) return;
  tcb.recovery = OPEN;
  tcb.rack.onRecoveryExit();
  tcb.controller.onRecoveryExit(now);
}

/** RFC 8985, 7.2: when nothing else would tell of a lost tail, probe it before the RTO does. */
export function armLossProbe(tcb: Tcb, now: Millis): void {
  if (!tcb.sackOn || tcb.recovery !== OPEN || tcb.scoreboard.sackedCount > 0 || tcb.outstanding === 0 || tcb.sndWnd === 0) {
    tcb.timers.clear(LOSS_PROBE);
    return;
  }
  // No second probe now (7.3). A timer that only re-arms the RTO would let a writer postpone the RTO with every segment.
  if (tcb.probeEnd !== undefined || !tcb.rttSinceProbe) {
    tcb.timers.clear(LOSS_PROBE);
    return;
  }
  let ptoMs = PTO_WITHOUT_RTT_MS;
  if (tcb.rtt.samples > 0) {
    ptoMs = Math.max(2 * tcb.rtt.srttMs, MIN_PTO_MS);
    if (tcb.scoreboard.count === 1) ptoMs += tcb.integrityOn ? ACK_DELAY_OWN_MS : ACK_DELAY_OTHER_MS;
  }
  tcb.timers.set(LOSS_PROBE, Math.min(now + ptoMs, tcb.timers.at(RETRANSMIT)));
}

/** RFC 8985, 7.4.2, TLP_process_ack: a probe that repaired a loss must not hide it from congestion control. */
export function processProbeAck(
  tcb: Tcb, ackCoversProbe: boolean, ackIsBeyond: boolean, hasDsack: boolean, isRepeated: boolean, flightBytes: number, now: Millis,
): void {
  if (tcb.probeEnd === undefined || !ackCoversProbe) return;
  if (!tcb.probeIsRetransmission || hasDsack) {
    tcb.probeEnd = undefined;
  } else if (ackIsBeyond) {
    tcb.probeEnd = undefined;
    // FlightSize before this ACK took away what it covers: afterwards next to nothing may be outstanding.
    tcb.controller.onLoss(now, flightBytes);
    tcb.controller.onRecoveryExit(now);
  } else if (isRepeated) {
    tcb.probeEnd = undefined;
  }
}
