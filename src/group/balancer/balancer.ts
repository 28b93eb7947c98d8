import { Fifo } from '../../core/fifo.ts';
import type { Millis } from '../../core/machine.ts';
import { decodeText, encodeText } from '../byte-codec.ts';
import { MAX_REASON_BYTES, type ReplyMessage, type Request, type StatusReply, type StatusRequest } from '../message.ts';
import { majorityOf, traitsOf } from '../modes.ts';
import type { ReplicaId, ReplicaStatus } from '../replica.ts';
import { BalancerCounters, completeOptions, type BalancerOptions } from './balancer-options.ts';
import { summarize, type BalancerReport } from './balancer-report.ts';
import { Flights, type Flight, type Route } from './flights.ts';
import { LeaderView } from './leader-view.ts';
import { MemberHealth } from './member-health.ts';
import { Outbox } from './outbox.ts';
import { parseReplicaStatus } from './replica-status.ts';

export interface Failure {
  readonly name: string;
  readonly address: string;
  readonly id: ReplicaId | undefined;
  readonly downForMs: Millis;
}

export type ToMember = Request | StatusRequest;
export type ToClient = ReplyMessage | StatusReply;

const MAX_TARGETS = 64;
/** Messages for one member or one client that their connection has not taken yet. */
const MAX_QUEUED = 2048;
const NOTHING = new Uint8Array(0);

interface Target {
  readonly name: string;
  readonly address: string;
  readonly health: MemberHealth;
  readonly outbox: Outbox<ToMember>;
  status: ReplicaStatus | undefined;
  /** Why it does not talk to this balancer; undefined when it does, or has not said why. */
  refusal: string | undefined;
  /** When it has been gone for too long; Infinity while it isn't gone. */
  replaceAtMs: Millis;
}

/**
 * What stands between clients and members, sans-I/O: it watches the members, knows who leads, carries requests to them
 * and replies back, and says who is to be replaced. It decides nothing about answers: where answers are voted, the client
 * votes, since a balancer that did would be one that all must trust. Clients are numbers of connections; members have names.
 */
export class Balancer {
  readonly counters = new BalancerCounters();
  readonly #options: Required<BalancerOptions>;
  readonly #targets = new Map<string, Target>();
  readonly #clients = new Map<number, Outbox<ToClient>>();
  readonly #flights = new Flights();
  readonly #leaders = new LeaderView();
  readonly #failures = new Fifo<Failure>();
  /** The leader that requests went to last. */
  #routedTo: string | undefined;
  /** Since when there is no way to a leader. */
  #closedSinceMs: Millis | undefined = -Infinity;
  /** The leader can't say: what comes waits until then. */
  #pausedUntilMs: Millis = -Infinity;
  /** For stale reads: whose turn it is among equals. */
  #turn = 0;

  constructor(options: BalancerOptions) {
    this.#options = completeOptions(options);
  }

  get inFlight(): number {
    return this.#flights.size;
  }

  /** The member that requests go to in mode `leader`; undefined while there is none, or none that can be reached. */
  get leader(): string | undefined {
    const { leader } = this.#leaders;
    return leader !== undefined && this.#targets.get(leader)?.health.isUsable === true ? leader : undefined;
  }

  // Members

  /** Throws RangeError for a name that is taken, and for too many. */
  addTarget(name: string, address: string, now: Millis): void {
    if (this.#targets.has(name)) throw new RangeError(`there is a member ${name} already`);
    if (this.#targets.size >= MAX_TARGETS) throw new RangeError(`a balancer knows ${MAX_TARGETS} members at most`);
    this.#targets.set(name, {
      name, address, health: new MemberHealth(this.#options, now), outbox: new Outbox(MAX_QUEUED), status: undefined, refusal: undefined,
      // Until it has been heard for the first time, it is as silent as one that has just fallen silent.
      replaceAtMs: now + this.#options.downAfterMs + this.#options.replaceAfterMs,
    });
  }

  removeTarget(name: string, now: Millis): void {
    if (!this.#targets.has(name)) return;
    this.#lost(name);
    this.#targets.delete(name);
    this.#leaders.forget(name);
    this.#route(now);
  }

  /** Names of the members, in the order in which they were added. */
  get targets(): string[] {
    return [...this.#targets.keys()];
  }

  connected(name: string, now: Millis): void {
    const target = this.#targets.get(name);
    if (target === undefined) return;
    target.outbox.clear();
    target.refusal = undefined;
    target.health.connected(now);
    this.#watch(target, now);
    for (const flight of this.#flights) if (flight.route === 'all' && !flight.refused.has(name)) this.#send(flight, target);
    this.#route(now);
  }

  disconnected(name: string, now: Millis): void {
    const target = this.#targets.get(name);
    if (target === undefined) return;
    target.outbox.clear();
    target.health.disconnected(now);
    this.#lost(name);
    this.#route(now);
  }

  /** It does not let this balancer in: another cluster, another version. */
  refused(name: string, reason: string): void {
    const target = this.#targets.get(name);
    if (target !== undefined) target.refusal = reason;
  }

  /** A member's reply, or its status. */
  fromMember(name: string, message: ReplyMessage | StatusReply, now: Millis): void {
    const target = this.#targets.get(name);
    // Nobody speaks for another: a liar would have as many votes as it has names.
    if (target === undefined || (message.kind === 'reply' && message.memberId !== name)) {
      this.counters.strayMessages++;
      return;
    }
    target.health.heard(now);
    if (message.kind === 'reply') this.#replied(target, message, now);
    else this.#reported(target, message.json, now);
    this.#route(now);
  }

  /** The next message for a member, when its connection has room for one. */
  takeForMember(name: string): ToMember | undefined {
    return this.#targets.get(name)?.outbox.take();
  }

  /**
   * A member that has been down, or has failed for good, for `replaceAfterMs`: start another in its place. Said again, each time after twice as long, until
   * it is well or removed: a replacement may fail.
   */
  nextFailure(): Failure | undefined {
    return this.#failures.shift();
  }

  // Clients

  /** False: there are too many; end its connection. */
  clientOpened(client: number): boolean {
    if (this.#clients.size >= this.#options.maxClients) return false;
    this.#clients.set(client, new Outbox(MAX_QUEUED));
    return true;
  }

  clientClosed(client: number): void {
    for (const flight of [...this.#flights.of(client)]) this.#flights.remove(flight);
    this.#clients.delete(client);
  }

  /** False: it does not take its replies; what more it asks stays in the transport. */
  wantsInput(client: number): boolean {
    const outbox = this.#clients.get(client);
    return outbox !== undefined && outbox.length < MAX_QUEUED / 2;
  }

  fromClient(client: number, message: Request | StatusRequest, now: Millis): void {
    if (!this.#clients.has(client)) {
      this.counters.strayMessages++;
      return;
    }
    if (message.kind === 'status-request') {
      return this.#answer(client, { kind: 'status', json: JSON.stringify(this.report(now)) });
    }
    this.counters.requests++;
    const known = this.#flights.find(message.clientId, message.serial);
    if (known !== undefined) return this.#repeat(known, client, now);
    if (!this.#hasRoom(message)) {
      this.counters.refusedFull++;
      return this.#refuse(client, message, 'too many requests are in flight');
    }
    this.#begin(this.#flights.add(client, message, this.#routeOf(message), now), now);
  }

  takeForClient(client: number): ToClient | undefined {
    return this.#clients.get(client)?.take();
  }

  report(now: Millis): BalancerReport {
    const watched = [...this.#targets.values()].map(({ name, address, health, status, refusal }) => ({
      status,
      report: {
        name, address, id: status?.id, state: health.state, forMs: now - health.sinceMs, isConnected: health.isConnected, role: status?.role,
        term: status?.term, commitIndex: status?.commitIndex, appliedIndex: status?.appliedIndex, digest: status?.digest, rttMs: health.rttMs,
        outstanding: this.#flights.outstanding(name), falseSuspicions: health.falseSuspicions, problem: refusal ?? status?.problem,
      },
    }));
    return {
      name: this.#options.name, mode: this.#options.mode, leader: this.leader, term: this.#leaders.term, ...summarize(this.#options.mode, watched),
      inFlight: this.#flights.size, waiting: this.#flights.waiting, counters: { ...this.counters, leaderChanges: this.#leaders.changes },
    };
  }

  // Time

  nextTimeout(): Millis {
    let at = this.#nextExpiry();
    if (this.#flights.waiting > 0 && this.leader !== undefined) at = Math.min(at, this.#pausedUntilMs);
    for (const { health, replaceAtMs } of this.#targets.values()) at = Math.min(at, health.nextTimeout(), replaceAtMs);
    return at;
  }

  handleTimeout(now: Millis): void {
    for (const target of this.#targets.values()) this.#watch(target, now);
    this.#route(now);
    this.#expire(now);
  }

  #watch(target: Target, now: Millis): void {
    const { health, name, outbox } = target;
    const wasUsable = health.isUsable;
    health.handleTimeout(now);
    if (wasUsable && !health.isUsable) this.#lost(name);
    if (health.takeQuestion(now)) outbox.put({ kind: 'status-request' });
    // One that has failed answers, and will never serve again.
    if (health.state !== 'down' && target.status?.role !== 'failed') target.replaceAtMs = Infinity;
    else if (target.replaceAtMs === Infinity) target.replaceAtMs = health.sinceMs + this.#options.replaceAfterMs;
    if (target.replaceAtMs <= now) this.#replace(target, now);
  }

  #replace(target: Target, now: Millis): void {
    const { name, address, status, health } = target;
    if (!this.#canJudge(target)) {
      this.counters.failuresHeldBack++;
      target.replaceAtMs = now + this.#options.intervalMs;
      return;
    }
    const downForMs = now - health.sinceMs;
    target.replaceAtMs = now + Math.max(downForMs, this.#options.replaceAfterMs);
    this.counters.failures++;
    this.#failures.push({ name, address, id: status?.id, downForMs });
  }

  /** When most are down, it is this balancer that is cut off; unless one survivor is enough, and it says itself that it goes on without this one. */
  #canJudge({ name }: Target): boolean {
    if (this.#count((other) => other.health.isUsable) >= majorityOf(this.#targets.size)) return true;
    const leader = this.leader === undefined ? undefined : this.#targets.get(this.leader)!.status;
    return traitsOf(this.#options.mode).needs === 'one' && leader !== undefined && leader.problem === undefined && !leader.members.some(({ id }) => id === name);
  }

  #reported(target: Target, json: string, now: Millis): void {
    const status = parseReplicaStatus(json);
    if (status === undefined) {
      this.counters.malformedStatuses++;
      return;
    }
    target.status = status;
    target.health.answered(status.problem === undefined, now);
    this.#leaders.observe(target.name, status, (id) => this.#find((other) => other.status?.id === id)?.name);
    this.#watch(target, now);
  }

  #replied(target: Target, message: ReplyMessage, now: Millis): void {
    const flight = this.#flights.find(message.clientId, message.serial);
    const { status, body } = message.reply;
    // The disk of a leader that fails is lost to it alone: the next one knows what became of the request.
    const cannotSay = status === 'not-leader' || status === 'unavailable' || status === 'disk-error';
    // A leader that was given up may have done it all the same, and says so.
    const mayBeLate = flight?.route === 'leader' && !cannotSay;
    if (flight === undefined || !(this.#flights.settle(flight, target.name) || mayBeLate)) {
      this.counters.lateReplies++;
      return;
    }
    if (flight.route === 'all' || !cannotSay) return this.#relay(flight, message);
    const isAgain = flight.refused.has(target.name);
    flight.refused.add(target.name);
    if (flight.route === 'one') return this.#sendToOne(flight);
    if (status === 'not-leader') {
      const address = decodeText(body);
      this.#leaders.hint(target.name, this.#find((other) => other.address === address)?.name);
    }
    // Two that name each other must not keep it in the air.
    if (status !== 'not-leader' || isAgain) this.#pausedUntilMs = now + this.#options.pauseMs;
    this.#flights.setWaiting(flight, true);
  }

  #relay(flight: Flight, message: ReplyMessage): void {
    this.counters.replies++;
    flight.hasReply = true;
    this.#answer(flight.client, message);
    if (flight.route !== 'all' || flight.asked.size === 0) this.#flights.remove(flight);
  }

  // Routing

  #routeOf(request: Request): Route {
    if (request.isStale) return 'one';
    return traitsOf(this.#options.mode).asks;
  }

  #begin(flight: Flight, now: Millis): void {
    if (flight.route === 'leader') {
      // Behind those that wait: what a client says first must come first.
      this.#flights.setWaiting(flight, true);
      if (this.leader === undefined || this.#flights.waiting > 1) this.counters.waited++;
      return this.#route(now);
    }
    if (flight.route === 'one') {
      this.counters.staleReads++;
      return this.#sendToOne(flight);
    }
    this.counters.fanOuts++;
    for (const target of this.#targets.values()) if (target.health.isUsable) this.#send(flight, target);
    if (flight.asked.size === 0) this.#giveUp(flight, 'no member can be reached');
  }

  #repeat(flight: Flight, client: number, now: Millis): void {
    this.counters.repeatedRequests++;
    if (flight.client !== client) this.#flights.move(flight, client);
    if (flight.route === 'leader' && !flight.isWaiting) {
      this.#recall(flight);
      return this.#route(now);
    }
    if (flight.route !== 'all') return;
    // Members that have answered answer again: the reply may be what was lost.
    for (const target of this.#targets.values()) if (target.health.isUsable) this.#send(flight, target);
  }

  /** Sends what waits to the leader, if there is one and he can be reached. */
  #route(now: Millis): void {
    const leader = this.leader;
    if (leader === undefined) {
      this.#closedSinceMs ??= now;
      return;
    }
    this.#closedSinceMs = undefined;
    if (leader !== this.#routedTo) this.#recallOthers(leader);
    if (this.#flights.waiting === 0 || now < this.#pausedUntilMs) return;
    const target = this.#targets.get(leader)!;
    for (const flight of this.#flights.inLine()) {
      if (!this.#send(flight, target)) {
        this.#pausedUntilMs = now + this.#options.pauseMs;
        return;
      }
      this.#flights.setWaiting(flight, false);
    }
  }

  /** What the leader before was asked, this one is asked, too: with the same serial it is the same request. */
  #recallOthers(leader: string): void {
    this.#routedTo = leader;
    for (const flight of this.#flights) if (flight.route === 'leader' && !flight.isWaiting && !flight.asked.has(leader)) this.#recall(flight);
  }

  #sendToOne(flight: Flight): void {
    const candidates = [...this.#targets.values()].filter(({ name, health }) => health.isUsable && !flight.refused.has(name));
    const healthy = candidates.filter(({ health }) => health.state === 'healthy');
    const best = this.#leastBusy(healthy.length > 0 ? healthy : candidates);
    if (best === undefined) return this.#giveUp(flight, 'no member can answer');
    if (!this.#send(flight, best)) {
      flight.refused.add(best.name);
      this.#sendToOne(flight);
    }
  }

  /** The one with the fewest requests outstanding; among equals, each in turn. */
  #leastBusy(candidates: readonly Target[]): Target | undefined {
    let best: Target | undefined;
    const turn = this.#turn++;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[(turn + i) % candidates.length]!;
      if (best === undefined || this.#flights.outstanding(candidate.name) < this.#flights.outstanding(best.name)) best = candidate;
    }
    return best;
  }

  #send(flight: Flight, target: Target): boolean {
    if (!target.outbox.put(flight.request)) {
      this.counters.skippedMembers++;
      return false;
    }
    this.#flights.ask(flight, target.name);
    return true;
  }

  /** Nobody is asked any more. */
  #recall(flight: Flight): void {
    for (const name of [...flight.asked]) this.#flights.settle(flight, name);
    this.#flights.setWaiting(flight, true);
    this.counters.resent++;
  }

  /** The member answers nothing any more: what it was asked is asked elsewhere. */
  #lost(name: string): void {
    for (const flight of [...this.#flights]) {
      if (!this.#flights.settle(flight, name)) continue;
      if (flight.route === 'leader') this.#recall(flight);
      else if (flight.route === 'one') {
        this.counters.resent++;
        flight.refused.add(name);
        this.#sendToOne(flight);
      } else if (flight.asked.size === 0) {
        if (flight.hasReply) this.#flights.remove(flight);
        else this.#giveUp(flight, 'no member can be reached');
      }
    }
  }

  #giveUp(flight: Flight, reason: string): void {
    this.counters.refusedNoMember++;
    this.#flights.remove(flight);
    this.#refuse(flight.client, flight.request, reason);
  }

  #refuse(client: number, { clientId, serial }: Request, reason: string): void {
    const body = encodeText(reason, MAX_REASON_BYTES);
    this.#answer(client, {
      kind: 'reply', memberId: this.#options.name, clientId, serial, reply: { status: 'unavailable', offset: 0, digest: NOTHING, body },
    });
  }

  #answer(client: number, message: ToClient): void {
    if (this.#clients.get(client)?.put(message) !== true) this.counters.droppedReplies++;
  }

  // Bounds

  #hasRoom(request: Request): boolean {
    const { maxBytes, maxInFlight } = this.#options;
    const isFull = (): boolean => this.#flights.size >= maxInFlight || this.#flights.bytes + request.operation.length > maxBytes;
    if (!isFull()) return true;
    // A member that takes long must not fill the table with what others have answered.
    for (const flight of this.#flights) {
      if (!flight.hasReply) continue;
      this.#flights.remove(flight);
      this.counters.evicted++;
      if (!isFull()) return true;
    }
    return false;
  }

  #nextExpiry(): Millis {
    // All wait equally long, so the oldest is the first.
    const [oldest] = this.#flights;
    const at = oldest === undefined ? Infinity : oldest.sinceMs + this.#options.requestTimeoutMs;
    return this.#flights.waiting === 0 ? at : Math.min(at, this.#waitEnd(this.#flights.oldestWaiting()!));
  }

  #waitEnd(flight: Flight): Millis {
    return this.#closedSinceMs === undefined ? Infinity : Math.max(flight.sinceMs, this.#closedSinceMs) + this.#options.waitMs;
  }

  #expire(now: Millis): void {
    for (const flight of [...this.#flights]) {
      const isOld = flight.sinceMs + this.#options.requestTimeoutMs <= now;
      const hasWaited = flight.isWaiting && this.#waitEnd(flight) <= now;
      if (!isOld && !hasWaited) continue;
      this.counters.refusedTimeout++;
      this.#flights.remove(flight);
      if (!flight.hasReply) this.#refuse(flight.client, flight.request, hasWaited ? 'there is no leader that can be reached' : 'no answer in time');
    }
  }

  #find(isIt: (target: Target) => boolean): Target | undefined {
    for (const target of this.#targets.values()) if (isIt(target)) return target;
    return undefined;
  }

  #count(isIt: (target: Target) => boolean): number {
    return [...this.#targets.values()].filter(isIt).length;
  }
}
