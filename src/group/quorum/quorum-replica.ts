import { assert } from '../../core/assert.ts';
import type { Millis } from '../../core/machine.ts';
import type { Random } from '../../core/random.ts';
import type { Sink } from '../../core/trace.ts';
import { encodeText } from '../byte-codec.ts';
import type { KvLimits } from '../kv/kv-store.ts';
import { MAX_REASON_BYTES, type ReplyMessage, type Request } from '../message.ts';
import type { Envelope, Peer, Ready, Replica, ReplicaId, ReplicaStatus, Role } from '../replica.ts';
import { SnapshotError, type Status } from '../state-machine.ts';
import type { Storage } from '../storage.ts';
import { MAX_SEATS, mergeLives, equalLives, type Lives } from './lives.ts';
import { decodeQuorumOperation, encodeQuorumAnswer, type Cell } from './quorum-operation.ts';
import { RegisterJournal } from './register-journal.ts';
import type { RegisterStore } from './register-store.ts';
import { Recovery } from './recovery.ts';
import { decodeRecoveryMessage, encodeRecoveryMessage, type Fetch, type Inquiry } from './recovery-message.ts';

export interface QuorumOptions {
  readonly id: ReplicaId;
  /** Its place among the members. */
  readonly seat: number;
  /** 2k+1 of them, by seat. Their addresses never change; an id does if a member that has lost its disk comes back with another one. */
  readonly members: readonly Peer[];
  /**
   * The group is being founded: an empty disk is as it should be. When false, whoever has an empty disk has lost his memory, whatever
   * he calls himself, and reads it from the others before he says anything.
   */
  readonly isFounding: boolean;
  readonly storage: Storage;
  readonly random: Random;
  readonly sink?: Sink;
  /** A recovering member repeats its questions after this time. */
  readonly retryMs?: Millis;
  /** A log of so many bytes is replaced by a snapshot, if that is less than half of it. */
  readonly compactBytes?: number;
  /** What clients can put here, in all; those of the key-value store unless said otherwise. More is `busy`, with the reason. */
  readonly limits?: Partial<KvLimits>;
}

const DEFAULT_RETRY_MS = 200;
const DEFAULT_COMPACT_BYTES = 4 * 1024 * 1024;
/** Whoever recovers and has asked nothing for so long has ended, in one way or another. */
const GUEST_IDLE_MS = 30_000;

/** A member that recovers, and that is therefore to be reached. */
interface Guest {
  readonly peer: Peer;
  untilMs: Millis;
}

class QuorumCounters {
  reads = 0;
  writes = 0;
  /** Writes that came late, or again: what is here is as new. */
  staleWrites = 0;
  /** Requests while its memory was not whole. */
  unavailable = 0;
  /** Writes for which there is no room. */
  full = 0;
  malformed = 0;
  recoveries = 0;
  recoveryMessages = 0;
}

/**
 * One member of the quorum register of Attiya, Bar-Noy and Dolev (1995), with the tags of several writers (Lynch and Shvartsman
 * 1997): it holds the newest value that it was told for each key. It orders nothing, leads nothing, and speaks with the other
 * members only to get its memory back. All coordination is the client's, see QuorumClient.
 */
export class QuorumReplica implements Replica {
  readonly counters = new QuorumCounters();
  readonly #id: ReplicaId;
  readonly #seat: number;
  readonly #members: Peer[];
  readonly #random: Random;
  readonly #sink: Sink | undefined;
  readonly #retryMs: Millis;
  readonly #run: number;
  readonly #journal: RegisterJournal;
  readonly #store: RegisterStore;
  #lives: Lives;
  #recovery: Recovery | undefined;
  #retryAtMs: Millis = Infinity;
  readonly #guests = new Map<ReplicaId, Guest>();
  #failure: string | undefined;
  #messages: Envelope[] = [];
  #replies: ReplyMessage[] = [];
  /** Replies of the Ready that was taken last: not sent if its disk writes fail. */
  #unsafe: readonly ReplyMessage[] = [];

  /** Throws RangeError for a seat that there is not, and CorruptLogError for a disk whose content is not this protocol's. */
  constructor(options: QuorumOptions) {
    const { id, seat, members, storage } = options;
    if (members.length < 1 || members.length > MAX_SEATS) throw new RangeError(`a quorum group has 1 to ${MAX_SEATS} members, not ${members.length}`);
    if (members[seat] === undefined) throw new RangeError(`there is no seat ${seat} among ${members.length}`);
    this.#id = id;
    this.#seat = seat;
    this.#members = members.map((peer, i) => (i === seat ? { ...peer, id } : peer));
    this.#random = options.random;
    this.#sink = options.sink;
    this.#retryMs = options.retryMs ?? DEFAULT_RETRY_MS;
    this.#run = options.random.uint32();
    this.#journal = new RegisterJournal(storage, seat, members.length, options.compactBytes ?? DEFAULT_COMPACT_BYTES, options.limits);
    this.#store = this.#journal.store;
    const isFounder = options.isFounding && this.#journal.isNew;
    this.#lives = this.#journal.lives;
    // A disk that may have lost a write has a member that may have lost one: what it promised, it can promise no longer.
    if (storage.isSuspect || !(this.#journal.isWhole || isFounder)) this.#recover();
    else if (isFounder) this.#journal.saveLives(this.#lives, true);
  }

  step(from: ReplicaId, body: Uint8Array, now: Millis): void {
    const message = decodeRecoveryMessage(body, this.#members.length);
    if (message === undefined || message.seat === this.#seat) {
      this.counters.malformed++;
      return;
    }
    if (this.#failure !== undefined) return;
    this.counters.recoveryMessages++;
    if (message.kind === 'inquiry' || message.kind === 'fetch') {
      // What a member without its memory says of the others is worth nothing.
      if (this.#recovery === undefined) this.#inform(from, message, now);
      return;
    }
    if (this.#recovery === undefined) return;
    if (message.kind === 'lives') {
      if (this.#recovery.learned(message)) this.#askAll(now);
      return;
    }
    let cells: readonly Cell[] | undefined;
    try {
      cells = this.#recovery.fetched(message);
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      this.counters.malformed++;
      return;
    }
    for (const cell of cells ?? []) this.#journal.keep(cell);
    if (this.#recovery.isComplete) this.#recovered(now);
    else if (cells !== undefined) this.#ask(message.seat);
  }

  propose(request: Request, now: Millis): void {
    if (this.#failure !== undefined) return this.#refuse(request, 'disk-error', this.#failure);
    const operation = decodeQuorumOperation(request.operation);
    if (operation === undefined) {
      this.counters.malformed++;
      return this.#refuse(request, 'refused', 'a quorum register can only be read and written');
    }
    if (this.#recovery !== undefined) {
      this.counters.unavailable++;
      return this.#refuse(request, 'unavailable', this.#problem()!);
    }
    if (operation.kind === 'read') {
      this.counters.reads++;
      const cell = this.#store.get(operation.key);
      return this.#answer(request, encodeQuorumAnswer(this.#seat, this.#lives, cell?.tag, cell?.value));
    }
    const full = operation.kind === 'write' ? this.#store.refusal(operation) : undefined;
    if (full !== undefined) {
      this.counters.full++;
      return this.#refuse(request, 'busy', full);
    }
    this.counters.writes++;
    if (this.#journal.keep(operation)) {
      this.#sink?.emit(now, { type: 'append', member: this.#id, index: this.#journal.lastIndex, counter: operation.tag.counter, clientId: operation.tag.clientId });
    } else {
      this.counters.staleWrites++;
    }
    this.#answer(request, encodeQuorumAnswer(this.#seat, this.#lives));
  }

  /** Those whom it asks for its memory, or who ask it for theirs. */
  peers(): readonly Peer[] {
    if (this.#recovery !== undefined) return this.#members.filter((_, seat) => seat !== this.#seat);
    return [...this.#guests.values()].map(({ peer }) => peer);
  }

  peerLost(peer: ReplicaId, _now: Millis): void {
    this.#guests.delete(peer);
  }

  status(): ReplicaStatus {
    const index = this.#journal.lastIndex;
    return {
      id: this.#id, mode: 'quorum', role: this.#role, term: this.#lives[this.#seat]!, leader: undefined, lastIndex: index, commitIndex: index,
      appliedIndex: index, digest: this.#store.digest(), suspected: [], counters: { ...this.counters, keys: this.#store.keys, compactions: this.#journal.compactions }, problem: this.#problem(),
      members: this.#members.map((peer) => ({ ...peer, isVoter: true })),
    };
  }

  nextTimeout(): Millis {
    let at = this.#recovery === undefined || this.#failure !== undefined ? Infinity : this.#retryAtMs;
    for (const { untilMs } of this.#guests.values()) at = Math.min(at, untilMs);
    return at;
  }

  handleTimeout(now: Millis): void {
    for (const [id, { untilMs }] of this.#guests) if (untilMs <= now) this.#guests.delete(id);
    if (this.#recovery !== undefined && this.#failure === undefined && this.#retryAtMs <= now) this.#askAll(now);
  }

  takeReady(): Ready | undefined {
    this.#unsafe = this.#replies;
    const persist = this.#failure === undefined ? this.#journal.takeWrites() : [];
    if (persist.length === 0 && this.#replies.length === 0 && this.#messages.length === 0) return undefined;
    const ready: Ready = { persist, messages: this.#messages, committed: [], replies: this.#replies, role: this.#role };
    this.#messages = [];
    this.#replies = [];
    return ready;
  }

  persistFailed(reason: string, now: Millis): void {
    this.#failure = reason;
    this.#messages = [];
    this.#guests.clear();
    const body = encodeText(reason, MAX_REASON_BYTES);
    this.#replies = [...this.#unsafe, ...this.#replies].map((message) => ({ ...message, reply: { status: 'disk-error', offset: 0, digest: NOTHING, body } }));
    this.#unsafe = [];
    this.#become(now);
  }

  get #role(): Role {
    if (this.#failure !== undefined) return 'failed';
    return this.#recovery === undefined ? 'member' : 'outside';
  }

  #problem(): string | undefined {
    if (this.#failure !== undefined) return this.#failure;
    return this.#recovery === undefined ? undefined : 'its memory is not whole: it reads what a majority of the others has';
  }

  #become(now: Millis): void {
    this.#sink?.emit(now, { type: 'become', member: this.#id, role: this.#role, term: this.#lives[this.#seat]! });
  }

  #recover(): void {
    // A majority of all, to be found among the others.
    const quorum = Math.floor(this.#members.length / 2) + 1;
    this.#recovery = new Recovery(this.#seat, this.#lives, quorum, this.#random);
    this.#journal.saveLives(this.#lives, false);
    this.counters.recoveries++;
    this.#retryAtMs = -Infinity;
  }

  #recovered(now: Millis): void {
    assert(this.#recovery !== undefined, 'a member that recovers not cannot have recovered');
    this.#lives = this.#recovery.lives;
    this.#recovery = undefined;
    this.#retryAtMs = Infinity;
    // On disk together with the last cells, and before the first answer.
    this.#journal.recovered(this.#lives);
    this.#become(now);
  }

  #askAll(now: Millis): void {
    this.#members.forEach((_, seat) => {
      if (seat !== this.#seat) this.#ask(seat);
    });
    this.#retryAtMs = now + this.#retryMs;
  }

  #ask(seat: number): void {
    const question = this.#recovery?.question(seat);
    if (question !== undefined) this.#messages.push({ to: this.#members[seat]!.id, body: encodeRecoveryMessage(question) });
  }

  #inform(guest: ReplicaId, question: Inquiry | Fetch, now: Millis): void {
    const { nonce } = question;
    const peer: Peer = { id: guest, address: this.#members[question.seat]!.address };
    // Who lost his disk may have another name now.
    this.#members[question.seat] = peer;
    // One guest a seat: an earlier one has been replaced.
    for (const [id, other] of this.#guests) if (id !== guest && other.peer.address === peer.address) this.#guests.delete(id);
    this.#guests.set(guest, { peer, untilMs: now + GUEST_IDLE_MS });
    const answer = { nonce, seat: this.#seat };
    if (question.kind === 'inquiry') {
      this.#messages.push({ to: guest, body: encodeRecoveryMessage({ kind: 'lives', ...answer, lives: this.#lives }) });
      return;
    }
    const lives = mergeLives(this.#lives, this.#lives.map((life, seat) => (seat === question.seat ? question.life : life)));
    if (!equalLives(lives, this.#lives)) {
      this.#lives = lives;
      // On disk before the cells leave: a write that is answered from now on says that the life before is over.
      this.#journal.saveLives(lives, true);
    }
    const { bytes, next } = this.#store.chunk(question.from);
    const chunk = { run: this.#run, from: question.from, next, isLast: next >= this.#store.keys, cells: bytes };
    this.#messages.push({ to: guest, body: encodeRecoveryMessage({ kind: 'chunk', ...answer, lives: this.#lives, ...chunk }) });
  }

  #answer(request: Request, body: Uint8Array): void {
    this.#reply(request, 'ok', body);
  }

  #refuse(request: Request, status: Status, reason: string): void {
    this.#reply(request, status, encodeText(reason, MAX_REASON_BYTES));
  }

  #reply({ clientId, serial }: Request, status: Status, body: Uint8Array): void {
    this.#replies.push({ kind: 'reply', memberId: this.#id, clientId, serial, reply: { status, offset: 0, digest: NOTHING, body } });
  }
}

const NOTHING = new Uint8Array(0);
