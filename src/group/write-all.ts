import type { Millis } from '../core/machine.ts';
import { encodeText } from './byte-codec.ts';
import type { DiskOperation } from './disk.ts';
import { MAX_REASON_BYTES, type ReplyMessage, type Request } from './message.ts';
import type { Committed, Peer, Ready, Replica, ReplicaId, ReplicaStatus, Role } from './replica.ts';
import { Sessions } from './sessions.ts';
import type { Reply, StateMachine } from './state-machine.ts';

/** Clients that one member has ever served; forgetting one could apply its request twice. */
const MAX_CLIENTS = 64;

/**
 * Replicated write without any order of its own: the one client sends everything to all k+1 members over FIFO channels,
 * each applies what comes in the order in which it comes, writes it to disk and replies. The client expels members
 * that fall silent, and counts only those that have it all. It needs what k+1 needs: members only stop, and one writer.
 */
export class WriteAllReplica implements Replica {
  readonly #id: ReplicaId;
  readonly #machine: StateMachine;
  readonly #sessions = new Sessions('implicit', MAX_CLIENTS);
  #role: Role = 'member';
  #failure = '';
  #index = 0;
  #persist: DiskOperation[] = [];
  #committed: Committed[] = [];
  #replies: ReplyMessage[] = [];
  /** Replies of the Ready that was taken last: not sent if its disk writes fail. */
  #unsafe: readonly ReplyMessage[] = [];
  /** Messages from other members, of which this protocol has none. */
  strayMessages = 0;

  constructor(id: ReplicaId, machine: StateMachine) {
    this.#id = id;
    this.#machine = machine;
  }

  get role(): Role {
    return this.#role;
  }

  step(_from: ReplicaId, _body: Uint8Array, _now: Millis): void {
    this.strayMessages++;
  }

  peers(): readonly Peer[] {
    return [];
  }

  peerLost(_peer: ReplicaId, _now: Millis): void {}

  status(): ReplicaStatus {
    return {
      id: this.#id, mode: 'write-all', role: this.#role, term: 0, leader: undefined, lastIndex: this.#index, commitIndex: this.#index,
      appliedIndex: this.#index, digest: this.#machine.digest(), members: [], suspected: [], counters: { strayMessages: this.strayMessages },
      problem: this.#role === 'failed' ? this.#failure : undefined,
    };
  }

  propose(request: Request, _now: Millis): void {
    this.#answer(request, this.#role === 'failed' ? this.#failedReply() : (this.#sessions.find(request) ?? this.#apply(request)));
  }

  nextTimeout(): Millis {
    return Infinity;
  }

  handleTimeout(_now: Millis): void {}

  takeReady(): Ready | undefined {
    this.#unsafe = this.#replies;
    if (this.#replies.length === 0) return undefined;
    const ready: Ready = { persist: this.#persist, messages: [], committed: this.#committed, replies: this.#replies, role: this.#role };
    this.#persist = [];
    this.#committed = [];
    this.#replies = [];
    return ready;
  }

  persistFailed(reason: string, _now: Millis): void {
    this.#role = 'failed';
    this.#failure = reason;
    this.#persist = [];
    this.#committed = [];
    // Requests that came meanwhile were applied on top of what is lost.
    this.#replies = [...this.#unsafe, ...this.#replies].map((message) => ({ ...message, reply: this.#failedReply() }));
    this.#unsafe = [];
  }

  #apply(request: Request): Reply {
    const reply = this.#machine.apply(request.operation);
    this.#sessions.record(request, reply);
    this.#persist.push(...this.#machine.takeWrites());
    this.#committed.push({ index: ++this.#index, clientId: request.clientId, serial: request.serial });
    return reply;
  }

  #answer(request: Request, reply: Reply): void {
    this.#replies.push({ kind: 'reply', memberId: this.#id, clientId: request.clientId, serial: request.serial, reply });
  }

  #failedReply(): Reply {
    return { status: 'disk-error', offset: 0, digest: new Uint8Array(0), body: encodeText(this.#failure, MAX_REASON_BYTES) };
  }
}
