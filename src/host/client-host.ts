import { formatAddress, type Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import type { GroupClient } from '../group/client.ts';
import { PROTOCOL_VERSION, type Message } from '../group/message.ts';
import type { Endpoint } from '../tcp/endpoint.ts';
import { Channel } from './channel.ts';
import { EndpointHost } from './endpoint-host.ts';
import { LINK_CONFIG } from './link-config.ts';
import { Redial } from './redial.ts';

export interface ClientHostOptions {
  readonly endpoint: Endpoint;
  readonly client: GroupClient;
  readonly clusterId: string;
  /** Unique among all that ever spoke to this cluster. */
  readonly clientId: string;
  /** Balancers or members, in the order of the client's target numbers. */
  readonly targets: readonly Address[];
  /** False: all of them are members, and none is believed that it is a balancer. */
  readonly mayBeBalancers: boolean;
}

/**
 * A client of a group: an endpoint with a connection to each target, and what the client says over them. A member speaks for itself alone, under
 * the name of its welcome: else one that lies would have all the votes. A balancer is believed about who said what.
 */
export class ClientHost extends EndpointHost {
  readonly client: GroupClient;
  readonly #clusterId: string;
  readonly #clientId: string;
  readonly #targets: readonly Address[];
  readonly #channels: (Channel | undefined)[];
  readonly #mayBeBalancers: boolean;
  /** By target: who speaks there; empty for a balancer, undefined before its welcome. */
  readonly #speakers: (string | undefined)[];
  readonly #redial = new Redial();
  #nextDial: Millis = -Infinity;
  #rejection: string | undefined;
  /** Replies in the name of somebody else. */
  strayReplies = 0;

  constructor(options: ClientHostOptions) {
    super(options.endpoint);
    this.client = options.client;
    this.#clusterId = options.clusterId;
    this.#clientId = options.clientId;
    this.#targets = options.targets;
    this.#channels = options.targets.map(() => undefined);
    this.#mayBeBalancers = options.mayBeBalancers;
    this.#speakers = options.targets.map(() => undefined);
  }

  /** Why the last target that refused us did so: another cluster, another version. */
  get rejection(): string | undefined {
    return this.#rejection;
  }

  /** The client was told something from outside: a new operation. */
  changed(): void {
    this.wake();
  }

  protected override run(now: Millis): void {
    this.#nextDial = Infinity;
    this.#targets.forEach((target, i) => this.#listen(target, i, now));
    for (let next = this.client.nextSending(); next !== undefined; next = this.client.nextSending()) {
      this.#channels[next.target]?.send(next.request);
    }
    for (const channel of this.#channels) channel?.flush();
  }

  protected override applicationTimeout(): Millis {
    return Math.min(this.client.nextTimeout(), this.#nextDial);
  }

  protected override handleApplicationTimeout(now: Millis): void {
    if (this.client.nextTimeout() <= now) this.client.handleTimeout(now);
  }

  #listen(target: Address, i: number, now: Millis): void {
    const channel = this.#channels[i] ?? this.#dial(target, i, now);
    if (channel === undefined) return;
    channel.receive(now, (message) => this.#handle(message, target, i, now));
    if (!channel.isClosed) return;
    this.#channels[i] = undefined;
    this.#nextDial = Math.min(this.#nextDial, this.#redial.dueAt(target.key));
    if (this.#speakers[i] === undefined) return;
    this.#speakers[i] = undefined;
    this.client.disconnected(i, now);
  }

  #dial(target: Address, i: number, now: Millis): Channel | undefined {
    const dueAt = this.#redial.dueAt(target.key);
    if (dueAt > now) {
      this.#nextDial = Math.min(this.#nextDial, dueAt);
      return undefined;
    }
    this.#redial.tried(target.key, now);
    const channel = new Channel(this.endpoint.connect(target, now, LINK_CONFIG));
    this.#redial.opened(i, target.key);
    channel.send({ kind: 'hello', version: PROTOCOL_VERSION, clusterId: this.#clusterId, from: 'client', senderId: this.#clientId });
    this.#channels[i] = channel;
    return channel;
  }

  #handle(message: Message, target: Address, i: number, now: Millis): void {
    const speaker = this.#speakers[i];
    if (message.kind === 'welcome' && speaker === undefined) {
      if (message.memberId === '' && !this.#mayBeBalancers) {
        this.#rejection = `${formatAddress(target)}: says that it is a balancer, and is a member`;
        return;
      }
      this.#speakers[i] = message.memberId;
      this.#redial.succeeded(i);
      this.client.connected(i, now);
    } else if (message.kind === 'reply') {
      if (speaker === '' || speaker === message.memberId) this.client.received(i, message, now);
      else this.strayReplies++;
    } else if (message.kind === 'reject') {
      this.#rejection = `${formatAddress(target)}: ${message.reason}`;
    }
  }
}
