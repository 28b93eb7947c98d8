import { randomUUID } from 'node:crypto';
import { once } from 'node:events';

import type { Sink } from '../core/trace.ts';
import { DEFAULT_CLUSTER_ID } from '../group/file-group.ts';
import { FileSink, FINAL_FILE, PART_FILE } from '../group/file-sink.ts';
import { MemberNode } from '../group/member-node.ts';
import { WriteAllReplica } from '../group/write-all.ts';
import { patience } from '../host/patience.ts';
import { resolveConfig, type TcpConfig } from '../tcp/config.ts';
import { monotonicNow, type Tap } from './driver.ts';
import { FileDisk } from './file-disk.ts';
import { partPath } from './output-file.ts';
import { createServer, type Server } from './server.ts';
import { pickConfig, type Socket, type SocketAddress } from './socket.ts';

/** One sends; the others are told why they cannot. */
const MAX_CONNECTIONS = 8;

export interface MemberOptions extends Partial<TcpConfig> {
  /** 0 lets the system choose. */
  readonly port: number;
  readonly host: string;
  /** Written as PATH.part until it is committed. */
  readonly path: string;
  readonly clusterId?: string;
  readonly tap?: Tap;
  readonly sink?: Sink;
  /** A transfer has begun. */
  readonly onTransfer?: (socket: Socket) => void;
  /** A peer that is not served, and why: it spoke another protocol, another cluster, or nothing. */
  readonly onRejected?: (peer: string, reason: string) => void;
}

export interface MemberResult {
  /** HOST:PORT of the sender. */
  readonly peer: Socket | undefined;
  readonly bytes: number;
  readonly sha256: string;
  readonly isCommitted: boolean;
  /** Why there is no file; undefined when there is. */
  readonly error: Error | undefined;
}

/** Listens as one of the k+1 members of a group that holds a file. Rejects with the system's error when the port is taken. */
export async function startMember(options: MemberOptions): Promise<GroupMember> {
  const member = new GroupMember(options);
  await member.listen();
  return member;
}

/** One transfer, as a member: the real side of a write-all replica. Nothing is said before it is on disk. */
export class GroupMember {
  readonly #options: MemberOptions;
  readonly #userTimeoutMs: number;
  readonly #disk: FileDisk;
  readonly #sink: FileSink;
  readonly #node: MemberNode;
  readonly #server: Server;
  readonly #sockets = new Map<number, Socket>();
  #nextId = 1;
  /** The connection that opened the file. */
  #owner: Socket | undefined;
  #persisting: Promise<void> | undefined;
  #diskError: Error | undefined;
  #isFinished = false;
  #finish: (result: MemberResult) => void = () => {};
  /** Resolves when the transfer is over, either way, and its connection is gone. */
  readonly finished = new Promise<MemberResult>((resolve) => {
    this.#finish = resolve;
  });

  constructor(options: MemberOptions) {
    this.#options = options;
    const config = pickConfig(options);
    this.#userTimeoutMs = resolveConfig(config).userTimeoutMs;
    this.#disk = new FileDisk(new Map([[PART_FILE, partPath(options.path)], [FINAL_FILE, options.path]]));
    this.#sink = new FileSink({ readContent: (files, offset, length) => this.#disk.read(files, offset, length) });
    const id = randomUUID();
    this.#node = new MemberNode({
      replica: new WriteAllReplica(id, this.#sink), clusterId: options.clusterId ?? DEFAULT_CLUSTER_ID, memberId: id,
    });
    this.#server = createServer({
      ...config, allowHalfOpen: true,
      ...(options.tap === undefined ? {} : { tap: options.tap }),
      ...(options.sink === undefined ? {} : { sink: options.sink }),
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('connection', (socket) => this.#serve(socket));
  }

  get address(): SocketAddress {
    return this.#server.address()!;
  }

  /** Bytes of the file that are here. */
  get bytes(): number {
    return this.#sink.length;
  }

  async listen(): Promise<void> {
    this.#server.listen({ port: this.#options.port, host: this.#options.host });
    await once(this.#server, 'listening');
  }

  /** Gives up at once: connections are reset, and what is incomplete is deleted. A file that is committed stays. */
  async abort(): Promise<void> {
    for (const socket of this.#sockets.values()) socket.resetAndDestroy();
    await this.#persisting;
    if (this.#sink.isCommitted && this.#diskError === undefined) return this.#end(undefined);
    await this.#end(new Error('given up by this side'));
  }

  #serve(socket: Socket): void {
    const id = this.#nextId++;
    let connectionError: Error | undefined;
    this.#sockets.set(id, socket);
    this.#node.opened(id);
    // A sender that dies while nothing is under way would otherwise never be missed.
    if (this.#options.keepAlive === undefined) socket.setKeepAlive(patience(this.#userTimeoutMs));
    socket.on('error', (error) => {
      connectionError = error;
    });
    socket.on('readable', () => this.#read(id, socket));
    socket.on('drain', () => this.#write(id, socket));
    socket.on('end', () => this.#write(id, socket));
    socket.on('close', () => {
      this.#sockets.delete(id);
      this.#node.closed(id, monotonicNow());
      if (socket === this.#owner) void this.#ownerClosed(connectionError);
    });
  }

  #read(id: number, socket: Socket): void {
    while (this.#node.wantsInput(id)) {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) break;
      const wasOpen = this.#sink.isOpen;
      this.#node.received(id, bytes, performance.now());
      if (!wasOpen && this.#sink.isOpen) {
        this.#owner = socket;
        this.#options.onTransfer?.(socket);
      }
      this.#persist();
    }
    this.#write(id, socket);
  }

  /** Carries out what the replica wants on disk, then lets its replies go. */
  #persist(): void {
    if (this.#persisting !== undefined) return;
    this.#persisting = this.#persistAll().then(() => {
      this.#persisting = undefined;
      for (const [id, socket] of this.#sockets) this.#read(id, socket);
    });
  }

  async #persistAll(): Promise<void> {
    for (let ready = this.#node.takeReady(); ready !== undefined; ready = this.#node.takeReady()) {
      try {
        if (ready.persist.length > 0) await this.#disk.run(ready.persist);
        this.#node.persisted();
      } catch (error) {
        this.#diskError = error as Error;
        this.#node.persistFailed((error as Error).message, performance.now());
      }
    }
  }

  #write(id: number, socket: Socket): void {
    if (socket.destroyed || socket.writableEnded) return;
    for (let bytes = this.#node.output(id); bytes !== undefined && !socket.writableNeedDrain; bytes = this.#node.output(id)) {
      socket.write(bytes);
      this.#node.sent(id, bytes.length);
    }
    if (this.#node.output(id) !== undefined || this.#persisting !== undefined) return;
    const rejection = this.#node.rejection(id);
    if (rejection !== undefined) this.#options.onRejected?.(`${socket.remoteAddress}:${socket.remotePort}`, rejection);
    // The peer has taken the reason before the reset that follows it.
    if (rejection !== undefined || this.#diskError !== undefined) socket.end(() => socket.resetAndDestroy());
    else if (socket.readableEnded) socket.end();
  }

  async #ownerClosed(error: Error | undefined): Promise<void> {
    await this.#persisting;
    if (this.#diskError !== undefined) return this.#end(this.#diskError);
    // Once the file is safe, the way in which the connection ends changes nothing.
    if (this.#sink.isCommitted) return this.#end(undefined);
    await this.#end(error ?? new Error('the sender ended before it had committed the file'));
  }

  async #end(error: Error | undefined): Promise<void> {
    if (this.#isFinished) return;
    this.#isFinished = true;
    const { bytes } = this;
    for (const socket of this.#sockets.values()) socket.resetAndDestroy();
    this.#server.close();
    if (error !== undefined) await this.#disk.discard(PART_FILE);
    this.#finish({ peer: this.#owner, bytes, sha256: this.#sink.digest(), isCommitted: error === undefined, error });
  }
}
