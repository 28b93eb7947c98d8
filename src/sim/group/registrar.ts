import type { Random } from '../../core/random.ts';
import { traitsOf } from '../../group/modes.ts';
import type { ReplicaId, ReplicaStatus } from '../../group/replica.ts';
import type { View } from '../../group/view/view.ts';
import type { ReplicaWorld } from '../replica-world.ts';
import type { GroupScenario } from './draw-group.ts';
import type { GroupCoverage } from './group-coverage.ts';
import type { MemberPlace } from './member-place.ts';

/** Between two attempts. */
const RETRY_MS = 100;

export interface RegistrarOptions {
  readonly scenario: GroupScenario;
  readonly random: Random;
  readonly coverage: GroupCoverage;
  readonly isLeading: (place: MemberPlace) => boolean;
  /** Where members come and go by views: what the service has decided. */
  readonly currentView?: (() => View) | undefined;
}

/** One place at a time is in other hands: a member that lost its disk, or is taken in, or let go. */
type Task =
  | { readonly kind: 'join'; readonly place: MemberPlace; readonly former: ReplicaId | undefined }
  | { readonly kind: 'leave'; readonly place: MemberPlace; readonly former: ReplicaId }
  /** Its disk was damaged: whether it can be used is found out when it begins. */
  | { readonly kind: 'watch'; readonly place: MemberPlace }
  /** Its disk is lost, and replace() will be called. */
  | { readonly kind: 'loss'; readonly place: MemberPlace };

/** Whoever looks after the group: gives a computer another disk, takes members in and lets them go. */
export class Registrar {
  readonly #world: ReplicaWorld;
  readonly #options: RegistrarOptions;
  /** Places whose members belong to the group, or are to. */
  readonly #inside: Set<MemberPlace>;
  #task: Task | undefined;
  /** A leader in whose log the task is done, committed or not. */
  #seen: { readonly leader: ReplicaId; readonly term: number; readonly lastIndex: number } | undefined;

  constructor(world: ReplicaWorld, options: RegistrarOptions) {
    this.#world = world;
    this.#options = options;
    this.#inside = new Set([...world.members.slice(0, options.scenario.members), ...world.viewServers]);
  }

  get isBusy(): boolean {
    return this.#task !== undefined;
  }

  /** What the view service has decided last, where there is one. */
  get currentView(): View | undefined {
    return this.#options.currentView?.();
  }

  isInside(place: MemberPlace): boolean {
    return this.#inside.has(place);
  }

  /** Nobody has to bring it up to date first. */
  isWhole(place: MemberPlace): boolean {
    if (this.#task?.place === place) return false;
    // Where members come and go by views, whoever is outside holds nothing that counts, whether it knows it or not.
    const isOfViews = traitsOf(this.#options.scenario.mode).hasViews && place === this.#world.members[place.index];
    if (!isOfViews) return true;
    const status = place.replica?.status();
    return place.isUp && status?.problem === undefined && status?.term === (this.currentView?.number ?? status?.term);
  }

  /** More than one at a time could be more than the group can bear. */
  mayReplace(place: MemberPlace): boolean {
    const least = traitsOf(this.#options.scenario.mode).hasViews ? 2 : 3;
    const isMember = this.#world.members[place.index] === place && this.isInside(place);
    return this.#task === undefined && isMember && this.#isCovered(place) && this.#inside.size - this.#world.viewServers.length >= least;
  }

  /** Where the last of a view may hold what nobody else does, its disk is not taken away: nothing could go on after that. */
  #isCovered(place: MemberPlace): boolean {
    return !traitsOf(this.#options.scenario.mode).hasViews || this.#world.members.some((other) => other !== place && this.isInside(other) && this.isWhole(other));
  }

  watch(place: MemberPlace): void {
    this.#begin({ kind: 'watch', place });
  }

  /** To be followed by replace(). */
  announceLoss(place: MemberPlace): void {
    this.#begin({ kind: 'loss', place });
  }

  /** Its disk is gone. What lives there from now on is somebody else, and has to join. */
  replace(place: MemberPlace): void {
    const former = place.identity;
    if (place.isUp) this.#world.crash(place, true);
    this.#world.replaceDisk(place);
    this.#world.begin(place);
    this.#begin({ kind: 'join', place, former });
  }

  /** Takes somebody in, or lets somebody go. */
  change(mayGo: (place: MemberPlace) => boolean): void {
    if (this.#task !== undefined) return;
    const outside = this.#world.members.find((place) => !this.#inside.has(place));
    if (outside !== undefined) {
      outside.isFounding = false;
      this.#inside.add(outside);
      this.#world.begin(outside);
      this.#begin({ kind: 'join', place: outside, former: undefined });
      return;
    }
    const inside = this.#world.members.filter((place) => this.#inside.has(place));
    const place = inside[this.#options.random.below(inside.length)];
    if (place === undefined || inside.length < 3) return;
    // The others find out, and go on without it.
    if (traitsOf(this.#options.scenario.mode).hasViews) return mayGo(place) && this.#isCovered(place) ? this.#letGo(place) : undefined;
    this.#begin({ kind: 'leave', place, former: place.identity });
  }

  #begin(task: Task): void {
    const isRunning = this.#task !== undefined;
    this.#task = task;
    this.#seen = undefined;
    if (!isRunning) this.#work();
  }

  #work(): void {
    if (this.#task !== undefined && this.#isDone(this.#task)) this.#task = undefined;
    if (this.#task !== undefined) this.#world.simulator.at(this.#world.now + RETRY_MS, () => this.#work());
  }

  #isDone(task: Task): boolean {
    const { place } = task;
    if (task.kind === 'loss') return false;
    if (task.kind === 'watch') {
      if (!place.isUp || place.replica!.status().problem !== undefined) return false;
      // Its disk is as good as any from here on.
      place.isDamaged = false;
      return true;
    }
    if (this.#options.scenario.mode === 'raft') return this.#workWithLeader(task);
    const isIn = place.isUp && place.replica!.status().problem === undefined;
    if (isIn) this.#options.coverage.add(traitsOf(this.#options.scenario.mode).hasViews ? 'member added' : 'recovery');
    return isIn;
  }

  /** Returns whether there is nothing more to do. */
  #workWithLeader(task: Exclude<Task, { kind: 'watch' | 'loss' }>): boolean {
    const { place, former } = task;
    const leader = this.#world.members.find((other) => this.#options.isLeading(other) && other.state === 'running');
    const status = leader?.replica?.status();
    if (leader === undefined || status === undefined || status.role !== 'leader') return false;
    const isIn = (id: ReplicaId): boolean => status.members.some((member) => member.id === id);
    if (former !== undefined && isIn(former)) {
      this.#seen = undefined;
      leader.administer((replica, now) => replica.removeMember?.(former, now));
      return false;
    }
    if (task.kind === 'leave') {
      if (!this.#isCommitted(status)) return false;
      this.#letGo(place);
      return true;
    }
    if (!isIn(place.identity)) {
      this.#seen = undefined;
      leader.administer((replica, now) => replica.addMember?.(place.peer, now));
      return false;
    }
    const isVoter = status.members.some(({ id, isVoter: votes }) => votes && id === place.identity);
    if (!isVoter || !this.#isCommitted(status)) return false;
    this.#options.coverage.add('member added');
    return true;
  }

  #letGo(place: MemberPlace): void {
    this.#options.coverage.add('member removed');
    this.#inside.delete(place);
    this.#world.crash(place, true);
    this.#world.replaceDisk(place);
  }

  /** The members as this leader has them will not be taken back: it committed all that it had when it was seen with them first. */
  #isCommitted({ id, term, lastIndex, commitIndex }: ReplicaStatus): boolean {
    const seen = this.#seen;
    if (seen !== undefined && seen.leader === id && seen.term === term) return commitIndex >= seen.lastIndex;
    this.#seen = { leader: id, term, lastIndex };
    return false;
  }
}
