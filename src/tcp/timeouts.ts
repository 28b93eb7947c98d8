import type { Millis } from '../core/machine.ts';
import { detectLoss, onRetransmissionTimeout } from './recovery.ts';
import { CLOSED, isSynchronized } from './state.ts';
import {
  ACK_DELAYED, ACK_NOW, OPEN, PENDING_KEEP_ALIVE, PENDING_OVERRIDE, PENDING_PROBE, PENDING_SYN,
  PENDING_WINDOW_PROBE, type Tcb,
} from './tcb.ts';
import { CONNECT, DELAYED_ACK, KEEP_ALIVE, LOSS_PROBE, REORDER, RETRANSMIT, TIME_WAIT_END, USER_TIMEOUT } from './timers.ts';

/** Everything that is due by `now`. What has to be sent for it goes out at the next poll. */
export function handleTimeouts(tcb: Tcb, now: Millis): void {
  const { timers } = tcb;
  if (timers.isDue(TIME_WAIT_END, now) || timers.isDue(CONNECT, now) || timers.isDue(USER_TIMEOUT, now)) {
    handleDeath(tcb, now);
    if (tcb.state === CLOSED) return;
  }
  if (timers.isDue(REORDER, now)) {
    timers.clear(REORDER);
    detectLoss(tcb, now);
  }
  // The probe comes before the RTO that falls due with it, and postpones it (RFC 8985, 7.2).
  if (timers.isDue(LOSS_PROBE, now)) onLossProbe(tcb, now);
  if (timers.isDue(RETRANSMIT, now)) onRetransmit(tcb, now);
  if (timers.isDue(DELAYED_ACK, now)) {
    timers.clear(DELAYED_ACK);
    if (tcb.ackMode === ACK_DELAYED) tcb.ackMode = ACK_NOW;
  }
  if (timers.isDue(KEEP_ALIVE, now)) onKeepAlive(tcb, now);
}

function handleDeath(tcb: Tcb, now: Millis): void {
  if (tcb.timers.isDue(TIME_WAIT_END, now)) {
    tcb.closeNow(now);
  } else if (tcb.timers.isDue(CONNECT, now)) {
    tcb.fail('ETIMEDOUT', `no answer within the connect timeout of ${tcb.config.connectTimeoutMs} ms`, now, 'connect timeout');
  } else if (tcb.onlyFinOutstanding) {
    tcb.finishAndClose(now);
  } else {
    tcb.fail('ETIMEDOUT', `no acknowledgement within the user timeout of ${tcb.config.userTimeoutMs} ms`, now, 'user timeout');
  }
}

function onLossProbe(tcb: Tcb, now: Millis): void {
  tcb.timers.clear(LOSS_PROBE);
  if (tcb.outstanding === 0 || tcb.recovery !== OPEN || tcb.scoreboard.sackedCount > 0) return;
  // RFC 8985, 7.3: one probe at a time, and an RTT sample between two.
  if (tcb.probeEnd === undefined && tcb.rttSinceProbe) tcb.pending |= PENDING_PROBE;
  tcb.timers.set(RETRANSMIT, now + tcb.rtt.rtoMs);
}

function onRetransmit(tcb: Tcb, now: Millis): void {
  tcb.timers.clear(RETRANSMIT);
  if (!isSynchronized(tcb.state)) {
    onSynTimeout(tcb, now);
  } else if (tcb.sndWnd === 0) {
    tcb.rtt.backOff();
    tcb.pending |= PENDING_WINDOW_PROBE;
  } else if (tcb.outstanding === 0) {
    // The window is open, but too little for a worthwhile segment: send it all the same.
    tcb.pending |= PENDING_OVERRIDE;
  } else {
    onRetransmissionTimeout(tcb, now);
  }
}

function onSynTimeout(tcb: Tcb, now: Millis): void {
  tcb.synRetries++;
  if (tcb.isPassive && tcb.synRetries > tcb.config.synAckRetries) {
    tcb.closeNow(now);
    return;
  }
  tcb.counters.timeouts++;
  tcb.rtt.backOff();
  tcb.pending |= PENDING_SYN;
}

/** RFC 1122, 4.2.3.6. It looks at silence only when it fires, so that traffic costs it nothing. */
function onKeepAlive(tcb: Tcb, now: Millis): void {
  const { keepAlive } = tcb;
  if (keepAlive === undefined || !isSynchronized(tcb.state)) {
    tcb.timers.clear(KEEP_ALIVE);
    return;
  }
  if (tcb.outstanding > 0) {
    // The user timeout watches.
    tcb.timers.set(KEEP_ALIVE, now + keepAlive.idleMs);
    return;
  }
  const idleEndsAt = tcb.lastHeardAt + keepAlive.idleMs;
  if (tcb.keepAliveUnanswered === 0 && idleEndsAt > now) {
    tcb.timers.set(KEEP_ALIVE, idleEndsAt);
    return;
  }
  if (tcb.keepAliveUnanswered >= keepAlive.count) {
    tcb.fail('ETIMEDOUT', `no answer to ${keepAlive.count} keep-alive probes`, now, 'keep-alive');
    return;
  }
  tcb.keepAliveUnanswered++;
  tcb.pending |= PENDING_KEEP_ALIVE;
  tcb.timers.set(KEEP_ALIVE, now + keepAlive.intervalMs);
}
