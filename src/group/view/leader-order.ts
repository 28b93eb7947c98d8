import type { Millis } from '../../core/machine.ts';
import type { Request } from '../message.ts';
import { encodeCommand } from '../log-command.ts';
import type { Peer, ReplicaId } from '../replica.ts';
import { SnapshotSending } from '../snapshot-transfer.ts';
import type { ViewCore } from './view-core.ts';
import type { ViewMessage } from './view-message.ts';

/** Of the entries in one message, unless a single one is larger. */
const MAX_ORDER_BYTES = 64 * 1024;

/** Entries that a guest may lag behind and still be let in: under load there are always some on the way. */
const READY_LAG = 64;

/** Retries through which a guest may be silent. One who lives asks again. */
const MAX_SILENT_RETRIES = 25;

/** What the leader knows of one member, or of one who wants to become one. */
interface Follower {
  readonly peer: Peer;
  /** Everything up to here is on its disk. */
  match: number;
  next: number;
  /** The last round of the leader's that it has heard. */
  round: number;
  /** What it had at the last retry: nothing has come through since. */
  matchAtRetry: number;
  /** Retries since it was heard. */
  silentRetries: number;
  /** What it was told is stable. */
  told: number;
  sending: SnapshotSending | undefined;
}

/**
 * What a leader does: it gives each request its place, sends it to everybody, and knows what is stable: on the disks of all members of the
 * view. Who is not yet a member is sent the same, and is not waited for.
 */
export class LeaderOrder {
  readonly #core: ViewCore;
  readonly #followers = new Map<ReplicaId, Follower>();
  readonly #guests = new Map<ReplicaId, Follower>();
  #round = 0;
  #transfers: number;

  /** `firstTransfer`: drawn, since a member may still hold chunks of an earlier life's. */
  constructor(core: ViewCore, firstTransfer: number) {
    this.#core = core;
    this.#transfers = firstTransfer;
  }

  get round(): number {
    return this.#round;
  }

  get guests(): Peer[] {
    return [...this.#guests.values()].map(({ peer }) => peer);
  }

  /** A view begins in which this member leads; `lasts` says where the others' logs end, and what their last terms are. */
  begin(lasts: ReadonlyMap<ReplicaId, { readonly lastIndex: number; readonly lastTerm: number }>): void {
    this.end();
    for (const peer of this.#core.others) {
      const last = lasts.get(peer.id);
      this.#followers.set(peer.id, this.#meet(peer, last?.lastIndex ?? 0, last?.lastTerm ?? 0));
    }
  }

  /** All have the log that the view begins with, and agree on the rest themselves; only guests are still to be led. */
  release(): void {
    this.#followers.clear();
  }

  end(): void {
    for (const { sending } of [...this.#followers.values(), ...this.#guests.values()]) sending?.end();
    this.#followers.clear();
    this.#guests.clear();
  }

  /** Somebody outside wants to come in: he is sent what he lacks. */
  welcome(peer: Peer, lastIndex: number, lastTerm: number): void {
    if (this.#guests.has(peer.id)) return;
    this.#guests.set(peer.id, this.#meet(peer, lastIndex, lastTerm));
    this.pump();
  }

  /** Guests who answer and have nearly all that is stable: the flush that begins their view brings them the rest. */
  readyGuests(): Peer[] {
    const { stableIndex } = this.#core;
    return [...this.#guests.values()].filter(({ match, round, sending }) => sending === undefined && round > 0 && match + READY_LAG >= stableIndex).map(({ peer }) => peer);
  }

  order(request: Request, now: Millis): void {
    this.orderBytes(encodeCommand({ kind: 'request', request }), now);
  }

  orderBytes(bytes: Uint8Array, now: Millis): void {
    const core = this.#core;
    core.append([{ index: core.log.lastIndex + 1, term: core.view.number, bytes }], now);
    core.counters.ordered++;
  }

  /** Sends what there is to send. */
  pump(): void {
    for (const follower of this.#all()) this.#send(follower, false);
  }

  /** Sends what there is to send, and says what has become stable. */
  announce(): void {
    // Who lags cannot be told more than it was sent: to say that again would be for ever.
    for (const follower of this.#followers.values()) this.#send(follower, follower.told < Math.min(this.#core.stableIndex, follower.next - 1));
    for (const guest of this.#guests.values()) this.#send(guest, false);
  }

  /** Says something to everybody, and begins a new round. */
  broadcast(): void {
    this.#round++;
    for (const follower of this.#all()) this.#send(follower, true);
  }

  /** What was not acknowledged since the last call is sent again. */
  retry(): void {
    for (const [id, guest] of this.#guests) if (++guest.silentRetries > MAX_SILENT_RETRIES) this.#dismiss(id, guest);
    for (const follower of this.#all()) {
      if (follower.sending !== undefined) {
        if (!follower.sending.resend()) this.#sendSnapshot(follower);
      } else if (follower.match === follower.matchAtRetry && follower.next > follower.match + 1) {
        this.#core.counters.resent++;
        follower.next = follower.match + 1;
      }
      follower.matchAtRetry = follower.match;
    }
    this.broadcast();
  }

  acknowledged(from: ReplicaId, { index, round }: ViewMessage & { readonly kind: 'ack' }): void {
    const follower = this.#followers.get(from) ?? this.#guests.get(from);
    if (follower === undefined || index > this.#core.log.lastIndex) return;
    follower.silentRetries = 0;
    follower.round = Math.max(follower.round, round);
    follower.match = Math.max(follower.match, index);
    follower.next = Math.max(follower.next, follower.match + 1);
    this.#send(follower, false);
  }

  received(from: ReplicaId, { transfer, received, isComplete }: ViewMessage & { readonly kind: 'chunk-reply' }): void {
    const follower = this.#followers.get(from) ?? this.#guests.get(from);
    const sending = follower?.sending;
    if (follower === undefined || sending?.transfer !== transfer) return;
    follower.silentRetries = 0;
    if (!isComplete) {
      sending.received(transfer, received);
      return;
    }
    sending.end();
    follower.sending = undefined;
    follower.match = sending.mark.index;
    follower.next = follower.match + 1;
    this.#send(follower, false);
  }

  /** What is on the disks of all members of the view. */
  stableIndex(): number {
    let least = this.#core.durableIndex;
    for (const { match } of this.#followers.values()) least = Math.min(least, match);
    return least;
  }

  /** Everybody has at least so much. */
  hasReached(index: number): boolean {
    return [...this.#followers.values()].every(({ match }) => match >= index);
  }

  /** Everybody in the view has heard the leader in this round or later. */
  isHeard(round: number): boolean {
    return [...this.#followers.values()].every((follower) => follower.round >= round);
  }

  /**
   * Entries behind this are needed: by a snapshot on its way, or by a guest that has got one. Without them he would need another each time he has
   * got one. Who lags too far holds nothing back.
   */
  get oldestNeeded(): number {
    const { log, config } = this.#core;
    let oldest = Infinity;
    for (const { sending, match } of this.#all()) {
      const from = sending?.mark.index ?? match;
      if (log.bytesBetween(from, log.lastIndex) <= config.maxKeptBytes) oldest = Math.min(oldest, from);
    }
    return oldest;
  }

  /** It holds up what could be forgotten. */
  #dismiss(id: ReplicaId, guest: Follower): void {
    guest.sending?.end();
    this.#guests.delete(id);
  }

  *#all(): Iterable<Follower> {
    yield* this.#followers.values();
    yield* this.#guests.values();
  }

  #meet(peer: Peer, lastIndex: number, lastTerm: number): Follower {
    const { log } = this.#core;
    const follower: Follower = { peer, match: lastIndex, next: lastIndex + 1, round: 0, matchAtRetry: -1, silentRetries: 0, told: 0, sending: undefined };
    if (log.termAt(lastIndex) === lastTerm) return follower;
    follower.match = 0;
    this.#sendSnapshot(follower);
    return follower;
  }

  #send(follower: Follower, withHeartbeat: boolean): void {
    const core = this.#core;
    const { log, config } = core;
    let hasSent = false;
    while (follower.sending === undefined && follower.next <= log.lastIndex && log.bytesBetween(follower.match, follower.next - 1) < config.maxInflightBytes) {
      if (follower.next <= log.baseIndex) {
        this.#sendSnapshot(follower);
        return;
      }
      follower.next += this.#sendOrder(follower, Math.min(MAX_ORDER_BYTES, config.maxInflightBytes));
      hasSent = true;
    }
    if (withHeartbeat && !hasSent && follower.sending === undefined) this.#sendOrder(follower, 0);
  }

  /** Returns how many entries went. */
  #sendOrder(follower: Follower, maxBytes: number): number {
    const core = this.#core;
    const prevIndex = follower.next - 1;
    const prevTerm = core.log.termAt(prevIndex);
    if (prevTerm === undefined) {
      this.#sendSnapshot(follower);
      return 0;
    }
    const entries = maxBytes === 0 ? [] : core.log.slice(follower.next, maxBytes);
    const { stableIndex } = core;
    follower.told = Math.min(stableIndex, prevIndex + entries.length);
    core.send(follower.peer.id, { kind: 'order', view: core.view.number, prevIndex, prevTerm, stableIndex, lastIndex: core.log.lastIndex, round: this.#round, entries });
    return entries.length;
  }

  #sendSnapshot(follower: Follower): void {
    const core = this.#core;
    follower.sending?.end();
    const mark = core.mark();
    core.counters.snapshotsSent++;
    follower.sending = new SnapshotSending(mark, core.service.snapshot(), ++this.#transfers, (chunk) => {
      core.send(follower.peer.id, { kind: 'chunk', view: core.view.number, index: mark.index, term: mark.term, ...chunk });
    });
  }
}
