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
  sending: SnapshotSending | undefined;

  constructor(next: number, now: Millis) {
    this.next = next;
    this.heardMs = now;
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
}
