import type { Millis } from '../../core/machine.ts';
import type { ReplicaId } from '../replica.ts';
import { SnapshotAssembly } from '../snapshot-transfer.ts';
import { SnapshotError } from '../state-machine.ts';
import type { StoredEntry } from '../storage.ts';
import type { RaftCore } from './raft-core.ts';
import type { RaftMessage } from './raft-message.ts';

/** What a follower does with what its leader sends: entries (Raft paper, section 5.3) and snapshots (section 7). */
export class Following {
  readonly #core: RaftCore;
  #incoming: SnapshotAssembly | undefined;
  /** While the disk is suspect: what the leader of this term had when it had first heard of this life. */
  #doubt: { readonly term: number; readonly until: number } | undefined;

  constructor(core: RaftCore) {
    this.#core = core;
  }

  /** `from` leads this term. */
  append(from: ReplicaId, message: RaftMessage & { readonly kind: 'append' }, now: Millis): void {
    const core = this.#core;
    const { log } = core;
    const { prevIndex, prevTerm, entries, round } = message;
    const refuse = (index: number): void => core.send(from, { kind: 'append-reply', term: core.term, isMatch: false, index, hintTerm: log.termAt(index) ?? 0, round, life: core.life });
    // Nobody will complete what another leader had begun to send.
    if (this.#incoming?.from !== from) this.#incoming = undefined;
    // Before the commit index, logs agree: what comes again, or late, is only acknowledged.
    if (prevIndex < core.commitIndex) {
      this.#take(entries.filter(({ index }) => index > core.commitIndex), now);
    } else {
      const term = log.termAt(prevIndex);
      if (term === undefined) return refuse(log.lastIndex);
      if (term !== prevTerm) return refuse(log.lastIndexOfTermAtMost(prevTerm, prevIndex - 1));
      this.#take(entries, now);
    }
    const matched = Math.max(prevIndex + entries.length, core.commitIndex);
    core.commit(Math.min(message.commitIndex, matched), now);
    if (message.life === core.life) this.#settleDoubt(from, message.lastIndex, matched, now);
    core.send(from, { kind: 'append-reply', term: core.term, isMatch: true, index: matched, hintTerm: 0, round, life: core.life });
  }

  chunk(from: ReplicaId, message: RaftMessage & { readonly kind: 'chunk' }, now: Millis): void {
    const core = this.#core;
    const { transfer, number, index, lastTerm, meta } = message;
    if (index <= core.commitIndex) {
      // All of it is here already.
      core.send(from, { kind: 'chunk-reply', term: core.term, transfer, received: number + 1, isComplete: true });
      return;
    }
    if (this.#incoming?.from !== from || this.#incoming.transfer !== transfer) this.#incoming = new SnapshotAssembly(from, transfer);
    const incoming = this.#incoming;
    incoming.add(message);
    const { isComplete } = incoming;
    if (isComplete) {
      this.#incoming = undefined;
      try {
        core.adoptSnapshot({ index, term: lastTerm, meta: meta.slice() }, incoming.chunks, now);
      } catch (error) {
        if (!(error instanceof SnapshotError)) throw error;
        core.becomeFailed(`a snapshot from ${from} cannot be used: ${error.message}`, now);
        return;
      }
    }
    core.send(from, { kind: 'chunk-reply', term: core.term, transfer, received: incoming.received, isComplete });
  }

  /** Entries that follow what both logs hold. Those that contradict ours take the place of ours and of all behind them. */
  #take(entries: readonly StoredEntry[], now: Millis): void {
    const core = this.#core;
    const first = entries.findIndex(({ index, term }) => core.log.termAt(index) !== term);
    if (first < 0) return;
    const fresh = entries.slice(first);
    if (fresh[0]!.index <= core.log.lastIndex) core.truncate(fresh[0]!.index);
    // The message's buffer is not ours to keep.
    core.append(fresh.map(({ index, term, bytes }) => ({ index, term, bytes: bytes.slice() })), now);
  }

  /**
   * A member whose disk may have lost its end has caught up when its log holds all that its leader held at some time after it began again.
   * That is whatever it had acknowledged to this leader, and, with an entry of the leader's own term, whatever was committed before: the
   * leader was elected without this member's help, or by a vote of before the damage (Leader Completeness).
   *
   * What the leader said must be younger than the damage: a message from before it, late, knows nothing of what was acknowledged since. So
   * only those count that name this life, which the leader has then heard of.
   *
   * The vote that it may have forgotten it cannot give again: a vote is two records, the term first, so one that is damaged takes the vote
   * and leaves the term, and in this term the vote counts as given to the leader.
   */
  #settleDoubt(leader: ReplicaId, lastIndex: number, matched: number, now: Millis): void {
    const core = this.#core;
    if (!core.storage.isSuspect) return;
    if (this.#doubt?.term !== core.term) this.#doubt = { term: core.term, until: lastIndex };
    if (matched < this.#doubt.until || core.log.lastTerm !== core.term) return;
    if (core.votedFor === undefined) core.vote(core.term, leader, now);
    core.storage.markSafe();
  }
}
