import { createRandom } from '../../../src/core/random.ts';
import type { GroupClient, OperationOutcome, Sending } from '../../../src/group/client.ts';
import type { ClientOptions } from '../../../src/group/client/client-options.ts';
import type { ReplyMessage, Request } from '../../../src/group/message.ts';
import type { Reply, Status } from '../../../src/group/state-machine.ts';

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (operation: Uint8Array): string => new TextDecoder().decode(operation);

/** Operations that begin with `?` are reads. The seed is one with which three places are asked from the first on. */
export function options(changes: Partial<ClientOptions> = {}): ClientOptions {
  return { clientId: 'me', targets: ['a:1', 'b:1', 'c:1'], random: createRandom(1), isReadOnly: (operation) => operation[0] === 0x3f, ...changes };
}

export function reply(status: Status, body = '', offset = 0): Reply {
  return { status, offset, digest: bytes(''), body: bytes(body) };
}

/** A client on a table: the test is the network and the group. */
export class Table<C extends GroupClient> {
  readonly client: C;
  now = 1000;

  constructor(client: C, ...connected: readonly number[]) {
    this.client = client;
    for (const target of connected) client.connected(target, this.now);
  }

  submit(text: string): number {
    return this.client.submit(bytes(text), this.now);
  }

  /** All that leaves now. */
  take(): Sending[] {
    const sendings: Sending[] = [];
    for (let next = this.client.nextSending(); next !== undefined; next = this.client.nextSending()) sendings.push(next);
    return sendings;
  }

  /** The same in words: target, client, serial, operation. */
  leaves(): string[] {
    return this.take().map(({ target, request }) => `${target} ${request.clientId}/${request.serial} ${textOf(request.operation)}`.trimEnd());
  }

  answer(target: number, { clientId, serial }: Pick<Request, 'clientId' | 'serial'>, answer: Reply, memberId = `m${target}`): void {
    const message: ReplyMessage = { kind: 'reply', memberId, clientId, serial, reply: answer };
    this.client.received(target, message, this.now);
  }

  /** Lets time pass up to the next timeout, and says how much. */
  wait(): number {
    const at = this.client.nextTimeout();
    const passed = at - this.now;
    this.now = at;
    this.client.handleTimeout(at);
    return passed;
  }

  waitUntil(at: number): void {
    while (this.client.nextTimeout() <= at) this.wait();
    this.now = at;
  }

  outcomes(): OperationOutcome[] {
    const outcomes: OperationOutcome[] = [];
    for (let next = this.client.takeOutcome(); next !== undefined; next = this.client.takeOutcome()) outcomes.push(next);
    return outcomes;
  }

  /** Outcomes in words. */
  ends(): string[] {
    return this.outcomes().map((outcome) => (outcome.kind === 'answered'
      ? `${outcome.ticket} ${outcome.reply.status} ${textOf(outcome.reply.body)}`.trimEnd() : `${outcome.ticket} ${outcome.outcome}: ${outcome.reason}`));
  }
}
