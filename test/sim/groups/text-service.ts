import type { Millis } from '../../../src/core/machine.ts';
import type { GroupClient, OperationOutcome, Sending } from '../../../src/group/client.ts';
import type { ReplyMessage, Request } from '../../../src/group/message.ts';
import { sessionClientId } from '../../../src/group/sessions.ts';
import type { Reply, StateMachine } from '../../../src/group/state-machine.ts';
import type { Operation, OperationWords } from '../../../src/sim/group/workload.ts';

const NOTHING = new Uint8Array(0);
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const decode = <T>(bytes: Uint8Array): T => JSON.parse(new TextDecoder().decode(bytes)) as T;

/** The smallest key-value store there is, in JSON. For tests of the simulator itself. */
export class TextMachine implements StateMachine {
  #values = new Map<string, string>();

  apply(bytes: Uint8Array): Reply {
    const operation = decode<Operation>(bytes);
    const before = this.#values.get(operation.key) ?? null;
    let result: string | boolean | null = null;
    if (operation.op === 'get') result = before;
    else if (operation.op === 'put') this.#values.set(operation.key, operation.value);
    else if (operation.op === 'append') this.#values.set(operation.key, `${before ?? ''}${operation.value}`);
    else if (operation.op === 'del') result = this.#values.delete(operation.key);
    else if (operation.op === 'cas') {
      result = before === operation.old;
      if (result) this.#values.set(operation.key, operation.value);
    }
    return { status: 'ok', offset: 0, digest: NOTHING, body: encode(result) };
  }

  isReadOnly(bytes: Uint8Array): boolean {
    return decode<Operation>(bytes).op === 'get';
  }

  query(bytes: Uint8Array): Reply {
    return this.apply(bytes);
  }

  takeWrites(): [] {
    return [];
  }

  snapshot(): Iterable<Uint8Array> {
    return [encode([...this.#values])];
  }

  restore(chunks: Iterable<Uint8Array>): void {
    for (const chunk of chunks) this.#values = new Map(decode<[string, string][]>(chunk));
  }

  digest(): string {
    return JSON.stringify([...this.#values].sort());
  }
}

export const TEXT_WORDS: OperationWords = {
  write: encode,
  result: (_, { status, body }) => (status === 'ok' ? decode(body) : undefined),
};

const RETRY_MS = 300;

/** Asks one target after the other until somebody answers. For tests of the simulator itself. */
export class TextClient implements GroupClient {
  readonly #targets: number;
  readonly #deadlineMs: Millis;
  readonly #isConnected = new Set<number>();
  #clientId: string;
  #serial = 0;
  #ticket = 0;
  #hasSession = false;
  #operation: Uint8Array | undefined;
  #hasLeft = false;
  #giveUpMs: Millis = Infinity;
  #askAgainMs: Millis = Infinity;
  #target = 0;
  #isToSend = false;
  readonly #outcomes: OperationOutcome[] = [];

  constructor(name: string, targets: number, deadlineMs: Millis) {
    this.#clientId = name;
    this.#targets = targets;
    this.#deadlineMs = deadlineMs;
  }

  get pending(): number {
    return this.#operation === undefined ? 0 : 1;
  }

  submit(operation: Uint8Array, now: Millis): number {
    this.#operation = operation;
    this.#hasLeft = false;
    this.#giveUpMs = now + this.#deadlineMs;
    if (this.#hasSession) this.#serial++;
    this.#ask(now);
    return ++this.#ticket;
  }

  connected(target: number, now: Millis): void {
    this.#isConnected.add(target);
    if (target === this.#target && this.#operation !== undefined) this.#ask(now);
  }

  disconnected(target: number, now: Millis): void {
    this.#isConnected.delete(target);
    if (target === this.#target && this.#operation !== undefined) this.#next(now);
  }

  received(target: number, { clientId, serial, reply }: ReplyMessage, now: Millis): void {
    if (this.#operation === undefined || clientId !== this.#clientId || serial !== this.#serial || target !== this.#target) return;
    if (reply.status !== 'ok' && reply.status !== 'expired') return;
    if (!this.#hasSession && reply.status === 'ok') {
      this.#hasSession = true;
      this.#clientId = sessionClientId(reply.offset);
      this.#serial = 1;
      return this.#ask(now);
    }
    this.#outcomes.push({ ticket: this.#ticket, kind: 'answered', reply });
    this.#end();
  }

  nextSending(): Sending | undefined {
    if (!this.#isToSend || this.#operation === undefined || !this.#isConnected.has(this.#target)) return undefined;
    this.#isToSend = false;
    if (this.#hasSession) this.#hasLeft = true;
    const request: Request = {
      kind: 'request', clientId: this.#clientId, serial: this.#serial, acknowledged: Math.max(0, this.#serial - 1), isStale: false,
      operation: this.#hasSession ? this.#operation : NOTHING,
    };
    return { target: this.#target, request };
  }

  nextTimeout(): Millis {
    return Math.min(this.#giveUpMs, this.#askAgainMs);
  }

  handleTimeout(now: Millis): void {
    if (this.#operation === undefined) return;
    if (this.#giveUpMs <= now) {
      this.#outcomes.push({ ticket: this.#ticket, kind: 'failed', outcome: this.#hasLeft ? 'unknown' : 'not-executed', reason: 'no answer', isLate: true });
      this.#end();
      // The serial was never used: it is the next operation's.
      if (this.#hasSession && !this.#hasLeft) this.#serial--;
    } else if (this.#askAgainMs <= now) this.#next(now);
  }

  takeOutcome(): OperationOutcome | undefined {
    return this.#outcomes.shift();
  }

  #next(now: Millis): void {
    this.#target = (this.#target + 1) % this.#targets;
    this.#ask(now);
  }

  #ask(now: Millis): void {
    this.#isToSend = true;
    this.#askAgainMs = now + RETRY_MS;
  }

  #end(): void {
    this.#operation = undefined;
    this.#isToSend = false;
    this.#giveUpMs = Infinity;
    this.#askAgainMs = Infinity;
  }
}
