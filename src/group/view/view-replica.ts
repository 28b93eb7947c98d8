import type { Millis } from '../../core/machine.ts';
import type { Random } from '../../core/random.ts';
import type { Sink } from '../../core/trace.ts';
import type { Detector } from '../detector.ts';
import type { ReplyMessage, Request } from '../message.ts';
import { decodeCommand, encodeCommand } from '../log-command.ts';
import { leads, type Peer, type Ready, type Replica, type ReplicaId, type ReplicaStatus, type Role } from '../replica.ts';
import type { Service } from '../service.ts';
import type { Storage } from '../storage.ts';
import { AgreedOrder } from './agreed-order.ts';
import { Flush } from './flush.ts';
import { Following } from './following.ts';
import { LeaderOrder } from './leader-order.ts';
import { Membership } from './membership.ts';
import { RequestLedger } from './request-ledger.ts';
import { DEFAULT_VIEW_CONFIG, type ViewConfig } from './view-config.ts';
import { ViewCore } from './view-core.ts';
import { decodeViewMessage, type ViewMessage } from './view-message.ts';

export type ViewMode = 'primary-backup' | 'sequencer' | 'active';

/** What the first of a view and the others are called. In `active`, the first brings a view's log together, and then all are equal. */
const WORDS: Readonly<Record<ViewMode, { readonly first: Role; readonly other: Role }>> = {
  'primary-backup': { first: 'primary', other: 'backup' }, sequencer: { first: 'leader', other: 'follower' }, active: { first: 'member', other: 'member' },
};

export interface ViewOptions {
  readonly self: Peer;
  /** What the mode decides is who orders (the leader, or all by agreed timestamps) and who answers (the leader, or all). */
  readonly mode: ViewMode;
  /** Who says which view comes next: a majority outside the group, or each member's own timeouts, which let two primaries live. */
  readonly fence: 'view-service' | 'none';
  /** The members of the first view; empty for one that joins later. Ignored once there is a disk. */
  readonly bootstrap: readonly Peer[];
  readonly viewServers: readonly Peer[];
  readonly service: Service;
  readonly storage: Storage;
  readonly random: Random;
  readonly detector: Detector;
  readonly config?: Partial<ViewConfig>;
  readonly sink?: Sink;
  readonly now: Millis;
}

/**
 * view: groups whose members agree on who they are (view synchrony: Birman & Joseph 1987; views and their change: Oki & Liskov 1988; primary
 * copy: Alsberg & Day 1976, Budhiraja et al. 1993). One engine, three modes.
 *
 * Protocol. A view is a number and a list of members; the view service (ViewMachine on Raft: a majority outside) decides one for each number.
 * In a view, every request gets a place in one order: from the first member (LeaderOrder), or by agreed timestamps (AgreedOrder). Members write
 * what is ordered to disk and acknowledge it. A place is *stable* when every member of the view has it on disk; only then is it applied and
 * answered, by the leader or by all. Whoever suspects a member proposes the next view without it. A new view begins with a Flush: its leader
 * collects what each member has, completes its own log from the longest, and brings all to that log; then the view works.
 *
 * Why nothing that was answered is lost, as long as members only stop.
 * 1. In one view, one place holds one entry, and logs grow only behind what their sender has, so two logs that agree in the last entry's
 *    place and view agree in all before. Logs of a view's members are beginnings of one another, unless a member came from outside; his is
 *    then replaced by a snapshot.
 * 2. What is stable in a view is in the log of each of its members, so it is in the longest log of any that stay, and the flush keeps it.
 *    Of what was not stable, all keep the same: what nobody knew any more was answered by nobody.
 * 3. A view keeps at least one member of the one before, and only one who has *everything* proposes to go on without others (ViewCore.isEntitled):
 *    he has been in all views since one whose beginning was on his disk before he first acknowledged anything in it. So a newcomer who was
 *    named and never brought up to date, or a member that was not in the last view (Skeen 1985), waits for those who know more.
 * 4. Whoever has adopted a view acknowledges nothing in older ones, and a leader needs everybody's acknowledgement, for a read as well: it asks
 *    all in a round that begins after the read came. So a primary that was deposed and does not know it answers nothing.
 * 5. A member that restarts has forgotten what it only said (timestamps, rounds): its view begins anew under the next number. One whose disk may
 *    have lost its end says nothing until the others have gone on without it, and comes in like a newcomer.
 * A member of the view that is silent stops all answers until it is suspected: that is the price of answering with one survivor.
 *
 * Without the fence (`none`, for teaching), each member takes for its view those whom it does not suspect, in the founders' order. Points 3 and 4
 * fall: two sides of a partition each take the other for dead, and both answer. When they meet, what the first has counts, and the
 * other side's past is gone.
 */
export class ViewReplica implements Replica {
  readonly #options: ViewOptions;
  readonly #core: ViewCore;
  readonly #order: LeaderOrder;
  readonly #agreed: AgreedOrder | undefined;
  readonly #following: Following;
  readonly #flush: Flush;
  readonly #membership: Membership;
  /** Reads of the primary that wait until everybody has heard it. */
  #reads: { readonly request: Request; readonly round: number }[] = [];
  readonly #requests: RequestLedger;
  #heartbeatDueMs: Millis;
  #retryDueMs: Millis;
  #now: Millis;

  constructor(options: ViewOptions) {
    const { self, service, storage, mode, now } = options;
    this.#options = options;
    const config = { ...DEFAULT_VIEW_CONFIG, ...options.config };
    const answers = mode === 'primary-backup' ? (core: ViewCore) => core.isLeader : () => true;
    this.#core = new ViewCore({ self, service, storage, config, sink: options.sink, answers });
    this.#order = new LeaderOrder(this.#core, options.random.uint32());
    this.#agreed = mode === 'active' ? new AgreedOrder(this.#core) : undefined;
    this.#following = new Following(this.#core);
    this.#requests = new RequestLedger(config.retryMs);
    this.#flush = new Flush(this.#core, this.#order, this.#agreed, options.fence === 'none');
    this.#membership = new Membership({ ...options, core: this.#core, order: this.#order, onView: (at) => this.#viewChanged(at) });
    this.#heartbeatDueMs = now + config.heartbeatMs;
    this.#retryDueMs = now + config.retryMs;
    this.#now = now;
    this.#membership.start(now);
  }

  step(from: ReplicaId, body: Uint8Array, now: Millis): void {
    this.#now = now;
    const core = this.#core;
    const message = decodeViewMessage(body);
    if (message === undefined) {
      core.counters.strange++;
      return;
    }
    if (core.hasFailed || !this.#membership.meetView(from, message, now)) return;
    this.#dispatch(from, message, now);
  }

  propose(request: Request, now: Millis): void {
    this.#now = now;
    const core = this.#core;
    if (core.hasFailed) return core.refuse(request, 'unavailable', core.problem);
    const isRead = core.service.isReadOnly(request);
    if (isRead && request.isStale) return core.reply(request, core.service.query(request));
    if (!core.isMember || !core.isRunning) return core.refuse(request, 'unavailable', core.isMember ? 'a view is beginning' : 'this member is in no view');
    if (this.#agreed !== undefined) return this.#proposeAgreed(request);
    if (core.isLeader) return this.#lead(request, isRead);
    if (this.#options.mode === 'primary-backup') return core.refuse(request, 'not-leader', core.leader!.address);
    this.#requests.watch(request, now);
  }

  peers(): readonly Peer[] {
    return this.#membership.peers();
  }

  /** Has the view go on without a member; or says why it does not (now). */
  removeMember(id: ReplicaId, now: Millis): string | undefined {
    this.#now = now;
    return this.#core.hasFailed ? this.#core.problem : this.#membership.remove(id);
  }

  peerLost(peer: ReplicaId, now: Millis): void {
    this.#now = now;
    this.#options.detector.lost(peer, now);
  }

  answered(reply: ReplyMessage, now: Millis): void {
    this.#now = now;
    // Also for what it had asked before: a view that takes it in again would have it count on what its disk does not have.
    if (!this.#core.hasFailed) this.#membership.answered(reply, now);
  }

  status(): ReplicaStatus {
    const { self, role, view, leader, log, stableIndex, service, counters, storage, isRunning } = this.#core;
    const { detector, mode } = this.#options;
    const words = WORDS[mode];
    return {
      id: self.id, mode, role: role === 'primary' ? words.first : role === 'backup' ? words.other : role, term: view.number, leader: leads(words.first) ? leader?.id : undefined, lastIndex: log.lastIndex, commitIndex: stableIndex, appliedIndex: service.appliedIndex,
      digest: service.digest(), members: view.members.map((member) => ({ ...member, isVoter: true })),
      suspected: view.members.map(({ id }) => id).filter((id) => detector.suspects(id)),
      counters: { ...counters, falseSuspicions: detector.falseSuspicions, isRunning: isRunning ? 1 : 0, logBytes: storage.logBytes }, problem: this.#problem(),
    };
  }

  nextTimeout(): Millis {
    if (this.#core.hasFailed) return Infinity;
    return Math.min(this.#heartbeatDueMs, this.#retryDueMs, this.#options.detector.nextTimeout(), this.#membership.nextTimeout());
  }

  handleTimeout(now: Millis): void {
    this.#now = now;
    const core = this.#core;
    if (core.hasFailed) return;
    this.#options.detector.handleTimeout(now);
    this.#membership.handleTimeout(now);
    if (this.#heartbeatDueMs <= now) this.#heartbeat();
    if (this.#retryDueMs > now) return;
    this.#retryDueMs = now + core.config.retryMs;
    this.#flush.retry();
    if (core.isLeader) this.#order.retry();
    if (core.isRunning) this.#agreed?.retry();
    this.#forward(now);
  }

  takeReady(): Ready | undefined {
    const core = this.#core;
    if (core.hasFailed) return core.lastWords(core.role);
    const now = this.#now;
    core.durableIndex = core.writtenIndex;
    this.#advance(now);
    const files = core.service.takeWrites();
    const answers = files.length === 0 ? core.takeAnswers(core.role) : undefined;
    if (answers !== undefined) return answers;
    this.#compact();
    const persist = [...core.takeWrites(), ...files];
    core.writtenIndex = core.log.lastIndex;
    const { messages, replies, committed } = core.take();
    const errands = this.#membership.takeErrands();
    if (persist.length + messages.length + replies.length + committed.length + errands.length === 0) return undefined;
    return { persist, messages, replies, committed, errands, role: core.role };
  }

  persistFailed(reason: string, now: Millis): void {
    const core = this.#core;
    const unsafe = core.takeUnsafe();
    this.#order.end();
    core.becomeFailed(reason, now);
    core.failReplies(unsafe, reason);
  }

  #dispatch(from: ReplicaId, message: ViewMessage, now: Millis): void {
    const core = this.#core;
    switch (message.kind) {
      case 'alive':
        if (message.isRunning) this.#agreed?.acknowledged(from, message.lastIndex);
        return;
      case 'report':
        return this.#flush.reported(from, message, now);
      case 'fetch':
        return this.#flush.fetched(from, message);
      case 'suffix':
        return this.#flush.suffix(from, message, now);
      case 'start':
        return this.#flush.started(message);
      case 'order':
        // Late: since the view works, members order among themselves.
        if (this.#agreed !== undefined && core.isRunning) return;
        if (from === core.leader?.id) this.#following.order(from, message, now);
        return;
      case 'chunk':
        if (from === core.leader?.id) this.#following.chunk(from, message, now);
        return;
      case 'ack':
        if (core.isLeader) this.#order.acknowledged(from, message);
        this.#agreed?.acknowledged(from, message.index);
        return;
      case 'chunk-reply':
        if (core.isLeader) this.#order.received(from, message);
        return;
      case 'forward':
        return this.#forwarded(message);
      case 'join':
        return this.#membership.join(from, message);
      default:
        if (this.#agreed !== undefined && core.isRunning) this.#agree(this.#agreed, from, message);
    }
  }

  #agree(agreed: AgreedOrder, from: ReplicaId, message: ViewMessage): void {
    if (message.kind === 'submit') agreed.submitted(from, message);
    else if (message.kind === 'propose') agreed.proposed(from, message);
    else if (message.kind === 'final') agreed.finalized(message);
  }

  /** The leader gives a request its place, or answers a read once everybody has confirmed that it leads. */
  #lead(request: Request, isRead: boolean): void {
    const core = this.#core;
    const { config } = core;
    const readsHere = isRead && this.#options.mode === 'primary-backup';
    if (readsHere && this.#options.fence === 'none') return core.reply(request, core.service.query(request));
    if (readsHere ? this.#reads.length >= config.maxPendingReads : !this.#begin(request)) {
      core.counters.busy++;
      return core.refuse(request, 'busy');
    }
    if (!readsHere) return;
    core.counters.reads++;
    this.#reads.push({ request, round: this.#order.round + 1 });
  }

  /** Gives a request its place, or begins to, unless that is done already. False: there is no room. */
  #begin(request: Request): boolean {
    const core = this.#core;
    if (this.#requests.isUnderWay(request)) return true;
    if (core.log.lastIndex - core.stableIndex >= core.config.maxUnstable) return false;
    if (this.#agreed === undefined) this.#order.order(request, this.#now);
    else if (!this.#agreed.submit(request)) return false;
    this.#requests.begun(request);
    return true;
  }

  /** The client's own member begins its messages; the others look after it. */
  #proposeAgreed(request: Request): void {
    const core = this.#core;
    if (this.#homeOf(request) !== core.self.id) return this.#requests.watch(request, this.#now);
    if (this.#begin(request)) return;
    core.counters.busy++;
    core.refuse(request, 'busy');
  }

  /** Everybody begins messages, each those of some clients. */
  #homeOf({ clientId }: Request): ReplicaId {
    const { members } = this.#core.view;
    let hash = 0;
    for (let i = 0; i < clientId.length; i++) hash = (hash * 31 + clientId.charCodeAt(i)) >>> 0;
    return members[hash % members.length]!.id;
  }

  #forward(now: Millis): void {
    const core = this.#core;
    if (!core.isRunning) return;
    for (const request of this.#requests.takeOverdue(now)) {
      const to = this.#agreed === undefined ? core.leader?.id : this.#homeOf(request);
      if (to === undefined) continue;
      core.counters.forwarded++;
      if (to === core.self.id) this.propose(request, now);
      else core.send(to, { kind: 'forward', view: core.view.number, bytes: encodeCommand({ kind: 'request', request }) });
    }
  }

  #forwarded({ bytes }: ViewMessage & { readonly kind: 'forward' }): void {
    const command = decodeCommand(bytes.slice());
    const core = this.#core;
    if (command?.kind !== 'request' || !core.isRunning || !core.isMember) return;
    if ((this.#agreed === undefined && !core.isLeader) || this.#requests.isRecent(command.request, this.#now)) return;
    if (!this.#begin(command.request)) core.counters.busy++;
  }

  /** What has become possible: deliveries, stability, answers. */
  #advance(now: Millis): void {
    const core = this.#core;
    this.#flush.advance();
    core.settle(now);
    if (core.isRunning && core.isMember) {
      if (this.#agreed !== undefined) {
        this.#agreed.deliver(now);
        core.stabilize(this.#agreed.stableIndex(), now);
      } else if (core.isLeader) {
        core.stabilize(this.#order.stableIndex(), now);
      }
    }
    if (core.isLeader) {
      const last = this.#reads.at(-1);
      if (last !== undefined && last.round > this.#order.round) this.#order.broadcast();
      else if (this.#options.mode === 'sequencer') this.#order.announce();
      else this.#order.pump();
      this.#settleReads();
    }
    for (const committed of core.peekCommitted()) this.#requests.applied(committed, now);
  }

  #settleReads(): void {
    const core = this.#core;
    let sure = 0;
    while (sure < this.#reads.length && core.isRunning && this.#reads[sure]!.round <= this.#order.round && this.#order.isHeard(this.#reads[sure]!.round)) sure++;
    for (const { request } of this.#reads.splice(0, sure)) core.reply(request, core.service.query(request));
  }

  #heartbeat(): void {
    const core = this.#core;
    this.#heartbeatDueMs = this.#now + core.config.heartbeatMs;
    // Whoever may have forgotten what it promised keeps silent, until the others have gone on without it.
    if (core.problem !== undefined) return;
    const message = this.#membership.alive();
    for (const { id } of this.peers()) core.send(id, message);
    if (core.isLeader) this.#order.broadcast();
  }

  #viewChanged(now: Millis): void {
    for (const { request } of this.#reads) this.#core.refuse(request, 'unavailable', 'a view is beginning');
    this.#reads = [];
    this.#requests.viewEnded();
    this.#flush.begin(now);
  }

  #compact(): void {
    const core = this.#core;
    core.compaction.forget(this.#order.oldestNeeded);
    if (core.compaction.begin(core.stableIndex, () => core.mark())) core.counters.snapshotsTaken++;
  }

  #problem(): string | undefined {
    const { self, problem, isMember, isRunning, view } = this.#core;
    if (problem !== undefined) return problem;
    if (view.released.includes(self.id)) return 'it is no member any more';
    if (!isMember) return view.number === 0 ? 'it is in no view yet' : `view ${view.number} is without it: it waits until ${view.members.map(({ id }) => id).join(' or ')} has brought it up to date`;
    return isRunning ? undefined : 'its view is beginning';
  }
}
