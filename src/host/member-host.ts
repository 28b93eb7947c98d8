import type { Millis } from '../core/machine.ts';
import type { DiskOperation } from '../group/disk.ts';
import type { MemberNode } from '../group/member-node.ts';
import type { Replica } from '../group/replica.ts';
import type { Connection } from '../tcp/connection.ts';
import type { Endpoint } from '../tcp/endpoint.ts';
import { CLOSED } from '../tcp/state.ts';
import { EndpointHost } from './endpoint-host.ts';

/** Connections that one member serves at a time; more are reset. */
const MAX_CONNECTIONS = 16;

/**
 * A member of a group: an endpoint that listens, and a replica behind it. The driver carries out what takeDisk() returns
 * and says diskDone() or diskFailed(); nothing that depends on it is said before.
 */
export class MemberHost extends EndpointHost {
  readonly #node: MemberNode;
  readonly #replica: Replica;
  readonly #connections = new Map<number, Connection>();
  #nextId = 1;
  #disk: readonly DiskOperation[] | undefined;
  #isDiskBusy = false;
  #hasFailed = false;

  constructor(endpoint: Endpoint, node: MemberNode, replica: Replica) {
    super(endpoint);
    endpoint.listen();
    this.#node = node;
    this.#replica = replica;
  }

  /** What to write next; undefined when there is nothing, or something is under way. */
  takeDisk(): readonly DiskOperation[] | undefined {
    const disk = this.#disk;
    this.#disk = undefined;
    return disk;
  }

  diskDone(): void {
    this.#isDiskBusy = false;
    this.#node.persisted();
    this.wake();
  }

  diskFailed(reason: string, now: Millis): void {
    this.#isDiskBusy = false;
    this.#hasFailed = true;
    this.#node.persistFailed(reason, now);
    this.wake();
  }

  protected override run(now: Millis): void {
    for (let next = this.endpoint.accept(); next !== undefined; next = this.endpoint.accept()) this.#admit(next, now);
    this.#takeReady();
    for (const [id, connection] of this.#connections) this.#serve(id, connection, now);
  }

  protected override applicationTimeout(): Millis {
    return this.#replica.nextTimeout();
  }

  protected override handleApplicationTimeout(now: Millis): void {
    this.#replica.handleTimeout(now);
  }

  #admit(connection: Connection, now: Millis): void {
    if (this.#connections.size >= MAX_CONNECTIONS) {
      connection.abort(now);
      return;
    }
    this.#connections.set(this.#nextId, connection);
    this.#node.opened(this.#nextId++);
  }

  #serve(id: number, connection: Connection, now: Millis): void {
    const node = this.#node;
    while (node.wantsInput(id)) {
      const bytes = connection.read();
      if (bytes === undefined) break;
      node.received(id, bytes, now);
      this.#takeReady();
    }
    for (let bytes = node.output(id); bytes !== undefined; bytes = node.output(id)) {
      const taken = connection.write(bytes);
      node.sent(id, taken);
      if (taken < bytes.length) break;
    }
    const isThrough = node.output(id) === undefined && !this.#isDiskBusy;
    if (isThrough && (connection.isReadFinished || node.rejection(id) !== undefined || this.#hasFailed)) connection.close(now);
    if (connection.state !== CLOSED) return;
    this.#connections.delete(id);
    node.closed(id);
  }

  /** What needs no disk is as good as written. */
  #takeReady(): void {
    for (let ready = this.#node.takeReady(); ready !== undefined; ready = this.#node.takeReady()) {
      if (ready.persist.length > 0) {
        this.#disk = ready.persist;
        this.#isDiskBusy = true;
        return;
      }
      this.#node.persisted();
    }
  }
}
