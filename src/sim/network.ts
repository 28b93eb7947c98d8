import { makeAddress, type Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import type { Random } from '../core/random.ts';
import type { LinkProfile } from '../link/profile.ts';
import type { Coverage } from './coverage.ts';
import { Host, type HostListener } from './host.ts';
import { Middlebox } from './middlebox.ts';
import { leastDelayMs, OneWay } from './path.ts';
import type { ClientSpec, Fault, HostSpec, Scenario } from './scenario.ts';
import type { Simulator } from './simulator.ts';

/** What the network tells: besides what its hosts do, what befalls them. */
export interface NetworkListener extends HostListener {
  /** A host's process is about to receive a datagram. */
  onReceive(host: Host, from: Address, bytes: Uint8Array, isWhole: boolean): void;
  /** A host's process begins, without any memory: the listener gives it an endpoint. */
  onStart(host: Host): void;
  onCrash(host: Host): void;
  onResume(host: Host): void;
}

/** More rounds at one instant, or instants in one millisecond: nothing moves the clock any more. */
const MAX_ROUNDS = 5000;
const MAX_INSTANTS_PER_MS = 20_000;

/** Hosts, the ways between them, and the script of what befalls both. A star: the server, and each client with a link of its own. */
export class Network {
  readonly server: Host;
  readonly clients: readonly Host[];
  readonly hosts: readonly Host[];
  /** From each client to the server, and back. */
  readonly #ups: readonly OneWay[];
  readonly #downs: readonly OneWay[];
  readonly #clientOf = new Map<string, number>();
  readonly #simulator: Simulator;
  readonly #listener: NetworkListener;
  readonly #coverage: Coverage;

  constructor(scenario: Scenario, simulator: Simulator, random: Random, listener: NetworkListener, coverage: Coverage) {
    this.#simulator = simulator;
    this.#listener = listener;
    this.#coverage = coverage;
    const create = (name: string, address: Address, { wholeMillis, socketBufferBytes }: HostSpec): Host =>
      new Host({ name, address, wholeMillis, socketBufferBytes, random: random.fork(`host ${name}`) }, listener);
    this.server = create('server', makeAddress('10.0.0.1', 1), scenario.server);
    this.clients = scenario.clients.map((spec, i) => create(`client${i}`, makeAddress(`10.0.1.${i + 1}`, 1), spec));
    this.hosts = [this.server, ...this.clients];
    this.clients.forEach((host, i) => this.#clientOf.set(host.address.key, i));
    const join = (to: Host, profile: LinkProfile, { strips, splitProbability = 0 }: ClientSpec, name: string): OneWay => {
      const own = random.fork(name);
      return new OneWay(to, profile, new Middlebox(strips, splitProbability, own.fork('split')), own);
    };
    this.#ups = scenario.clients.map((spec, i) => join(this.server, spec.up, spec, `up${i}`));
    this.#downs = scenario.clients.map((spec, i) => join(this.clients[i]!, spec.down, spec, `down${i}`));
    for (const fault of scenario.faults) simulator.at(fault.atMs, () => this.#apply(fault));
  }

  /** Number of the client that `host` is, or that it talks to at `peerKey`; undefined for an address that nobody has. */
  clientIndex(host: Host, peerKey: string): number | undefined {
    return this.#clientOf.get(host === this.server ? peerKey : host.address.key);
  }

  /** Takes a datagram on its way. `bytes` is not written to afterwards. Returns whether anybody has that address. */
  transmit(from: Host, to: Address, bytes: Uint8Array): boolean {
    const client = this.clientIndex(from, to.key);
    if (client === undefined) return false;
    (from === this.server ? this.#downs : this.#ups)[client]!.offer(from.address, bytes, this.#simulator.now);
    return true;
  }

  /** Lets time pass until nothing is left to happen (true) or until the deadline (false). Throws Error if the clock does not move on. */
  run(deadlineMs: Millis): boolean {
    const simulator = this.#simulator;
    let instants = 0;
    let since = -Infinity;
    for (;;) {
      const next = this.#nextTime();
      if (next > deadlineMs) return next === Infinity;
      simulator.advanceTo(next);
      if (simulator.now - since >= 1) {
        since = simulator.now;
        instants = 0;
      }
      if (++instants > MAX_INSTANTS_PER_MS) throw new Error('the clock does not move on');
      this.#runInstant();
    }
  }

  /** After the run: what the links did. */
  cover(): void {
    for (const way of [...this.#ups, ...this.#downs]) {
      this.#coverage.add('queue drop', way.counters.queueFull);
      this.#coverage.add('reordering', way.overtaken);
      this.#coverage.add('segment split', way.split);
    }
    for (const host of this.hosts) this.#coverage.add('socket overflow', host.overflows);
  }

  #nextTime(): Millis {
    let next = this.#simulator.nextTime();
    for (const host of this.hosts) next = Math.min(next, host.wakeTime());
    for (const way of this.#ups) next = Math.min(next, way.nextTimeout());
    for (const way of this.#downs) next = Math.min(next, way.nextTimeout());
    return next;
  }

  #runInstant(): void {
    const { now } = this.#simulator;
    for (let round = 0; ; round++) {
      let active = this.#simulator.runDue();
      for (const way of this.#ups) active = way.deliver(now) || active;
      for (const way of this.#downs) active = way.deliver(now) || active;
      for (const host of this.hosts) {
        active = host.turn(now, (from, bytes, isWhole) => this.#listener.onReceive(host, from, bytes, isWhole)) || active;
      }
      if (!active) return;
      if (round > MAX_ROUNDS) throw new Error('an instant does not end');
    }
  }

  #apply(fault: Fault): void {
    switch (fault.kind) {
      case 'profile':
        for (const way of this.#ways(fault.client, fault.direction)) way.change(fault.change);
        break;
      case 'partition':
        this.#partition(this.#ways(fault.client, fault.direction), fault.forMs);
        this.#coverage.add(fault.direction === 'both' ? 'partition' : 'one-way partition');
        break;
      case 'pause':
        this.#pause(this.#host(fault.host), fault.forMs);
        break;
      case 'crash':
        this.#crash(this.#host(fault.host), fault.restartAfterMs);
        break;
    }
  }

  #host(host: number | 'server'): Host {
    return host === 'server' ? this.server : this.clients[host]!;
  }

  #ways(client: number, direction: 'up' | 'down' | 'both'): OneWay[] {
    return [...(direction === 'down' ? [] : [this.#ups[client]!]), ...(direction === 'up' ? [] : [this.#downs[client]!])];
  }

  #after(delayMs: Millis, action: () => void): void {
    this.#simulator.at(this.#simulator.now + delayMs, action);
  }

  #partition(ways: readonly OneWay[], forMs: Millis): void {
    for (const way of ways) way.partition(true);
    this.#after(forMs, () => {
      for (const way of ways) way.partition(false);
    });
  }

  #pause(host: Host, forMs: Millis): void {
    if (host.endpoint === undefined) return;
    host.isPaused = true;
    this.#coverage.add('pause');
    this.#after(forMs, () => {
      host.isPaused = false;
      this.#listener.onResume(host);
    });
  }

  #crash(host: Host, restartAfterMs: Millis | undefined): void {
    if (host.endpoint === undefined) return;
    this.#listener.onCrash(host);
    host.crash();
    this.#coverage.add('crash');
    if (restartAfterMs === undefined) return;
    this.#after(restartAfterMs, () => {
      this.#listener.onStart(host);
      this.#coverage.add('restart');
    });
  }
}

/** No round trip of this client can be shorter, whatever profiles hold in the course of the run. */
export function leastRoundTripMs(scenario: Scenario, clientIndex: number): Millis {
  const { up, down } = scenario.clients[clientIndex]!;
  const least = (profile: LinkProfile, direction: 'up' | 'down'): Millis => {
    let current = profile;
    let leastMs = leastDelayMs(profile);
    for (const fault of scenario.faults) {
      if (fault.kind !== 'profile' || fault.client !== clientIndex || (fault.direction !== direction && fault.direction !== 'both')) continue;
      current = { ...current, ...fault.change };
      leastMs = Math.min(leastMs, leastDelayMs(current));
    }
    return leastMs;
  };
  return least(up, 'up') + least(down, 'down');
}
