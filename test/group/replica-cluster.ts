import { TimeHeap } from '../../src/core/heap.ts';
import { createRandom, type Random } from '../../src/core/random.ts';
import type { TraceEvent } from '../../src/core/trace.ts';
import { openStorage } from '../../src/group/disk-storage.ts';
import type { ReplyMessage, Request } from '../../src/group/message.ts';
import { leads, type Errand, type Peer, type Ready, type Replica } from '../../src/group/replica.ts';
import type { Storage } from '../../src/group/storage.ts';
import { SimulatedDisk } from '../../src/sim/simulated-disk.ts';
import { ListMachine } from './list-machine.ts';

export interface Flight {
  readonly from: string;
  readonly to: string;
  readonly body: Uint8Array;
}

export interface Node<R extends Replica> {
  readonly peer: Peer;
  readonly disk: SimulatedDisk;
  machine: ListMachine;
  replica: R | undefined;
  persisting: Ready | undefined;
  isPaused: boolean;
  life: number;
}

export interface ReplicaClusterOptions {
  /** Members m1, m2, … */
  readonly size: number;
  readonly seed?: number;
  /** Time on the way. Default 5. */
  readonly delayMs?: (random: Random, flight: Flight) => number;
  /** Members that are there from the beginning but have no founders' list. */
  readonly joiners?: number;
}

const PAUSE_STEP_MS = 50;
/** Whoever waits for its disk is tried again. */
const DISK_STEP_MS = 0.5;
/** At one moment; a member that has more to say spins. */
const MAX_READIES = 10_000;

/**
 * A group whose messages the test can see, hold back, lose and double. Disks are simulated; time is the test's. How a member is made, and what its
 * messages say, is the engine's. A class that is made of it calls begin() once it is complete.
 */
export abstract class ReplicaCluster<R extends Replica, M> {
  now = 0;
  readonly random: Random;
  readonly nodes = new Map<string, Node<R>>();
  readonly replies: ReplyMessage[] = [];
  readonly events: { readonly at: number; readonly event: TraceEvent }[] = [];
  /** What is done to a message on its way: how often it arrives. */
  fate: (flight: Flight, message: M | undefined) => number = () => 1;
  protected readonly founders: readonly Peer[];
  readonly #options: ReplicaClusterOptions;
  readonly #flights = new TimeHeap<Flight>();
  readonly #actions = new TimeHeap<() => void>();

  constructor(options: ReplicaClusterOptions) {
    this.#options = options;
    this.random = createRandom(options.seed ?? 1);
    this.founders = Array.from({ length: options.size }, (_, i) => peer(i + 1));
  }

  /** A life of a member, with what its disk holds. */
  protected abstract make(node: Node<R>, storage: Storage, random: Random): R;

  protected abstract decode(body: Uint8Array): M | undefined;

  protected carry(_id: string, _errand: Errand): void {}

  protected begin(): void {
    for (const founder of this.founders) this.add(founder);
    const { size, joiners = 0 } = this.#options;
    for (let i = 0; i < joiners; i++) this.add(peer(size + i + 1));
  }

  protected isFounder({ id }: Peer): boolean {
    return this.founders.some((founder) => founder.id === id);
  }

  protected trace(at: number, event: TraceEvent): void {
    this.events.push({ at, event });
  }

  protected after(delayMs: number, action: () => void): void {
    this.#actions.push(this.now + delayMs, action);
  }

  add(own: Peer): Node<R> {
    const disk = new SimulatedDisk({ random: this.random.fork(`disk ${own.id}`) });
    const node: Node<R> = { peer: own, disk, machine: new ListMachine(), replica: undefined, persisting: undefined, isPaused: false, life: 0 };
    this.nodes.set(own.id, node);
    this.start(own.id);
    return node;
  }

  node(id: string): Node<R> {
    return this.nodes.get(id)!;
  }

  replica(id: string): R {
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
    node.isPaused = false;
    node.life++;
    this.trace(this.now, { type: 'crash', member: id });
  }

  start(id: string): void {
    const node = this.node(id);
    node.life++;
    node.machine = new ListMachine();
    node.persisting = undefined;
    const storage = openStorage((file) => node.disk.read(file));
    const terms = storage.entries.map(({ term }) => term).join(' ');
    this.trace(this.now, { type: 'restart', member: id, base: storage.snapshot?.index ?? 0, baseTerm: storage.snapshot?.term ?? 0, terms });
    node.replica = this.make(node, storage, this.random.fork(`${id} ${node.life}`));
  }

  /** What a member that is down is asked is lost. */
  propose(id: string, request: Partial<Request> & { readonly text?: string }): void {
    const operation = new TextEncoder().encode(request.text ?? '');
    this.node(id).replica?.propose({ kind: 'request', clientId: 'c', serial: 0, acknowledged: 0, isStale: false, operation, ...request }, this.now);
  }

  /** Of those who say that they lead, and are awake, the one in the highest term or view. */
  leader(): string | undefined {
    let best: { readonly id: string; readonly term: number } | undefined;
    for (const [id, { replica, isPaused }] of this.nodes) {
      const status = isPaused ? undefined : replica?.status();
      if (status === undefined || !leads(status.role)) continue;
      if (best === undefined || status.term > best.term) best = { id, term: status.term };
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
      while (this.#actions.nextTime() <= this.now) this.#actions.pop()!();
      while (this.#flights.nextTime() <= this.now) this.#arrive(this.#flights.pop()!);
      for (const { replica, isPaused } of this.nodes.values()) if (replica !== undefined && !isPaused && replica.nextTimeout() <= this.now) replica.handleTimeout(this.now);
    }
  }

  #settle(): void {
    for (const [id, node] of this.nodes) {
      let readies = 0;
      while (node.replica !== undefined && !node.isPaused && node.persisting === undefined) {
        const ready = node.replica.takeReady();
        if (ready === undefined) break;
        if (++readies > MAX_READIES) throw new Error(`${id}: one Ready after the other without end`);
        if (ready.persist.length === 0) this.#release(id, ready);
        else this.#persist(id, node, ready);
      }
    }
  }

  #persist(id: string, node: Node<R>, ready: Ready): void {
    node.persisting = ready;
    const { life } = node;
    this.after(node.disk.drawDelayMs(), () => {
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
      const copies = this.fate(flight, this.decode(body));
      for (let i = 0; i < copies; i++) this.#flights.push(this.now + (this.#options.delayMs?.(this.random, flight) ?? 5), flight);
    }
    for (const errand of ready.errands ?? []) this.carry(id, errand);
    this.replies.push(...ready.replies);
  }

  #arrive(flight: Flight): void {
    const { from, to, body } = flight;
    const node = this.nodes.get(to);
    // Who sleeps, or waits for its disk, hears nothing; the message waits with it.
    if (node?.isPaused === true || node?.persisting !== undefined) this.#flights.push(this.now + (node.isPaused ? PAUSE_STEP_MS : DISK_STEP_MS), flight);
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
