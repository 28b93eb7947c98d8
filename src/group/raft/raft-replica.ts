import type { Millis } from '../../core/machine.ts';
import type { Random } from '../../core/random.ts';
import type { Sink } from '../../core/trace.ts';
import type { Request } from '../message.ts';
import type { Peer, Ready, Replica, ReplicaId, ReplicaStatus } from '../replica.ts';
import type { Service } from '../service.ts';
import type { Storage } from '../storage.ts';
import { Election } from './election.ts';
import { Following } from './following.ts';
import { MAX_MEMBERS, type Membership, type RaftMember } from './membership.ts';
import { resolveRaftConfig, type RaftConfig } from './raft-config.ts';
import { RaftCore } from './raft-core.ts';
import { decodeRaftMessage, type RaftMessage } from './raft-message.ts';
import { Reads } from './reads.ts';
import { Replication } from './replication.ts';

export interface RaftOptions {
  readonly self: Peer;
  /** The voters that the group begins with, the same list for each of them; empty for a member that joins later. Ignored once there is a disk. */
  readonly bootstrap: readonly Peer[];
  readonly service: Service;
  readonly storage: Storage;
  readonly random: Random;
  readonly config?: Partial<RaftConfig>;
  readonly sink?: Sink;
  readonly now: Millis;
}

/**
 * raft: one member of a Raft group (Ongaro & Ousterhout 2014, Ongaro's dissertation of the same year): election with pre-vote and
 * check of the quorum, log replication, snapshots, linearizable reads, and membership that changes by one at a time. What it remembers is
 * in RaftCore; this class takes what comes in to where it belongs, and puts together what goes out.
 */
export class RaftReplica implements Replica {
  readonly #core: RaftCore;
  readonly #election: Election;
  readonly #replication: Replication;
  readonly #following: Following;
  readonly #reads: Reads;
  /** The log's end when the last Ready was taken: on disk when the next one is. */
  #writtenIndex: number;
  /** Of the last call that told the time. */
  #now: Millis;

  constructor(options: RaftOptions) {
    this.#core = new RaftCore({ ...options, config: resolveRaftConfig(options.config), sink: options.sink });
    this.#election = new Election(this.#core);
    this.#replication = new Replication(this.#core);
    this.#following = new Following(this.#core);
    this.#reads = new Reads(this.#core, this.#replication);
    this.#writtenIndex = this.#core.log.lastIndex;
    this.#now = options.now;
    this.#replication.persisted(this.#writtenIndex, options.now);
  }

  step(from: ReplicaId, body: Uint8Array, now: Millis): void {
    this.#now = now;
    const message = decodeRaftMessage(body);
    if (message === undefined) {
      this.#core.counters.strange++;
      return;
    }
    if (this.#core.hasFailed || !this.#meetTerm(from, message, now)) return;
    this.#dispatch(from, message, now);
  }

  propose(request: Request, now: Millis): void {
    this.#now = now;
    const core = this.#core;
    if (core.hasFailed) return core.refuse(request, 'unavailable', core.problem);
    const isRead = core.service.isReadOnly(request);
    if (isRead && request.isStale) return core.reply(request, core.service.query(request));
    if (!core.isLeader) return core.refuse(request, 'not-leader', core.leaderAddress());
    if (isRead) this.#reads.add(request);
    else this.#replication.propose(request, now);
  }

  /** Takes a member in, without a vote until it has caught up, and says why it is not yet so: ask again until it is. */
  addMember(peer: Peer, now: Millis): string | undefined {
    return this.#change((members) => {
      if (members.some(({ id }) => id === peer.id)) return undefined;
      if (members.length >= MAX_MEMBERS) return `a group has ${MAX_MEMBERS} members at most`;
      return this.#replication.change([...members, { ...peer, isVoter: false }], now);
    });
  }

  /** Lets a member go, and says why it is not yet so: ask again until it is. */
  removeMember(id: ReplicaId, now: Millis): string | undefined {
    return this.#change((members) => {
      const left = members.filter((member) => member.id !== id);
      if (left.length === members.length) return undefined;
      if (!left.some(({ isVoter }) => isVoter)) return 'nobody would be left';
      return this.#replication.change(left, now);
    });
  }

  peers(): readonly Peer[] {
    return this.#core.members.filter(({ id }) => id !== this.#core.self.id);
  }

  peerLost(peer: ReplicaId, _now: Millis): void {
    this.#replication.lost(peer);
  }

  status(): ReplicaStatus {
    const { self, role, term, leader, log, commitIndex, service, members, counters, storage } = this.#core;
    return {
      id: self.id, mode: 'raft', role: this.#describeRole(role), term, leader, lastIndex: log.lastIndex, commitIndex, appliedIndex: service.appliedIndex,
      digest: service.digest(), members: members.map((member) => ({ ...member })), suspected: this.#suspected(),
      counters: { ...counters, logBytes: storage.logBytes, logEntries: log.lastIndex - log.baseIndex, ...this.#lags() }, problem: this.#problem(),
    };
  }

  nextTimeout(): Millis {
    return Math.min(this.#core.electionDueMs, this.#replication.dueMs);
  }

  handleTimeout(now: Millis): void {
    this.#now = now;
    this.#replication.handleTimeout(now);
    this.#endIfDeposed();
    if (this.#core.electionDueMs > now) return;
    this.#election.timeOut(now);
    if (this.#election.hasWonAlone) this.#replication.begin(now);
  }

  takeReady(): Ready | undefined {
    const core = this.#core;
    if (core.hasFailed) return core.lastWords(core.role);
    this.#replication.persisted(this.#writtenIndex, this.#now);
    this.#endIfDeposed();
    if (core.isLeader) {
      if (this.#reads.needsRound) this.#replication.broadcast(this.#now);
      else this.#replication.pump(this.#now);
      this.#reads.settle();
    }
    const files = core.service.takeWrites();
    const answers = files.length === 0 ? core.takeAnswers(core.role) : undefined;
    if (answers !== undefined) return answers;
    this.#compact();
    const persist = [...core.storage.takeWrites(), ...files];
    this.#writtenIndex = core.log.lastIndex;
    const { messages, replies, committed } = core.take();
    if (persist.length + messages.length + replies.length + committed.length === 0) return undefined;
    return { persist, messages, committed, replies, role: core.role };
  }

  persistFailed(reason: string, now: Millis): void {
    const core = this.#core;
    const unsafe = core.takeUnsafe();
    this.#replication.end();
    this.#reads.end();
    core.becomeFailed(reason, now);
    core.failReplies(unsafe, reason);
  }

  /** What a message's term means for this member's (Raft paper, section 5.1). Returns whether the message is to be looked at. */
  #meetTerm(from: ReplicaId, message: RaftMessage, now: Millis): boolean {
    const core = this.#core;
    const { kind, term } = message;
    if (term < core.term) {
      // Whoever is behind learns it from the answer.
      if (kind === 'append') core.send(from, { kind: 'append-reply', term: core.term, isMatch: false, index: 0, hintTerm: 0, round: 0, life: core.life });
      else if (kind === 'vote' || kind === 'pre-vote') core.send(from, { kind: kind === 'vote' ? 'vote-reply' : 'pre-vote-reply', term: core.term, isGranted: false });
      return false;
    }
    if (term === core.term || kind === 'pre-vote' || (message.kind === 'pre-vote-reply' && message.isGranted)) return true;
    // A vote is asked for by somebody who cannot hear the leader that we hear: his term must not depose it (Ongaro 2014, section 4.2.3).
    if (kind === 'vote' && core.hasLeader(now)) return false;
    core.becomeFollower(term, undefined, now);
    this.#endIfDeposed();
    return true;
  }

  #dispatch(from: ReplicaId, message: RaftMessage, now: Millis): void {
    const core = this.#core;
    switch (message.kind) {
      case 'pre-vote':
      case 'vote':
        return this.#election.consider(from, message, now);
      case 'pre-vote-reply':
      case 'vote-reply':
        if (this.#election.count(from, message, now)) this.#replication.begin(now);
        return;
      case 'append':
      case 'chunk':
        if (core.isLeader) {
          // Two leaders in one term: not ours, or not one that we know.
          core.counters.strange++;
          return;
        }
        core.becomeFollower(message.term, from, now);
        core.leaderHeardMs = now;
        core.awaitLeader(now);
        if (message.kind === 'append') this.#following.append(from, message, now);
        else this.#following.chunk(from, message, now);
        return;
      case 'append-reply':
        if (core.isLeader) this.#replication.acknowledged(from, message, now);
        return;
      case 'chunk-reply':
        if (core.isLeader) this.#replication.received(from, message, now);
        return;
    }
  }

  /** Who led, and does no more, owes answers. */
  #endIfDeposed(): void {
    if (this.#core.isLeader) return;
    this.#replication.end();
    this.#reads.end();
  }

  #compact(): void {
    const core = this.#core;
    core.compaction.forget(this.#replication.oldestNeeded(this.#now));
    core.memberships.compact(core.log.baseIndex);
    if (core.compaction.begin(core.commitIndex, () => core.mark())) core.counters.snapshotsTaken++;
  }

  #describeRole(role: ReplicaStatus['role']): ReplicaStatus['role'] {
    return role === 'follower' && !this.#core.isVoter ? 'learner' : role;
  }

  /** What each follower lacks, as its leader knows it. */
  #lags(): Record<string, number> {
    const { isLeader, members, self } = this.#core;
    if (!isLeader) return {};
    return Object.fromEntries(members.filter(({ id }) => id !== self.id).map(({ id }) => [`lag ${id}`, this.#replication.lagOf(id)]));
  }

  #change(attempt: (members: Membership) => string | undefined): string | undefined {
    const core = this.#core;
    const reason = core.isLeader ? attempt(core.members) : 'this member does not lead';
    if (reason !== undefined) core.counters.refusedChanges++;
    // What is in this log only may go with its leader.
    return reason ?? (core.memberships.index > core.commitIndex ? 'the change is on its way' : undefined);
  }

  /** Followers that a leader has not heard for an election timeout. */
  #suspected(): ReplicaId[] {
    if (!this.#core.isLeader) return [];
    return this.#core.members.filter(({ id }: RaftMember) => this.#replication.isSilent(id, this.#now)).map(({ id }) => id);
  }

  #problem(): string | undefined {
    const { problem, storage, isVoter, members, self } = this.#core;
    if (problem !== undefined) return problem;
    if (storage.isSuspect) return 'its disk may have lost its end: it does not vote before it has caught up with a leader';
    if (members.length > 0 && !members.some(({ id }) => id === self.id)) return 'it is no member any more';
    return isVoter ? undefined : 'it is catching up';
  }
}
