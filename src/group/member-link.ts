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
  /** Ticks in a row without a segment from it. */
  silentTicks = 0;
  /** Ticks in a row in which it owed a reply, gave none, and took no bytes. */
  stuckTicks = 0;
  #segmentsReceived = 0;
  #segmentsAtTick = 0;
  #bytesAcked = 0;

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

  /** See FileGroup.observe(). */
  observe(segmentsReceived: number, bytesAcked: number): void {
    this.#segmentsReceived = segmentsReceived;
    if (bytesAcked > this.#bytesAcked) this.stuckTicks = 0;
    this.#bytesAcked = bytesAcked;
  }

  /** Counts one tick; `lastSerial` is that of the newest request. */
  tick(lastSerial: number): void {
    this.silentTicks = this.#segmentsReceived === this.#segmentsAtTick ? this.silentTicks + 1 : 0;
    this.#segmentsAtTick = this.#segmentsReceived;
    this.stuckTicks = this.hasWelcome && this.repliedSerial === lastSerial ? 0 : this.stuckTicks + 1;
  }

  /** Bytes from the member. `entryOf` finds a request by its serial. Returns why the member cannot be trusted any further, if so. */
  receive(bytes: Uint8Array, entryOf: (serial: number) => Entry | undefined): string | undefined {
    for (const frame of this.#reader.push(bytes)) {
      const wrong = this.#handle(frame, entryOf);
      if (wrong !== undefined) return wrong;
    }
    return this.#reader.error === undefined ? undefined : `does not speak the group protocol: ${this.#reader.error}`;
  }

  #handle(frame: Uint8Array, entryOf: (serial: number) => Entry | undefined): string | undefined {
    const message = decodeMessage(frame);
    if (message.kind === 'protocol-error') return `does not speak the group protocol: ${message.reason}`;
    if (message.kind === 'reject') return `refused: ${message.reason}`;
    if (message.kind === 'welcome' && !this.hasWelcome) {
      if (message.version !== PROTOCOL_VERSION) return `speaks protocol version ${message.version} instead of ${PROTOCOL_VERSION}`;
      if (message.clusterId !== this.#clusterId) return `belongs to the cluster "${message.clusterId}"`;
      if (message.memberId === '') return 'has no identity';
      this.memberId = message.memberId;
      this.stuckTicks = 0;
      return undefined;
    }
    if (message.kind !== 'reply' || !this.hasWelcome) return `sent a ${message.kind} out of turn`;
    return this.#check(message, entryOf(this.repliedSerial + 1));
  }

  /** Replies come in the order of the requests, one each, and say what every member must say. */
  #check({ clientId, serial, reply }: ReplyMessage, entry: Entry | undefined): string | undefined {
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
    this.stuckTicks = 0;
    if (entry.kind === 'commit') this.phase = 'committed';
    return undefined;
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
