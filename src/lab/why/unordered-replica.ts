import type { Millis } from '../../core/machine.ts';
import { KvMachine } from '../../group/kv/kv-machine.ts';
import type { ReplyMessage, Request } from '../../group/message.ts';
import type { Peer, Ready, Replica, ReplicaId, ReplicaStatus } from '../../group/replica.ts';
import { Service } from '../../group/service.ts';

/**
 * The key-value store with its sessions, and nobody who says what comes first: it carries out what it hears when it hears it, and talks to
 * no other member. Alone, it is a service that is not replicated; several of them are a group without an order.
 */
export class UnorderedReplica implements Replica {
  readonly #id: ReplicaId;
  readonly #service = new Service(new KvMachine());
  readonly #heard: (request: Request) => void;
  #replies: ReplyMessage[] = [];

  /** `heard`: told of each request when it is carried out. */
  constructor(id: ReplicaId, heard: (request: Request) => void = () => {}) {
    this.#id = id;
    this.#heard = heard;
  }

  propose(request: Request, _now: Millis): void {
    this.#heard(request);
    const { clientId, serial } = request;
    const service = this.#service;
    const reply = service.isReadOnly(request) ? service.query(request) : service.apply(service.appliedIndex + 1, request);
    this.#replies.push({ kind: 'reply', memberId: this.#id, clientId, serial, reply });
  }

  takeReady(): Ready | undefined {
    if (this.#replies.length === 0) return undefined;
    const replies = this.#replies;
    this.#replies = [];
    return { persist: [], messages: [], committed: [], replies, role: 'member' };
  }

  status(): ReplicaStatus {
    const { appliedIndex } = this.#service;
    return {
      id: this.#id, mode: 'none', role: 'member', term: 0, leader: undefined, lastIndex: appliedIndex, commitIndex: appliedIndex, appliedIndex, digest: this.#service.digest(),
      members: [], suspected: [], counters: {}, problem: undefined,
    };
  }

  peers(): readonly Peer[] {
    return [];
  }

  nextTimeout(): Millis {
    return Infinity;
  }

  step(): void {}
  peerLost(): void {}
  handleTimeout(): void {}
  persistFailed(): void {}
}
