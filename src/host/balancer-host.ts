import type { Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import type { Balancer } from '../group/balancer/balancer.ts';
import { PROTOCOL_VERSION, type Hello, type Message } from '../group/message.ts';
import type { Peer } from '../group/replica.ts';
import type { Endpoint } from '../tcp/endpoint.ts';
import { Channel } from './channel.ts';
import { EndpointHost } from './endpoint-host.ts';
import { LINK_CONFIG } from './link-config.ts';
import { Redial } from './redial.ts';

/** Bytes that a client or a member has not taken yet; more wait in the balancer's bounded queues. */
const MAX_OUTPUT_BYTES = 64 * 1024;

export interface BalancerHostOptions {
  readonly endpoint: Endpoint;
  readonly balancer: Balancer;
  readonly clusterId: string;
  /** What the balancer calls itself to members; unique among all their clients. */
  readonly id: string;
  readonly resolve: (peer: Peer) => Address | undefined;
}

interface MemberChannel {
  readonly peer: Peer;
  channel: Channel | undefined;
  isReady: boolean;
}

interface ClientChannel {
  readonly channel: Channel;
  hasIntroduced: boolean;
}

/** A balancer: an endpoint on which clients call, and from which members are called. */
export class BalancerHost extends EndpointHost {
  readonly balancer: Balancer;
  readonly #options: BalancerHostOptions;
  readonly #members = new Map<string, MemberChannel>();
  readonly #clients = new Map<number, ClientChannel>();
  readonly #redial = new Redial();
  #nextClient = 1;
  #nextDial: Millis = Infinity;

  constructor(options: BalancerHostOptions) {
    super(options.endpoint);
    options.endpoint.listen(undefined, LINK_CONFIG);
    this.balancer = options.balancer;
    this.#options = options;
  }

  addMember(peer: Peer, now: Millis): void {
    if (this.#members.has(peer.id)) return;
    this.#members.set(peer.id, { peer, channel: undefined, isReady: false });
    this.balancer.addTarget(peer.id, peer.address, now);
    this.wake();
  }

  removeMember(id: string, now: Millis): void {
    this.#members.get(id)?.channel?.connection.abort(now);
    this.#members.delete(id);
    this.balancer.removeTarget(id, now);
    this.wake();
  }

  protected override run(now: Millis): void {
    for (let next = this.endpoint.accept(); next !== undefined; next = this.endpoint.accept()) {
      const client = this.#nextClient++;
      if (this.balancer.clientOpened(client)) this.#clients.set(client, { channel: new Channel(next), hasIntroduced: false });
      else next.abort(now);
    }
    this.#nextDial = Infinity;
    for (const member of this.#members.values()) this.#hearMember(member, now);
    for (const [client, { channel }] of this.#clients) this.#hearClient(client, channel, now);
    for (const member of this.#members.values()) this.#tellMember(member);
    for (const [client, { channel }] of this.#clients) this.#tellClient(client, channel, now);
  }

  protected override applicationTimeout(): Millis {
    return Math.min(this.balancer.nextTimeout(), this.#nextDial);
  }

  protected override handleApplicationTimeout(now: Millis): void {
    if (this.balancer.nextTimeout() <= now) this.balancer.handleTimeout(now);
  }

  #hearMember(member: MemberChannel, now: Millis): void {
    const { peer } = member;
    const channel = member.channel ?? this.#dial(member, now);
    if (channel === undefined) return;
    channel.receive(now, (message) => {
      if (message.kind === 'welcome' && !member.isReady) {
        member.isReady = true;
        this.#redial.succeeded(this.#numberOf(peer.id));
        this.balancer.connected(peer.id, now);
      } else if (message.kind === 'reply' || message.kind === 'status') {
        this.balancer.fromMember(peer.id, message, now);
      } else if (message.kind === 'reject') {
        this.balancer.refused(peer.id, message.reason);
      }
    });
    if (!channel.isClosed) return;
    member.channel = undefined;
    this.#nextDial = Math.min(this.#nextDial, this.#redial.dueAt(peer.address));
    if (member.isReady) this.balancer.disconnected(peer.id, now);
    member.isReady = false;
  }

  #dial(member: MemberChannel, now: Millis): Channel | undefined {
    const { id, address } = member.peer;
    const isDue = this.#redial.dueAt(address) <= now;
    if (isDue) this.#redial.tried(address, now);
    const remote = isDue ? this.#options.resolve(member.peer) : undefined;
    if (remote === undefined || this.endpoint.hasConnection(remote)) {
      this.#nextDial = Math.min(this.#nextDial, this.#redial.dueAt(address));
      return undefined;
    }
    member.channel = new Channel(this.endpoint.connect(remote, now, LINK_CONFIG));
    this.#redial.opened(this.#numberOf(id), address);
    member.channel.send({ kind: 'hello', version: PROTOCOL_VERSION, clusterId: this.#options.clusterId, from: 'client', senderId: this.#options.id });
    return member.channel;
  }

  /** Redial knows connections by numbers; a member's place in the list does as well. */
  #numberOf(id: string): number {
    return [...this.#members.keys()].indexOf(id);
  }

  #hearClient(client: number, channel: Channel, now: Millis): void {
    if (this.balancer.wantsInput(client)) channel.receive(now, (message) => this.#handle(client, message, now));
    if (!channel.isClosed) return;
    this.#clients.delete(client);
    this.balancer.clientClosed(client);
  }

  #handle(client: number, message: Message, now: Millis): void {
    const entry = this.#clients.get(client);
    if (entry === undefined) return;
    if (!entry.hasIntroduced) return this.#greet(client, entry, message);
    if (message.kind === 'request' || message.kind === 'status-request') this.balancer.fromClient(client, message, now);
    else this.#reject(client, entry, `a ${message.kind} is not expected here`);
  }

  #greet(client: number, entry: ClientChannel, message: Message): void {
    const reason = message.kind === 'hello' ? this.#refusal(message) : `the first message is a ${message.kind} instead of a hello`;
    if (reason !== undefined) return this.#reject(client, entry, reason);
    entry.hasIntroduced = true;
    entry.channel.send({ kind: 'welcome', version: PROTOCOL_VERSION, clusterId: this.#options.clusterId, memberId: '' });
  }

  #refusal({ version, clusterId, from }: Hello): string | undefined {
    if (version !== PROTOCOL_VERSION) return `protocol version ${version} instead of ${PROTOCOL_VERSION}`;
    if (clusterId !== this.#options.clusterId) return `cluster "${clusterId}" instead of "${this.#options.clusterId}"`;
    return from === 'client' ? undefined : 'here is a balancer: members talk to members';
  }

  #reject(client: number, { channel }: ClientChannel, reason: string): void {
    channel.send({ kind: 'reject', reason });
    channel.end();
    this.balancer.clientClosed(client);
  }

  #tellMember({ peer, channel, isReady }: MemberChannel): void {
    if (channel === undefined) return;
    while (isReady && channel.outputBytes < MAX_OUTPUT_BYTES) {
      const message = this.balancer.takeForMember(peer.id);
      if (message === undefined) break;
      channel.send(message);
      channel.flush();
    }
    channel.flush();
  }

  #tellClient(client: number, channel: Channel, now: Millis): void {
    while (channel.outputBytes < MAX_OUTPUT_BYTES) {
      const message = this.balancer.takeForClient(client);
      if (message === undefined) break;
      channel.send(message);
      channel.flush();
    }
    channel.flush();
    channel.closeIfEnded(now);
  }
}
