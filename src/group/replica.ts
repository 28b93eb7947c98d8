import type { Millis } from '../core/machine.ts';
import type { DiskOperation } from './disk.ts';
import type { ReplyMessage, Request } from './message.ts';

/**
 * group: replication above the transport. Wire messages and framing, state machines that can be replicated, replicas as
 * pure step functions, and the client's side. It knows byte streams and members, but neither sockets nor files: disk writes
 * come out as data, and whoever runs a replica (host/, net/) carries them out. First room: a replicated file sink by
 * write-all; Raft, view-based multicast and quorums implement the same `Replica`.
 */

/** Names one life of a member: one that restarts without its disk is another member, with another name. */
export type ReplicaId = string;

/** What a replica is now; `failed` is for good. */
export type Role =
  /** One of equals. */
  | 'member'
  /** Raft, and `leader` and `follower` of a sequencer. A learner has no vote yet. */
  | 'learner' | 'follower' | 'pre-candidate' | 'candidate' | 'leader'
  /** Primary-backup, and inside all groups with views: the first of the view, the others. `outside`: whoever is in no view. */
  | 'primary' | 'backup' | 'outside'
  | 'failed';

/** Whether it decides the order. Two may say so of themselves for a moment. */
export function leads(role: Role): boolean {
  return role === 'leader' || role === 'primary';
}

/** A message for another replica, in the words of their protocol. May be lost, doubled, or overtaken. */
export interface Envelope {
  readonly to: ReplicaId;
  readonly body: Uint8Array;
}

/** Somebody whom a replica talks to, and where to find him. */
export interface Peer {
  readonly id: ReplicaId;
  /** HOST:PORT, or whatever the driver understands. */
  readonly address: string;
}

/** A request to a member of another group (a view service), as one of its clients. Its answer comes to answered(). */
export interface Errand {
  readonly to: Peer;
  readonly request: Request;
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
  /** Newly applied, in order. */
  readonly committed: readonly Committed[];
  readonly replies: readonly ReplyMessage[];
  /** Sent after `persist`, as messages are. */
  readonly errands?: readonly Errand[];
  readonly role: Role;
}

/** What a replica says of itself, for people and for balancers. */
export interface ReplicaStatus {
  readonly id: ReplicaId;
  readonly mode: string;
  /** In the words of the mode. */
  readonly role: Role;
  /** Raft's term, or the number of the view. 0: none yet. */
  readonly term: number;
  /** Whom it takes for the leader or primary; undefined: nobody, or there is none in this mode. */
  readonly leader: ReplicaId | undefined;
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  /** Of the service's state at `appliedIndex`, in hexadecimal. */
  readonly digest: string;
  readonly members: readonly (Peer & { readonly isVoter: boolean })[];
  readonly suspected: readonly ReplicaId[];
  /** What it counted, by name: elections, false suspicions, messages, dropped ones, … */
  readonly counters: Readonly<Record<string, number>>;
  /** Why it does not serve; undefined when it does. */
  readonly problem: string | undefined;
}

/** One member's protocol, sans-I/O. Every call only changes state; what follows from it is in the next Ready. */
export interface Replica {
  /** A message from another member. One that makes no sense is counted and dropped. */
  step(from: ReplicaId, body: Uint8Array, now: Millis): void;
  /** A client's request; its reply comes in a Ready, sooner or later or never. The caller bounds what it proposes before it takes one. */
  propose(request: Request, now: Millis): void;
  /** Members whom it wants to be connected with, itself excluded. */
  peers(): readonly Peer[];
  /** The connection to or from a peer has died: evidence, no proof. */
  peerLost(peer: ReplicaId, now: Millis): void;
  /** The answer to an errand, from a member of the other group. */
  answered?(reply: ReplyMessage, now: Millis): void;
  status(): ReplicaStatus;
  nextTimeout(): Millis;
  handleTimeout(now: Millis): void;
  /** Everything since the last call; undefined when there is nothing. Taking the next one says that the one before is on disk. */
  takeReady(): Ready | undefined;
  /** The last Ready's `persist` could not be carried out. The replica can no longer promise anything. */
  persistFailed(reason: string, now: Millis): void;
}
