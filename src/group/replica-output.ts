import type { Millis } from '../core/machine.ts';
import type { Sink, TraceEvent } from '../core/trace.ts';
import { encodeText } from './byte-codec.ts';
import { MAX_REASON_BYTES, type ReplyMessage, type Request } from './message.ts';
import type { Committed, Envelope, Peer, Ready, ReplicaId, Role } from './replica.ts';
import type { Reply, Status } from './state-machine.ts';

const NOTHING = new Uint8Array(0);

/** Whom a reply is for. */
type Asker = Pick<Request, 'clientId' | 'serial'>;

/** What an engine has to say, until the next Ready takes it: messages, replies, and what was applied. And what it tells of itself. */
export abstract class ReplicaOutput {
  readonly self: Peer;
  readonly #sink: Sink | undefined;
  #messages: Envelope[] = [];
  #replies: ReplyMessage[] = [];
  /** Replies that were taken last: not sent if the disk writes of their Ready fail. */
  #unsafe: readonly ReplyMessage[] = [];
  #committed: Committed[] = [];

  constructor(self: Peer, sink: Sink | undefined) {
    this.self = self;
    this.#sink = sink;
  }

  /** Somebody listens: what is only to be told need be computed. */
  get isTraced(): boolean {
    return this.#sink !== undefined;
  }

  trace(now: Millis, event: TraceEvent): void {
    this.#sink?.emit(now, { ...event, member: this.self.id });
  }

  reply(asker: Asker, reply: Reply): void {
    this.#replies.push({ kind: 'reply', memberId: this.self.id, clientId: asker.clientId, serial: asker.serial, reply });
  }

  refuse(asker: Asker, status: Status, text = ''): void {
    this.reply(asker, { status, offset: 0, digest: NOTHING, body: new TextEncoder().encode(text) });
  }

  /** Applied since the last take(). */
  peekCommitted(): readonly Committed[] {
    return this.#committed;
  }

  /** Everything since the last time. */
  take(): Pick<Ready, 'messages' | 'replies' | 'committed'> {
    const taken = { messages: this.#messages, replies: this.#replies, committed: this.#committed };
    this.#unsafe = taken.replies;
    this.#messages = [];
    this.#replies = [];
    this.#committed = [];
    return taken;
  }

  /** Replies, and what was applied, where they stand on what is on disk already: they do not wait for what is written next. */
  takeAnswers(role: Role): Ready | undefined {
    if (this.#replies.length === 0) return undefined;
    const answers = { persist: [], messages: [], committed: this.#committed, replies: this.#replies, role };
    this.#replies = [];
    this.#committed = [];
    return answers;
  }

  /** Replies that stand on disk writes which have failed: they must not leave. */
  takeUnsafe(): readonly ReplyMessage[] {
    const unsafe = [...this.#unsafe, ...this.#replies];
    this.#unsafe = [];
    this.#replies = [];
    return unsafe;
  }

  /** Says to those who would have got these replies that the disk has failed. */
  failReplies(replies: readonly ReplyMessage[], reason: string): void {
    for (const asker of replies) this.reply(asker, { status: 'disk-error', offset: 0, digest: NOTHING, body: encodeText(reason, MAX_REASON_BYTES) });
  }

  /** What a member still says that has failed: replies, which promise nothing. */
  lastWords(role: Role): Ready | undefined {
    const { replies } = this.take();
    return replies.length === 0 ? undefined : { persist: [], messages: [], committed: [], replies, role };
  }

  protected post(to: ReplicaId, body: Uint8Array): void {
    this.#messages.push({ to, body });
  }

  protected noteApplied(index: number, { clientId, serial }: Asker): void {
    this.#committed.push({ index, clientId, serial });
  }

  /** A member that has failed tells others nothing, nor what it applied. */
  protected dropUnsaid(): void {
    this.#messages = [];
    this.#committed = [];
  }
}
