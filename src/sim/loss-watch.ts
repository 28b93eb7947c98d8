import type { Millis } from '../core/machine.ts';
import type { Report } from './verdict.ts';

interface Sent {
  readonly left: number;
  readonly right: number;
  lastMs: Millis;
  count: number;
}

/** The reordering window is at most the longest round trip, and RACK's own measure of one may be that long, too; the rest is rounding. */
const LONGEST_TRIPS = 2;
const SLACK_MS = 20;

/**
 * RFC 8985: once something sent later than the oldest segment has arrived, time alone tells that the segment, or its
 * retransmission, is lost. A retransmission timeout may then not be what finds it.
 */
export class LossWatch {
  readonly #report: Report;
  /** In sequence order, from the oldest unacknowledged on. */
  #sent: Sent[] = [];
  /** Latest transmission that is known to have arrived, of a segment sent once, and since when that is known. */
  #deliveredMs: Millis = -1;
  #provenFrom = new Map<number, Millis>();
  #maxRttMs: Millis = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  onRtt(rttMs: Millis): void {
    this.#maxRttMs = Math.max(this.#maxRttMs, rttMs);
  }

  /** Timers were late: what was proven says nothing of the host's diligence. */
  forget(): void {
    this.#provenFrom.clear();
    this.#deliveredMs = -1;
  }

  onSend(left: number, right: number, now: Millis): void {
    const last = this.#sent[this.#sent.length - 1];
    if (last === undefined || left >= last.right) {
      this.#sent.push({ left, right, lastMs: now, count: 1 });
      return;
    }
    for (const sent of this.#sent) {
      if (sent.left >= right) break;
      if (sent.right <= left) continue;
      sent.lastMs = now;
      sent.count++;
      this.#provenFrom.delete(sent.left);
    }
  }

  onAck(una: number, now: Millis): void {
    let gone = 0;
    for (const sent of this.#sent) {
      if (sent.right > una) break;
      this.#noteDelivered(sent);
      this.#provenFrom.delete(sent.left);
      gone++;
    }
    if (gone > 0) this.#sent = this.#sent.slice(gone);
    this.#noteProof(now);
  }

  onSack(left: number, right: number, una: number, now: Millis): void {
    if (right <= una) return;
    for (const sent of this.#sent) {
      if (sent.left >= right) break;
      if (sent.left >= left && sent.right <= right) this.#noteDelivered(sent);
    }
    this.#noteProof(now);
  }

  onTimeout(una: number, now: Millis): void {
    const head = this.#sent[0];
    if (head === undefined || head.left > una) return;
    const since = this.#provenFrom.get(head.left);
    if (since === undefined || now - since <= LONGEST_TRIPS * this.#maxRttMs + SLACK_MS) return;
    this.#report('rack', `the segment at ${head.left} waited for its RTO though its loss was certain ${(now - since).toFixed(1)} ms before`);
  }

  #noteDelivered(sent: Sent): void {
    if (sent.count === 1 && sent.lastMs > this.#deliveredMs) this.#deliveredMs = sent.lastMs;
  }

  /** The head was sent before what has arrived since. */
  #noteProof(now: Millis): void {
    const head = this.#sent[0];
    if (head !== undefined && head.lastMs < this.#deliveredMs && !this.#provenFrom.has(head.left)) this.#provenFrom.set(head.left, now);
  }
}
