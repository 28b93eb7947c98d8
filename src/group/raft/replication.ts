import type { Millis } from '../../core/machine.ts';
import type { Request } from '../message.ts';
import type { ReplicaId } from '../replica.ts';
import { SnapshotSending } from '../snapshot-transfer.ts';
import type { StoredEntry } from '../storage.ts';
import { isQuorum, type Membership } from './membership.ts';
import { Progress } from './progress.ts';
import type { RaftCore } from './raft-core.ts';
import { encodeCommand, type LogCommand } from '../log-command.ts';
import type { RaftMessage } from './raft-message.ts';

/** Of the entries in one message, unless a single one is larger. */
const MAX_APPEND_BYTES = 64 * 1024;
/** Election timeouts of silence after which a snapshot's transfer is given up. */
const TRANSFER_PATIENCE = 5;

/** What a leader does: log replication (Raft paper, section 5.3), commitment (5.4.2), and the check that a majority still hears it. */
export class Replication {
  readonly #core: RaftCore;
  readonly #progress = new Map<ReplicaId, Progress>();
  /** Of heartbeats, and of what has to be sent again: rounds that reads begin in between must not put it off. */
  #heartbeatDueMs: Millis = Infinity;
  #quorumDueMs: Millis = Infinity;
  /** Of the leader's messages to all: see Reads. */
  #round = 0;
  /** Not from 0: a follower may still hold chunks of an earlier life's. */
  #transfers: number;
  /** The leader's own log is on disk up to here. */
  #durableIndex = 0;
  /** Where this leader's term begins. */
  #firstIndex = 0;

  constructor(core: RaftCore) {
    this.#core = core;
    this.#transfers = core.random.uint32();
  }

  /** Infinity when this member does not lead. */
  get dueMs(): Millis {
    return Math.min(this.#heartbeatDueMs, this.#quorumDueMs);
  }

  get round(): number {
    return this.#round;
  }

  /** An entry of this leader's own term is committed: it knows what is committed (section 8). */
  get hasCommittedInTerm(): boolean {
    return this.#core.commitIndex >= this.#firstIndex;
  }

  progressOf(id: ReplicaId): Progress | undefined {
    return this.#progress.get(id);
  }

  /** This member has won an election. */
  begin(now: Millis): void {
    const core = this.#core;
    core.becomeLeader(now);
    this.#progress.clear();
    for (const { id } of core.members) if (id !== core.self.id) this.#progress.set(id, new Progress(core.log.lastIndex + 1, now));
    this.#firstIndex = core.log.lastIndex + 1;
    this.#quorumDueMs = now + core.config.electionTimeoutMs;
    this.#heartbeatDueMs = now + core.config.heartbeatMs;
    this.#append({ kind: 'no-op' }, now);
    this.broadcast(now);
  }

  /** This member leads no more: who waits for it is told to ask elsewhere. */
  end(): void {
    const core = this.#core;
    for (const { sending } of this.#progress.values()) sending?.end();
    this.#progress.clear();
    this.#heartbeatDueMs = Infinity;
    this.#quorumDueMs = Infinity;
    for (const asker of core.waiting.values()) core.refuse(asker, 'not-leader', core.leaderAddress());
    core.waiting.clear();
  }

  propose(request: Request, now: Millis): void {
    const core = this.#core;
    const { log, commitIndex, config } = core;
    if (log.lastIndex - commitIndex >= config.maxUncommittedEntries || log.bytesBetween(commitIndex, log.lastIndex) >= config.maxUncommittedBytes) {
      core.counters.busy++;
      core.refuse(request, 'busy');
      return;
    }
    this.#append({ kind: 'request', request }, now);
    core.waiting.set(log.lastIndex, { clientId: request.clientId, serial: request.serial });
  }

  /** Changes who is in the group, by one at a time, or says why not (Ongaro 2014, section 4.1). */
  change(members: Membership, now: Millis): string | undefined {
    const core = this.#core;
    if (!this.hasCommittedInTerm) return 'the leader is new and does not know yet what is committed';
    if (core.memberships.index > core.commitIndex) return 'another change of members is under way';
    this.#append({ kind: 'membership', members }, now);
    for (const { id } of members) if (id !== core.self.id && !this.#progress.has(id)) this.#progress.set(id, new Progress(core.log.lastIndex, now));
    return undefined;
  }

  /** Sends to all what there is to send, now; to whom there is nothing, a heartbeat. Begins a new round. */
  broadcast(now: Millis): void {
    this.#round++;
    for (const [id, progress] of this.#progress) if (!this.#sendEntries(id, progress, now)) this.#sendAppend(id, progress, []);
  }

  /** Sends entries to those who are ready for more. */
  pump(now: Millis): void {
    for (const [id, progress] of this.#progress) this.#sendEntries(id, progress, now);
  }

  handleTimeout(now: Millis): void {
    if (this.#quorumDueMs <= now) this.#checkQuorum(now);
    if (!this.#core.isLeader || this.#heartbeatDueMs > now) return;
    this.#heartbeatDueMs = now + this.#core.config.heartbeatMs;
    for (const [id, progress] of this.#progress) {
      progress.isWaiting = false;
      if (this.#hasLost(progress, now)) progress.endSnapshot();
      else if (!this.#hasNotHeard(progress, now) && progress.sending?.resend() === false) this.#sendSnapshot(id, progress);
    }
    this.broadcast(now);
  }

  /** Nothing was heard of a follower for an election timeout. */
  isSilent(id: ReplicaId, now: Millis): boolean {
    const progress = this.#progress.get(id);
    return progress !== undefined && this.#hasNotHeard(progress, now);
  }

  /** Entries that a follower has not acknowledged; 0 for whoever is none. */
  lagOf(id: ReplicaId): number {
    const progress = this.#progress.get(id);
    return progress === undefined ? 0 : this.#core.log.lastIndex - progress.match;
  }

  /** The follower at `from` answers. */
  acknowledged(from: ReplicaId, message: RaftMessage & { readonly kind: 'append-reply' }, now: Millis): void {
    const core = this.#core;
    const progress = this.#heard(from, now);
    if (progress === undefined) return;
    progress.round = Math.max(progress.round, message.round);
    progress.life = message.life;
    if (message.isMatch) {
      if (message.index > core.log.lastIndex) {
        core.counters.strange++;
        return;
      }
      const isNews = message.index > progress.match;
      if (progress.state !== 'snapshot') progress.matched(message.index);
      if (isNews) this.#advance(from, progress, now);
      // When it had caught up, another change may have been under way.
      else this.#promote(from, progress, now);
    } else if (message.index < progress.next && progress.state !== 'snapshot') {
      // Also below what it had acknowledged: its disk may have lost it.
      progress.missed(core.log.lastIndexOfTermAtMost(message.hintTerm, message.index) + 1);
    }
    if (core.isLeader) this.#sendEntries(from, progress, now);
  }

  /** The follower at `from` has got chunks of a snapshot. */
  received(from: ReplicaId, { transfer, received, isComplete }: RaftMessage & { readonly kind: 'chunk-reply' }, now: Millis): void {
    const progress = this.#heard(from, now);
    const sending = progress?.sending;
    if (progress === undefined || sending?.transfer !== transfer) return;
    if (!isComplete) {
      sending.received(transfer, received);
      return;
    }
    progress.match = Math.max(progress.match, sending.mark.index);
    progress.endSnapshot();
    this.#advance(from, progress, now);
    if (this.#core.isLeader) this.#sendEntries(from, progress, now);
  }

  /** A connection has died: what was on the way may be lost. */
  lost(peer: ReplicaId): void {
    const progress = this.#progress.get(peer);
    if (progress === undefined || progress.state === 'snapshot') return;
    progress.missed(progress.match + 1);
  }

  /** Everything that was appended before is on disk now. */
  persisted(index: number, now: Millis): void {
    this.#durableIndex = index;
    if (this.#core.isLeader) this.#advanceCommit(now);
  }

  /**
   * Entries behind this are needed: by a snapshot on its way, or by a follower that lags and is heard. Without them it would need another
   * snapshot each time it has got one. Who is silent, or lags too far, holds nothing back.
   */
  oldestNeeded(now: Millis): number {
    const { log, config } = this.#core;
    let oldest = Infinity;
    for (const progress of this.#progress.values()) {
      if (progress.sending === undefined && this.#hasNotHeard(progress, now)) continue;
      const from = progress.sending?.mark.index ?? progress.match;
      if (log.bytesBetween(from, log.lastIndex) <= config.maxKeptBytes) oldest = Math.min(oldest, from);
    }
    return oldest;
  }

  #hasNotHeard({ heardMs }: Progress, now: Millis): boolean {
    return now - heardMs > this.#core.config.electionTimeoutMs;
  }

  /** Nobody is there to take the snapshot that is on its way. */
  #hasLost({ sending, heardMs }: Progress, now: Millis): boolean {
    return sending !== undefined && now - heardMs > TRANSFER_PATIENCE * this.#core.config.electionTimeoutMs;
  }

  #heard(from: ReplicaId, now: Millis): Progress | undefined {
    const progress = this.#progress.get(from);
    if (progress !== undefined) progress.heardMs = now;
    return progress;
  }

  #append(command: LogCommand, now: Millis): void {
    const core = this.#core;
    core.append([{ index: core.log.lastIndex + 1, term: core.term, bytes: encodeCommand(command) }], now);
  }

  #advance(from: ReplicaId, progress: Progress, now: Millis): void {
    this.#advanceCommit(now);
    this.#promote(from, progress, now);
  }

  /** A learner that has caught up gets its vote. */
  #promote(id: ReplicaId, progress: Progress, now: Millis): void {
    const core = this.#core;
    if (!core.isLeader) return;
    const learner = core.members.find((member) => member.id === id);
    if (learner === undefined || learner.isVoter) return;
    if (!progress.endRound(core.log.lastIndex, core.config.electionTimeoutMs, now)) return;
    this.change(core.members.map((member) => (member.id === id ? { ...member, isVoter: true } : member)), now);
  }

  /** Only what a majority has on disk, and only by counting entries of the own term (section 5.4.2, figure 8). */
  #advanceCommit(now: Millis): void {
    const core = this.#core;
    const { log, self } = core;
    for (let index = log.lastIndex; index > core.commitIndex; index--) {
      if (log.termAt(index) !== core.term) return;
      if (!isQuorum(core.members, (id) => (id === self.id ? this.#durableIndex : (this.#progress.get(id)?.match ?? 0)) >= index)) continue;
      core.commit(index, now);
      this.#settleMembership(now);
      return;
    }
  }

  /** A committed change takes those who left out of the leader's care; a leader that is no member any more steps down. */
  #settleMembership(now: Millis): void {
    const core = this.#core;
    if (core.memberships.index > core.commitIndex) return;
    for (const id of this.#progress.keys()) {
      if (core.members.some((member) => member.id === id)) continue;
      this.#progress.get(id)?.sending?.end();
      this.#progress.delete(id);
    }
    if (!core.members.some(({ id }) => id === core.self.id)) {
      this.broadcast(now);
      core.becomeFollower(core.term, undefined, now);
      this.end();
    }
  }

  /** Returns whether anything was sent. */
  #sendEntries(id: ReplicaId, progress: Progress, now: Millis): boolean {
    const { log, config } = this.#core;
    // Whoever is silent gets heartbeats until it is heard.
    if (this.#hasNotHeard(progress, now)) return false;
    let hasSent = false;
    while (progress.state !== 'snapshot' && !progress.isWaiting && progress.next <= log.lastIndex) {
      if (progress.next <= log.baseIndex) return this.#sendSnapshot(id, progress);
      if (progress.state === 'replicate' && log.bytesBetween(progress.match, progress.next - 1) >= config.maxInflightBytes) break;
      const entries = log.slice(progress.next, Math.min(MAX_APPEND_BYTES, config.maxInflightBytes));
      this.#sendAppend(id, progress, entries);
      hasSent = true;
      if (progress.state === 'probe') progress.isWaiting = true;
      else progress.next += entries.length;
    }
    return hasSent;
  }

  #sendAppend(id: ReplicaId, progress: Progress, entries: readonly StoredEntry[]): void {
    const core = this.#core;
    const { log } = core;
    // While a snapshot is on its way, or needed, heartbeats must not ask for what the follower cannot have.
    const prevIndex = progress.state === 'snapshot' || log.termAt(progress.next - 1) === undefined ? progress.match : progress.next - 1;
    const prevTerm = log.termAt(prevIndex);
    core.send(id, {
      kind: 'append', term: core.term, prevIndex: prevTerm === undefined ? 0 : prevIndex, prevTerm: prevTerm ?? 0,
      commitIndex: core.commitIndex, round: this.#round, lastIndex: log.lastIndex, life: progress.life, entries,
    });
  }

  /** A new one, from its beginning, in the place of another that has failed. */
  #sendSnapshot(id: ReplicaId, progress: Progress): boolean {
    const core = this.#core;
    const mark = core.mark();
    const { index, term: lastTerm, meta } = mark;
    progress.endSnapshot();
    progress.state = 'snapshot';
    progress.sending = new SnapshotSending(mark, core.service.snapshot(), ++this.#transfers, (chunk) => {
      core.send(id, { kind: 'chunk', term: core.term, index, lastTerm, meta, ...chunk });
    });
    core.counters.snapshotsSent++;
    return true;
  }

  /** A leader that a majority does not hear leads nobody (Ongaro 2014, section 6.2). */
  #checkQuorum(now: Millis): void {
    const core = this.#core;
    this.#quorumDueMs = now + core.config.electionTimeoutMs;
    if (isQuorum(core.members, (id) => id === core.self.id || !this.isSilent(id, now))) return;
    core.becomeFollower(core.term, undefined, now);
    core.leader = undefined;
    this.end();
  }
}
