import type { Millis } from '../core/machine.ts';
import { decodeText } from './byte-codec.ts';
import { FrameReader } from './framing.ts';
import { decodeMessage, PROTOCOL_VERSION, type ReplyMessage } from './message.ts';

/** A request that went to every member, and the reply that it must have. */
export interface Entry {
  readonly serial: number;
  readonly frame: Uint8Array;
  readonly kind: 'open' | 'append' | 'commit';
  /** Bytes of the file after it. */
  readonly offset: number;
  readonly digest: Uint8Array;
}

export type LinkPhase = 'connecting' | 'streaming' | 'committed' | 'expelled';

/**
 * What a client knows of one member: how far it has been sent to, what it has confirmed, and whether its replies are right.
 * It only judges; expelling is the group's.
 */
export class MemberLink {
  readonly name: string;
  readonly #clientId: string;
  readonly #clusterId: string;
  readonly #reader = new FrameReader();
  phase: LinkPhase = 'connecting';
  /** Unsent rest of the hello. */
  hello: Uint8Array;
  /** Serial of the entry that is being sent, and how much of it is. */
  sendSerial = 1;
  sentOfEntry = 0;
  /** Entries replied to. */
  repliedSerial = 0;
  confirmedBytes = 0;
  memberId = '';
  commitWasSent = false;
  /** Acknowledged by its transport, which says nothing about its disk. */
  transportBytes = 0;
  /** Since when a reply is due and nothing moves; Infinity: none is due. */
  waitingSinceMs: Millis = Infinity;

  constructor(name: string, clientId: string, clusterId: string, hello: Uint8Array) {
    this.name = name;
    this.#clientId = clientId;
    this.#clusterId = clusterId;
    this.hello = hello;
  }

  get isLiving(): boolean {
    return this.phase !== 'expelled';
  }

  get hasWelcome(): boolean {
    return this.memberId !== '';
  }

  /** Bytes from the member. `entryOf` finds a request by its serial. Returns why the member cannot be trusted any further, if so. */
  receive(bytes: Uint8Array, now: Millis, entryOf: (serial: number) => Entry | undefined, lastSerial: number): string | undefined {
    for (const frame of this.#reader.push(bytes)) {
      const wrong = this.#handle(frame, now, entryOf, lastSerial);
      if (wrong !== undefined) return wrong;
    }
    return this.#reader.error === undefined ? undefined : `does not speak the group protocol: ${this.#reader.error}`;
  }

  #handle(frame: Uint8Array, now: Millis, entryOf: (serial: number) => Entry | undefined, lastSerial: number): string | undefined {
    const message = decodeMessage(frame);
    if (message.kind === 'protocol-error') return `does not speak the group protocol: ${message.reason}`;
    if (message.kind === 'reject') return `refused: ${message.reason}`;
    if (message.kind === 'welcome' && !this.hasWelcome) {
      if (message.version !== PROTOCOL_VERSION) return `speaks protocol version ${message.version} instead of ${PROTOCOL_VERSION}`;
      if (message.clusterId !== this.#clusterId) return `belongs to the cluster "${message.clusterId}"`;
      if (message.memberId === '') return 'has no identity';
      this.memberId = message.memberId;
      this.waitingSinceMs = now;
      return undefined;
    }
    if (message.kind !== 'reply' || !this.hasWelcome) return `sent a ${message.kind} out of turn`;
    return this.#check(message, now, entryOf(this.repliedSerial + 1), lastSerial);
  }

  /** Replies come in the order of the requests, one each, and say what every member must say. */
  #check({ clientId, serial, reply }: ReplyMessage, now: Millis, entry: Entry | undefined, lastSerial: number): string | undefined {
    const isSent = serial < this.sendSerial;
    if (clientId !== this.#clientId || entry === undefined || serial !== entry.serial || !isSent) return `answered what was not asked (serial ${serial})`;
    const expected = entry.kind === 'commit' ? 'committed' : 'ok';
    if (reply.status !== expected) {
      const reason = decodeText(reply.body).replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
      return `${reply.status === 'disk-error' ? 'its disk failed' : `answered ${reply.status}`}${reason === '' ? '' : `: ${reason}`}`;
    }
    if (reply.offset !== entry.offset) return `has ${reply.offset} bytes where ${entry.offset} were sent`;
    if (!isEqual(reply.digest, entry.digest)) return `disagrees in the digest of the first ${entry.offset} bytes`;
    this.repliedSerial = serial;
    this.confirmedBytes = entry.offset;
    this.waitingSinceMs = serial < lastSerial ? now : Infinity;
    if (entry.kind === 'commit') this.phase = 'committed';
    return undefined;
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
