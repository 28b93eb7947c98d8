import type { Millis } from '../../core/machine.ts';
import type { Random } from '../../core/random.ts';
import type { Sink, TraceEvent } from '../../core/trace.ts';
import type { Administered } from '../../group/assemble.ts';
import type { ReadFile } from '../../group/disk.ts';
import type { ReplyMessage, Request } from '../../group/message.ts';
import type { Errand, Peer, Ready, Replica, ReplicaId } from '../../group/replica.ts';
import { CorruptLogError } from '../../group/storage.ts';
import { SimulatedDisk, type DiskFailure } from '../simulated-disk.ts';
import type { Simulator } from '../simulator.ts';

export type SimReplica = Replica & Partial<Administered>;

/** What a replica begins with: one life of a member. */
export interface Beginning {
  readonly self: Peer;
  /** Number of the place where it lives. */
  readonly place: number;
  /** It is there from the group's beginning; a later one, without memory, must join. */
  readonly isFounding: boolean;
  readonly read: ReadFile;
  readonly random: Random;
  readonly now: Millis;
  readonly sink: Sink;
}

export type ReplicaFactory = (beginning: Beginning) => SimReplica;

/** Where a reply goes. */
export interface ReplyRoute {
  /** On the network. */
  readonly name: string;
  received(reply: ReplyMessage): void;
}

/** The world around a place. */
export interface Surroundings {
  sendMessage(from: MemberPlace, to: ReplicaId, body: Uint8Array): void;
  sendErrand(from: MemberPlace, errand: Errand): void;
  sendReply(from: MemberPlace, route: ReplyRoute, reply: ReplyMessage): void;
  /** A replica told of itself. */
  traced(place: MemberPlace, event: TraceEvent): void;
  /** It was taken, and nothing of it was carried out yet. */
  readyTaken(place: MemberPlace, ready: Ready): void;
  /** All of it is on disk, and leaves now. */
  readyLeaves(place: MemberPlace, ready: Ready): void;
  began(place: MemberPlace): void;
  broke(place: MemberPlace, checker: string, message: string): void;
}

export type PlaceState = 'running' | 'paused' | 'down';

type Input =
  | { readonly kind: 'message'; readonly from: ReplicaId; readonly body: Uint8Array }
  | { readonly kind: 'request'; readonly request: Request; readonly route: ReplyRoute }
  | { readonly kind: 'answer'; readonly reply: ReplyMessage }
  | { readonly kind: 'peer lost'; readonly peer: ReplicaId };

/** More is dropped: a transport's buffers are not endless either. */
const MAX_QUEUED = 512;
const MAX_ROUTES = 1024;
/** Timeouts of one instant, or Readies in a row, above which it goes round in circles. */
const MAX_TURNS = 200;

export interface PlaceOptions {
  readonly name: string;
  readonly index: number;
  readonly simulator: Simulator;
  readonly random: Random;
  readonly factory: ReplicaFactory;
  readonly surroundings: Surroundings;
  /** Of its clock: it runs so much faster than the world's. */
  readonly clockRate: number;
  /** Longest time of one batch, with a healthy disk. */
  readonly diskDelayMs: Millis;
  /** It takes a Ready after each input; otherwise after all that is there. */
  readonly isEager: boolean;
  /** Inputs wait while something is being written, as in the real host; otherwise they are stepped, and what follows waits. */
  readonly queuesInputs: boolean;
}

/**
 * A computer on which a member lives: its clock, its disk, and the host's part, which is to carry out what a Ready wants in the right
 * order. While something is being persisted, inputs wait, as they do in the real host; timers and broken connections do not.
 */
export class MemberPlace {
  readonly name: string;
  readonly index: number;
  readonly disk: SimulatedDisk;
  readonly #simulator: Simulator;
  readonly #random: Random;
  readonly #factory: ReplicaFactory;
  readonly #surroundings: Surroundings;
  readonly #clockRate: number;
  readonly #isEager: boolean;
  readonly #queuesInputs: boolean;
  state: PlaceState = 'down';
  replica: SimReplica | undefined;
  /** Of the disk that is in it; another disk, another identity. */
  identity: ReplicaId;
  isFounding = true;
  /** Counts beginnings: connections do not outlive one. */
  life = 0;
  /** Counts disks. */
  #disks = 0;
  /** A bit of its disk was turned over: it may refuse to begin. */
  isDamaged = false;
  hasFailedDisk = false;
  /** Since when it is what `state` says. */
  sinceMs: Millis = 0;
  /** When its replica wants to be woken, in the world's time. */
  dueMs: Millis = Infinity;
  droppedInputs = 0;
  #beganMs: Millis = 0;
  #localNow: Millis = 0;
  #persisting: Ready | undefined;
  /** The disk was done while the process slept. */
  #isDiskDone = false;
  #queue: Input[] = [];
  readonly #routes = new Map<string, ReplyRoute>();
  #turnsNow = 0;
  #turnsAtMs: Millis = -1;

  constructor(options: PlaceOptions) {
    this.name = options.name;
    this.index = options.index;
    this.#simulator = options.simulator;
    this.#random = options.random;
    this.#factory = options.factory;
    this.#surroundings = options.surroundings;
    this.#clockRate = options.clockRate;
    this.#isEager = options.isEager;
    this.#queuesInputs = options.queuesInputs;
    this.disk = new SimulatedDisk({ random: options.random.fork('disk'), maxDelayMs: options.diskDelayMs });
    this.identity = options.name;
  }

  get peer(): Peer {
    return { id: this.identity, address: addressOf(this.name) };
  }

  get isUp(): boolean {
    return this.state !== 'down';
  }

  /** Something is being written. */
  get isPersisting(): boolean {
    return this.#persisting !== undefined;
  }

  /** Throws nothing: a disk that is refused leaves the place down. */
  begin(): void {
    this.life++;
    this.state = 'running';
    this.sinceMs = this.#simulator.now;
    this.#beganMs = this.#simulator.now;
    this.#localNow = 0;
    try {
      this.replica = this.#factory({
        self: this.peer, place: this.index, isFounding: this.isFounding, read: (file) => this.disk.read(file),
        random: this.#random.fork(`life ${this.life}`), now: this.#local(), sink: { emit: (_, event) => this.#surroundings.traced(this, event) },
      });
    } catch (error) {
      this.replica = undefined;
      this.state = 'down';
      const message = error instanceof Error ? error.message : String(error);
      if (!(error instanceof CorruptLogError)) this.#surroundings.broke(this, 'crash', `cannot begin: ${describe(error)}`);
      else if (!this.isDamaged) this.#surroundings.broke(this, 'disk', `refuses a disk that was never damaged: ${message}`);
      return;
    }
    this.#surroundings.began(this);
    this.#turn();
  }

  /** `whole`: the computer, with everything that was not synced; otherwise only the process. */
  crash(whole: boolean): void {
    if (this.state === 'down') return;
    const running = this.#persisting?.persist ?? [];
    if (whole) this.disk.crash(running);
    else this.disk.kill(running);
    this.state = 'down';
    this.sinceMs = this.#simulator.now;
    this.replica = undefined;
    this.#persisting = undefined;
    this.#isDiskDone = false;
    this.#queue = [];
    this.#routes.clear();
    this.dueMs = Infinity;
  }

  /** Another disk, and with it another member, which has to join. */
  replaceDisk(): void {
    this.disk.wipe();
    this.disk.fail(undefined);
    this.isDamaged = false;
    this.hasFailedDisk = false;
    this.isFounding = false;
    this.identity = `${this.name}.${++this.#disks}`;
  }

  failDisk(failure: DiskFailure | undefined): void {
    this.disk.fail(failure);
    if (failure !== undefined) this.hasFailedDisk = true;
  }

  pause(): void {
    if (this.state !== 'running') return;
    this.state = 'paused';
    this.sinceMs = this.#simulator.now;
    this.dueMs = Infinity;
  }

  resume(): void {
    if (this.state !== 'paused') return;
    this.state = 'running';
    this.sinceMs = this.#simulator.now;
    // What is looked at first when a process wakes up is chance.
    if (this.#random.chance(0.5)) this.#wakeUp();
    if (this.#isDiskDone) this.#diskDone(this.life);
    else this.#turn();
    if (this.replica !== undefined && this.replica.nextTimeout() <= this.#local()) this.#wakeUp();
  }

  message(from: ReplicaId, body: Uint8Array): void {
    this.#input({ kind: 'message', from, body });
  }

  request(request: Request, route: ReplyRoute): void {
    this.#input({ kind: 'request', request, route });
  }

  answer(reply: ReplyMessage): void {
    this.#input({ kind: 'answer', reply });
  }

  peerLost(peer: ReplicaId): void {
    if (this.state === 'paused') this.#input({ kind: 'peer lost', peer });
    else if (this.replica !== undefined) {
      this.#guard(() => this.replica!.peerLost(peer, this.#local()));
      this.#turn();
    }
  }

  /** Its time has come. */
  timeout(): void {
    if (this.state !== 'running') return;
    if (this.#turnsAtMs !== this.#simulator.now) this.#turnsNow = 0;
    this.#turnsAtMs = this.#simulator.now;
    if (++this.#turnsNow > MAX_TURNS) {
      this.#surroundings.broke(this, 'spin', `${MAX_TURNS} timeouts in one instant, and the next is due now`);
      this.dueMs = this.#simulator.now + 1;
      return;
    }
    this.#wakeUp();
  }

  /** What people may ask of a replica. Returns why not. */
  administer(act: (replica: SimReplica, now: Millis) => string | undefined): string | undefined {
    if (this.state !== 'running' || this.replica === undefined) return 'it is not running';
    const refusal = act(this.replica, this.#local());
    this.#turn();
    return refusal;
  }

  #local(): Millis {
    // Never back, whatever rounding does.
    this.#localNow = Math.max(this.#localNow, (this.#simulator.now - this.#beganMs) * this.#clockRate);
    return this.#localNow;
  }

  #wakeUp(): void {
    const { replica } = this;
    if (replica === undefined) return;
    const next = replica.nextTimeout();
    // The two clocks differ in the last bits: what is due in the one is due in the other.
    if (this.dueMs <= this.#simulator.now && Number.isFinite(next) && next - this.#local() < 1e-6) this.#localNow = Math.max(this.#localNow, next);
    this.#guard(() => replica.handleTimeout(this.#local()));
    this.#turn();
  }

  #input(input: Input): void {
    if (this.state === 'down') return;
    if (this.state === 'paused' || (this.#persisting !== undefined && this.#queuesInputs)) {
      if (this.#queue.length < MAX_QUEUED) this.#queue.push(input);
      else this.droppedInputs++;
      return;
    }
    this.#take(input);
    this.#turn();
  }

  #take(input: Input): void {
    const replica = this.replica!;
    this.#guard(() => {
      switch (input.kind) {
        case 'message':
          return replica.step(input.from, input.body, this.#local());
        case 'request':
          this.#route(input.request.clientId, input.route);
          return replica.propose(input.request, this.#local());
        case 'answer':
          return replica.answered?.(input.reply, this.#local());
        case 'peer lost':
          return replica.peerLost(input.peer, this.#local());
      }
    });
  }

  #route(clientId: string, route: ReplyRoute): void {
    this.#routes.delete(clientId);
    if (this.#routes.size >= MAX_ROUTES) this.#routes.delete(this.#routes.keys().next().value!);
    this.#routes.set(clientId, route);
  }

  /** Inputs that waited, and Readies, until there is nothing left or the disk is at work. */
  #turn(): void {
    let readies = 0;
    while (this.state === 'running' && this.#persisting === undefined && this.replica !== undefined) {
      const input = this.#queue.shift();
      if (input !== undefined) {
        this.#take(input);
        if (!this.#isEager && this.#queue.length > 0) continue;
      }
      const ready = this.#takeReady();
      if (ready === undefined) {
        if (this.#queue.length > 0) continue;
        break;
      }
      if (++readies > MAX_TURNS * 10) {
        this.#surroundings.broke(this, 'spin', 'one Ready after the other without end');
        this.crash(false);
        return;
      }
      this.#surroundings.readyTaken(this, ready);
      if (ready.persist.length === 0) this.#leave(ready);
      else this.#persist(ready);
    }
    const next = this.replica?.nextTimeout() ?? Infinity;
    this.dueMs = this.state === 'running' ? Math.max(this.#simulator.now, this.#beganMs + next / this.#clockRate) : Infinity;
  }

  #takeReady(): Ready | undefined {
    let ready: Ready | undefined;
    this.#guard(() => {
      ready = this.replica?.takeReady();
    });
    return ready;
  }

  #persist(ready: Ready): void {
    const { life } = this;
    this.#persisting = ready;
    this.#simulator.at(this.#simulator.now + this.disk.drawDelayMs(), () => this.#diskDone(life));
  }

  #diskDone(life: number): void {
    if (life !== this.life || this.#persisting === undefined) return;
    if (this.state === 'paused') {
      this.#isDiskDone = true;
      return;
    }
    const ready = this.#persisting;
    this.#persisting = undefined;
    this.#isDiskDone = false;
    try {
      this.disk.run(ready.persist);
    } catch (error) {
      const reason = (error as Error).message;
      if (!this.hasFailedDisk) this.#surroundings.broke(this, 'disk', `wants from its disk what makes no sense: ${reason}`);
      this.#guard(() => this.replica!.persistFailed(reason, this.#local()));
      return this.#turn();
    }
    this.#leave(ready);
    this.#turn();
  }

  #leave(ready: Ready): void {
    this.#surroundings.readyLeaves(this, ready);
    for (const { to, body } of ready.messages) this.#surroundings.sendMessage(this, to, body);
    for (const errand of ready.errands ?? []) this.#surroundings.sendErrand(this, errand);
    for (const reply of ready.replies) {
      const route = this.#routes.get(reply.clientId);
      if (route !== undefined) this.#surroundings.sendReply(this, route, reply);
    }
  }

  /** A replica that throws is a process that ends; and a bug. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#surroundings.broke(this, 'crash', describe(error));
      this.crash(false);
    }
  }
}

export function addressOf(name: string): string {
  return `${name}:1`;
}

/** With the place in the source, where there is one. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const where = error.stack?.split('\n')[1]?.trim().replace(/\(.*\/(?=src\/|test\/)/, '(');
  return `${error.name}: ${error.message}${where === undefined ? '' : `, ${where}`}`;
}
