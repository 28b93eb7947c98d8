import { TimeHeap } from '../../../src/core/heap.ts';
import { createRandom, type Random } from '../../../src/core/random.ts';
import type { TraceEvent } from '../../../src/core/trace.ts';
import { TimeoutDetector } from '../../../src/group/detector.ts';
import { openStorage } from '../../../src/group/disk-storage.ts';
import type { ReplyMessage, Request } from '../../../src/group/message.ts';
import type { Errand, Peer, Ready } from '../../../src/group/replica.ts';
import { Service } from '../../../src/group/service.ts';
import { ViewMachine } from '../../../src/group/view/view-machine.ts';
import { decodeViewMessage, type ViewMessage } from '../../../src/group/view/view-message.ts';
import { ViewReplica, type ViewMode, type ViewOptions } from '../../../src/group/view/view-replica.ts';
import { SimulatedDisk } from '../../../src/sim/simulated-disk.ts';
import { ListMachine } from '../list-machine.ts';

export interface Flight {
  readonly from: string;
  readonly to: string;
  readonly body: Uint8Array;
}

export interface Node {
  readonly peer: Peer;
  disk: SimulatedDisk;
  machine: ListMachine;
  replica: ViewReplica | undefined;
  persisting: Ready | undefined;
  isPaused: boolean;
  life: number;
}

export interface ClusterOptions {
  readonly mode: ViewMode;
  readonly size: number;
  readonly fence?: 'view-service' | 'none';
  readonly seed?: number;
  readonly joiners?: number;
  readonly config?: ViewOptions['config'];
  readonly delayMs?: (random: Random) => number;
}

const VIEW_SERVERS: Peer[] = [{ id: 'v1', address: 'v1:1' }];

/** A group with views whose messages the test can see, lose and double. Its view service is one machine that never fails. */
export class Cluster {
  now = 0;
  readonly random: Random;
  readonly nodes = new Map<string, Node>();
  readonly replies: ReplyMessage[] = [];
  readonly events: { readonly at: number; readonly event: TraceEvent }[] = [];
  readonly views = new ViewMachine();
  fate: (flight: Flight, message: ViewMessage | undefined) => number = () => 1;
  readonly #options: ClusterOptions;
  readonly #service = new Service(this.views);
  readonly #flights = new TimeHeap<Flight>();
  readonly #actions = new TimeHeap<() => void>();
  readonly #founders: Peer[];

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.random = createRandom(options.seed ?? 1);
    this.#founders = Array.from({ length: options.size }, (_, i) => peer(i + 1));
    for (const founder of this.#founders) this.#add(founder);
    for (let i = 0; i < (options.joiners ?? 0); i++) this.#add(peer(options.size + i + 1));
  }

  node(id: string): Node {
    return this.nodes.get(id)!;
  }

  replica(id: string): ViewReplica {
    return this.node(id).replica!;
  }

  crash(id: string): void {
    const node = this.node(id);
    if (node.replica === undefined) return;
    node.disk.crash(node.persisting?.persist);
    node.replica = undefined;
    node.persisting = undefined;
    node.isPaused = false;
    node.life++;
  }

  start(id: string): void {
    const node = this.node(id);
    node.life++;
    node.machine = new ListMachine();
    node.persisting = undefined;
    const { mode, fence = 'view-service', config = {} } = this.#options;
    const isFounder = this.#founders.some((founder) => founder.id === id);
    node.replica = new ViewReplica({
      self: node.peer, mode, fence, bootstrap: isFounder ? this.#founders : [], viewServers: VIEW_SERVERS, service: new Service(node.machine),
      storage: openStorage((file) => node.disk.read(file)), random: this.random.fork(`${id} ${node.life}`), config, now: this.now,
      detector: new TimeoutDetector({ heartbeatMs: 150, minTimeoutMs: 600, maxTimeoutMs: 2000 }), sink: { emit: (at, event) => this.events.push({ at, event }) },
    });
  }

  propose(id: string, request: Partial<Request> & { readonly text?: string }): void {
    this.node(id).replica?.propose({ kind: 'request', clientId: 'c', serial: 0, acknowledged: 0, isStale: false, operation: new TextEncoder().encode(request.text ?? ''), ...request }, this.now);
  }

  /** To everybody, as a client does whose answers are voted, or to the primary. */
  ask(request: Parameters<Cluster['propose']>[1]): void {
    if (this.#options.mode === 'primary-backup') {
      const primary = this.primary();
      if (primary !== undefined) this.propose(primary, request);
      return;
    }
    for (const [id, { replica, isPaused }] of this.nodes) if (replica !== undefined && !isPaused && replica.status().role !== 'outside') this.propose(id, request);
  }

  /** Repeats a request until somebody has answered it. Returns the answer. */
  call(request: Parameters<Cluster['propose']>[1], forMs = 20_000): ReplyMessage {
    const { clientId = 'c', serial = 0 } = request;
    const before = this.replies.length;
    const found = (): ReplyMessage | undefined => this.replies.slice(before).find((reply) => reply.clientId === clientId && reply.serial === serial && (reply.reply.status === 'ok' || reply.reply.status === 'expired'));
    for (const end = this.now + forMs; this.now < end;) {
      this.ask(request);
      this.run(300, () => found() !== undefined);
      const reply = found();
      if (reply !== undefined) return reply;
    }
    throw new Error(`no answer: ${this.describe()}`);
  }

  open(): string {
    return `#${this.call({ clientId: `opener ${this.random.uint32()}` }).reply.offset}`;
  }

  primary(): string | undefined {
    let best: { id: string; term: number } | undefined;
    for (const [id, { replica, isPaused }] of this.nodes) {
      const status = replica?.status();
      if (status?.role === 'primary' && !isPaused && (best === undefined || status.term > best.term)) best = { id, term: status.term };
    }
    return best?.id;
  }

  /** Everybody who lives works in one view. */
  settle(forMs = 30_000): void {
    const isSettled = (): boolean => {
      const statuses = [...this.nodes.values()].filter(({ replica, isPaused }) => replica !== undefined && !isPaused).map(({ replica }) => replica!.status());
      return statuses.length > 0 && statuses.every(({ role, term, counters }) => role !== 'outside' && term === statuses[0]!.term && counters['isRunning'] === 1);
    };
    if (!this.run(forMs, isSettled)) throw new Error(`not settled: ${this.describe()}`);
  }

  describe(): string {
    return [...this.nodes.values()].map(({ peer: { id }, replica }) => {
      const status = replica?.status();
      return `${id} ${status === undefined ? 'dead' : `${status.role} view ${status.term} ${status.members.map((member) => member.id).join('')} running ${status.counters['isRunning']} log ${status.lastIndex}/${status.commitIndex} ${status.problem ?? ''}`}`;
    }).join('; ');
  }

  run(forMs: number, isDone: () => boolean = () => false): boolean {
    const end = this.now + forMs;
    for (let steps = 0; ; steps++) {
      if (steps > 500_000) throw new Error(`spins at ${this.now}`);
      this.#turn();
      if (isDone()) return true;
      const next = this.#nextTime();
      if (next > end) {
        this.now = end;
        return isDone();
      }
      this.now = Math.max(this.now, next);
      while (this.#actions.nextTime() <= this.now) this.#actions.pop()!();
      while (this.#flights.nextTime() <= this.now) this.#arrive(this.#flights.pop()!);
      for (const { replica, isPaused } of this.nodes.values()) if (replica !== undefined && !isPaused && replica.nextTimeout() <= this.now) replica.handleTimeout(this.now);
    }
  }

  #add(own: Peer): void {
    this.nodes.set(own.id, {
      peer: own, disk: new SimulatedDisk({ random: this.random.fork(`disk ${own.id}`) }), machine: new ListMachine(), replica: undefined, persisting: undefined, isPaused: false, life: 0,
    });
    this.start(own.id);
  }

  #turn(): void {
    for (const [id, node] of this.nodes) {
      while (node.replica !== undefined && !node.isPaused && node.persisting === undefined) {
        const ready = node.replica.takeReady();
        if (ready === undefined) break;
        if (ready.persist.length === 0) this.#release(id, ready);
        else this.#persist(id, node, ready);
      }
    }
  }

  #persist(id: string, node: Node, ready: Ready): void {
    node.persisting = ready;
    const { life } = node;
    this.#actions.push(this.now + node.disk.drawDelayMs(), () => {
      if (node.life !== life) return;
      node.persisting = undefined;
      node.disk.run(ready.persist);
      this.#release(id, ready);
    });
  }

  #release(id: string, ready: Ready): void {
    for (const { to, body } of ready.messages) {
      const flight = { from: id, to, body };
      const copies = this.fate(flight, decodeViewMessage(body));
      for (let i = 0; i < copies; i++) this.#flights.push(this.now + (this.#options.delayMs?.(this.random) ?? 5), flight);
    }
    for (const errand of ready.errands ?? []) this.#carry(id, errand);
    this.replies.push(...ready.replies);
  }

  /** There and back; cut off as the test says for the way to `v1`. */
  #carry(id: string, { request }: Errand): void {
    const node = this.node(id);
    const { life } = node;
    if (this.fate({ from: id, to: 'v1', body: new Uint8Array(0) }, undefined) === 0) return;
    this.#actions.push(this.now + 10, () => {
      const service = this.#service;
      const reply = service.isReadOnly(request) ? service.query(request) : service.apply(service.appliedIndex + 1, request);
      if (node.life === life && this.fate({ from: 'v1', to: id, body: new Uint8Array(0) }, undefined) > 0) {
        node.replica?.answered({ kind: 'reply', memberId: 'v1', clientId: request.clientId, serial: request.serial, reply }, this.now);
      }
    });
  }

  #arrive({ from, to, body }: Flight): void {
    const node = this.nodes.get(to);
    if (node?.isPaused === true || node?.persisting !== undefined) this.#flights.push(this.now + (node.isPaused ? 50 : 0.5), { from, to, body });
    else node?.replica?.step(from, body, this.now);
  }

  #nextTime(): number {
    let next = Math.min(this.#flights.nextTime(), this.#actions.nextTime());
    for (const { replica, isPaused } of this.nodes.values()) if (replica !== undefined && !isPaused) next = Math.min(next, replica.nextTimeout());
    return next;
  }
}

export function peer(i: number): Peer {
  return { id: `m${i}`, address: `10.0.0.${i}:1` };
}
