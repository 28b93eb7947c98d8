import type { Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import type { DiskOperation } from '../group/disk.ts';
import type { MemberNode } from '../group/member-node.ts';
import type { Peer, Replica } from '../group/replica.ts';
import type { Connection } from '../tcp/connection.ts';
import type { Endpoint } from '../tcp/endpoint.ts';
import { CLOSED, SYN_RECEIVED, SYN_SENT } from '../tcp/state.ts';
import { EndpointHost } from './endpoint-host.ts';
import { LINK_CONFIG } from './link-config.ts';
import { Redial } from './redial.ts';

/** Connections that others may open to one member at a time; more are reset. */
const MAX_CONNECTIONS = 256;
/** Heard from one connection before what follows from it is taken. */
const MAX_HEARD_BYTES = 64 * 1024;

export interface MemberHostOptions {
  readonly endpoint: Endpoint;
  readonly node: MemberNode;
  readonly replica: Replica;
  /** Where another member is reached from here; undefined: not known (any more). Without it this member talks to clients only. */
  readonly resolve?: (peer: Peer) => Address | undefined;
}

/**
 * A member of a group: an endpoint that listens, a replica behind it, and connections to the other members. The driver
 * carries out what takeDisk() returns and says diskDone() or diskFailed(); nothing that depends on it is said before.
 */
export class MemberHost extends EndpointHost {
  readonly #node: MemberNode;
  readonly #replica: Replica;
  readonly #resolve: (peer: Peer) => Address | undefined;
  readonly #connections = new Map<number, Connection>();
  readonly #redial = new Redial();
  #nextDial: Millis = Infinity;
  /** Connections that others opened. */
  #admitted = 0;
  #nextId = 1;
  #disk: readonly DiskOperation[] | undefined;
  #isDiskBusy = false;
  #hasFailed = false;

  constructor(options: MemberHostOptions) {
    super(options.endpoint);
    this.endpoint.listen(undefined, LINK_CONFIG);
    this.#node = options.node;
    this.#replica = options.replica;
    this.#resolve = options.resolve ?? (() => undefined);
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

  /** The replica was told something from outside. */
  changed(): void {
    this.wake();
  }

  protected override run(now: Millis): void {
    for (let next = this.endpoint.accept(); next !== undefined; next = this.endpoint.accept()) this.#admit(next, now);
    this.#takeReady();
    this.#dial(now);
    // Whatever has come from anywhere goes to the disk together, and what follows from it leaves together.
    for (const [id, connection] of this.#connections) this.#hear(id, connection, now);
    this.#takeReady();
    for (const [id, connection] of this.#connections) this.#tell(id, connection, now);
  }

  protected override applicationTimeout(): Millis {
    return Math.min(this.#replica.nextTimeout(), this.#nextDial);
  }

  protected override handleApplicationTimeout(now: Millis): void {
    if (this.#replica.nextTimeout() <= now) this.#replica.handleTimeout(now);
  }

  #admit(connection: Connection, now: Millis): void {
    if (this.#admitted >= MAX_CONNECTIONS) {
      connection.abort(now);
      return;
    }
    this.#admitted++;
    this.#connections.set(this.#nextId, connection);
    this.#node.opened(this.#nextId++);
  }

  #dial(now: Millis): void {
    const node = this.#node;
    this.#nextDial = Infinity;
    for (const peer of node.missingPeers()) this.#dialOne(peer, now, (id) => node.dialed(id, peer));
    for (const peer of node.missingErrandTargets()) this.#dialOne(peer, now, (id) => node.dialedForErrands(id, peer));
  }

  #dialOne(peer: Peer, now: Millis, dialed: (id: number) => void): void {
    const isDue = this.#redial.dueAt(peer.address) <= now;
    if (isDue) this.#redial.tried(peer.address, now);
    const address = isDue ? this.#resolve(peer) : undefined;
    // One that the other side has opened may be here already, and has yet to say whose it is.
    if (address === undefined || this.endpoint.hasConnection(address)) {
      this.#nextDial = Math.min(this.#nextDial, this.#redial.dueAt(peer.address));
      return;
    }
    const connection = this.endpoint.connect(address, now, LINK_CONFIG);
    const id = this.#nextId++;
    this.#connections.set(id, connection);
    this.#redial.opened(id, peer.address);
    dialed(id);
  }

  #hear(id: number, connection: Connection, now: Millis): void {
    const node = this.#node;
    const { state } = connection;
    if (state !== CLOSED && state !== SYN_SENT && state !== SYN_RECEIVED) this.#redial.succeeded(id);
    let heardBytes = 0;
    while (node.wantsInput(id)) {
      const bytes = connection.read();
      if (bytes === undefined) return;
      node.received(id, bytes, now);
      heardBytes += bytes.length;
      if (heardBytes < MAX_HEARD_BYTES) continue;
      // What it has asked for counts against what it may leave untaken, before it is asked for more.
      this.#takeReady();
      heardBytes = 0;
    }
  }

  #tell(id: number, connection: Connection, now: Millis): void {
    const node = this.#node;
    for (let bytes = node.output(id); bytes !== undefined; bytes = node.output(id)) {
      const taken = connection.write(bytes);
      node.sent(id, taken);
      if (taken < bytes.length) break;
    }
    const isThrough = node.output(id) === undefined && !this.#isDiskBusy;
    if (isThrough && (connection.isReadFinished || node.rejection(id) !== undefined || this.#hasFailed)) connection.close(now);
    if (connection.state !== CLOSED) return;
    this.#connections.delete(id);
    if (!this.#redial.closed(id)) this.#admitted--;
    node.closed(id, now);
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
