import type { Millis } from '../../../src/core/machine.ts';
import { openStorage } from '../../../src/group/disk-storage.ts';
import { ByteReader, ByteWriter } from '../../../src/group/byte-codec.ts';
import type { ReplyMessage, Request } from '../../../src/group/message.ts';
import type { Ready, Replica, ReplicaStatus } from '../../../src/group/replica.ts';
import { Service } from '../../../src/group/service.ts';
import type { Storage } from '../../../src/group/storage.ts';
import type { Beginning } from '../../../src/sim/group/member-place.ts';
import { TextMachine } from './text-service.ts';

/** What a lone replica does wrongly. */
export type LoneFlaw =
  | 'none'
  /** Replies leave although nothing is on disk. */
  | 'forgets'
  /** Its next timeout is always now. */
  | 'spins'
  /** It stops answering after a while. */
  | 'falls silent'
  /** A repeated serial is carried out again. */
  | 'repeats'
  | 'throws';

/** The smallest replica there is: a group of one. For tests of the simulator itself. */
export class LoneReplica implements Replica {
  readonly #id: string;
  readonly #flaw: LoneFlaw;
  readonly #storage: Storage;
  readonly #service = new Service(new TextMachine());
  #machine = new TextMachine();
  #replies: ReplyMessage[] = [];
  #requests = 0;
  #failure: string | undefined;

  constructor({ self, read }: Beginning, flaw: LoneFlaw) {
    this.#id = self.id;
    this.#flaw = flaw;
    this.#storage = openStorage(read);
    for (const { index, bytes } of this.#storage.entries) this.#service.apply(index, decode(bytes));
  }

  step(): void {}

  propose(request: Request): void {
    this.#requests++;
    if (this.#flaw === 'throws' && this.#requests > 20) throw new Error('a flaw');
    if (this.#failure !== undefined || (this.#flaw === 'falls silent' && this.#requests > 20)) return;
    const index = this.#service.appliedIndex + 1;
    if (this.#flaw !== 'forgets') this.#storage.append([{ index, term: 1, bytes: encode(request) }]);
    let reply = this.#service.apply(index, request);
    if (this.#flaw === 'repeats' && request.operation.length > 0) reply = this.#machine.apply(request.operation);
    this.#replies.push({ kind: 'reply', memberId: this.#id, clientId: request.clientId, serial: request.serial, reply });
  }

  peers(): [] {
    return [];
  }

  peerLost(): void {}

  status(): ReplicaStatus {
    const index = this.#service.appliedIndex;
    return {
      id: this.#id, mode: 'lone', role: 'member', term: 1, leader: undefined, lastIndex: index, commitIndex: index, appliedIndex: index, digest: this.#service.digest(),
      members: [], suspected: [], counters: {}, problem: this.#failure,
    };
  }

  nextTimeout(): Millis {
    return this.#flaw === 'spins' ? 0 : Infinity;
  }

  handleTimeout(): void {}

  takeReady(): Ready | undefined {
    const persist = this.#failure === undefined ? this.#storage.takeWrites() : [];
    const replies = this.#replies;
    this.#replies = [];
    if (persist.length + replies.length === 0) return undefined;
    return { persist, messages: [], committed: [], replies, role: 'member' };
  }

  persistFailed(reason: string): void {
    this.#failure = reason;
    this.#replies = [];
  }
}

function encode({ clientId, serial, acknowledged, operation }: Request): Uint8Array {
  return new ByteWriter().text(clientId).u53(serial).u53(acknowledged).raw(operation).finish();
}

function decode(bytes: Uint8Array): Request {
  const reader = new ByteReader(bytes);
  return { kind: 'request', clientId: reader.text(100), serial: reader.u53(), acknowledged: reader.u53(), isStale: false, operation: reader.rest() };
}
