import { createHash } from 'node:crypto';

import type { Millis } from '../../src/core/machine.ts';
import { createRandom } from '../../src/core/random.ts';
import { createClient, createReplica, createViewServer } from '../../src/group/assemble.ts';
import { openStorage } from '../../src/group/disk-storage.ts';
import { FILES_FOLDER, isFileRead } from '../../src/group/file-store-operation.ts';
import { FileTransfer, type FileTransferOptions } from '../../src/group/file-transfer.ts';
import type { OperationOutcome } from '../../src/group/client.ts';
import { makeFaulty, parseFault } from '../../src/group/faulty.ts';
import { traitsOf, type Mode } from '../../src/group/modes.ts';
import type { Peer } from '../../src/group/replica.ts';
import { createMachine, replyLieOf } from '../../src/group/services.ts';
import { addressOf, type Beginning, type MemberPlace } from '../../src/sim/group/member-place.ts';
import type { Weather } from '../../src/sim/group/message-network.ts';
import { ReplicaWorld } from '../../src/sim/replica-world.ts';

const WEATHER: Weather = { delayMs: 2, jitterMs: 1, loss: 0.01, duplication: 0.02, reorders: false, kept: 0 };
const ELECTION_TIMEOUT_MS = 300;
/** So little that most of what is sent has been in a snapshot. */
const COMPACTION = { snapshotBytes: 15_000, keptEntries: 2 };
const OPERATION_TIMEOUT_MS = 5000;

export const MEMBERS = 3;
/** Little, so that much happens in few bytes. */
export const APPEND_BYTES = 4096;

/** A sender on a computer of its own. */
export class Sender {
  readonly transfer: FileTransfer;
  readonly #world: FileWorld;
  readonly #client: number;
  readonly #source: Uint8Array;
  #position = 0;
  #isDead = false;
  /** Tickets of the client, and the transfer's own numbers. */
  readonly #tickets = new Map<number, number>();
  readonly #outcomes: OperationOutcome[] = [];

  constructor(world: FileWorld, client: number, source: Uint8Array, options: Pick<FileTransferOptions, 'name' | 'transferId' | 'takeOver'>, window: number) {
    this.#world = world;
    this.#client = client;
    this.#source = source;
    this.transfer = new FileTransfer({ ...options, window, appendBytes: APPEND_BYTES, patienceMs: OPERATION_TIMEOUT_MS });
    this.step();
  }

  die(): void {
    this.#isDead = true;
  }

  ended(outcome: OperationOutcome): void {
    this.#outcomes.push(outcome);
  }

  step(): void {
    if (this.#isDead) return;
    const { transfer } = this;
    let isBusy = true;
    while (isBusy) {
      isBusy = false;
      for (const outcome of this.#outcomes.splice(0)) {
        const number = this.#tickets.get(outcome.ticket);
        if (number === undefined) continue;
        this.#tickets.delete(outcome.ticket);
        transfer.settle(number, outcome, this.#world.now);
        isBusy = true;
      }
      if (transfer.outcome !== undefined) return;
      if (this.#position < this.#source.length) {
        this.#position += transfer.write(this.#source.subarray(this.#position));
        if (this.#position === this.#source.length && transfer.outcome === undefined) transfer.end();
      }
      for (let next = transfer.next(this.#world.now); next !== undefined; next = transfer.next(this.#world.now)) {
        this.#tickets.set(this.#world.submit(this.#client, next.operation), next.number);
      }
    }
  }
}

/** Three members that keep files, as they are put together for real, and two clients; messages get lost and doubled now and then. */
export class FileWorld {
  readonly world: ReplicaWorld;
  readonly #mode: Mode;
  readonly #senders: (Sender | undefined)[] = [];

  /** `liar`: a member that lies to clients. */
  constructor(mode: Mode, seed: number, liar?: number) {
    this.#mode = mode;
    const { hasViews } = traitsOf(mode);
    const peers = (letter: string): Peer[] => Array.from({ length: MEMBERS }, (_, i) => ({ id: `${letter}${i}`, address: addressOf(`${letter}${i}`) }));
    const common = ({ self, isFounding, read, random, now, sink }: Beginning) => ({
      mode, self, isFounding, fence: 'view-service' as const, viewServers: hasViews ? peers('v') : [], storage: openStorage(read), random, now, sink, electionTimeoutMs: ELECTION_TIMEOUT_MS, compaction: COMPACTION,
    });
    this.world = new ReplicaWorld({
      random: createRandom(seed), members: MEMBERS, viewServers: hasViews ? MEMBERS : 0, clients: 2,
      memberFactory: (beginning) => {
        const replica = createReplica({
          ...common(beginning), bootstrap: beginning.isFounding ? peers('m') : [],
          machine: createMachine('file', (files, offset, length) => files.map(beginning.read).find((content) => content !== undefined)!.slice(offset, offset + length)),
        });
        return beginning.place === liar ? makeFaulty(replica, parseFault('wrong-value'), liar, beginning.random, { reply: replyLieOf('file') }) : replica;
      },
      viewServerFactory: (beginning) => createViewServer({ ...common(beginning), bootstrap: peers('v') }),
      clientFactory: (clientId, random) => createClient({
        mode, members: MEMBERS, clientId, targets: peers('m').map(({ address }) => address), random, isReadOnly: isFileRead, window: this.window, operationTimeoutMs: OPERATION_TIMEOUT_MS,
      }),
      weather: WEATHER, clockDrift: 0.01, diskDelayMs: 2, isEager: true, queuesInputs: true,
    });
    this.world.watches.push({ ended: (client, outcome) => this.#senders[client]?.ended(outcome) });
    for (const place of [...this.world.viewServers, ...this.members]) this.world.begin(place);
    for (const client of this.world.clients) client.start();
  }

  get now(): Millis {
    return this.world.now;
  }

  get members(): readonly MemberPlace[] {
    return this.world.members;
  }

  /** As the real sender's. */
  get window(): number {
    return traitsOf(this.#mode).asks === 'leader' ? 4 : 1;
  }

  submit(client: number, operation: Uint8Array): number {
    return this.world.clients[client]!.submit(operation);
  }

  send(client: number, source: Uint8Array, options: Pick<FileTransferOptions, 'name' | 'transferId' | 'takeOver'>): Sender {
    const sender = new Sender(this, client, source, options, this.window);
    this.#senders[client] = sender;
    return sender;
  }

  /** Until `isDone`, or for so long. Returns whether it was done. */
  run(forMs: Millis, isDone: () => boolean): boolean {
    this.world.run(this.now + forMs, () => {
      for (const sender of this.#senders) sender?.step();
      return isDone();
    });
    return isDone();
  }

  /** A member's file would survive a power failure as it is. */
  has(member: number, name: string): boolean {
    return this.members[member]!.disk.isDurable(`${FILES_FOLDER}${name}`);
  }

  /** Of a member's file; undefined when it has none. */
  sha256(member: number, name: string): string | undefined {
    const content = this.members[member]!.disk.read(`${FILES_FOLDER}${name}`);
    return content === undefined ? undefined : sha256(content);
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function randomBytes(length: number, seed: number): Uint8Array {
  const random = createRandom(seed);
  return new Uint8Array(length).map(() => random.below(256));
}
