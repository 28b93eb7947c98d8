import { createHash, type Hash } from 'node:crypto';

import { assert } from '../core/assert.ts';
import { Fifo } from '../core/fifo.ts';
import type { Millis } from '../core/machine.ts';
import { encodeFileOperation, type FileOperation } from './file-operation.ts';
import { encodeMessage, PROTOCOL_VERSION } from './message.ts';
import { MemberLink, type Entry } from './member-link.ts';
import type { GroupOutcome, MemberEvent, MemberFate } from './outcome.ts';

export const DEFAULT_CLUSTER_ID = 'failmask';
const DEFAULT_WINDOW_BYTES = 4 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 60_000;
/** Silence is counted in ticks, not read from a clock: whoever was stopped himself has then heard nothing for one tick only. */
const TICKS_TO_SILENCE = 20;
/** Bytes of one append. */
const APPEND_BYTES = 64 * 1024;
/** Requests in flight, so that single bytes do not fill the memory with headers. */
const MAX_ENTRIES = 4096;

export interface FileGroupOptions {
  /** Names of the k+1 members, for people: HOST:PORT. */
  readonly members: readonly string[];
  /** Unique among all clients and transfers: it names the transfer, too. 1 … 64 bytes. */
  readonly clientId: string;
  readonly clusterId?: string;
  /** Bytes that the slowest living member may lag behind the source. */
  readonly windowBytes?: number;
  /**
   * A connected member of which nothing is heard for so long, not even an ACK, is expelled. Give it the transport's user
   * timeout: that cannot see silence that began before there was something to send.
   */
  readonly silenceTimeoutMs?: Millis;
  /** A connected member that owes a reply and takes no bytes for so long is expelled, though its transport lives. */
  readonly replyTimeoutMs?: Millis;
}

/**
 * The client's side of a replicated file sink, sans-I/O: one stream goes to k+1 members, and the group has the file as long
 * as one living member has all of it, committed and fsynced. Members are numbers, in the order of `options.members`.
 *
 * The window is that of the slowest living member: what it has not confirmed is kept, so nobody that is merely slow loses a
 * byte. A member whose connection dies, that disagrees, or that is silent for too long is expelled for good: what it
 * does afterwards counts no more, so it is never counted with bytes missing. That a silent member is dead is assumed, not
 * known; here a false suspicion costs a spare, never a wrong answer, since there is one writer and nobody reads.
 */
export class FileGroup {
  readonly #links: readonly MemberLink[];
  readonly #clientId: string;
  readonly #windowBytes: number;
  readonly #replyTimeoutMs: Millis;
  readonly #silenceTimeoutMs: Millis;
  readonly #tickMs: Millis;
  #nextTick: Millis;
  readonly #startedAt: Millis;
  readonly #hash: Hash = createHash('sha256');
  /** Requests that some living member has not replied to, oldest first. */
  #entries: Entry[] = [];
  /** Serial of the first in `#entries`. */
  #firstSerial = 1;
  #nextSerial = 1;
  #bytes = 0;
  #sha256 = '';
  #isEnded = false;
  readonly #fates = new Map<MemberLink, MemberFate>();
  readonly #events = new Fifo<MemberEvent>();

  /** Throws RangeError without members. */
  constructor(options: FileGroupOptions, now: Millis) {
    const { members, clientId, clusterId = DEFAULT_CLUSTER_ID } = options;
    if (members.length === 0) throw new RangeError('a group needs a member');
    const hello = encodeMessage({ kind: 'hello', version: PROTOCOL_VERSION, clusterId, from: 'client', senderId: clientId });
    this.#links = members.map((name) => new MemberLink(name, clientId, clusterId, hello));
    this.#clientId = clientId;
    this.#windowBytes = options.windowBytes ?? DEFAULT_WINDOW_BYTES;
    this.#replyTimeoutMs = options.replyTimeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#silenceTimeoutMs = options.silenceTimeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#tickMs = this.#silenceTimeoutMs / TICKS_TO_SILENCE;
    this.#nextTick = now + this.#tickMs;
    this.#startedAt = now;
    this.#push({ kind: 'open', transferId: clientId });
  }

  /** Bytes taken from the source. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that every living member has confirmed; those of the best one when none is left. */
  get stableBytes(): number {
    const living = this.#links.filter((link) => link.isLiving);
    if (living.length === 0) return Math.max(...this.#links.map((link) => link.confirmedBytes));
    return Math.min(...living.map((link) => link.confirmedBytes));
  }

  get livingCount(): number {
    return this.#links.filter((link) => link.isLiving).length;
  }

  /** Bytes that write() takes now. 0: wait for a reply. */
  get room(): number {
    if (this.#isEnded || this.livingCount === 0 || this.#entries.length >= MAX_ENTRIES) return 0;
    return Math.max(0, this.#windowBytes - (this.#bytes - this.stableBytes));
  }

  /** Copies as much as there is room for and returns how much. */
  write(bytes: Uint8Array): number {
    const end = Math.min(bytes.length, this.room);
    let position = 0;
    while (position < end && this.#entries.length < MAX_ENTRIES) {
      const part = bytes.subarray(position, Math.min(end, position + APPEND_BYTES));
      const offset = this.#bytes;
      this.#hash.update(part);
      this.#bytes += part.length;
      this.#push({ kind: 'append', transferId: this.#clientId, offset, bytes: part });
      position += part.length;
    }
    return position;
  }

  /** The source has ended: everybody is to commit. A second call changes nothing. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const sha256 = this.#hash.copy().digest();
    this.#sha256 = this.#hash.copy().digest('hex');
    this.#push({ kind: 'commit', transferId: this.#clientId, length: this.#bytes, sha256 });
  }

  connected(member: number, now: Millis): void {
    const link = this.#link(member);
    if (link.phase !== 'connecting') return;
    link.phase = 'streaming';
    this.#tell('joined', link, now, '');
  }

  received(member: number, bytes: Uint8Array, now: Millis): void {
    const link = this.#link(member);
    if (link.phase !== 'streaming') return;
    const wrong = link.receive(bytes, (serial) => this.#entries[serial - this.#firstSerial]);
    if (wrong !== undefined) return this.#expel(link, wrong, undefined, now);
    // Its phase may have changed in receive(), which the compiler cannot know.
    if ((link.phase as string) === 'committed') {
      this.#fates.set(link, { kind: 'committed', member: link.name, memberId: link.memberId, atMs: now - this.#startedAt, bytes: link.confirmedBytes });
      this.#tell('committed', link, now, '');
    }
    this.#release();
  }

  /** The member's connection has ended. After its commit that is no loss. */
  lost(member: number, reason: string, error: Error | undefined, now: Millis): void {
    const link = this.#link(member);
    if (link.phase === 'connecting' || link.phase === 'streaming') this.#expel(link, reason, error, now);
  }

  /** False: its connection is to be reset, if that has not happened. */
  isLiving(member: number): boolean {
    return this.#link(member).isLiving;
  }

  /** It has the file: its connection can be ended. */
  hasCommitted(member: number): boolean {
    return this.#link(member).phase === 'committed';
  }

  /** Bytes that this member has confirmed. */
  confirmedBytes(member: number): number {
    return this.#link(member).confirmedBytes;
  }

  /** The next bytes for a member; say with sent() how many of them are gone. */
  output(member: number): Uint8Array | undefined {
    const link = this.#link(member);
    if (link.phase !== 'streaming') return undefined;
    if (link.hello.length > 0) return link.hello;
    return this.#entries[link.sendSerial - this.#firstSerial]?.frame.subarray(link.sentOfEntry);
  }

  sent(member: number, bytes: number): void {
    const link = this.#link(member);
    if (link.hello.length > 0) {
      link.hello = link.hello.subarray(bytes);
      return;
    }
    const entry = this.#entries[link.sendSerial - this.#firstSerial];
    if (entry === undefined) return;
    if (entry.kind === 'commit') link.commitWasSent = true;
    link.sentOfEntry += bytes;
    if (link.sentOfEntry < entry.frame.length) return;
    link.sendSerial++;
    link.sentOfEntry = 0;
  }

  /**
   * What the member's transport has counted so far: segments received are signs of life, and while it acknowledges bytes, a
   * slow line is no reason to suspect the member. Call it before handleTimeout().
   */
  observe(member: number, segmentsReceived: number, bytesAcked: number): void {
    this.#link(member).observe(segmentsReceived, bytesAcked);
  }

  nextTimeout(): Millis {
    return this.#links.some(({ phase }) => phase === 'streaming') ? this.#nextTick : Infinity;
  }

  handleTimeout(now: Millis): void {
    if (now < this.#nextTick) return;
    this.#nextTick = now + this.#tickMs;
    for (const link of this.#links) {
      if (link.phase !== 'streaming') continue;
      link.tick(this.#nextSerial - 1);
      if (link.silentTicks >= TICKS_TO_SILENCE) this.#expel(link, `ETIMEDOUT: nothing heard for ${this.#silenceTimeoutMs / 1000} s`, undefined, now, true);
      else if (link.stuckTicks * this.#tickMs >= this.#replyTimeoutMs) {
        const what = link.hasWelcome ? 'reply' : 'greeting (is it a member of a group?)';
        this.#expel(link, `no ${what} for ${this.#replyTimeoutMs / 1000} s, though its connection lives`, undefined, now, true);
      }
    }
  }

  nextEvent(): MemberEvent | undefined {
    return this.#events.shift();
  }

  /** The answer; undefined as long as there is none. */
  outcome(): GroupOutcome | undefined {
    if (this.#links.some((link) => link.phase === 'connecting' || link.phase === 'streaming')) return undefined;
    const fates = this.#links.map((link) => this.#fates.get(link)!);
    if (this.livingCount === 0) return { kind: 'lost', bytes: this.#bytes, fates };
    return { kind: 'committed', bytes: this.#bytes, sha256: this.#sha256, fates };
  }

  #link(member: number): MemberLink {
    const link = this.#links[member];
    assert(link !== undefined, `there is no member ${member}`);
    return link;
  }

  #push(operation: FileOperation): void {
    const serial = this.#nextSerial++;
    const frame = encodeMessage({
      kind: 'request', clientId: this.#clientId, serial, acknowledged: this.#firstSerial - 1, isStale: false, operation: encodeFileOperation(operation),
    });
    this.#entries.push({ serial, frame, kind: operation.kind, offset: this.#bytes, digest: this.#hash.copy().digest() });
  }

  #expel(link: MemberLink, reason: string, error: Error | undefined, now: Millis, isSilent = false): void {
    link.phase = 'expelled';
    this.#fates.set(link, {
      kind: 'expelled', member: link.name, atMs: now - this.#startedAt, reason, error, isSilent, bytes: link.confirmedBytes, mayHaveCommitted: link.commitWasSent,
    });
    this.#tell('expelled', link, now, reason);
    this.#release();
  }

  /** Forgets requests that every living member has replied to. */
  #release(): void {
    let least = this.#nextSerial - 1;
    for (const link of this.#links) if (link.isLiving) least = Math.min(least, link.repliedSerial);
    const count = least - this.#firstSerial + 1;
    if (count <= 0) return;
    this.#entries.splice(0, count);
    this.#firstSerial = least + 1;
  }

  #tell(kind: MemberEvent['kind'], link: MemberLink, now: Millis, reason: string): void {
    this.#events.push({ kind, member: link.name, atMs: now - this.#startedAt, reason });
  }
}
