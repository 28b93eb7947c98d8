import type { Millis } from '../../core/machine.ts';
import type { Random } from '../../core/random.ts';
import { SingleClient } from '../client/single-client.ts';
import type { ReplyMessage } from '../message.ts';
import type { Errand, Peer } from '../replica.ts';
import { decodeViewReply, encodeGetView, encodeProposeView } from './view-machine.ts';
import type { View } from './view.ts';

/** The view that should come next; undefined: none need. */
type Proposal = () => View | undefined;

const OPERATION_TIMEOUT_MS = 5000;
const ATTEMPT_TIMEOUT_MS = 500;

/** What a member asks of the view service: one question at a time, until it is answered. Errands find their way by themselves. */
export class ViewServiceClient {
  readonly #servers: readonly Peer[];
  readonly #client: SingleClient;
  #isBusy = false;
  /** What is to be proposed as soon as a question has been answered, as it is seen then. */
  #proposal: Proposal | undefined;

  constructor(servers: readonly Peer[], clientId: string, random: Random, now: Millis) {
    this.#servers = servers;
    this.#client = new SingleClient({
      clientId, targets: servers.map(({ address }) => address), random, isReadOnly: (operation) => operation.length === 1,
      operationTimeoutMs: OPERATION_TIMEOUT_MS, attemptTimeoutMs: ATTEMPT_TIMEOUT_MS,
    });
    servers.forEach((_, i) => this.#client.connected(i, now));
  }

  /** A question is under way; another is not taken. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  ask(now: Millis): void {
    this.#submit(encodeGetView(), now);
  }

  /**
   * In two steps: a question, and the proposal once it is answered. So nobody changes the view who cannot hear that it has changed: a member that
   * is heard and hears nobody suspects all others, and would be the first to leave them out. Nor one who has heard them since: the proposal is made
   * when the answer has come, and with it what was waiting while a disk held everything up.
   */
  propose(proposal: Proposal, now: Millis): void {
    if (this.#isBusy) return;
    this.ask(now);
    this.#proposal = proposal;
  }

  answered(reply: ReplyMessage, now: Millis): void {
    const target = this.#servers.findIndex(({ id }) => id === reply.memberId);
    if (target >= 0) this.#client.received(target, reply, now);
  }

  /** The view that the service names; undefined: nothing yet, or no answer. */
  takeView(now: Millis): View | undefined {
    let view: View | undefined;
    for (let outcome = this.#client.takeOutcome(); outcome !== undefined; outcome = this.#client.takeOutcome()) {
      const proposal = this.#proposal?.();
      this.#isBusy = false;
      this.#proposal = undefined;
      const named = outcome.kind === 'answered' && outcome.reply.status === 'ok' ? decodeViewReply(outcome.reply.body) : undefined;
      if (named !== undefined && proposal?.number === named.number + 1) this.#submit(encodeProposeView(proposal), now);
      else view = named ?? view;
    }
    return view;
  }

  takeErrands(): Errand[] {
    const errands: Errand[] = [];
    for (let next = this.#client.nextSending(); next !== undefined; next = this.#client.nextSending()) errands.push({ to: this.#servers[next.target]!, request: next.request });
    return errands;
  }

  nextTimeout(): Millis {
    return this.#client.nextTimeout();
  }

  handleTimeout(now: Millis): void {
    if (this.#client.nextTimeout() <= now) this.#client.handleTimeout(now);
  }

  #submit(operation: Uint8Array, now: Millis): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#client.submit(operation, now);
  }
}
