import { Fifo } from '../core/fifo.ts';
import type { Millis } from '../core/machine.ts';
import { FrameReader } from './framing.ts';
import { decodeMessage, encodeMessage, PROTOCOL_VERSION, type Hello, type Message } from './message.ts';
import type { Ready, Replica } from './replica.ts';

/** Reads no more while a connection has so many replies to take. */
const MAX_OUTPUT_BYTES = 256 * 1024;

export interface MemberNodeOptions {
  readonly replica: Replica;
  readonly clusterId: string;
  /** Another one after each restart without memory. */
  readonly memberId: string;
}

/** What member nodes count about peers that do not keep to the protocol. */
export class MemberCounters {
  /** Bytes that are no message of ours. */
  protocolErrors = 0;
  wrongVersion = 0;
  wrongCluster = 0;
}

interface Peer {
  readonly reader: FrameReader;
  readonly output: Fifo<Uint8Array>;
  /** Of the first frame in `output`. */
  sentOfFirst: number;
  outputBytes: number;
  clientId: string | undefined;
  rejection: string | undefined;
}

/**
 * A member's side of its connections: bytes in, requests to the replica, replies out, and nothing leaves before what it
 * promises is on disk. Connections are numbers that the driver gives; it hands over bytes while `wantsInput`, carries out
 * what takeReady() returns, and sends what output() returns.
 */
export class MemberNode {
  readonly counters = new MemberCounters();
  readonly #replica: Replica;
  readonly #clusterId: string;
  readonly #memberId: string;
  readonly #peers = new Map<number, Peer>();
  /** Where a client's requests came from last. */
  readonly #routes = new Map<string, number>();
  /** Handed out and not yet on disk. */
  #persisting: Ready | undefined;

  constructor(options: MemberNodeOptions) {
    this.#replica = options.replica;
    this.#clusterId = options.clusterId;
    this.#memberId = options.memberId;
  }

  /** False: what more there is stays in the transport, whose window closes. */
  wantsInput(connection: number): boolean {
    const peer = this.#peers.get(connection);
    return peer !== undefined && peer.rejection === undefined && this.#persisting === undefined && peer.outputBytes < MAX_OUTPUT_BYTES;
  }

  opened(connection: number): void {
    this.#peers.set(connection, {
      reader: new FrameReader(), output: new Fifo(), sentOfFirst: 0, outputBytes: 0, clientId: undefined, rejection: undefined,
    });
  }

  closed(connection: number): void {
    const clientId = this.#peers.get(connection)?.clientId;
    this.#peers.delete(connection);
    if (clientId !== undefined && this.#routes.get(clientId) === connection) this.#routes.delete(clientId);
  }

  received(connection: number, bytes: Uint8Array, now: Millis): void {
    const peer = this.#peers.get(connection);
    if (peer === undefined || peer.rejection !== undefined) return;
    for (const frame of peer.reader.push(bytes)) {
      this.#handle(connection, peer, decodeMessage(frame), now);
      if (peer.rejection !== undefined) return;
    }
    if (peer.reader.error !== undefined) this.#protocolError(peer, `the peer does not speak the group protocol: ${peer.reader.error}`);
  }

  /** Why the connection is to be ended once its output is sent; undefined as long as it is fine. */
  rejection(connection: number): string | undefined {
    return this.#peers.get(connection)?.rejection;
  }

  /** The client at the other end, once it has said hello. */
  clientOf(connection: number): string | undefined {
    return this.#peers.get(connection)?.clientId;
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
    for (const message of ready?.replies ?? []) {
      const connection = this.#routes.get(message.clientId);
      const peer = connection === undefined ? undefined : this.#peers.get(connection);
      if (peer !== undefined) this.#send(peer, message);
    }
  }

  persistFailed(reason: string, now: Millis): void {
    this.#persisting = undefined;
    this.#replica.persistFailed(reason, now);
  }

  /** The next bytes for a connection; say with sent() how many of them are gone. */
  output(connection: number): Uint8Array | undefined {
    const peer = this.#peers.get(connection);
    const frame = peer?.output.peek();
    return peer === undefined || frame === undefined ? undefined : frame.subarray(peer.sentOfFirst);
  }

  sent(connection: number, bytes: number): void {
    const peer = this.#peers.get(connection);
    const frame = peer?.output.peek();
    if (peer === undefined || frame === undefined) return;
    peer.sentOfFirst += bytes;
    peer.outputBytes -= bytes;
    if (peer.sentOfFirst < frame.length) return;
    peer.output.shift();
    peer.sentOfFirst = 0;
  }

  #handle(connection: number, peer: Peer, message: ReturnType<typeof decodeMessage>, now: Millis): void {
    if (message.kind === 'protocol-error') return this.#protocolError(peer, message.reason);
    if (peer.clientId === undefined) {
      if (message.kind !== 'hello') return this.#protocolError(peer, `the first message is a ${message.kind} instead of a hello`);
      return this.#greet(peer, message);
    }
    if (message.kind === 'request') {
      this.#routes.set(message.clientId, connection);
      this.#replica.propose(message, now);
    } else {
      this.#protocolError(peer, `a client does not send a ${message.kind}`);
    }
  }

  #greet(peer: Peer, hello: Hello): void {
    if (hello.version !== PROTOCOL_VERSION) {
      this.counters.wrongVersion++;
      this.#reject(peer, `protocol version ${hello.version} instead of ${PROTOCOL_VERSION}`);
    } else if (hello.clusterId !== this.#clusterId) {
      this.counters.wrongCluster++;
      this.#reject(peer, `cluster "${hello.clusterId}" instead of "${this.#clusterId}"`);
    } else {
      peer.clientId = hello.senderId;
      this.#send(peer, { kind: 'welcome', version: PROTOCOL_VERSION, clusterId: this.#clusterId, memberId: this.#memberId });
    }
  }

  #protocolError(peer: Peer, reason: string): void {
    this.counters.protocolErrors++;
    this.#reject(peer, reason);
  }

  #reject(peer: Peer, reason: string): void {
    peer.rejection = reason;
    this.#send(peer, { kind: 'reject', reason });
  }

  #send(peer: Peer, message: Message): void {
    const frame = encodeMessage(message);
    peer.output.push(frame);
    peer.outputBytes += frame.length;
  }
}
