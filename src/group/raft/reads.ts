import type { Request } from '../message.ts';
import { isQuorum } from './membership.ts';
import type { RaftCore } from './raft-core.ts';
import type { Replication } from './replication.ts';

interface PendingRead {
  readonly request: Request;
  /** Answered when a majority has acknowledged the leader in this round or a later one. */
  readonly round: number;
}

/**
 * Linearizable reads without the log (ReadIndex; Ongaro 2014, section 6.4): a leader that a majority has acknowledged after the read came
 * was the leader then, and what it has committed is what was. All reads that wait share one round of messages.
 */
export class Reads {
  readonly #core: RaftCore;
  readonly #replication: Replication;
  #pending: PendingRead[] = [];

  constructor(core: RaftCore, replication: Replication) {
    this.#core = core;
    this.#replication = replication;
  }

  /** Some wait for a round that has not begun. */
  get needsRound(): boolean {
    const last = this.#pending.at(-1);
    return last !== undefined && last.round > this.#replication.round;
  }

  add(request: Request): void {
    const core = this.#core;
    if (this.#pending.length >= core.config.maxPendingReads) {
      core.counters.busy++;
      core.refuse(request, 'busy');
      return;
    }
    core.counters.reads++;
    this.#pending.push({ request, round: this.#replication.round + 1 });
  }

  /** Answers those of whom the leader is sure now. */
  settle(): void {
    const core = this.#core;
    // A new leader does not know yet what its predecessors have committed.
    if (!this.#replication.hasCommittedInTerm) return;
    let sure = 0;
    while (sure < this.#pending.length && this.#isAcknowledged(this.#pending[sure]!.round)) sure++;
    for (const { request } of this.#pending.splice(0, sure)) core.reply(request, core.service.query(request));
  }

  /** This member leads no more. */
  end(): void {
    for (const { request } of this.#pending) this.#core.refuse(request, 'not-leader', this.#core.leaderAddress());
    this.#pending = [];
  }

  #isAcknowledged(round: number): boolean {
    if (round > this.#replication.round) return false;
    const { members, self } = this.#core;
    return isQuorum(members, (id) => id === self.id || (this.#replication.progressOf(id)?.round ?? 0) >= round);
  }
}
