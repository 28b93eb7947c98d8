import type { Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import { createRandom, type Random } from '../core/random.ts';
import type { TraceEvent } from '../core/trace.ts';
import { resolveConfig } from '../tcp/config.ts';
import type { Connection } from '../tcp/connection.ts';
import { Endpoint } from '../tcp/endpoint.ts';
import { Application } from './application.ts';
import { checkRun } from './checkers.ts';
import { Coverage } from './coverage.ts';
import { coverConnection, coverEndpoint, coverTrace } from './cover.ts';
import type { FlowLimits } from './flow.ts';
import type { Host } from './host.ts';
import { leastRoundTripMs, Network, type NetworkListener } from './network.ts';
import { Pattern } from './pattern.ts';
import { reportEnd, type SimResult } from './result.ts';
import type { ApplicationSpec, Attempt, HostSpec, Scenario } from './scenario.ts';
import { Simulator } from './simulator.ts';
import { TraceHash } from './trace-hash.ts';
import { Verdicts } from './verdict.ts';
import { WireMonitor } from './wire-monitor.ts';

export interface RunOptions {
  /** Told of every event, for people to read. */
  readonly onTrace?: (now: Millis, host: string, event: TraceEvent) => void;
  /** Instead of the scenario's seed, for experiments with chance itself. */
  readonly random?: Random;
}

/** One of a client's connections; its two applications, as far as they came to be. */
interface Session {
  readonly index: number;
  readonly clientIndex: number;
  readonly attempt: Attempt;
  readonly upstream: Pattern;
  readonly downstream: Pattern;
  readonly client: Application;
  server: Application | undefined;
}

/** Runs a scenario to its end. Never throws for what the transport does: that is a violation. */
export function runScenario(scenario: Scenario, options: RunOptions = {}): SimResult {
  return new World(scenario, options).run();
}

/** Everything of one run: the network, the endpoints on it, their applications, and who watches them. */
class World implements NetworkListener {
  readonly #scenario: Scenario;
  readonly #random: Random;
  readonly #onTrace: RunOptions['onTrace'];
  readonly #simulator = new Simulator();
  readonly #verdicts = new Verdicts();
  readonly #coverage = new Coverage();
  readonly #hash = new TraceHash();
  readonly #network: Network;
  readonly #sessions: Session[] = [];
  readonly #applications = new Map<Connection, Application>();
  readonly #monitors = new Map<Host, WireMonitor>();
  /** By client: the attempt that comes next. */
  readonly #nextAttempt: number[];
  /** Events of connections that wait for the application to accept them. */
  readonly #early = new Map<Connection, number>();
  #datagrams = 0;
  /** Why the datagram that comes next is sent; empty for a stateless answer. */
  #sendReason = '';

  constructor(scenario: Scenario, options: RunOptions) {
    this.#scenario = scenario;
    this.#random = options.random ?? createRandom(scenario.seed);
    this.#onTrace = options.onTrace;
    this.#network = new Network(scenario, this.#simulator, this.#random, this, this.#coverage);
    this.#nextAttempt = scenario.clients.map(() => 0);
  }

  run(): SimResult {
    const network = this.#network;
    const { acceptsFromMs } = this.#scenario.server;
    if (acceptsFromMs > 0) {
      network.server.accepts = false;
      this.#simulator.at(acceptsFromMs, () => {
        network.server.accepts = true;
        network.server.poke();
      });
    }
    let isAtRest = false;
    try {
      for (const host of network.hosts) this.onStart(host);
      isAtRest = network.run(this.#scenario.deadlineMs);
    } catch (error) {
      this.#report('', 'exception', error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    return this.#conclude(isAtRest);
  }

  // NetworkListener.

  onStart(host: Host): void {
    const spec = this.#specOf(host);
    const secret = this.#random.fork(`secret ${host.name} ${host.life}`);
    const { initialSequence } = spec;
    const endpoint = new Endpoint({
      config: spec.config,
      secret: Uint8Array.from({ length: 16 }, () => secret.below(256)),
      sink: { emit: (now, event) => this.#observe(host, now, event) },
      name: host.name,
      ...(initialSequence === undefined ? {} : { initialSequence }),
    });
    const limitsOf = (peerKey: string): FlowLimits => this.#limitsOf(host, peerKey);
    this.#monitors.set(host, new WireMonitor(host.name, limitsOf, this.#verdicts, this.#coverage, () => this.#simulator.now));
    host.start(endpoint);
    const { server } = this.#scenario;
    if (host !== this.#network.server) this.#scheduleAttempt(host, 0);
    else if (server.listens) endpoint.listen(server.backlog);
  }

  onCrash(host: Host): void {
    coverEndpoint(this.#coverage, host.endpoint!);
    this.#monitor(host).endAll();
    for (const { client, server, clientIndex } of this.#sessions) {
      const end = host === this.#network.server ? server : host === this.#network.clients[clientIndex] ? client : undefined;
      if (end !== undefined && !end.isSettled) end.crash();
    }
  }

  onResume(host: Host): void {
    this.#monitor(host).onPause();
  }

  onReceive(host: Host, from: Address, bytes: Uint8Array, isWhole: boolean): void {
    this.#monitor(host).onReceive(from, bytes, isWhole);
  }

  onTransmit(host: Host, to: Address, bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.#datagrams++;
    this.#hash.number(this.#simulator.now);
    this.#hash.bytes(copy);
    this.#monitor(host).onSend(to, copy);
    if (this.#sendReason === 'data') this.#checkCongestionWindow(host, to.key);
    this.#sendReason = '';
    if (!this.#network.transmit(host, to, copy)) this.#report(host.name, 'address', `a datagram was sent to ${to.key}`);
  }

  onAccepted(host: Host, connection: Connection): void {
    const { key } = connection.remote;
    const clientIndex = this.#network.clientIndex(host, key)!;
    const session = this.#sessions.filter((candidate) => candidate.clientIndex === clientIndex).at(-1);
    const irs = this.#monitor(host).flow(key)?.irs;
    const iss = this.#monitor(this.#network.clients[clientIndex]!).flow(host.address.key)?.iss;
    if (session === undefined || session.server !== undefined || (iss !== undefined && iss !== irs)) {
      this.#report(host.name, 'handshake', 'a connection came about that nobody opened');
      return;
    }
    this.#attachServer(session, connection);
  }

  onEvents(host: Host, connection: Connection, events: number): void {
    const application = this.#applications.get(connection);
    if (application === undefined) {
      this.#early.set(connection, (this.#early.get(connection) ?? 0) | events);
      return;
    }
    application.onEvents(events);
    if (application.isGone) this.#hash.text(`${host.name} ${application.error?.code ?? 'closed'}`);
  }

  onViolation(host: Host, checker: string, message: string): void {
    this.#report(host.name, checker, message);
  }

  // Connections and their applications.

  #scheduleAttempt(host: Host, afterMs: Millis): void {
    const clientIndex = this.#network.clients.indexOf(host);
    const attempt = this.#scenario.clients[clientIndex]!.attempts[this.#nextAttempt[clientIndex]!];
    if (attempt === undefined) return;
    this.#nextAttempt[clientIndex]!++;
    this.#after(host, afterMs + attempt.delayMs, () => this.#open(clientIndex, attempt));
  }

  #open(clientIndex: number, attempt: Attempt): void {
    const { server, clients } = this.#network;
    const host = clients[clientIndex]!;
    const { now } = this.#simulator;
    const index = this.#sessions.length;
    const upstream = new Pattern(2 * index);
    const downstream = new Pattern(2 * index + 1);
    const client = this.#application(host, index, attempt.client, host.endpoint!.connect(server.address, now), upstream, downstream);
    const session: Session = { index, clientIndex, attempt, upstream, downstream, client, server: undefined };
    this.#sessions.push(session);
    if (attempt.simultaneous && server.isRunning) this.#attachServer(session, server.endpoint!.connect(host.address, now));
  }

  #attachServer(session: Session, connection: Connection): void {
    const { index, attempt, upstream, downstream, client } = session;
    const server = this.#application(this.#network.server, index, attempt.server, connection, downstream, upstream);
    session.server = server;
    server.peer = client;
    client.peer = server;
    const early = this.#early.get(connection);
    if (early !== undefined) server.onEvents(early);
  }

  #application(host: Host, index: number, spec: ApplicationSpec, connection: Connection, outgoing: Pattern, incoming: Pattern): Application {
    const application = new Application({
      name: `${host.name}#${index}`,
      spec, connection, outgoing, incoming,
      flow: this.#monitor(host).flow(connection.remote.key),
      random: this.#random.fork(`application ${host.name} ${index}`),
      report: (checker, message) => this.#report(host.name, checker, message),
      now: () => this.#simulator.now,
      after: (delayMs, action) => this.#after(host, delayMs, action),
    });
    this.#applications.set(connection, application);
    return application;
  }

  /** As a timer of a process: late after a pause, never after a crash. */
  #after(host: Host, delayMs: Millis, action: () => void): void {
    const { life } = host;
    const attempt = (): void => {
      if (host.life !== life || host.endpoint === undefined) return;
      if (host.isPaused) this.#simulator.at(this.#simulator.now + 1, attempt);
      else action();
    };
    this.#simulator.at(this.#simulator.now + delayMs, attempt);
  }

  // Watching.

  /** What a host's transport says it does. */
  #observe(host: Host, now: Millis, event: TraceEvent): void {
    this.#onTrace?.(now, host.name, event);
    coverTrace(this.#coverage, event);
    const peerKey = String(event['connection'] ?? '').slice(host.name.length + 1);
    const monitor = this.#monitor(host);
    switch (event.type) {
      case 'send':
        this.#sendReason = String(event['reason']);
        break;
      case 'state':
        if (event['from'] === 'CLOSED') monitor.begin(peerKey, event['to'] === 'SYN-RECEIVED');
        monitor.enter(peerKey, String(event['to']));
        // The endpoint forgets the connection a moment later.
        if (event['to'] === 'CLOSED' && host !== this.#network.server) this.#scheduleAttempt(host, 0.001);
        break;
      case 'rtt':
        monitor.flow(peerKey)?.onRtt(Number(event['rttMs']));
        break;
      case 'timeout':
        monitor.flow(peerKey)?.onTimeout(now, this.#fixedWindow(host, peerKey));
        break;
    }
  }

  /** Room for one more segment in a congestion window that does not change; 0 for one that does. */
  #fixedWindow(host: Host, peerKey: string): number {
    const info = findConnection(host, peerKey)?.info();
    return info?.congestion === 'fixed' ? info.cwndBytes - info.smssBytes : 0;
  }

  /** The FIN counts in flight, but takes no room. */
  #checkCongestionWindow(host: Host, peerKey: string): void {
    const info = findConnection(host, peerKey)?.info();
    if (info === undefined || info.inFlightBytes <= Math.max(info.cwndBytes, info.smssBytes) + 1) return;
    this.#report(host.name, 'cwnd', `${info.inFlightBytes} bytes in flight with a congestion window of ${info.cwndBytes}`);
  }

  #monitor(host: Host): WireMonitor {
    return this.#monitors.get(host)!;
  }

  #specOf(host: Host): HostSpec {
    return host === this.#network.server ? this.#scenario.server : this.#scenario.clients[this.#network.clients.indexOf(host)]!;
  }

  #limitsOf(host: Host, peerKey: string): FlowLimits {
    const config = resolveConfig(this.#specOf(host).config);
    return {
      receiveBufferBytes: config.receiveBufferBytes,
      maxBackoffMs: config.maxBackoffMs,
      requiresIntegrity: config.integrity === 'required',
      minRttMs: leastRoundTripMs(this.#scenario, this.#network.clientIndex(host, peerKey)!),
    };
  }

  #report(host: string, checker: string, message: string): void {
    this.#verdicts.report(checker, this.#simulator.now, host, message);
  }

  #conclude(isAtRest: boolean): SimResult {
    const scenario = this.#scenario;
    const endedAtMs = this.#simulator.now;
    checkRun({ scenario, sessions: this.#sessions, endedAtMs, isAtRest }, this.#verdicts, this.#coverage);
    for (const host of this.#network.hosts) {
      if (host.endpoint !== undefined) coverEndpoint(this.#coverage, host.endpoint);
      this.#monitors.get(host)?.endAll();
    }
    for (const application of this.#applications.values()) coverConnection(this.#coverage, application);
    this.#network.cover();
    return {
      seed: scenario.seed,
      traceHash: this.#hash.digest(),
      violations: this.#verdicts.violations,
      coverage: this.#coverage.counts,
      endedAtMs,
      datagrams: this.#datagrams,
      connections: this.#sessions.map(({ client, server }) => ({ client: reportEnd(client), server: server && reportEnd(server) })),
    };
  }
}

function findConnection(host: Host, peerKey: string): Connection | undefined {
  for (const connection of host.endpoint!.connections()) if (connection.remote.key === peerKey) return connection;
  return undefined;
}
