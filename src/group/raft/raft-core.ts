import { assert } from '../../core/assert.ts';
import type { Millis } from '../../core/machine.ts';
import type { Random } from '../../core/random.ts';
import type { Sink } from '../../core/trace.ts';
import { ByteReader, ByteWriter } from '../byte-codec.ts';
import { EntryLog } from '../entry-log.ts';
import { LogCompaction } from '../log-compaction.ts';
import type { Peer, ReplicaId, Role } from '../replica.ts';
import { ReplicaOutput } from '../replica-output.ts';
import type { Service } from '../service.ts';
import { SnapshotError, type Reply } from '../state-machine.ts';
import type { SnapshotMark, Storage, StoredEntry } from '../storage.ts';
import { MembershipHistory, readMembership, writeMembership, type Membership } from './membership.ts';
import type { RaftConfig } from './raft-config.ts';
import { decodeCommand } from '../log-command.ts';
import { encodeRaftMessage, type RaftMessage } from './raft-message.ts';

const NOBODY = '';

/** What a member counts. */
export class RaftCounters {
  elections = 0;
  preVotes = 0;
  timesLeader = 0;
  stepDowns = 0;
  snapshotsTaken = 0;
  snapshotsSent = 0;
  snapshotsReceived = 0;
  reads = 0;
  /** Messages that make no sense, or come from nobody of ours. */
  strange = 0;
  /** Requests for which there was no room. */
  busy = 0;
  /** Changes of the members that were asked for and could not be. */
  refusedChanges = 0;
}

export interface RaftCoreOptions {
  readonly self: Peer;
  readonly bootstrap: readonly Peer[];
  readonly service: Service;
  readonly storage: Storage;
  readonly random: Random;
  readonly config: RaftConfig;
  readonly sink: Sink | undefined;
  readonly now: Millis;
}

/**
 * What a member of a Raft group remembers and holds: term and vote, log and membership, commit index, and what is to leave with the
 * next Ready. Election, replication and reading work on it. becomeX() alone change the role.
 */
export class RaftCore extends ReplicaOutput {
  readonly service: Service;
  readonly storage: Storage;
  readonly random: Random;
  readonly config: RaftConfig;
  readonly counters = new RaftCounters();
  readonly log: EntryLog;
  readonly memberships: MembershipHistory;
  /** What this process calls itself, anew each time it begins, so that it can tell who has heard it since. Not 0. */
  readonly life: number;
  readonly compaction: LogCompaction;
  #term = 0;
  #votedFor: ReplicaId = NOBODY;
  #role: Role = 'follower';
  #commitIndex: number;
  /** Whom this member takes for the leader of its term. */
  leader: ReplicaId | undefined;
  /** When a leader was heard last; −Infinity: never, or it was given up. */
  leaderHeardMs: Millis = -Infinity;
  electionDueMs: Millis = Infinity;
  problem: string | undefined;
  /** Who waits for the reply to a place in the log, at the leader that gave it. */
  readonly waiting = new Map<number, { readonly clientId: string; readonly serial: number }>();

  /** Throws SnapshotError for a snapshot that is whole and still makes no sense. */
  constructor(options: RaftCoreOptions) {
    const { self, bootstrap, service, storage, random, config, sink } = options;
    super(self, sink);
    this.service = service;
    this.storage = storage;
    this.random = random;
    this.config = config;
    const { snapshot, entries, state } = storage;
    let members: Membership = bootstrap.map((peer) => ({ ...peer, isVoter: true }));
    if (state !== undefined) members = this.#readState(state);
    if (snapshot !== undefined) {
      service.restore(snapshot.chunks);
      members = readMeta(snapshot);
    }
    this.life = random.fork('life').below(0xffff_ffff) + 1;
    this.log = new EntryLog(snapshot?.index ?? 0, snapshot?.term ?? 0, entries);
    this.compaction = new LogCompaction(this.log, storage, service, config);
    this.memberships = new MembershipHistory(snapshot?.index ?? 0, members);
    this.#commitIndex = snapshot?.index ?? 0;
    for (const entry of entries) this.#noteMembership(entry);
    // A founder's list of members must outlive a crash before the first snapshot.
    if (state === undefined) this.#saveState();
    this.#become('follower', options.now);
  }

  get term(): number {
    return this.#term;
  }

  get votedFor(): ReplicaId | undefined {
    return this.#votedFor === NOBODY ? undefined : this.#votedFor;
  }

  get role(): Role {
    return this.#role;
  }

  get commitIndex(): number {
    return this.#commitIndex;
  }

  get members(): Membership {
    return this.memberships.current;
  }

  get isVoter(): boolean {
    return this.members.some(({ id, isVoter }) => id === this.self.id && isVoter);
  }

  get isLeader(): boolean {
    return this.#role === 'leader';
  }

  get hasFailed(): boolean {
    return this.#role === 'failed';
  }

  /** A leader was heard so lately that whoever asks for votes is mistaken (Ongaro 2014, section 4.2.3). */
  hasLeader(now: Millis): boolean {
    return this.isLeader || now - this.leaderHeardMs < this.config.electionTimeoutMs;
  }

  /** A vote for somebody else in this term is not given again, nor taken back, whatever happens. */
  vote(term: number, candidate: ReplicaId, now: Millis): void {
    assert(term > this.#term || (term === this.#term && (this.#votedFor === NOBODY || this.#votedFor === candidate)), 'a second vote in a term');
    this.#term = term;
    this.#votedFor = candidate;
    this.#saveState();
    this.trace(now, { type: 'vote', term, candidate });
  }

  /** A term above ours begins, or its leader is heard of: whatever this member was, it follows now. */
  becomeFollower(term: number, leader: ReplicaId | undefined, now: Millis): void {
    assert(term >= this.#term, 'a term that has passed');
    if (term > this.#term) {
      this.#term = term;
      this.#votedFor = NOBODY;
      this.#saveState();
      this.leader = undefined;
    }
    if (leader !== undefined) this.leader = leader;
    if (this.isLeader) {
      this.counters.stepDowns++;
      this.leaderHeardMs = -Infinity;
    }
    if (this.#role !== 'follower') this.#become('follower', now);
  }

  becomePreCandidate(now: Millis): void {
    this.leader = undefined;
    this.counters.preVotes++;
    this.#become('pre-candidate', now);
  }

  /** Begins a term, with its own vote. */
  becomeCandidate(now: Millis): void {
    assert(this.isVoter, 'a candidate without a vote');
    this.leader = undefined;
    this.counters.elections++;
    this.vote(this.#term + 1, this.self.id, now);
    this.#become('candidate', now);
  }

  becomeLeader(now: Millis): void {
    assert(this.#role === 'candidate', 'a leader without an election');
    this.leader = this.self.id;
    this.counters.timesLeader++;
    this.#become('leader', now);
    this.electionDueMs = Infinity;
  }

  becomeFailed(reason: string, now: Millis): void {
    this.problem = reason;
    this.leader = undefined;
    this.#become('failed', now);
    this.electionDueMs = Infinity;
    this.dropUnsaid();
  }

  /** The next election timeout, drawn anew so that members do not collide for ever (section 5.2). */
  awaitLeader(now: Millis): void {
    this.electionDueMs = now + this.config.electionTimeoutMs * (1 + this.random.unit());
  }

  /** Puts entries at the end of the log, and on disk with the next Ready. */
  append(entries: readonly StoredEntry[], now: Millis): void {
    for (const entry of entries) {
      this.log.append(entry);
      this.#noteMembership(entry);
      this.trace(now, { type: 'append', index: entry.index, term: entry.term });
    }
    if (entries.length > 0) this.storage.append(entries);
  }

  /** Entries from `index` on contradict the leader's (section 5.3). What is committed is never among them. */
  truncate(index: number): void {
    assert(index > this.#commitIndex, `a committed entry would be overwritten: ${index} of ${this.#commitIndex}`);
    this.log.truncate(index);
    this.memberships.truncate(index);
    this.storage.truncate(index);
  }

  /** Everything up to `index` is committed: it is applied, in order, and answered if it was asked for here. */
  commit(index: number, now: Millis): void {
    if (index <= this.#commitIndex) return;
    assert(index <= this.log.lastIndex, `commit of ${index} in a log that ends at ${this.log.lastIndex}`);
    this.trace(now, { type: 'commit', index });
    while (this.#commitIndex < index) this.#applyNext(now);
  }

  /** A snapshot from the leader takes the place of log and state. Throws SnapshotError; the member is unusable then. */
  adoptSnapshot(mark: SnapshotMark, chunks: readonly Uint8Array[], now: Millis): void {
    const members = readMeta(mark);
    this.service.restore(chunks);
    this.compaction.adopted(chunks);
    if (this.log.termAt(mark.index) === mark.term) {
      // What follows an entry that the snapshot ends with stays (Raft paper, section 7): it may have been promised to a leader.
      this.log.compact(mark.index);
      this.memberships.compact(mark.index);
    } else {
      this.log.reset(mark.index, mark.term);
      this.memberships.reset(mark.index, members);
    }
    this.#commitIndex = mark.index;
    this.storage.saveSnapshot(mark, chunks, () => this.log.after(mark.index));
    this.counters.snapshotsReceived++;
    this.trace(now, { type: 'snapshot', index: mark.index, digest: this.isTraced ? this.service.digest() : '' });
  }

  /** What a snapshot taken now stands for. */
  mark(): SnapshotMark {
    const writer = new ByteWriter();
    writeMembership(writer, this.memberships.at(this.#commitIndex));
    return { index: this.#commitIndex, term: this.log.termAt(this.#commitIndex)!, meta: writer.finish() };
  }

  send(to: ReplicaId, message: RaftMessage): void {
    this.post(to, encodeRaftMessage(message));
  }

  /** Where the leader of the moment is to be asked; empty when it is not known. */
  leaderAddress(): string {
    return this.members.find(({ id }) => id === this.leader)?.address ?? '';
  }

  #applyNext(now: Millis): void {
    const index = this.#commitIndex + 1;
    const entry = this.log.at(index)!;
    const command = decodeCommand(entry.bytes);
    this.#commitIndex = index;
    let reply: Reply | undefined;
    if (command?.kind === 'request') {
      reply = this.service.apply(index, command.request);
      this.noteApplied(index, command.request);
    } else {
      this.service.skip(index);
    }
    if (this.isTraced) this.trace(now, { type: 'apply', index, term: entry.term, digest: this.service.digest() });
    const asker = this.waiting.get(index);
    if (asker === undefined) return;
    this.waiting.delete(index);
    if (reply !== undefined) this.reply(asker, reply);
  }

  #noteMembership({ index, bytes }: StoredEntry): void {
    const command = decodeCommand(bytes);
    if (command?.kind === 'membership') this.memberships.append(index, command.members);
  }

  #become(role: Role, now: Millis): void {
    this.#role = role;
    this.awaitLeader(now);
    this.trace(now, { type: 'become', role, term: this.#term });
  }

  #saveState(): void {
    const writer = new ByteWriter().u53(this.#term).text(this.#votedFor);
    writeMembership(writer, this.memberships?.at(0) ?? []);
    this.storage.saveState(writer.finish());
  }

  /** Returns the founders. */
  #readState(state: Uint8Array): Membership {
    const reader = new ByteReader(state);
    this.#term = reader.u53();
    this.#votedFor = reader.text(0xffff);
    const founders = readMembership(reader);
    assert(reader.end(), 'the state on disk has a right CRC and makes no sense');
    return founders;
  }
}

/** Who was in the group at that moment. */
function readMeta({ meta }: SnapshotMark): Membership {
  const reader = new ByteReader(meta);
  const members = readMembership(reader);
  if (!reader.end()) throw new SnapshotError('the members that come with it are damaged');
  return members;
}
