import { Fifo } from '../core/fifo.ts';
import type { Millis } from '../core/machine.ts';
import type { Random } from '../core/random.ts';
import { parseDuration, parseProbability } from '../core/units.ts';
import { encodeText } from './byte-codec.ts';
import { alterLastByte, type Lies } from './lies.ts';
import type { ReplyMessage, Request } from './message.ts';
import type { Envelope, Peer, Ready, Replica, ReplicaId, ReplicaStatus } from './replica.ts';

export const FAULTS = ['wrong-value', 'two-faced', 'drops-replies', 'drops-requests', 'slow'] as const;
export type FaultKind = (typeof FAULTS)[number];

/**
 * What is wrong with a member, all of it above the transport: acknowledgements and keep-alives flow as ever.
 * - `wrong-value`: obeys the protocol and lies to clients only;
 * - `two-faced`: lies to every second of the other members, too, and each client hears another lie;
 * - `drops-replies`, `drops-requests`: what clients ask is done but not answered, or not done at all;
 * - `slow`: answers clients late.
 */
export interface Fault {
  readonly kind: FaultKind;
  /** Liars only: all that collude tell the same lie; one that does not tells another than everybody else. */
  readonly isColluding: boolean;
  /** Of a lie, or of a drop, in [0, 1]. */
  readonly probability: number;
  /** Of a reply, when slow. */
  readonly delayMs: Millis;
}

const DEFAULT_DELAY_MS = 500;
/** Replies that wait to be late enough. */
const MAX_DELAYED = 4096;
/** Requests of which the lie is already chosen. */
const MAX_ASKED = 4096;
const MAX_NAME_BYTES = 64;

/**
 * `wrong-value`, `wrong-value:independent`, `two-faced`, `drops-replies`, `drops-replies:50%`, `drops-requests`, `slow`, `slow:2s`. Throws
 * Error for anything else.
 */
export function parseFault(text: string): Fault {
  const [name, detail, ...rest] = text.split(':');
  const kind = FAULTS.find((fault) => fault === name);
  if (kind === undefined || rest.length > 0) throw new Error(`"${text}" is not a fault: write ${FAULTS.join(', ')}`);
  const fault: Fault = { kind, isColluding: true, probability: 1, delayMs: DEFAULT_DELAY_MS };
  if (detail === undefined) return fault;
  if (kind === 'slow') return { ...fault, delayMs: parseDuration(detail) };
  if (kind === 'drops-replies' || kind === 'drops-requests') return { ...fault, probability: parseProbability(detail) };
  if (detail === 'colluding' || detail === 'independent') return { ...fault, isColluding: detail === 'colluding' };
  throw new Error(`"${text}" is not a fault: liars are colluding or independent`);
}

/** `2:wrong-value`: the fault of the second of `size` members. Throws Error. */
export function parseFaultyMember(text: string, size: number): { readonly member: number; readonly fault: Fault } {
  const match = /^(\d+):(.+)$/.exec(text);
  const member = Number(match?.[1]);
  if (match === null || member < 1 || member > size) throw new Error(`"${text}" is not MEMBER:FAULT, as in 2:wrong-value, with a member from 1 to ${size}`);
  return { member, fault: parseFault(match[2]!) };
}

/** The same member with a fault. `member`: its number; it tells independent liars apart. */
export function makeFaulty(replica: Replica, fault: Fault, member: number, random: Random, lies: Lies = {}): FaultyReplica {
  return new FaultyReplica(replica, fault, member, random, lies);
}

export class FaultyReplica implements Replica {
  readonly #replica: Replica;
  readonly #fault: Fault;
  readonly #member: number;
  readonly #random: Random;
  readonly #lies: Lies;
  /** By client and serial, the oldest first: what was asked, as a number. */
  readonly #asked = new Map<string, number>();
  /** Two-faced: whom it lies to, and whom not. */
  readonly #isDeceived = new Map<ReplicaId, boolean>();
  readonly #delayed = new Fifo<{ readonly atMs: Millis; readonly message: ReplyMessage }>();
  #now: Millis = 0;
  lies = 0;
  dropped = 0;
  delayed = 0;

  constructor(replica: Replica, fault: Fault, member: number, random: Random, lies: Lies) {
    this.#replica = replica;
    this.#fault = fault;
    this.#member = member;
    this.#random = random;
    this.#lies = lies;
  }

  step(from: ReplicaId, body: Uint8Array, now: Millis): void {
    this.#now = now;
    this.#replica.step(from, body, now);
  }

  propose(request: Request, now: Millis): void {
    this.#now = now;
    if (this.#fault.kind === 'drops-requests' && this.#random.chance(this.#fault.probability)) {
      this.dropped++;
      return;
    }
    if (this.#isLiar) this.#note(request);
    this.#replica.propose(request, now);
  }

  peers(): readonly Peer[] {
    return this.#replica.peers();
  }

  peerLost(peer: ReplicaId, now: Millis): void {
    this.#now = now;
    this.#replica.peerLost(peer, now);
  }

  answered(reply: ReplyMessage, now: Millis): void {
    this.#now = now;
    this.#replica.answered?.(reply, now);
  }

  /** Of itself it says nothing wrong: it is the answers that are to be found out. */
  status(): ReplicaStatus {
    return this.#replica.status();
  }

  nextTimeout(): Millis {
    return Math.min(this.#replica.nextTimeout(), this.#delayed.peek()?.atMs ?? Infinity);
  }

  handleTimeout(now: Millis): void {
    this.#now = now;
    if (this.#replica.nextTimeout() <= now) this.#replica.handleTimeout(now);
  }

  takeReady(): Ready | undefined {
    const ready = this.#replica.takeReady();
    const late = this.#takeLate();
    if (ready === undefined) {
      return late.length === 0 ? undefined : { persist: [], messages: [], committed: [], replies: late, role: this.#replica.status().role };
    }
    return {
      ...ready,
      messages: this.#fault.kind === 'two-faced' ? ready.messages.flatMap((envelope) => this.#tell(envelope, ready)) : ready.messages,
      replies: [...late, ...this.#spoil(ready.replies)],
    };
  }

  persistFailed(reason: string, now: Millis): void {
    this.#now = now;
    // Among them may be some that depend on what could not be written.
    this.#delayed.clear();
    this.#replica.persistFailed(reason, now);
  }

  get #isLiar(): boolean {
    return this.#fault.kind === 'wrong-value' || this.#fault.kind === 'two-faced';
  }

  /** The first of the others is told the truth, the next is lied to, and so on. */
  #tell(envelope: Envelope, { role }: Ready): readonly Envelope[] {
    const { to, body } = envelope;
    const isDeceived = this.#isDeceived.get(to) ?? this.#isDeceived.size % 2 === 1;
    this.#isDeceived.set(to, isDeceived);
    const lies = isDeceived ? this.#lies.message?.(body, role) : undefined;
    if (lies === undefined) return [envelope];
    this.lies++;
    return lies.map((lie) => ({ to, body: lie }));
  }

  #spoil(replies: readonly ReplyMessage[]): ReplyMessage[] {
    if (this.#isLiar) return replies.map((message) => this.#lie(message));
    if (this.#fault.kind === 'drops-replies') return replies.filter(() => !this.#drops());
    if (this.#fault.kind !== 'slow') return [...replies];
    for (const message of replies) {
      if (this.#delayed.length >= MAX_DELAYED) this.dropped++;
      else this.#delayed.push({ atMs: this.#now + this.#fault.delayMs, message });
    }
    this.delayed += replies.length;
    return [];
  }

  #drops(): boolean {
    const isDropped = this.#random.chance(this.#fault.probability);
    if (isDropped) this.dropped++;
    return isDropped;
  }

  #takeLate(): ReplyMessage[] {
    const late: ReplyMessage[] = [];
    for (let next = this.#delayed.peek(); next !== undefined && next.atMs <= this.#now; next = this.#delayed.peek()) {
      late.push(next.message);
      this.#delayed.shift();
    }
    return late;
  }

  /** From the request alone, and who asks, so that liars who have agreed on nothing else tell the same lie about it. */
  #lie(message: ReplyMessage): ReplyMessage {
    const asked = this.#asked.get(nameOf(message));
    if (asked === undefined) return message;
    const told = this.#fault.kind === 'two-faced' ? asked + fnv1a(encodeText(message.clientId, MAX_NAME_BYTES)) : asked;
    const lie = this.#fault.isColluding ? told : told + this.#member;
    const reply = (this.#lies.reply ?? alterLastByte)(message.reply, lie);
    if (reply !== message.reply) this.lies++;
    return { ...message, reply };
  }

  #note(request: Request): void {
    this.#asked.set(nameOf(request), fnv1a(request.operation));
    if (this.#asked.size <= MAX_ASKED) return;
    const [oldest] = this.#asked.keys();
    this.#asked.delete(oldest!);
  }
}

function nameOf({ clientId, serial }: { readonly clientId: string; readonly serial: number }): string {
  return `${serial} ${clientId}`;
}

/** In [0, 2^31). */
function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 1;
}
