import type { Millis } from '../../core/machine.ts';
import type { SnapshotSending } from '../snapshot-transfer.ts';

/** What a leader knows of one follower. */
export class Progress {
  /** Everything up to here is at the follower, on disk. */
  match = 0;
  /** What to send next. */
  next: number;
  /**
   * probe: it is not known where the logs meet, and one message at a time finds out. replicate: entries follow each other without waiting.
   * snapshot: the log does not reach back far enough.
   */
  state: 'probe' | 'replicate' | 'snapshot' = 'probe';
  /** A probe is under way; the next one goes with the next heartbeat. */
  isWaiting = false;
  heardMs: Millis;
  /** The last round of the leader's that it has acknowledged. */
  round = 0;
  /** How its process called itself when it was heard last; 0: not yet. */
  life = 0;
  sending: SnapshotSending | undefined;
  /** What a learner has to have for this round of catching up to end, and when the round began. */
  #goal: number;
  #goalSetMs: Millis;

  constructor(next: number, now: Millis) {
    this.next = next;
    this.heardMs = now;
    this.#goal = next;
    this.#goalSetMs = now;
  }

  /** The logs meet at `index`. */
  matched(index: number): void {
    this.match = Math.max(this.match, index);
    this.next = Math.max(this.next, index + 1);
    this.isWaiting = false;
    if (this.state === 'probe') this.state = 'replicate';
  }

  /** They do not: look further back. */
  missed(next: number): void {
    this.state = 'probe';
    this.isWaiting = false;
    this.next = next;
  }

  /** The transfer is over: complete up to its mark, or given up. */
  endSnapshot(): void {
    this.sending?.end();
    this.sending = undefined;
    this.missed(this.match + 1);
  }

  /**
   * Catching up goes in rounds: each ends when the learner has all that the leader had when it began. The next one is shorter, and one
   * that is shorter than `limitMs` was the last (Ongaro 2014, section 4.2.1). To wait until nothing is missing would be for ever where
   * writes never pause. Returns whether such a round has just ended.
   */
  endRound(lastIndex: number, limitMs: Millis, now: Millis): boolean {
    if (this.match < this.#goal) return false;
    const tookMs = now - this.#goalSetMs;
    this.#goal = lastIndex;
    this.#goalSetMs = now;
    return tookMs < limitMs;
  }
}
