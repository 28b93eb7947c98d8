import type { Millis } from '../../core/machine.ts';
import type { Random } from '../../core/random.ts';
import type { Detector } from '../detector.ts';
import type { ReplyMessage } from '../message.ts';
import type { Errand, Peer, ReplicaId } from '../replica.ts';
import type { LeaderOrder } from './leader-order.ts';
import type { ViewCore } from './view-core.ts';
import type { ViewMessage } from './view-message.ts';
import { ViewServiceClient } from './view-service-client.ts';
import { isIn, nextView, type View, type ViewMember } from './view.ts';

export interface MembershipOptions {
  readonly self: Peer;
  readonly fence: 'view-service' | 'none';
  readonly bootstrap: readonly Peer[];
  readonly viewServers: readonly Peer[];
  readonly random: Random;
  readonly detector: Detector;
  readonly core: ViewCore;
  readonly order: LeaderOrder;
  readonly now: Millis;
  /** A view was adopted. */
  readonly onView: (now: Millis) => void;
}

/** Between questions to the view service, while something is not as it should be. */
const ASK_INTERVAL_MS = 400;
/** A member that is not the first to act gives those before it so much time. */
const TURN_MS = 300;

/**
 * Who is in the group: suspicions become proposals for the next view, newcomers are let in when they have what all have, and what the view
 * service has decided is adopted. Without the service, each member decides for itself.
 */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #core: ViewCore;
  readonly #service: ViewServiceClient | undefined;
  readonly #isReturning: boolean;
  /** The view that was on disk at the start has been left behind, or there was none. */
  #hasSettledIn = false;
  /** They have said that they do not hear this member. */
  readonly #deaf = new Set<ReplicaId>();
  /** Something is not as it should be since. */
  #troubleSinceMs: Millis | undefined;
  #nextAskMs: Millis = -Infinity;
  /** Whom people have let go, and no view says so yet: the next one is without them. */
  readonly #released = new Set<ReplicaId>();

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#core = options.core;
    this.#isReturning = options.core.storage.state !== undefined;
    this.#service = options.fence === 'none' ? undefined : new ViewServiceClient(options.viewServers, `${options.self.id}/${options.random.uint32()}`, options.random, options.now);
  }

  start(now: Millis): void {
    const { fence, bootstrap } = this.#options;
    const core = this.#core;
    if (fence === 'none') this.#adopt(nextView(core.view, bootstrap), now);
    else {
      core.resume(now);
      this.#service!.ask(now);
    }
  }

  /** Everybody in the view, and, for a leader, those who want to come in. Without a fence, also those who were given up: they may live. */
  peers(): readonly Peer[] {
    const { fence, bootstrap, order, self } = this.#options;
    if (fence === 'none') return bootstrap.filter(({ id }) => id !== self.id);
    return [...this.#core.others, ...order.guests];
  }

  /** Whether a message belongs to the view that this member works in. Of a newer one it learns that there is one. */
  meetView(from: ReplicaId, message: ViewMessage, now: Millis): boolean {
    const core = this.#core;
    const { fence } = this.#options;
    this.#heard(from, message, now);
    // What it said before it was started again must not be mixed with what it says now.
    if (!this.#hasSettledIn) return false;
    if (message.view === core.view.number) {
      if (message.kind === 'join') return core.isLeader && core.isRunning;
      if (isIn(core.view, from) || message.kind === 'ack' || message.kind === 'chunk-reply') return true;
      return false;
    }
    if (message.view > core.view.number) {
      if (fence === 'none') this.#followWithoutFence(from, message, now);
      else this.#ask(now);
      return false;
    }
    core.counters.outdated++;
    // So that whoever works on in a view that has passed hears of it.
    if (message.kind !== 'alive' || fence === 'none') core.send(from, this.alive());
    return false;
  }

  /** What everybody is told again and again. */
  alive(): ViewMessage {
    const { view, log, stableIndex, isRunning } = this.#core;
    return { kind: 'alive', view: view.number, lastIndex: log.lastIndex, stableIndex, isRunning, suspected: this.#silent() };
  }

  /** Somebody outside wants to come in. */
  join(from: ReplicaId, { address, lastIndex, lastTerm }: ViewMessage & { readonly kind: 'join' }): void {
    const { view } = this.#core;
    if (isIn(view, from) || view.released.includes(from) || this.#released.has(from)) return;
    this.#options.order.welcome({ id: from, address }, lastIndex, lastTerm);
  }

  /**
   * Sees to it that a view works without a member, and is for good without it; or says why none is (now). The first of those who stay does it: ask
   * again until it has.
   */
  remove(id: ReplicaId): string | undefined {
    const core = this.#core;
    if (this.#options.fence === 'none') return 'without a fence nobody says who is in the group';
    const first = core.view.members.find((member) => member.id !== id);
    if (first === undefined) return 'nobody would be left';
    if (first.id !== core.self.id) return 'this member does not lead those who stay';
    if (!core.isRunning) return 'a view is beginning';
    if (core.view.released.includes(id)) return undefined;
    this.#released.add(id);
    return 'the view without it has not begun';
  }

  answered(reply: ReplyMessage, now: Millis): void {
    this.#service?.answered(reply, now);
    this.#heed(now);
  }

  takeErrands(): Errand[] {
    return this.#service?.takeErrands() ?? [];
  }

  nextTimeout(): Millis {
    const due = this.#isTroubled() ? this.#nextAskMs : Infinity;
    return Math.min(due, this.#service?.nextTimeout() ?? Infinity);
  }

  handleTimeout(now: Millis): void {
    this.#service?.handleTimeout(now);
    this.#heed(now);
    if (!this.#isTroubled()) {
      this.#troubleSinceMs = undefined;
      return;
    }
    this.#troubleSinceMs ??= now;
    if (this.#nextAskMs > now) return;
    this.#nextAskMs = now + ASK_INTERVAL_MS / 4;
    this.#act(now);
  }

  /** Somebody is suspected, is to go, wants to come in, or this member stands outside or at the beginning of a view. */
  #isTroubled(): boolean {
    const core = this.#core;
    if (core.hasFailed) return false;
    return !core.isMember || !core.isRunning || this.#suspects().length > 0 || this.#released.size > 0 || (core.isLeader && this.#options.order.guests.length > 0) || this.#hasReturned().length > 0;
  }

  #act(now: Millis): void {
    const core = this.#core;
    if (!core.isMember) {
      this.#ask(now);
      this.#askIn();
      return;
    }
    if (this.#options.fence === 'none') {
      const living = this.#living();
      const members = [...living, ...this.#hasReturned()].sort((a, b) => this.#placeOf(a) - this.#placeOf(b));
      if (living.length < core.view.members.length || members.length > living.length) this.#adopt(nextView(core.view, members), now);
      return;
    }
    const next = this.#successor();
    if (next !== undefined) {
      // The first who lives acts; the others only if he does not.
      const turn = next.members.findIndex(({ id }) => id === core.self.id);
      if (now - this.#troubleSinceMs! >= turn * TURN_MS) this.#propose(() => this.#successor(), now);
    } else if (!core.isRunning) {
      this.#ask(now);
    }
  }

  /** The view that should come next, as it looks now; undefined: none need, or it is not for this member to say. */
  #successor(): View | undefined {
    const core = this.#core;
    // Before it has settled in, it does not know whether its disk and its view still hold what it promised.
    if (!this.#hasSettledIn || !core.isEntitled) return undefined;
    const living = this.#living();
    const guests = core.isLeader && core.isRunning ? this.#options.order.readyGuests().filter(({ id }) => !this.#released.has(id)) : [];
    const isNeeded = living.length < core.view.members.length || guests.length > 0 || this.#released.size > 0;
    return isNeeded ? nextView(core.view, [...living, ...guests], this.#released) : undefined;
  }

  /** Those of the view who are to stay in it. */
  #living(): readonly ViewMember[] {
    const suspects = this.#suspects();
    return this.#core.view.members.filter(({ id }) => !suspects.includes(id));
  }

  #suspects(): ReplicaId[] {
    const silent = this.#silent();
    return this.#core.others.map(({ id }) => id).filter((id) => silent.includes(id) || this.#released.has(id));
  }

  #silent(): ReplicaId[] {
    const { detector } = this.#options;
    return this.#core.others.map(({ id }) => id).filter((id) => detector.suspects(id));
  }

  /** Only who hears us can acknowledge anything: signs of life of those who do not, and say so, count as silence. */
  #heard(from: ReplicaId, message: ViewMessage, now: Millis): void {
    const { detector, self } = this.#options;
    if (message.kind === 'alive') {
      if (message.suspected.includes(self.id)) this.#deaf.add(from);
      else this.#deaf.delete(from);
    }
    if (!this.#deaf.has(from)) detector.heard(from, now);
  }

  /** Without a fence: founders who are not in the view and are heard again. */
  #hasReturned(): Peer[] {
    const { fence, bootstrap, detector, self } = this.#options;
    if (fence !== 'none') return [];
    return bootstrap.filter(({ id }) => id !== self.id && !isIn(this.#core.view, id) && !detector.suspects(id));
  }

  #placeOf(peer: Peer): number {
    return this.#options.bootstrap.findIndex(({ id }) => id === peer.id);
  }

  #ask(now: Millis): void {
    if (this.#service === undefined || this.#service.isBusy) return;
    this.#service.ask(now);
  }

  #propose(proposal: () => View | undefined, now: Millis): void {
    if (this.#service!.isBusy) return;
    this.#core.counters.proposals++;
    this.#service!.propose(proposal, now);
  }

  /** Asks the leader of the view to be let in. */
  #askIn(): void {
    const core = this.#core;
    const { leader, log, self } = core;
    // Before it knows that it is outside it is silent, or a view that counts on it would never find out that it cannot.
    if (leader === undefined || core.isMember || !this.#hasSettledIn) return;
    // All of it: what the view has gone on without has another view's number there, and then a snapshot takes the log's place.
    core.send(leader.id, { kind: 'join', view: core.view.number, address: self.address, lastIndex: log.lastIndex, lastTerm: log.lastTerm });
  }

  /** What the view service has said. */
  #heed(now: Millis): void {
    const view = this.#service?.takeView(now);
    if (view === undefined) return;
    const core = this.#core;
    const { bootstrap, self } = this.#options;
    if (view.number === 0) {
      if (bootstrap.some(({ id }) => id === self.id) && !this.#isReturning) this.#propose(() => nextView(view, bootstrap), now);
      return;
    }
    if (!this.#hasSettledIn && isIn(view, self.id) && core.storage.isSuspect) {
      // Whatever view its disk speaks of: that it had been in this one may be what was lost.
      core.problem = 'its disk may have lost its end, and its view counts on it: another member has to go on without it';
      return;
    }
    if (!this.#hasSettledIn && this.#isReturning && isIn(view, self.id) && view.number === core.view.number) {
      // What it said in this view and has forgotten must not count: the view begins anew.
      this.#propose(() => nextView(view, view.members), now);
      return;
    }
    if (view.number <= core.view.number) {
      // It stands outside, as it did when it was stopped: nobody counts on anything that it may have forgotten.
      if (!isIn(view, self.id)) this.#hasSettledIn = true;
      return;
    }
    this.#adopt(view, now);
  }

  #adopt(view: View, now: Millis): void {
    this.#hasSettledIn = true;
    this.#core.problem = undefined;
    this.#troubleSinceMs = undefined;
    this.#deaf.clear();
    for (const id of view.released) this.#released.delete(id);
    const { detector, fence, bootstrap, self } = this.#options;
    // Only the leader speaks to one outside: that others were silent is no reason to leave them out.
    if (!this.#core.isMember) detector.watch([], now);
    this.#core.adopt(view, now);
    detector.watch((fence === 'none' ? bootstrap : view.members).map(({ id }) => id).filter((id) => id !== self.id), now);
    this.#options.onView(now);
  }

  /** Without a fence, whoever has the larger number is followed, if he is before us in the order of the founders or counts us in. */
  #followWithoutFence(from: ReplicaId, { view: number }: ViewMessage, now: Millis): void {
    const { bootstrap, detector, self } = this.#options;
    const members = bootstrap.filter(({ id }) => id === self.id || id === from || !detector.suspects(id));
    this.#adopt({ ...nextView(this.#core.view, members), number }, now);
  }
}
