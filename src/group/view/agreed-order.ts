import type { Millis } from '../../core/machine.ts';
import type { Request } from '../message.ts';
import { encodeCommand } from '../log-command.ts';
import type { ReplicaId } from '../replica.ts';
import type { ViewCore } from './view-core.ts';
import { compareStamps, type MessageId, type PendingMessage, type Stamp, type ViewMessage } from './view-message.ts';

interface Pending {
  readonly id: MessageId;
  bytes: Uint8Array;
  stamp: Stamp;
  isFinal: boolean;
}

/** A message that this member began. */
interface Own {
  readonly id: MessageId;
  readonly bytes: Uint8Array;
  /** Who has proposed, and what. */
  readonly proposals: Map<ReplicaId, Stamp>;
  final: Stamp | undefined;
  /** Its place in the order, the same at all, once it is delivered here: whoever has acknowledged that has its final stamp. */
  index: number;
}

const MAX_REPORTED = 4096;
const PENDING_OVERHEAD_BYTES = 64;

/** Numbers of one member's messages that are delivered. He counts them without gaps, so all but the latest are one number. */
class Delivered {
  /** All below are delivered. */
  #next = 1;
  readonly #ahead = new Set<number>();

  add(number: number): void {
    this.#ahead.add(number);
    while (this.#ahead.delete(this.#next)) this.#next++;
  }

  has(number: number): boolean {
    return number < this.#next || this.#ahead.has(number);
  }
}

/**
 * The order that all agree on (ABCAST of ISIS; Birman & Joseph 1987): whoever begins a message sends it to all; each says which stamp it
 * would give it, above all that it has seen; the largest becomes final. A message is delivered when it is final and has the smallest
 * stamp of all that are known: since a final stamp is never below a proposal, nothing can come before it any more. Nobody decides alone.
 */
export class AgreedOrder {
  readonly #core: ViewCore;
  #clock = 0;
  #nextNumber = 1;
  /** Not delivered; by id. */
  #pending = new Map<string, Pending>();
  #pendingBytes = 0;
  readonly #own = new Map<string, Own>();
  /** Delivered in this view, by the seat of who began them: what comes again is not taken for new. */
  readonly #delivered = new Map<number, Delivered>();
  /** Of each other member: its log on disk ends there, in this view. */
  readonly #acknowledged = new Map<ReplicaId, number>();
  #announced = 0;

  constructor(core: ViewCore) {
    this.#core = core;
  }

  get clock(): number {
    return this.#clock;
  }

  /**
   * What a report says of what is not delivered: at least one message, since there is room for the largest, and else as many as `maxBytes` hold. What
   * nobody speaks of was answered by nobody, and is asked again.
   */
  pending(maxBytes: number): PendingMessage[] {
    const pending: PendingMessage[] = [];
    let bytesLeft = maxBytes;
    for (const { id, stamp, isFinal, bytes } of this.#pending.values()) {
      bytesLeft -= bytes.length + PENDING_OVERHEAD_BYTES;
      if (pending.length > 0 && (bytesLeft < 0 || pending.length >= MAX_REPORTED)) break;
      pending.push({ id, stamp, isFinal, bytes });
    }
    return pending;
  }

  /** A view begins to work. */
  begin(clock: number): void {
    this.#clock = Math.max(this.#clock, clock);
    this.forget();
    this.#nextNumber = 1;
    this.#delivered.clear();
    this.#acknowledged.clear();
    this.#announced = 0;
  }

  /** What is not delivered is the others' business: either all have it from here, or this member is outside. */
  forget(): void {
    this.#pending.clear();
    this.#pendingBytes = 0;
    this.#own.clear();
  }

  /** Begins a message; false: there is no room. */
  submit(request: Request): boolean {
    const core = this.#core;
    // Not whether this one fits, too: the largest would hardly ever find so much room.
    if (this.#pendingBytes >= core.config.maxPendingBytes) return false;
    const bytes = encodeCommand({ kind: 'request', request });
    const id = { view: core.view.number, seat: core.seat, number: this.#nextNumber++ };
    const own: Own = { id, bytes, proposals: new Map(), final: undefined, index: Infinity };
    this.#own.set(keyOf(id), own);
    core.counters.ordered++;
    own.proposals.set(core.self.id, this.#receive(id, bytes));
    core.multicast({ kind: 'submit', view: core.view.number, id, bytes });
    this.#decide(own);
    return true;
  }

  submitted(from: ReplicaId, { id, bytes }: ViewMessage & { readonly kind: 'submit' }): void {
    const key = keyOf(id);
    const core = this.#core;
    // A number of another view's, or of nobody, would never become final and hold up all others.
    if (id.view !== core.view.number || core.view.members[id.seat]?.id !== from || this.#delivered.get(id.seat)?.has(id.number) === true) return;
    const known = this.#pending.get(key);
    const stamp = known?.stamp ?? this.#receive(id, bytes.slice());
    if (known?.isFinal !== true) core.send(from, { kind: 'propose', view: core.view.number, id, stamp });
  }

  proposed(from: ReplicaId, { id, stamp }: ViewMessage & { readonly kind: 'propose' }): void {
    const own = this.#own.get(keyOf(id));
    if (own === undefined || own.final !== undefined) return;
    own.proposals.set(from, stamp);
    this.#clock = Math.max(this.#clock, stamp.clock);
    this.#decide(own);
  }

  finalized({ id, stamp }: ViewMessage & { readonly kind: 'final' }): void {
    this.#clock = Math.max(this.#clock, stamp.clock);
    const pending = this.#pending.get(keyOf(id));
    if (pending === undefined) return;
    pending.stamp = stamp;
    pending.isFinal = true;
  }

  /** A member's log ends there. */
  acknowledged(from: ReplicaId, index: number): void {
    this.#acknowledged.set(from, Math.max(this.#reached(from), index));
  }

  /** Delivers what nothing can come before any more, and tells everybody how far that is. */
  deliver(now: Millis): void {
    const core = this.#core;
    for (let first = this.#first(); first?.isFinal === true; first = this.#first()) {
      const { seat, number } = first.id;
      this.#pending.delete(keyOf(first.id));
      this.#pendingBytes -= first.bytes.length;
      const delivered = this.#delivered.get(seat) ?? new Delivered();
      this.#delivered.set(seat, delivered);
      delivered.add(number);
      core.append([{ index: core.log.lastIndex + 1, term: core.view.number, bytes: first.bytes }], now);
      const own = this.#own.get(keyOf(first.id));
      if (own !== undefined) own.index = core.log.lastIndex;
    }
    const stableIndex = this.stableIndex();
    for (const [key, { index }] of this.#own) if (index <= stableIndex) this.#own.delete(key);
    if (core.log.lastIndex > this.#announced) {
      this.#announced = core.log.lastIndex;
      core.multicast({ kind: 'ack', view: core.view.number, index: core.log.lastIndex, round: 0 });
    }
  }

  /** What is on the disks of all members of the view. */
  stableIndex(): number {
    let least = this.#core.durableIndex;
    for (const { id } of this.#core.others) least = Math.min(least, this.#reached(id));
    return least;
  }

  /** Asks again who has not answered. Where this member's log ends, its heartbeats say, too. */
  retry(): void {
    const core = this.#core;
    const view = core.view.number;
    for (const { id, bytes, proposals, final, index } of this.#own.values()) {
      for (const peer of core.others) {
        if (final === undefined && !proposals.has(peer.id)) core.send(peer.id, { kind: 'submit', view, id, bytes });
        else if (final !== undefined && this.#reached(peer.id) < index) core.send(peer.id, { kind: 'final', view, id, stamp: final });
        else continue;
        core.counters.resent++;
      }
    }
  }

  /** A new message: it waits with a stamp above all that was seen. */
  #receive(id: MessageId, bytes: Uint8Array): Stamp {
    const stamp = { clock: ++this.#clock, seat: this.#core.seat };
    this.#pending.set(keyOf(id), { id, bytes, stamp, isFinal: false });
    this.#pendingBytes += bytes.length;
    return stamp;
  }

  #decide(own: Own): void {
    const core = this.#core;
    if (!core.view.members.every(({ id }) => own.proposals.has(id))) return;
    const final = [...own.proposals.values()].reduce((largest, stamp) => (compareStamps(stamp, largest) > 0 ? stamp : largest));
    own.final = final;
    const pending = this.#pending.get(keyOf(own.id))!;
    pending.stamp = final;
    pending.isFinal = true;
    core.multicast({ kind: 'final', view: core.view.number, id: own.id, stamp: final });
  }

  #reached(peer: ReplicaId): number {
    return this.#acknowledged.get(peer) ?? 0;
  }

  #first(): Pending | undefined {
    let first: Pending | undefined;
    for (const pending of this.#pending.values()) if (first === undefined || compareStamps(pending.stamp, first.stamp) < 0) first = pending;
    return first;
  }
}

function keyOf({ view, seat, number }: MessageId): string {
  return `${view}.${seat}.${number}`;
}

/**
 * What the survivors make of messages that were not delivered when a view ended, in the order in which all deliver them now: with the
 * final stamp if anybody knows it, else with the largest that a survivor proposed. No survivor has delivered anything above that.
 */
export function settlePending(reports: readonly (readonly PendingMessage[])[]): Uint8Array[] {
  const messages = new Map<string, { stamp: Stamp; isFinal: boolean; readonly bytes: Uint8Array; readonly id: MessageId }>();
  for (const { id, stamp, isFinal, bytes } of reports.flat()) {
    const key = keyOf(id);
    const known = messages.get(key);
    if (known === undefined) messages.set(key, { id, stamp, isFinal, bytes });
    else if (isFinal || (!known.isFinal && compareStamps(stamp, known.stamp) > 0)) {
      known.stamp = stamp;
      known.isFinal ||= isFinal;
    }
  }
  const sorted = [...messages.values()].sort((a, b) => compareStamps(a.stamp, b.stamp) || a.id.view - b.id.view || a.id.seat - b.id.seat || a.id.number - b.id.number);
  return sorted.map(({ bytes }) => bytes);
}
