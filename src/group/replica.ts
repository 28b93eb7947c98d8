import type { Millis } from '../core/machine.ts';
import type { DiskOperation } from './disk.ts';
import type { Message, ReplyMessage, Request } from './message.ts';

/**
 * group: replication above the transport. Wire messages and framing, state machines that can be replicated, replicas as
 * pure step functions, and the client's side. It knows byte streams and members, but neither sockets nor files: disk writes
 * come out as data, and whoever runs a replica (host/, net/) carries them out. First room: a replicated file sink by
 * write-all; Raft, view-based multicast and quorums implement the same `Replica`.
 */

/** Names one life of a member: one that restarts without its disk is another member, with another name. */
export type ReplicaId = string;

/** What a replica is now. Grows with the protocols; `failed` is for good. */
export type Role = 'member' | 'failed';

/** A message for another replica. */
export interface Envelope {
  readonly to: ReplicaId;
  readonly message: Message;
}

/** An operation whose place in the order is final, and applied here. */
export interface Committed {
  /** Place in the order, from 1. */
  readonly index: number;
  readonly clientId: string;
  readonly serial: number;
}

/**
 * What a step wants done, in this order: carry out `persist`, then send `messages` and `replies`. When persisting fails, send
 * neither and call persistFailed().
 */
export interface Ready {
  readonly persist: readonly DiskOperation[];
  readonly messages: readonly Envelope[];
  readonly committed: readonly Committed[];
  readonly replies: readonly ReplyMessage[];
  readonly role: Role;
}

/** One member's protocol, sans-I/O. Every call only changes state; what follows from it is in the next Ready. */
export interface Replica {
  /** A message from another member. One that makes no sense is counted and dropped. */
  step(from: ReplicaId, message: Message, now: Millis): void;
  /** A client's request; its reply comes in a Ready, sooner or later or never. The caller bounds what it proposes before it takes one. */
  propose(request: Request, now: Millis): void;
  nextTimeout(): Millis;
  handleTimeout(now: Millis): void;
  /** Everything since the last call; undefined when there is nothing. Taking the next one says that the one before is on disk. */
  takeReady(): Ready | undefined;
  /** The last Ready's `persist` could not be carried out. The replica can no longer promise anything. */
  persistFailed(reason: string, now: Millis): void;
}
