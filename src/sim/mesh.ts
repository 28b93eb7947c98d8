import type { Address } from '../core/address.ts';
import { Fifo } from '../core/fifo.ts';
import type { Machine, Millis } from '../core/machine.ts';
import type { Random } from '../core/random.ts';
import { Link } from '../link/link.ts';
import type { LinkProfile } from '../link/profile.ts';
import type { Simulator } from './simulator.ts';

/** More rounds at one instant: the machines keep each other busy. */
const MAX_ROUNDS = 5000;
/** More instants in one millisecond: the clock does not move on. */
const MAX_INSTANTS_PER_MS = 20_000;
/** Datagrams that a paused process' socket holds; more are lost, as in a kernel. */
const MAX_WAITING = 1000;

interface Arrival {
  readonly from: Address;
  readonly bytes: Uint8Array;
}

/** A process at an address: a machine while it runs. */
export class Station {
  readonly name: string;
  readonly address: Address;
  machine: Machine | undefined;
  isPaused = false;
  /** Counts starts: what was scheduled for an earlier life does not run. */
  life = 0;
  /** Datagrams that a paused process' socket had no room for. */
  overflows = 0;
  readonly inbox = new Fifo<Arrival>();
  /** Called when the machine has had a turn, to carry out what it wants besides sending. */
  afterTurn: () => void = () => {};

  constructor(name: string, address: Address) {
    this.name = name;
    this.address = address;
  }

  start(machine: Machine): void {
    this.machine = machine;
    this.life++;
    this.isPaused = false;
  }

  /** Silence: nothing is left to answer. */
  crash(): void {
    this.machine = undefined;
    this.life++;
    this.isPaused = false;
    this.inbox.clear();
  }
}

/** Everybody can talk to everybody, each over a link of his own each way: a network of processes, in virtual time. */
export class Mesh {
  readonly #simulator: Simulator;
  readonly #random: Random;
  readonly #profile: LinkProfile;
  readonly #stations = new Map<string, Station>();
  readonly #links = new Map<string, Link<Arrival>>();
  readonly #targets = new Map<string, Station>();

  /** Every link begins with this profile. */
  constructor(simulator: Simulator, random: Random, profile: LinkProfile) {
    this.#simulator = simulator;
    this.#random = random;
    this.#profile = profile;
  }

  add(name: string, address: Address): Station {
    const station = new Station(name, address);
    this.#stations.set(address.key, station);
    return station;
  }

  /** From one station to another. */
  link(from: Station, to: Station): Link<Arrival> {
    const key = `${from.name}>${to.name}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = new Link<Arrival>(this.#profile, this.#random.fork(key));
      this.#links.set(key, link);
      this.#targets.set(key, to);
    }
    return link;
  }

  /** Nothing gets from `from` to `to` any more, or again. */
  cut(from: Station, to: Station, isCut: boolean): void {
    const link = this.link(from, to);
    link.setProfile({ ...link.profile, blackhole: isCut });
  }

  /** Lets time pass until `isDone`, until nothing is left to happen, or until the deadline. Throws Error if the clock does not move on. */
  run(deadlineMs: Millis, isDone: () => boolean = () => false): void {
    const simulator = this.#simulator;
    let instants = 0;
    let since = -Infinity;
    for (;;) {
      this.#runInstant();
      if (isDone()) return;
      const next = this.#nextTime();
      if (next > deadlineMs) {
        if (deadlineMs !== Infinity) simulator.advanceTo(deadlineMs);
        return;
      }
      simulator.advanceTo(next);
      if (simulator.now - since >= 1) {
        since = simulator.now;
        instants = 0;
      }
      if (++instants > MAX_INSTANTS_PER_MS) throw new Error(`the clock does not move on at ${simulator.now} ms`);
    }
  }

  #nextTime(): Millis {
    let next = this.#simulator.nextTime();
    for (const { machine, isPaused } of this.#stations.values()) if (machine !== undefined && !isPaused) next = Math.min(next, machine.nextTimeout());
    for (const link of this.#links.values()) next = Math.min(next, link.nextTimeout());
    return next;
  }

  #runInstant(): void {
    for (let round = 0; ; round++) {
      let active = this.#simulator.runDue();
      for (const [key, link] of this.#links) active = this.#deliver(link, this.#targets.get(key)!) || active;
      for (const station of this.#stations.values()) active = this.#turn(station) || active;
      if (!active) return;
      if (round > MAX_ROUNDS) throw new Error(`an instant does not end at ${this.#simulator.now} ms`);
    }
  }

  #deliver(link: Link<Arrival>, station: Station): boolean {
    let active = false;
    for (let next = link.poll(this.#simulator.now); next !== undefined; next = link.poll(this.#simulator.now)) {
      active = true;
      if (station.machine === undefined) continue;
      if (station.isPaused && station.inbox.length >= MAX_WAITING) station.overflows++;
      else station.inbox.push({ from: next.to.from, bytes: next.bytes });
    }
    return active;
  }

  #turn(station: Station): boolean {
    const { machine } = station;
    if (machine === undefined || station.isPaused) return false;
    const { now } = this.#simulator;
    let active = false;
    for (let arrival = station.inbox.shift(); arrival !== undefined; arrival = station.inbox.shift()) {
      machine.receive(arrival.from, arrival.bytes, now);
      active = true;
    }
    const wakeMs = machine.nextTimeout();
    if (wakeMs <= now && wakeMs !== -Infinity) machine.handleTimeout(now);
    if (!active && wakeMs > now) return false;
    for (let transmit = machine.poll(now); transmit !== undefined; transmit = machine.poll(now)) {
      const to = this.#stations.get(transmit.to.key);
      if (to !== undefined) this.link(station, to).offer(transmit.bytes.slice(), now, { from: station.address, bytes: transmit.bytes });
    }
    station.afterTurn();
    return true;
  }
}
