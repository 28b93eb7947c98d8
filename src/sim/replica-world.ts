import type { Millis } from '../core/machine.ts';
import type { Random } from '../core/random.ts';
import type { TraceEvent } from '../core/trace.ts';
import type { OperationOutcome } from '../group/client.ts';
import type { ReplyMessage, Request } from '../group/message.ts';
import type { Errand, Ready, ReplicaId } from '../group/replica.ts';
import { ClientPlace, type ClientFactory } from './group/client-place.ts';
import { addressOf, MemberPlace, type ReplicaFactory, type ReplyRoute, type Surroundings } from './group/member-place.ts';
import { MessageNetwork, type Weather } from './group/message-network.ts';
import { TransitionLog } from './group/transition-log.ts';
import { Simulator } from './simulator.ts';
import { TraceHash } from './trace-hash.ts';
import { Verdicts } from './verdict.ts';

/**
 * A world for replicas: members on computers with disks and clocks, clients, and messages between them. What travels is whole
 * messages, not datagrams: what a transport below would do to them is in the weather, in partitions and in
 * connections that die. Replicas, clients and storage are the real ones. One seed gives one run.
 */

/** Who wants to know what happens. Called in the middle of it: only look. */
export interface Watch {
  traced?(place: MemberPlace, event: TraceEvent): void;
  readyTaken?(place: MemberPlace, ready: Ready): void;
  readyLeaves?(place: MemberPlace, ready: Ready): void;
  /** After a replica was made from what was on its disk. */
  began?(place: MemberPlace): void;
  down?(place: MemberPlace): void;
  requested?(client: string, place: MemberPlace, request: Request): void;
  replied?(client: string, place: MemberPlace, reply: ReplyMessage): void;
  ended?(client: number, outcome: OperationOutcome): void;
  /** What befalls somebody (`*`: all), in words; beginnings and crashes have their own. */
  noted?(who: string, text: string): void;
}

export interface WorldOptions {
  readonly random: Random;
  /** Names of members, those that do not begin at once included. */
  readonly members: number;
  /** A group of its own, asked by the members: 0 for none. */
  readonly viewServers: number;
  readonly clients: number;
  readonly memberFactory: ReplicaFactory;
  readonly viewServerFactory?: ReplicaFactory;
  readonly clientFactory: ClientFactory;
  readonly weather: Weather;
  /** Members' clocks run by so much too fast or too slow, at most; in [0, 1). */
  readonly clockDrift: number;
  readonly diskDelayMs: Millis;
  readonly isEager: boolean;
  readonly queuesInputs: boolean;
  /** Lines kept for the report of a failure. */
  readonly keepLines?: number;
}

/** A dead place's neighbours notice once in so long, since they go on trying. */
const REFUSAL_MS = 200;

export class ReplicaWorld {
  readonly simulator = new Simulator();
  readonly network: MessageNetwork;
  readonly hash = new TraceHash();
  readonly verdicts = new Verdicts();
  readonly log: TransitionLog;
  readonly members: readonly MemberPlace[];
  readonly viewServers: readonly MemberPlace[];
  readonly clients: readonly ClientPlace[];
  readonly watches: Watch[] = [];
  readonly #random: Random;
  readonly #places: readonly MemberPlace[];
  readonly #byIdentity = new Map<ReplicaId, MemberPlace>();
  readonly #byAddress = new Map<string, MemberPlace>();
  /** When a place was last refused by another, by their names. */
  readonly #refusals = new Map<string, Millis>();

  constructor(options: WorldOptions) {
    const { random } = options;
    this.#random = random;
    this.network = new MessageNetwork(this.simulator, random.fork('network'));
    this.network.weather = options.weather;
    this.log = new TransitionLog(options.keepLines ?? 60);
    const surroundings = this.#surroundings();
    const place = (name: string, index: number, factory: ReplicaFactory): MemberPlace => {
      const own = random.fork(name);
      const clockRate = 1 + options.clockDrift * (2 * own.unit() - 1);
      const { diskDelayMs, isEager, queuesInputs } = options;
      return new MemberPlace({ name, index, simulator: this.simulator, random: own, factory, surroundings, clockRate, diskDelayMs, isEager, queuesInputs });
    };
    this.members = Array.from({ length: options.members }, (_, i) => place(`m${i}`, i, options.memberFactory));
    this.viewServers = Array.from({ length: options.viewServers }, (_, i) => place(`v${i}`, i, options.viewServerFactory ?? options.memberFactory));
    this.#places = [...this.members, ...this.viewServers];
    for (const each of this.#places) {
      this.#byIdentity.set(each.identity, each);
      this.#byAddress.set(addressOf(each.name), each);
      this.#show(each);
    }
    this.clients = Array.from({ length: options.clients }, (_, i) => new ClientPlace({
      name: `c${i}`, simulator: this.simulator, random: random.fork(`c${i}`), network: this.network, members: this.members, factory: options.clientFactory,
      sent: (target, request) => this.#requested(`c${i}`, target, request),
      received: (target, reply) => this.#replied(`c${i}`, target, reply),
      ended: (outcome) => this.#ended(i, outcome),
      broke: (checker, message) => this.verdicts.report(checker, this.now, `c${i}`, message),
    }));
  }

  get now(): Millis {
    return this.simulator.now;
  }

  get places(): readonly MemberPlace[] {
    return this.#places;
  }

  /** Where this life of a member is, or was last. */
  placeOf(identity: ReplicaId): MemberPlace | undefined {
    const place = this.#byIdentity.get(identity);
    return place?.identity === identity ? place : undefined;
  }

  begin(place: MemberPlace): void {
    if (place.isUp) return;
    this.#record(place.name, `begins, life ${place.life + 1}, as ${place.identity}`);
    place.begin();
    this.#show(place);
  }

  /** `whole`: a power failure; otherwise a process that is killed. */
  crash(place: MemberPlace, whole: boolean): void {
    if (!place.isUp) return;
    for (const watch of this.watches) watch.down?.(place);
    place.crash(whole);
    this.#show(place);
    this.#record(place.name, whole ? 'loses its power' : 'is killed');
    const { identity } = place;
    // A computer that is gone says nothing any more; the others find out when they hear nothing.
    for (const client of this.clients) client.targetDied(place.index, !whole && place === this.members[place.index]);
    for (const other of this.#places) {
      if (other === place || other.replica?.peers().some(({ id }) => id === identity) !== true) continue;
      const afterMs = (whole ? 3000 * this.#random.unit() : 0) + this.network.drawDelayMs(place.name, other.name);
      const { life } = other;
      this.simulator.at(this.now + afterMs, () => {
        if (other.life === life && this.network.isOpen(place.name, other.name)) other.peerLost(identity);
      });
    }
  }

  pause(place: MemberPlace): void {
    if (place.state !== 'running') return;
    place.pause();
    this.#show(place);
    this.say(place.name, 'sleeps');
  }

  resume(place: MemberPlace): void {
    if (place.state !== 'paused') return;
    this.say(place.name, 'wakes up');
    place.resume();
    this.#show(place);
  }

  replaceDisk(place: MemberPlace): void {
    place.replaceDisk();
    this.#byIdentity.set(place.identity, place);
    this.say(place.name, `has another disk: from now on it is ${place.identity}`);
  }

  /** The connection between two living members dies: both are told, and what was on its way is lost. */
  breakConnection(a: MemberPlace, b: MemberPlace): void {
    this.say(a.name, `its connection to ${b.name} dies`);
    this.network.breakConnection(a.name, b.name);
    for (const [one, other] of [[a, b], [b, a]] as const) if (one.isUp) one.peerLost(other.identity);
  }

  /** Up to `untilMs`, or until `isDone` says so; it is asked after each event. */
  run(untilMs: Millis, isDone: () => boolean = () => false): void {
    while (!isDone()) {
      let at = this.simulator.nextTime();
      for (const { dueMs } of this.#places) if (dueMs < at) at = dueMs;
      for (const { dueMs } of this.clients) if (dueMs < at) at = dueMs;
      if (at > untilMs) break;
      this.simulator.advanceTo(at);
      this.simulator.runDue();
      for (const place of this.#places) if (place.dueMs <= this.now) place.timeout();
      for (const client of this.clients) if (client.dueMs <= this.now) client.timeout();
    }
    if (Number.isFinite(untilMs) && !isDone()) this.simulator.advanceTo(untilMs);
  }

  /** A line of the report, and a part of the hash. */
  say(who: string, text: string): void {
    this.#record(who, text);
    for (const watch of this.watches) watch.noted?.(who, text);
  }

  #record(who: string, text: string): void {
    this.hash.number(this.now);
    this.hash.text(`${who} ${text}`);
    this.log.add(this.now, who, text);
  }

  #show(place: MemberPlace): void {
    this.log.show(this.#places.indexOf(place), place.replica?.status().role ?? 'failed', place.state);
  }

  #surroundings(): Surroundings {
    return {
      sendMessage: (from, to, body) => this.#sendMessage(from, to, body),
      sendErrand: (from, errand) => this.#sendErrand(from, errand),
      sendReply: (from, route, reply) => this.#sendReply(from, route, reply),
      traced: (place, event) => {
        const { type, member: _, ...fields } = event;
        this.#record(place.name, `${type}${Object.entries(fields).map(([name, value]) => ` ${name} ${value}`).join('')}`);
        for (const watch of this.watches) watch.traced?.(place, event);
      },
      readyTaken: (place, ready) => {
        this.log.show(this.#places.indexOf(place), ready.role, place.state);
        for (const watch of this.watches) watch.readyTaken?.(place, ready);
      },
      readyLeaves: (place, ready) => {
        for (const watch of this.watches) watch.readyLeaves?.(place, ready);
      },
      began: (place) => {
        for (const watch of this.watches) watch.began?.(place);
      },
      broke: (place, checker, message) => this.verdicts.report(checker, this.now, place.name, message),
    };
  }

  #sendMessage(from: MemberPlace, to: ReplicaId, body: Uint8Array): void {
    const sender = from.identity;
    const target = this.#byIdentity.get(to);
    if (target === undefined) {
      this.verdicts.report('address', this.now, from.name, `writes to ${to}, whom nobody knows`);
      return;
    }
    this.network.send(from.name, target.name, () => {
      // What is meant for one life of a disk does not reach another.
      if (!target.isUp || target.identity !== to) return this.#refuse(from, sender, to, target);
      this.hash.number(this.now);
      this.hash.bytes(body);
      target.message(sender, body);
    });
  }

  /** Nobody is there to whom this member wrote, and it is told, now and then. */
  #refuse(from: MemberPlace, sender: ReplicaId, to: ReplicaId, target: MemberPlace): void {
    const name = `${from.name}>${target.name}`;
    if (this.now - (this.#refusals.get(name) ?? -Infinity) < REFUSAL_MS) return;
    this.#refusals.set(name, this.now);
    this.network.send(target.name, from.name, () => {
      if (from.identity === sender && from.isUp) from.peerLost(to);
    });
  }

  #sendErrand(from: MemberPlace, { to, request }: Errand): void {
    const target = this.#byAddress.get(to.address);
    if (target === undefined) {
      this.verdicts.report('address', this.now, from.name, `has an errand to ${to.address}, where nobody lives`);
      return;
    }
    const { life } = from;
    const route: ReplyRoute = {
      name: from.name,
      received: (reply) => {
        if (from.life !== life || !from.isUp) return;
        from.answer(reply);
      },
    };
    this.network.send(from.name, target.name, () => {
      if (target.isUp) target.request(request, route);
    });
  }

  #sendReply(from: MemberPlace, route: ReplyRoute, reply: ReplyMessage): void {
    this.network.send(from.name, route.name, () => route.received(reply));
  }

  #requested(client: string, place: MemberPlace, request: Request): void {
    for (const watch of this.watches) watch.requested?.(client, place, request);
  }

  #replied(client: string, place: MemberPlace, reply: ReplyMessage): void {
    this.hash.number(this.now);
    this.hash.text(`${client} ${reply.clientId} ${reply.serial} ${reply.reply.status}`);
    for (const watch of this.watches) watch.replied?.(client, place, reply);
  }

  #ended(client: number, outcome: OperationOutcome): void {
    this.hash.number(this.now);
    for (const watch of this.watches) watch.ended?.(client, outcome);
  }
}
