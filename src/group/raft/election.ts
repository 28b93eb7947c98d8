import type { Millis } from '../../core/machine.ts';
import type { ReplicaId } from '../replica.ts';
import { isQuorum } from './membership.ts';
import type { RaftCore } from './raft-core.ts';
import type { RaftMessage } from './raft-message.ts';

type VoteRequest = RaftMessage & { readonly kind: 'pre-vote' | 'vote' };
type VoteReply = RaftMessage & { readonly kind: 'pre-vote-reply' | 'vote-reply' };

/**
 * Leader election (Raft paper, section 5.2 and 5.4.1) with the pre-vote of Ongaro 2014, section 9.6: whoever hears no leader first asks
 * whether it could win, and begins a term only then, so that a member which was cut off does not depose anybody when it comes back.
 */
export class Election {
  readonly #core: RaftCore;
  /** Who is for this member, in the pre-vote or in the vote of its term. Each counts once, however often it says so. */
  #voters = new Set<ReplicaId>();

  constructor(core: RaftCore) {
    this.#core = core;
  }

  /** No leader was heard for an election timeout. */
  timeOut(now: Millis): void {
    const core = this.#core;
    if (!this.#mayCampaign()) {
      core.awaitLeader(now);
      return;
    }
    core.becomePreCandidate(now);
    this.#voters = new Set([core.self.id]);
    if (this.#hasWon()) this.#campaign(now);
    else this.#ask('pre-vote', core.term + 1);
  }

  /** Answers who asks for a vote. The term has been looked at already where it counts. */
  consider(from: ReplicaId, { kind, term, lastIndex, lastTerm }: VoteRequest, now: Millis): void {
    const core = this.#core;
    const isPreVote = kind === 'pre-vote';
    const { log } = core;
    const isUpToDate = lastTerm > log.lastTerm || (lastTerm === log.lastTerm && lastIndex >= log.lastIndex);
    const isFree = isPreVote ? term > core.term : term === core.term && (core.votedFor === undefined || core.votedFor === from);
    // A member that may have forgotten a vote or an entry has none to give.
    const isGranted = isFree && isUpToDate && !core.storage.isSuspect && (isPreVote ? !core.hasLeader(now) : core.role !== 'leader');
    if (isGranted && !isPreVote) {
      core.vote(term, from, now);
      core.awaitLeader(now);
    }
    core.send(from, { kind: isPreVote ? 'pre-vote-reply' : 'vote-reply', term: isPreVote && isGranted ? term : core.term, isGranted });
  }

  /** Counts a voice. Returns whether this member has just won an election. */
  count(from: ReplicaId, { kind, term, isGranted }: VoteReply, now: Millis): boolean {
    const core = this.#core;
    const isAsked = kind === 'pre-vote-reply' ? core.role === 'pre-candidate' && term === core.term + 1 : core.role === 'candidate' && term === core.term;
    if (!isGranted || !isAsked) return false;
    this.#voters.add(from);
    if (!this.#hasWon()) return false;
    if (core.role === 'candidate') return true;
    return this.#campaign(now);
  }

  /** Returns whether this member's own vote is enough. */
  #campaign(now: Millis): boolean {
    const core = this.#core;
    core.becomeCandidate(now);
    this.#voters = new Set([core.self.id]);
    if (this.#hasWon()) return true;
    this.#ask('vote', core.term);
    return false;
  }

  /** True once after a campaign that this member's own vote has won. */
  get hasWonAlone(): boolean {
    return this.#core.role === 'candidate' && this.#hasWon();
  }

  #hasWon(): boolean {
    return isQuorum(this.#core.members, (id) => this.#voters.has(id));
  }

  #mayCampaign(): boolean {
    return this.#core.isVoter && !this.#core.storage.isSuspect;
  }

  #ask(kind: 'pre-vote' | 'vote', term: number): void {
    const { log, members, self } = this.#core;
    for (const { id, isVoter } of members) {
      if (isVoter && id !== self.id) this.#core.send(id, { kind, term, lastIndex: log.lastIndex, lastTerm: log.lastTerm });
    }
  }
}
