import type { Millis } from '../core/machine.ts';
import { seqAdd, seqGe, seqGt, seqLt, type Seq } from '../wire/sequence.ts';

/** RFC 8985, 6.2 step 4. */
const DUP_THRESHOLD = 3;
const REO_WND_PERSIST = 16;
/** Window of the minimum filter over RTTs, halves rotated: RFC 8985 asks for one that adapts to longer paths; Linux uses 5 minutes. */
const MIN_RTT_WINDOW_MS = 150_000;

/** Window of the maximum filter, halves rotated. */
const MAX_RTT_WINDOW_MS = 1000;

/** The state of RACK (RFC 8985, 5.3) and its five steps' bookkeeping; marking is the scoreboard's, timers are recovery's. */
export class Rack {
  /** Of the most recently sent segment that has been delivered. */
  xmitMs = -1;
  endSeq: Seq = 0;
  rttMs = 0;
  reorderingSeen = false;
  #fack: Seq = 0;
  #minNow = Infinity;
  #minBefore = Infinity;
  #minRotatesAt = 0;
  #maxNow = 0;
  #maxBefore = 0;
  #maxRotatesAt = 0;
  #reoWndMult = 1;
  /** Rounds that have seen many DSACKs. */
  #wideMult = 0;
  #dsacksInRound = 0;
  #reoWndPersist = REO_WND_PERSIST;
  /** End of the round in which a DSACK has widened the window; undefined outside one. */
  #dsackRound: Seq | undefined;
  /** Best candidate among this ACK's deliveries. */
  #candidateMs = -1;
  #candidateEnd: Seq = 0;

  begin(iss: Seq): void {
    this.#fack = seqAdd(iss, 1);
  }

  get minRttMs(): Millis {
    return Math.min(this.#minNow, this.#minBefore);
  }

  /** Step 1, and the largest RTT beside it. */
  onRttSample(rttMs: Millis, now: Millis): void {
    if (now >= this.#maxRotatesAt) {
      this.#maxBefore = this.#maxNow;
      this.#maxNow = 0;
      this.#maxRotatesAt = now + MAX_RTT_WINDOW_MS;
    }
    this.#maxNow = Math.max(this.#maxNow, rttMs);
    if (now >= this.#minRotatesAt) {
      this.#minBefore = this.#minNow;
      this.#minNow = Infinity;
      this.#minRotatesAt = now + MIN_RTT_WINDOW_MS;
    }
    this.#minNow = Math.min(this.#minNow, rttMs);
  }

  /**
   * Steps 2 and 3, for one delivered segment. `isAmbiguous`: it was retransmitted and the echoed timestamp does not
   * prove that the last copy arrived.
   */
  onDelivered(sentMs: Millis, end: Seq, wasRetransmitted: boolean, isAmbiguous: boolean, now: Millis): void {
    if (seqGt(end, this.#fack)) this.#fack = end;
    else if (seqLt(end, this.#fack) && !wasRetransmitted) this.reorderingSeen = true;
    if (wasRetransmitted && (isAmbiguous || now - sentMs < this.minRttMs)) return;
    if (sentMs > this.#candidateMs || (sentMs === this.#candidateMs && seqGt(end, this.#candidateEnd))) {
      this.#candidateMs = sentMs;
      this.#candidateEnd = end;
    }
  }

  /** Step 2, end of the ACK: the latest sent of its deliveries counts. */
  endOfAck(now: Millis): void {
    if (this.#candidateMs < 0) return;
    this.rttMs = now - this.#candidateMs;
    if (this.#candidateMs > this.xmitMs || (this.#candidateMs === this.xmitMs && seqGt(this.#candidateEnd, this.endSeq))) {
      this.xmitMs = this.#candidateMs;
      this.endSeq = this.#candidateEnd;
    }
    this.#candidateMs = -1;
  }

  /** Step 4, the part that an ACK drives: widens on DSACK, once a round. */
  onDsack(sndNxt: Seq): void {
    if (this.#dsackRound === undefined) {
      this.#dsackRound = sndNxt;
      this.#dsacksInRound = 0;
      this.#reoWndMult++;
    }
    if (++this.#dsacksInRound === DUP_THRESHOLD) this.#wideMult++;
    this.#reoWndPersist = REO_WND_PERSIST;
  }

  onUnaMoved(sndUna: Seq): void {
    if (this.#dsackRound !== undefined && seqGe(sndUna, this.#dsackRound)) this.#dsackRound = undefined;
  }

  /** Step 4: a recovery ended; after sixteen without DSACK the window is back at its start. */
  onRecoveryExit(): void {
    if (--this.#reoWndPersist > 0) return;
    this.#reoWndMult = 1;
    this.#wideMult = 0;
  }

  /**
   * RACK.reo_wnd (step 4), with one addition: a round with three DSACKs or more proves that the window is far too small, and
   * then it also grows by quarters of the largest recent RTT, up to that. Where some datagrams overtake others by a large
   * part of the RTT, the least RTT is that of the overtakers, and SRTT, which knows only segments sent once (Karn), leans
   * towards them: RFC 8985's window never reaches the delay of the rest, and every segment is sent many times.
   */
  reorderingWindowMs(isInRecovery: boolean, sackedCount: number, srttMs: Millis): Millis {
    if (!this.reorderingSeen && (isInRecovery || sackedCount >= DUP_THRESHOLD)) return 0;
    const minRttMs = this.minRttMs;
    if (minRttMs === Infinity) return 0;
    const windowMs = Math.min((this.#reoWndMult * minRttMs) / 4, srttMs);
    const maxRttMs = Math.max(this.#maxNow, this.#maxBefore);
    return Math.max(windowMs, Math.min((this.#wideMult * maxRttMs) / 4, maxRttMs));
  }
}
