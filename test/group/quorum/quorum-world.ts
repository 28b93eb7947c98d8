import { TimeHeap } from '../../../src/core/heap.ts';
import { createRandom, type Random } from '../../../src/core/random.ts';
import { decodeText, encodeText } from '../../../src/group/byte-codec.ts';
import type { OperationOutcome } from '../../../src/group/client.ts';
import type { DiskOperation } from '../../../src/group/disk.ts';
import { openStorage } from '../../../src/group/disk-storage.ts';
import type { Peer } from '../../../src/group/replica.ts';
import { QuorumClient, type QuorumClientOptions } from '../../../src/group/quorum/quorum-client.ts';
import { decodeQuorumOperation, type QuorumOperation } from '../../../src/group/quorum/quorum-operation.ts';
import { QuorumReplica } from '../../../src/group/quorum/quorum-replica.ts';
import type { RegisterWords } from '../../../src/group/quorum/register-words.ts';

const NOTHING = new Uint8Array(0);

/** `get KEY`, `put KEY VALUE`, and everything else that registers cannot do. */
export const textWords: RegisterWords = {
  read(operation) {
    const [kind, key, value] = decodeText(operation).split(' ');
    if (kind === 'get') return { kind, key: key! };
    if (kind === 'put') return { kind, key: key!, value: text(value!) };
    return `a register cannot ${kind}`;
  },
  found: (value) => ({ status: 'ok', offset: value === undefined ? 0 : 1, digest: NOTHING, body: value ?? NOTHING }),
  written: () => ({ status: 'ok', offset: 0, digest: NOTHING, body: NOTHING }),
};

export function text(value: string): Uint8Array {
  return encodeText(value, 1024 * 1024);
}

/** Files in memory: every operation is durable once it has been carried out. */
export class MemoryDisk {
  readonly files = new Map<string, Uint8Array>();
  syncs = 0;

  carryOut(operations: readonly DiskOperation[]): void {
    for (const operation of operations) {
      const old = this.files.get(operation.file) ?? NOTHING;
      if (operation.kind === 'create') this.files.set(operation.file, NOTHING);
      else if (operation.kind === 'truncate') this.files.set(operation.file, old.slice(0, operation.lengthBytes));
      else if (operation.kind === 'sync') this.syncs++;
      else if (operation.kind === 'rename') {
        this.files.set(operation.to, old);
        this.files.delete(operation.file);
      } else if (operation.kind === 'remove') this.files.delete(operation.file);
      else {
        const grown = new Uint8Array(Math.max(old.length, operation.offset + operation.bytes.length));
        grown.set(old);
        grown.set(operation.bytes, operation.offset);
        this.files.set(operation.file, grown);
      }
    }
  }
}

export interface Chances {
  readonly loss: number;
  readonly duplication: number;
  readonly maxDelayMs: number;
}

export const NO_TROUBLE: Chances = { loss: 0, duplication: 0, maxDelayMs: 1 };

/** Members with disks, clients with connections to each of them, and a network that the chances say. */
export class QuorumWorld {
  readonly members: readonly Peer[];
  readonly disks: MemoryDisk[];
  /** Undefined: crashed. */
  readonly replicas: (QuorumReplica | undefined)[];
  readonly clients: QuorumClient[] = [];
  readonly outcomes: Map<number, OperationOutcome>[] = [];
  chances = NO_TROUBLE;
  /** Seats that nobody reaches. */
  readonly isolated = new Set<number>();
  /** What of a client's requests does not arrive. */
  isDropped: (target: number, operation: QuorumOperation) => boolean = () => false;
  onOutcome: (client: number, outcome: OperationOutcome) => void = () => {};
  now = 0;
  readonly random: Random;
  readonly #events = new TimeHeap<() => void>();
  readonly #compactBytes: number;
  #lives = 0;

  constructor(seats: number, seed = 1, compactBytes = 4096) {
    this.random = createRandom(seed);
    this.#compactBytes = compactBytes;
    this.members = Array.from({ length: seats }, (_, i) => ({ id: `m${i}`, address: `host:${i}` }));
    this.disks = this.members.map(() => new MemoryDisk());
    this.replicas = this.members.map((_, seat) => this.#make(seat, `m${seat}`, true));
  }

  addClient(options: Partial<QuorumClientOptions> = {}): number {
    const client = this.clients.length;
    const members = this.members.length;
    this.clients.push(new QuorumClient({ clientId: `c${client}`, targets: members, members, words: textWords, ...options }));
    this.outcomes.push(new Map());
    this.members.forEach((_, seat) => this.clients[client]!.connected(seat, this.now));
    return client;
  }

  crash(seat: number): void {
    if (this.replicas[seat] === undefined) return;
    this.replicas[seat] = undefined;
    for (const client of this.clients) client.disconnected(seat, this.now);
  }

  restart(seat: number): void {
    this.#start(seat, `m${seat}`);
  }

  /** Comes back without its disk. With a new name, or the same one. */
  restartEmpty(seat: number, id = `m${seat}`): void {
    this.disks[seat] = new MemoryDisk();
    this.#start(seat, id);
  }

  /** One operation, from its beginning to its end. */
  ask(client: number, operation: string, forMs?: number): OperationOutcome {
    return this.askBytes(client, text(operation), forMs);
  }

  askBytes(client: number, operation: Uint8Array, forMs = 60_000): OperationOutcome {
    const ticket = this.clients[client]!.submit(operation, this.now);
    const until = this.now + forMs;
    while (!this.outcomes[client]!.has(ticket) && this.step(until));
    return this.outcomes[client]!.get(ticket)!;
  }

  run(forMs: number): void {
    const until = this.now + forMs;
    while (this.step(until));
    this.now = until;
  }

  at(time: number, event: () => void): void {
    this.#events.push(time, event);
  }

  step(until: number): boolean {
    this.#flush();
    let at = this.#events.nextTime();
    for (const machine of [...this.replicas, ...this.clients]) at = Math.min(at, machine?.nextTimeout() ?? Infinity);
    if (at > until) return false;
    this.now = Math.max(this.now, at);
    if (this.#events.nextTime() <= this.now) this.#events.pop()!();
    for (const machine of [...this.replicas, ...this.clients]) if ((machine?.nextTimeout() ?? Infinity) <= this.now) machine!.handleTimeout(this.now);
    this.#flush();
    return true;
  }

  #start(seat: number, id: string): void {
    this.replicas[seat] = this.#make(seat, id, false);
    for (const client of this.clients) client.connected(seat, this.now);
  }

  #make(seat: number, id: string, isFounding: boolean): QuorumReplica {
    const files = this.disks[seat]!.files;
    return new QuorumReplica({
      id, seat, members: this.members, isFounding, storage: openStorage((file) => files.get(file)), random: this.random.fork(`life ${this.#lives++}`),
      compactBytes: this.#compactBytes,
    });
  }

  #flush(): void {
    this.replicas.forEach((replica, seat) => {
      for (let ready = replica?.takeReady(); ready !== undefined; ready = replica!.takeReady()) {
        this.disks[seat]!.carryOut(ready.persist);
        for (const { to, body } of ready.messages) {
          const from = replica!.status().id;
          this.#send([seat], () => this.replicas.find((other) => other?.status().id === to)?.step(from, body, this.now));
        }
        for (const reply of ready.replies) {
          const client = Number(reply.clientId.slice(1));
          this.#send([seat], () => this.clients[client]?.received(seat, reply, this.now));
        }
      }
    });
    this.clients.forEach((client, i) => {
      for (let next = client.nextSending(); next !== undefined; next = client.nextSending()) {
        const { target, request } = next;
        if (this.isDropped(target, decodeQuorumOperation(request.operation)!)) continue;
        this.#send([target], () => this.replicas[target]?.propose(request, this.now));
      }
      for (let outcome = client.takeOutcome(); outcome !== undefined; outcome = client.takeOutcome()) {
        this.outcomes[i]!.set(outcome.ticket, outcome);
        this.onOutcome(i, outcome);
      }
    });
  }

  #send(seats: readonly number[], deliver: () => void): void {
    const { loss, duplication, maxDelayMs } = this.chances;
    const copies = this.random.chance(duplication) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const isLost = this.random.chance(loss);
      const delay = this.random.unit() * maxDelayMs;
      if (isLost || seats.some((seat) => this.isolated.has(seat))) continue;
      this.#events.push(this.now + delay, () => {
        if (!seats.some((seat) => this.isolated.has(seat))) deliver();
      });
    }
  }
}
