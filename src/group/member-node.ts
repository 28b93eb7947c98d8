import { Fifo } from '../core/fifo.ts';
import type { Millis } from '../core/machine.ts';
import { FrameReader, MAX_MESSAGE_BYTES } from './framing.ts';
import { decodeMessage, encodeMessage, PROTOCOL_VERSION, type Hello, type Message } from './message.ts';
import type { Errand, Peer, Ready, Replica, ReplicaId } from './replica.ts';

/** Reads no more while a connection has so many replies to take. */
const MAX_OUTPUT_BYTES = 256 * 1024;
/** Of messages to another member; what is above is dropped, as a network would. */
const MAX_LINK_BYTES = 4 * 1024 * 1024;
/** So that one operation fits a message also when a member passes it on. */
const MAX_OPERATION_BYTES = MAX_MESSAGE_BYTES - 4096;
/** Clients whose requests' ways are known; whoever asks again is known again. */
const MAX_ROUTES = 16_384;
/** Messages that wait until it is known who is at the other end. */
const MAX_HELD_MESSAGES = 64;
/** Errands that wait for a connection, to one place. */
const MAX_WAITING_ERRANDS = 64;

export interface MemberNodeOptions {
  readonly replica: Replica;
  readonly clusterId: string;
  /** Another one after each restart without memory. */
  readonly memberId: string;
}

/** What member nodes count about peers that do not keep to the protocol, and about what they could not say. */
export class MemberCounters {
  /** Bytes that are no message of ours. */
  protocolErrors = 0;
  wrongVersion = 0;
  wrongCluster = 0;
  /** Somebody else answered where a member was expected. */
  wrongMember = 0;
  /** Messages for members to whom no connection stands, or whose connection is full. */
  droppedMessages = 0;
  droppedReplies = 0;
}

/** What a connection was opened for, by this side. */
type Purpose = 'member' | 'errand';

interface Conversation {
  readonly reader: FrameReader;
  readonly output: Fifo<Uint8Array>;
  /** Of the first frame in `output`. */
  sentOfFirst: number;
  outputBytes: number;
  /** Why this side opened it; undefined when the other side did. */
  readonly purpose: Purpose | undefined;
  /** Who is expected at the other end of a connection of ours. */
  readonly expected: ReplicaId | undefined;
  /** For the member that is expected here; nobody else may hear them. */
  held: Uint8Array[];
  /** Said hello already. */
  hasIntroduced: boolean;
  clientId: string | undefined;
  memberId: ReplicaId | undefined;
  rejection: string | undefined;
}

/**
 * A member's side of its connections: bytes in, requests and messages to the replica, replies and messages out, and nothing
 * leaves before what it promises is on disk. Connections are numbers that the driver gives; it hands over bytes while
 * `wantsInput`, carries out what takeReady() returns, and sends what output() returns.
 *
 * Two members talk over one connection, whoever opened it: the first that stands between them is the link of both.
 */
export class MemberNode {
  readonly counters = new MemberCounters();
  readonly #replica: Replica;
  readonly #clusterId: string;
  readonly #memberId: string;
  readonly #conversations = new Map<number, Conversation>();
  /** Where a client's requests came from last. */
  readonly #routes = new Map<string, number>();
  readonly #links = new Map<ReplicaId, number>();
  /** Connections to members of other groups, by their addresses. */
  readonly #errandLinks = new Map<string, number>();
  readonly #waitingErrands = new Map<string, Errand[]>();
  /** Handed out and not yet on disk. */
  #persisting: Ready | undefined;

  constructor(options: MemberNodeOptions) {
    this.#replica = options.replica;
    this.#clusterId = options.clusterId;
    this.#memberId = options.memberId;
  }

  /** False: what more there is stays in the transport, whose window closes. */
  wantsInput(connection: number): boolean {
    const conversation = this.#conversations.get(connection);
    if (conversation === undefined || conversation.rejection !== undefined || this.#persisting !== undefined) return false;
    return conversation.memberId !== undefined || conversation.outputBytes < MAX_OUTPUT_BYTES;
  }

  /** The other side has opened a connection. */
  opened(connection: number): void {
    this.#open(connection, undefined, undefined);
  }

  /** Members that the replica wants to talk to and to whom no connection stands or is being opened. */
  missingPeers(): Peer[] {
    return this.#replica.peers().filter(({ id }) => !this.#links.has(id));
  }

  /** This side is opening a connection to another member. */
  dialed(connection: number, peer: Peer): void {
    const conversation = this.#open(connection, 'member', peer.id);
    this.#links.set(peer.id, connection);
    this.#introduce(conversation, 'member');
  }

  /** Members of other groups for whom there are errands and to whom no connection stands or is being opened. */
  missingErrandTargets(): Peer[] {
    return [...this.#waitingErrands.values()].map(([errand]) => errand!.to).filter(({ address }) => !this.#errandLinks.has(address));
  }

  /** This side is opening a connection for errands. */
  dialedForErrands(connection: number, peer: Peer): void {
    const conversation = this.#open(connection, 'errand', undefined);
    this.#errandLinks.set(peer.address, connection);
    this.#introduce(conversation, 'client');
    for (const { request } of this.#waitingErrands.get(peer.address) ?? []) this.#send(conversation, request);
    this.#waitingErrands.delete(peer.address);
  }

  closed(connection: number, now: Millis): void {
    const conversation = this.#conversations.get(connection);
    this.#conversations.delete(connection);
    for (const [clientId, route] of this.#routes) if (route === connection) this.#routes.delete(clientId);
    for (const [address, link] of this.#errandLinks) if (link === connection) this.#errandLinks.delete(address);
    const peerId = conversation?.memberId ?? conversation?.expected;
    if (peerId === undefined || this.#links.get(peerId) !== connection) return;
    this.#links.delete(peerId);
    // One that never stood tells nothing that silence does not.
    if (conversation!.memberId !== undefined) this.#replica.peerLost(peerId, now);
  }

  received(connection: number, bytes: Uint8Array, now: Millis): void {
    const conversation = this.#conversations.get(connection);
    if (conversation === undefined || conversation.rejection !== undefined) return;
    for (const frame of conversation.reader.push(bytes)) {
      this.#handle(connection, conversation, decodeMessage(frame), now);
      if (conversation.rejection !== undefined) return;
    }
    const { error } = conversation.reader;
    if (error !== undefined) this.#protocolError(conversation, `the peer does not speak the group protocol: ${error}`);
  }

  /** Why the connection is to be ended once its output is sent; undefined as long as it is fine. */
  rejection(connection: number): string | undefined {
    return this.#conversations.get(connection)?.rejection;
  }

  /** The client at the other end, once it has said hello. */
  clientOf(connection: number): string | undefined {
    return this.#conversations.get(connection)?.clientId;
  }

  /** What to write to disk next; then call persisted() or persistFailed(). Undefined while one is under way. */
  takeReady(): Ready | undefined {
    if (this.#persisting !== undefined) return undefined;
    this.#persisting = this.#replica.takeReady();
    return this.#persisting;
  }

  persisted(): void {
    const ready = this.#persisting;
    this.#persisting = undefined;
    if (ready === undefined) return;
    for (const { to, body } of ready.messages) this.#tell(to, body);
    for (const errand of ready.errands ?? []) this.#runErrand(errand);
    for (const message of ready.replies) {
      const conversation = this.#conversations.get(this.#routes.get(message.clientId) ?? -1);
      if (conversation === undefined) this.counters.droppedReplies++;
      else this.#send(conversation, message);
    }
  }

  persistFailed(reason: string, now: Millis): void {
    this.#persisting = undefined;
    this.#replica.persistFailed(reason, now);
  }

  /** The next bytes for a connection; say with sent() how many of them are gone. */
  output(connection: number): Uint8Array | undefined {
    const conversation = this.#conversations.get(connection);
    const frame = conversation?.output.peek();
    return conversation === undefined || frame === undefined ? undefined : frame.subarray(conversation.sentOfFirst);
  }

  sent(connection: number, bytes: number): void {
    const conversation = this.#conversations.get(connection);
    const frame = conversation?.output.peek();
    if (conversation === undefined || frame === undefined) return;
    conversation.sentOfFirst += bytes;
    conversation.outputBytes -= bytes;
    if (conversation.sentOfFirst < frame.length) return;
    conversation.output.shift();
    conversation.sentOfFirst = 0;
  }

  #open(connection: number, purpose: Purpose | undefined, expected: ReplicaId | undefined): Conversation {
    const conversation: Conversation = {
      reader: new FrameReader(), output: new Fifo(), sentOfFirst: 0, outputBytes: 0,
      purpose, expected, held: [], hasIntroduced: false, clientId: undefined, memberId: undefined, rejection: undefined,
    };
    this.#conversations.set(connection, conversation);
    return conversation;
  }

  #introduce(conversation: Conversation, from: Hello['from']): void {
    conversation.hasIntroduced = true;
    this.#send(conversation, { kind: 'hello', version: PROTOCOL_VERSION, clusterId: this.#clusterId, from, senderId: this.#memberId });
  }

  #tell(to: ReplicaId, body: Uint8Array): void {
    const conversation = this.#conversations.get(this.#links.get(to) ?? -1);
    if (conversation === undefined || conversation.rejection !== undefined || conversation.outputBytes > MAX_LINK_BYTES) this.counters.droppedMessages++;
    else if (conversation.memberId === undefined) this.#hold(conversation, body);
    else this.#send(conversation, { kind: 'peer', body });
  }

  #hold(conversation: Conversation, body: Uint8Array): void {
    if (conversation.held.length < MAX_HELD_MESSAGES) conversation.held.push(body);
    else this.counters.droppedMessages++;
  }

  #runErrand(errand: Errand): void {
    const { to, request } = errand;
    const conversation = this.#conversations.get(this.#errandLinks.get(to.address) ?? -1);
    if (conversation !== undefined) {
      this.#send(conversation, request);
      return;
    }
    const waiting = this.#waitingErrands.get(to.address) ?? [];
    this.#waitingErrands.set(to.address, waiting);
    if (waiting.length < MAX_WAITING_ERRANDS) waiting.push(errand);
    else this.counters.droppedMessages++;
  }

  #handle(connection: number, conversation: Conversation, message: ReturnType<typeof decodeMessage>, now: Millis): void {
    switch (message.kind) {
      case 'protocol-error':
        return this.#protocolError(conversation, message.reason);
      case 'hello':
        return this.#greet(connection, conversation, message);
      case 'welcome':
        if (conversation.purpose !== 'errand') break;
        return;
      case 'reject':
        if (conversation.purpose === undefined) return this.#protocolError(conversation, 'a rejection came out of turn');
        conversation.rejection = message.reason;
        return;
      case 'request':
        if (conversation.clientId === undefined) break;
        if (message.operation.length > MAX_OPERATION_BYTES) {
          return this.#protocolError(conversation, `an operation of ${message.operation.length} bytes: the most is ${MAX_OPERATION_BYTES}`);
        }
        this.#route(message.clientId, connection);
        return this.#replica.propose(message, now);
      case 'status-request':
        if (conversation.clientId === undefined) break;
        return this.#send(conversation, { kind: 'status', json: JSON.stringify(this.#replica.status()) });
      case 'peer':
        if (conversation.memberId === undefined) break;
        return this.#replica.step(conversation.memberId, message.body, now);
      case 'reply':
        if (conversation.purpose !== 'errand') break;
        this.#replica.answered?.(message, now);
        return;
      case 'status':
        break;
    }
    const isStrange = conversation.clientId === undefined && conversation.memberId === undefined && conversation.purpose === undefined;
    this.#protocolError(conversation, isStrange ? `the first message is a ${message.kind} instead of a hello` : `a ${message.kind} is not expected here`);
  }

  #greet(connection: number, conversation: Conversation, hello: Hello): void {
    if (hello.version !== PROTOCOL_VERSION) {
      this.counters.wrongVersion++;
      this.#reject(conversation, `protocol version ${hello.version} instead of ${PROTOCOL_VERSION}`);
    } else if (hello.clusterId !== this.#clusterId) {
      this.counters.wrongCluster++;
      this.#reject(conversation, `cluster "${hello.clusterId}" instead of "${this.#clusterId}"`);
    } else if (hello.from === 'client') {
      conversation.clientId = hello.senderId;
      this.#send(conversation, { kind: 'welcome', version: PROTOCOL_VERSION, clusterId: this.#clusterId, memberId: this.#memberId });
    } else {
      this.#identify(connection, conversation, hello.senderId);
    }
  }

  /** The other end is a member, and this one. */
  #identify(connection: number, conversation: Conversation, memberId: ReplicaId): void {
    if (conversation.expected !== undefined && conversation.expected !== memberId) {
      // Its place was taken over: what is meant for one life must not reach another.
      this.counters.wrongMember++;
      this.#reject(conversation, `here is ${memberId}, not ${conversation.expected}`);
      return;
    }
    conversation.memberId = memberId;
    if (!this.#links.has(memberId)) this.#links.set(memberId, connection);
    if (!conversation.hasIntroduced) this.#introduce(conversation, 'member');
    for (const body of conversation.held) this.#send(conversation, { kind: 'peer', body });
    conversation.held = [];
  }

  #route(clientId: string, connection: number): void {
    this.#routes.delete(clientId);
    if (this.#routes.size >= MAX_ROUTES) {
      const [oldest] = this.#routes.keys();
      this.#routes.delete(oldest!);
    }
    this.#routes.set(clientId, connection);
  }

  #protocolError(conversation: Conversation, reason: string): void {
    this.counters.protocolErrors++;
    this.#reject(conversation, reason);
  }

  #reject(conversation: Conversation, reason: string): void {
    conversation.rejection = reason;
    this.#send(conversation, { kind: 'reject', reason });
  }

  #send(conversation: Conversation, message: Message): void {
    const frame = encodeMessage(message);
    conversation.output.push(frame);
    conversation.outputBytes += frame.length;
  }
}
