import { assert } from '../../core/assert.ts';
import type { Millis } from '../../core/machine.ts';
import type { Sink } from '../../core/trace.ts';
import { ByteReader, ByteWriter } from '../byte-codec.ts';
import type { DiskOperation } from '../disk.ts';
import { EntryLog } from '../entry-log.ts';
import { LogCompaction } from '../log-compaction.ts';
import { decodeCommand } from '../log-command.ts';
import type { Peer, Ready, ReplicaId, Role } from '../replica.ts';
import { ReplicaOutput } from '../replica-output.ts';
import type { Service } from '../service.ts';
import type { SnapshotMark, Storage, StoredEntry } from '../storage.ts';
import { isIn, NO_VIEW, readView, writeView, type View } from './view.ts';
import type { ViewConfig } from './view-config.ts';
import { encodeViewMessage, type ViewMessage } from './view-message.ts';

const NOTHING = new Uint8Array(0);

export class ViewCounters {
  viewChanges = 0;
  timesPrimary = 0;
  proposals = 0;
  ordered = 0;
  forwarded = 0;
  reads = 0;
  snapshotsTaken = 0;
  snapshotsSent = 0;
  snapshotsReceived = 0;
  resent = 0;
  busy = 0;
  strange = 0;
  /** Messages of views that have passed. */
  outdated = 0;
}

export interface ViewCoreOptions {
  readonly self: Peer;
  readonly service: Service;
  readonly storage: Storage;
  readonly config: ViewConfig;
  readonly sink: Sink | undefined;
  /** Whether this member answers what it applies. */
  readonly answers: (core: ViewCore) => boolean;
}

/**
 * What a member of a group with views remembers and holds: the view that it works in, the log of what was ordered, how much of it is
 * stable, and what is to leave with the next Ready. Nothing is applied, nor answered, before it is stable.
 */
export class ViewCore extends ReplicaOutput {
  readonly service: Service;
  readonly storage: Storage;
  readonly config: ViewConfig;
  readonly counters = new ViewCounters();
  readonly log: EntryLog;
  readonly compaction: LogCompaction;
  readonly #answers: (core: ViewCore) => boolean;
  #view: View = NO_VIEW;
  /** The last view of which this member's log holds everything that it begins with. */
  #completeIn = 0;
  /** What the leader says is stable; applied as far as it is on this disk, too. */
  #toldStable = 0;
  #stableIndex: number;
  /** The log is on disk up to here. */
  durableIndex: number;
  /** What was handed out to be written last ends here. */
  writtenIndex: number;
  /** The view works: everybody in it began with the same log. */
  isRunning = false;
  #role: Role = 'outside';
  /** The view was not handed out to be written yet. */
  #hasNewState = false;
  problem: string | undefined;

  /** Throws SnapshotError for a snapshot that is whole and still makes no sense. */
  constructor(options: ViewCoreOptions) {
    const { self, service, storage, config, sink, answers } = options;
    super(self, sink);
    this.service = service;
    this.storage = storage;
    this.config = config;
    this.#answers = answers;
    const { snapshot, entries, state } = storage;
    if (snapshot !== undefined) service.restore(snapshot.chunks);
    this.log = new EntryLog(snapshot?.index ?? 0, snapshot?.term ?? 0, entries);
    this.compaction = new LogCompaction(this.log, storage, service, config);
    this.#stableIndex = snapshot?.index ?? 0;
    this.durableIndex = this.log.lastIndex;
    this.writtenIndex = this.log.lastIndex;
    if (state === undefined) return;
    const reader = new ByteReader(state);
    this.#view = readView(reader);
    this.#completeIn = reader.u53();
    assert(reader.end(), 'the state on disk has a right CRC and makes no sense');
  }

  get view(): View {
    return this.#view;
  }

  get stableIndex(): number {
    return this.#stableIndex;
  }

  get role(): Role {
    return this.#role;
  }

  get hasFailed(): boolean {
    return this.#role === 'failed';
  }

  get isMember(): boolean {
    return isIn(this.#view, this.self.id);
  }

  /** The first of the view. */
  get leader(): Peer | undefined {
    return this.#view.members[0];
  }

  get isLeader(): boolean {
    return this.leader?.id === this.self.id && !this.hasFailed;
  }

  /** This member's place in the view; −1: none. */
  get seat(): number {
    return this.#view.members.findIndex(({ id }) => id === this.self.id);
  }

  get others(): readonly Peer[] {
    return this.#view.members.filter(({ id }) => id !== this.self.id);
  }

  /** A view that was decided. On disk before anything is said in it. */
  adopt(view: View, now: Millis): void {
    assert(view.number > this.#view.number && !this.hasFailed, 'a view that has passed, or a member that has');
    this.#view = view;
    this.isRunning = false;
    this.counters.viewChanges++;
    this.#saveState();
    this.trace(now, { type: 'view', number: view.number, members: view.members.map(({ id }) => id).join(' ') });
    this.#become(this.isLeader ? 'primary' : this.isMember ? 'backup' : 'outside', now);
    if (this.isLeader) this.counters.timesPrimary++;
  }

  /**
   * This member has everything that was ever stable: it has been in the group without interruption since it had all that a view begins with,
   * or since there is a group. Whoever has not must not go on without the others, though the view names him.
   */
  get isEntitled(): boolean {
    const since = this.#view.members.find(({ id }) => id === this.self.id)?.since;
    return since !== undefined && (since === 1 || this.#completeIn >= since);
  }

  /** Everybody in the view has the log that it begins with. */
  begin(): void {
    this.isRunning = true;
    this.complete();
  }

  /** The log reaches at least to where the view begins. On disk before it is acknowledged: from then on this member may be the last. */
  complete(): void {
    if (!this.isMember || this.#completeIn === this.#view.number) return;
    this.#completeIn = this.#view.number;
    this.#saveState();
  }

  /** The leader says that so much is stable. */
  toldStable(index: number): void {
    this.#toldStable = Math.max(this.#toldStable, index);
  }

  /** Applies what is known to be stable and on this disk. */
  settle(now: Millis): void {
    this.stabilize(Math.min(this.#toldStable, this.durableIndex), now);
  }

  /** The view that is on disk has not passed: this member stands where it stood. */
  resume(now: Millis): void {
    this.#become(this.isLeader ? 'primary' : this.isMember ? 'backup' : 'outside', now);
  }

  becomeFailed(reason: string, now: Millis): void {
    this.problem = reason;
    this.isRunning = false;
    this.dropUnsaid();
    this.#become('failed', now);
  }

  append(entries: readonly StoredEntry[], now: Millis): void {
    for (const entry of entries) {
      this.log.append(entry);
      this.trace(now, { type: 'append', index: entry.index, term: entry.term });
    }
    if (entries.length > 0) this.storage.append(entries);
  }

  /** Everything up to `index` is on the disks of all members: it is applied, in order, and answered. */
  stabilize(index: number, now: Millis): void {
    const until = Math.min(index, this.log.lastIndex);
    if (until <= this.#stableIndex) return;
    this.trace(now, { type: 'commit', index: until });
    while (this.#stableIndex < until) this.#applyNext(now, this.#answers(this));
  }

  /** A snapshot from a member of the view takes the place of log and state. Throws SnapshotError; this member is unusable then. */
  adoptSnapshot(mark: SnapshotMark, chunks: readonly Uint8Array[], now: Millis): void {
    this.service.restore(chunks);
    this.compaction.adopted(chunks);
    if (this.log.termAt(mark.index) === mark.term) {
      this.#cutAfter(mark.index);
      this.log.compact(mark.index);
    } else {
      this.log.reset(mark.index, mark.term);
    }
    this.counters.snapshotsReceived++;
    this.#standOn(mark, chunks, now);
  }

  /**
   * Without a fence, what the leader has is what counts: all of it, and none of it is mistaken for what another has at the same place, since its
   * log goes on above all others'. Nothing is answered by that: only what everybody has is answered.
   */
  impose(index: number, now: Millis): void {
    while (this.#stableIndex < this.log.lastIndex) this.#applyNext(now, false);
    while (this.#stableIndex < index) this.service.skip(++this.#stableIndex);
    this.log.reset(index, this.#view.number);
    this.#standOn(this.mark(), this.service.snapshot(), now);
  }

  mark(): SnapshotMark {
    return { index: this.#stableIndex, term: this.log.termAt(this.#stableIndex)!, meta: NOTHING };
  }

  /** What to write now. */
  takeWrites(): readonly DiskOperation[] {
    this.#hasNewState = false;
    return this.storage.takeWrites();
  }

  /** A view of one member works as soon as it is adopted: what is answered in it waits until it is on disk. */
  override takeAnswers(role: Role): Ready | undefined {
    return this.#hasNewState ? undefined : super.takeAnswers(role);
  }

  send(to: ReplicaId, message: ViewMessage): void {
    this.post(to, encodeViewMessage(message));
  }

  /** To all others in the view. */
  multicast(message: ViewMessage): void {
    const body = encodeViewMessage(message);
    for (const { id } of this.others) this.post(id, body);
  }

  #applyNext(now: Millis, answers: boolean): void {
    const index = this.#stableIndex + 1;
    const entry = this.log.at(index)!;
    const command = decodeCommand(entry.bytes);
    this.#stableIndex = index;
    if (command?.kind === 'request') {
      const { request } = command;
      // A read takes its turn among the others, and needs no session.
      const isRead = this.service.isReadOnly(request);
      if (isRead) this.service.skip(index);
      const reply = isRead ? this.service.query(request) : this.service.apply(index, request);
      this.noteApplied(index, request);
      if (answers) this.reply(request, reply);
    } else {
      this.service.skip(index);
    }
    if (this.isTraced) this.trace(now, { type: 'apply', index, term: entry.term, digest: this.service.digest() });
  }

  /** The log is as if it began with this snapshot. */
  #standOn(mark: SnapshotMark, chunks: Iterable<Uint8Array>, now: Millis): void {
    this.writtenIndex = Math.min(this.writtenIndex, this.log.lastIndex);
    this.#stableIndex = mark.index;
    this.#toldStable = mark.index;
    this.storage.saveSnapshot(mark, chunks, () => this.log.after(mark.index));
    // Whatever is said next counts on it, so all of it is written first, however much it is.
    this.storage.truncate(this.log.lastIndex + 1);
    this.trace(now, { type: 'snapshot', index: mark.index, digest: this.isTraced ? this.service.digest() : '' });
  }

  #cutAfter(index: number): void {
    if (this.log.lastIndex <= index) return;
    this.log.truncate(index + 1);
    this.writtenIndex = Math.min(this.writtenIndex, index);
    this.storage.truncate(index + 1);
  }

  #saveState(): void {
    this.#hasNewState = true;
    this.storage.saveState(writeView(new ByteWriter(), this.#view).u53(this.#completeIn).finish());
  }

  #become(role: Role, now: Millis): void {
    if (this.#role === role) return;
    this.#role = role;
    this.trace(now, { type: 'become', role, term: this.#view.number });
  }
}
