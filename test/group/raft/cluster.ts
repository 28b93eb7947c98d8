import { TimeHeap } from '../../../src/core/heap.ts';
import { createRandom, type Random } from '../../../src/core/random.ts';
import type { TraceEvent } from '../../../src/core/trace.ts';
import { openStorage } from '../../../src/group/disk-storage.ts';
import type { ReplyMessage, Request } from '../../../src/group/message.ts';
import type { RaftConfig } from '../../../src/group/raft/raft-config.ts';
import { decodeRaftMessage, type RaftMessage } from '../../../src/group/raft/raft-message.ts';
import { RaftReplica } from '../../../src/group/raft/raft-replica.ts';
import type { Peer, Ready } from '../../../src/group/replica.ts';
import { Service } from '../../../src/group/service.ts';
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
  replica: RaftReplica | undefined;
  persisting: Ready | undefined;
  life: number;
}

export interface ClusterOptions {
  readonly size: number;
  readonly seed?: number;
  readonly config?: Partial<RaftConfig>;
  /** Time on the way. */
  readonly delayMs?: (random: Random, flight: Flight) => number;
  /** Members that are there from the beginning but have no founders' list. */
  readonly joiners?: number;
}

/** A Raft group whose messages the test can see, hold back, lose and double. Disks are simulated; time is the test's. */
export class Cluster {
  now = 0;
  readonly random: Random;
  readonly nodes = new Map<string, Node>();
  readonly replies: ReplyMessage[] = [];
  readonly events: { readonly at: number; readonly event: TraceEvent }[] = [];
  /** What is done to a message on its way: how often it arrives. */
  fate: (flight: Flight, message: RaftMessage | undefined) => number = () => 1;
  readonly #options: ClusterOptions;
  readonly #flights = new TimeHeap<Flight>();
  readonly #disks = new TimeHeap<() => void>();
  readonly #founders: Peer[];

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.random = createRandom(options.seed ?? 1);
    this.#founders = Array.from({ length: options.size }, (_, i) => peer(i + 1));
    for (const founder of this.#founders) this.add(founder);
    for (let i = 0; i < (options.joiners ?? 0); i++) this.add(peer(options.size + i + 1));
  }

  add(own: Peer): Node {
    const node: Node = { peer: own, disk: new SimulatedDisk({ random: this.random.fork(`disk ${own.id}`) }), machine: new ListMachine(), replica: undefined, persisting: undefined, life: 0 };
    this.nodes.set(own.id, node);
    this.start(own.id);
    return node;
  }

  node(id: string): Node {
    return this.nodes.get(id)!;
  }

  replica(id: string): RaftReplica {
    return this.node(id).replica!;
  }

  /** Everything that the process knows is gone; `power` takes the disk's unsynced writes, too. */
  crash(id: string, power = true): void {
    const node = this.node(id);
    if (node.replica === undefined) return;
    if (power) node.disk.crash(node.persisting?.persist);
    else node.disk.kill(node.persisting?.persist);
    node.replica = undefined;
    node.persisting = undefined;
    node.life++;
    this.events.push({ at: this.now, event: { type: 'crash', member: id } });
  }

  start(id: string): void {
    const node = this.node(id);
    node.life++;
    node.machine = new ListMachine();
    node.persisting = undefined;
    const isFounder = this.#founders.some((founder) => founder.id === id);
    const storage = openStorage((file) => node.disk.read(file));
    const terms = storage.entries.map(({ term }) => term).join(' ');
    this.events.push({ at: this.now, event: { type: 'restart', member: id, base: storage.snapshot?.index ?? 0, baseTerm: storage.snapshot?.term ?? 0, terms } });
    node.replica = new RaftReplica({
      self: node.peer, bootstrap: isFounder ? this.#founders : [], service: new Service(node.machine), storage,
      random: this.random.fork(`${id} ${node.life}`), config: this.#options.config ?? {}, now: this.now,
      sink: { emit: (at, event) => this.events.push({ at, event }) },
    });
  }

  propose(id: string, request: Partial<Request> & { readonly text?: string }): void {
    this.replica(id).propose({
      kind: 'request', clientId: 'c', serial: 0, acknowledged: 0, isStale: false,
      operation: new TextEncoder().encode(request.text ?? ''), ...request,
    }, this.now);
  }

  /** The one that leads in the highest term. */
  leader(): string | undefined {
    let best: { id: string; term: number } | undefined;
    for (const [id, { replica }] of this.nodes) {
      const status = replica?.status();
      if (status?.role === 'leader' && (best === undefined || status.term > best.term)) best = { id, term: status.term };
    }
    return best?.id;
  }

  /** Lets time pass until `isDone` or for `forMs`. Returns whether it was done. */
  run(forMs: number, isDone: () => boolean = () => false): boolean {
    const end = this.now + forMs;
    for (let steps = 0; ; steps++) {
      if (steps > 2_000_000) throw new Error(`spins at ${this.now}`);
      this.#settle();
      if (isDone()) return true;
      const next = this.#nextTime();
      if (next > end) {
        this.now = end;
        return isDone();
      }
      this.now = Math.max(this.now, next);
      while (this.#disks.nextTime() <= this.now) this.#disks.pop()!();
      while (this.#flights.nextTime() <= this.now) this.#arrive(this.#flights.pop()!);
      for (const { replica } of this.nodes.values()) if (replica !== undefined && replica.nextTimeout() <= this.now) replica.handleTimeout(this.now);
    }
  }

  /** Elects somebody and waits until it has committed something. */
  elect(): string {
    if (!this.run(20_000, () => {
      const leader = this.leader();
      return leader !== undefined && this.replica(leader).status().commitIndex > 0 && this.replica(leader).status().lastIndex === this.replica(leader).status().commitIndex;
    })) throw new Error('no leader');
    return this.leader()!;
  }

  /** Opens a session at the leader; returns the client's id. */
  open(): string {
    const leader = this.elect();
    const before = this.replies.length;
    this.propose(leader, { clientId: `opener ${this.random.uint32()}` });
    this.run(5000, () => this.replies.length > before);
    return `#${this.replies.at(-1)!.reply.offset}`;
  }

  #settle(): void {
    for (const [id, node] of this.nodes) {
      while (node.replica !== undefined && node.persisting === undefined) {
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
    this.#disks.push(this.now + node.disk.drawDelayMs(), () => {
      if (node.life !== life) return;
      node.persisting = undefined;
      try {
        node.disk.run(ready.persist);
        this.#release(id, ready);
      } catch (error) {
        node.replica!.persistFailed((error as Error).message, this.now);
      }
    });
  }

  #release(id: string, ready: Ready): void {
    for (const { to, body } of ready.messages) {
      const flight = { from: id, to, body };
      const copies = this.fate(flight, decodeRaftMessage(body));
      for (let i = 0; i < copies; i++) this.#flights.push(this.now + (this.#options.delayMs?.(this.random, flight) ?? 5), flight);
    }
    this.replies.push(...ready.replies);
  }

  #arrive({ from, to, body }: Flight): void {
    const node = this.nodes.get(to);
    // A member that waits for its disk hears nothing; the message waits with it.
    if (node?.persisting !== undefined) this.#flights.push(this.now + 0.5, { from, to, body });
    else node?.replica?.step(from, body, this.now);
  }

  #nextTime(): number {
    let next = Math.min(this.#flights.nextTime(), this.#disks.nextTime());
    for (const { replica } of this.nodes.values()) if (replica !== undefined) next = Math.min(next, replica.nextTimeout());
    return next;
  }
}

export function peer(i: number): Peer {
  return { id: `m${i}`, address: `10.0.0.${i}:1` };
}
