import type { Millis } from '../../core/machine.ts';
import type { ReplicaId } from '../replica.ts';
import { settlePending, type AgreedOrder } from './agreed-order.ts';
import type { LeaderOrder } from './leader-order.ts';
import type { ViewCore } from './view-core.ts';
import type { PendingMessage, ViewMessage } from './view-message.ts';

/** Of the entries in one message, unless a single one is larger. */
const MAX_SUFFIX_BYTES = 128 * 1024;

interface Report {
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly clock: number;
  readonly pending: readonly PendingMessage[];
}

/**
 * How a new view begins: its leader collects what each member has, completes its own log from the longest, and brings everybody to that
 * log; then the view works. What was stable before is in every log, so nothing that was answered is lost; what was not may be kept or
 * not, for all alike.
 */
export class Flush {
  readonly #core: ViewCore;
  readonly #order: LeaderOrder;
  /** Undefined where the leader orders. */
  readonly #agreed: AgreedOrder | undefined;
  /** Logs may contradict each other, and the leader's counts: without a fence, two leaders may have gone on. */
  readonly #imposes: boolean;
  /** Who was in the last view that worked with this member in it. */
  #companions: ReadonlySet<ReplicaId> = new Set();
  readonly #reports = new Map<ReplicaId, Report>();
  /** At a member: what it told its leader, kept until the view works. */
  #own: Report | undefined;
  #phase: 'none' | 'collecting' | 'fetching' | 'spreading' = 'none';
  /** Whose log is the longest. */
  #best: ReplicaId | undefined;
  #flushIndex = 0;
  /** The leader's first round in the view: whoever has heard it knows what the view begins with. */
  #firstRound = 0;

  constructor(core: ViewCore, order: LeaderOrder, agreed: AgreedOrder | undefined, imposes: boolean) {
    this.#imposes = imposes;
    this.#core = core;
    this.#order = order;
    this.#agreed = agreed;
  }

  /** A view was adopted. */
  begin(now: Millis): void {
    const core = this.#core;
    const { log } = core;
    this.#reports.clear();
    this.#order.end();
    if (!core.isMember) this.#agreed?.forget();
    // What was pending in the view before the last is told again, if no view has worked since.
    this.#own = { lastIndex: log.lastIndex, lastTerm: log.lastTerm, clock: this.#agreed?.clock ?? 0, pending: this.#agreed?.pending(core.config.maxReportBytes) ?? [] };
    this.#phase = core.isLeader ? 'collecting' : 'none';
    if (core.isLeader) this.#collected(now);
    else this.report();
  }

  /** Says to the leader, again, what this member has. */
  report(): void {
    const core = this.#core;
    const { leader, log } = core;
    if (leader === undefined || core.isLeader || this.#own === undefined || !core.isMember) return;
    core.send(leader.id, { kind: 'report', view: core.view.number, ...this.#own, lastIndex: log.lastIndex, lastTerm: log.lastTerm });
  }

  reported(from: ReplicaId, report: ViewMessage & { readonly kind: 'report' }, now: Millis): void {
    const core = this.#core;
    if (!core.isLeader) return;
    // It began late, or anew: it is told once more that the view works.
    if (core.isRunning) return this.#start(from);
    if (this.#phase !== 'collecting' || !core.others.some(({ id }) => id === from)) return;
    this.#reports.set(from, { ...report, pending: report.pending.map((message) => ({ ...message, bytes: message.bytes.slice() })) });
    this.#collected(now);
  }

  fetched(from: ReplicaId, { from: first }: ViewMessage & { readonly kind: 'fetch' }): void {
    const core = this.#core;
    const { log } = core;
    const prevTerm = log.termAt(first - 1);
    if (prevTerm === undefined) return;
    core.send(from, {
      kind: 'suffix', view: core.view.number, prevIndex: first - 1, prevTerm, stableIndex: core.stableIndex, lastIndex: log.lastIndex, round: 0, entries: log.slice(first, Math.min(MAX_SUFFIX_BYTES, core.config.maxInflightBytes)),
    });
  }

  suffix(from: ReplicaId, { prevIndex, prevTerm, entries }: ViewMessage & { readonly kind: 'suffix' }, now: Millis): void {
    const core = this.#core;
    if (this.#phase !== 'fetching' || from !== this.#best || core.log.termAt(prevIndex) !== prevTerm) return;
    const fresh = entries.filter(({ index }) => index > core.log.lastIndex);
    core.append(fresh.map(({ index, term, bytes }) => ({ index, term, bytes: bytes.slice() })), now);
    this.#complete(now);
  }

  started({ index, clock }: ViewMessage & { readonly kind: 'start' }): void {
    const core = this.#core;
    if (core.isRunning || core.log.lastIndex < index) return;
    this.#run(clock);
  }

  /** The leader looks whether all have the log that the view begins with. */
  advance(): void {
    const core = this.#core;
    if (this.#phase !== 'spreading' || core.durableIndex < this.#flushIndex || !this.#order.hasReached(this.#flushIndex)) return;
    // A report alone is not enough: a newcomer has to know, on its disk, that it lacks nothing, before anybody counts on it.
    if (!this.#order.isHeard(this.#firstRound)) return;
    this.#phase = 'none';
    this.#run(this.#clock());
    if (this.#agreed !== undefined) this.#order.release();
    for (const { id } of core.others) this.#start(id);
  }

  retry(): void {
    if (this.#phase === 'fetching') this.#fetch();
    if (!this.#core.isRunning) this.report();
  }

  #collected(now: Millis): void {
    const core = this.#core;
    if (!core.others.every(({ id }) => this.#reports.has(id))) return;
    let best: { readonly id: ReplicaId; readonly lastIndex: number; readonly lastTerm: number } = { id: core.self.id, lastIndex: core.log.lastIndex, lastTerm: core.log.lastTerm };
    for (const [id, { lastIndex, lastTerm }] of this.#imposes ? [] : this.#reports) {
      if (lastTerm > best.lastTerm || (lastTerm === best.lastTerm && lastIndex > best.lastIndex)) best = { id, lastIndex, lastTerm };
    }
    if (this.#imposes && !this.#isSharedPast()) core.impose(Math.max(core.log.lastIndex, ...[...this.#reports.values()].map((report) => report.lastIndex)) + 1, now);
    this.#best = best.id;
    this.#flushIndex = this.#imposes ? core.log.lastIndex : best.lastIndex;
    this.#phase = 'fetching';
    this.#complete(now);
  }

  #complete(now: Millis): void {
    const core = this.#core;
    if (this.#best !== core.self.id && core.log.lastIndex < this.#flushIndex) return this.#fetch();
    this.#phase = 'spreading';
    if (this.#agreed !== undefined) {
      const pending = [this.#own!.pending, ...[...this.#reports.values()].map((report) => report.pending)];
      for (const bytes of settlePending(pending)) this.#order.orderBytes(bytes, now);
    }
    this.#flushIndex = core.log.lastIndex;
    this.#order.begin(this.#reports);
    this.#order.broadcast();
    this.#firstRound = this.#order.round;
    this.advance();
  }

  /** Nobody can have gone on under another leader: all were in the last view, or there was none. */
  #isSharedPast(): boolean {
    const { log } = this.#core;
    return [...this.#reports].every(([id, { lastIndex, lastTerm }]) => (lastIndex === 0 && log.lastIndex === 0) || (this.#companions.has(id) && log.termAt(lastIndex) === lastTerm));
  }

  #fetch(): void {
    this.#core.send(this.#best!, { kind: 'fetch', view: this.#core.view.number, from: this.#core.log.lastIndex + 1 });
  }

  #clock(): number {
    return Math.max(this.#own?.clock ?? 0, ...[...this.#reports.values()].map(({ clock }) => clock));
  }

  #start(to: ReplicaId): void {
    this.#core.send(to, { kind: 'start', view: this.#core.view.number, index: this.#flushIndex, clock: this.#clock() });
  }

  #run(clock: number): void {
    this.#core.begin();
    this.#companions = new Set(this.#core.view.members.map(({ id }) => id));
    this.#agreed?.begin(clock);
    this.#own = undefined;
    if (this.#core.storage.isSuspect) this.#core.storage.markSafe();
  }
}
