import { randomInt } from 'node:crypto';
import { join } from 'node:path';

import { formatAddress, type Address } from '../core/address.ts';
import { createRandom } from '../core/random.ts';
import type { Sink } from '../core/trace.ts';
import { createReplica, createViewServer, liesOf, type Administered, type ReplicaOptions } from '../group/assemble.ts';
import type { ReadFile } from '../group/disk.ts';
import { LOG, openStorage } from '../group/disk-storage.ts';
import { makeFaulty, type Fault } from '../group/faulty.ts';
import { FILES_FOLDER } from '../group/file-store-operation.ts';
import { MemberNode } from '../group/member-node.ts';
import type { Peer, Replica, ReplicaStatus } from '../group/replica.ts';
import { createMachine, replyLieOf, type ServiceName } from '../group/services.ts';
import { CorruptLogError } from '../group/storage.ts';
import { MemberHost } from '../host/member-host.ts';
import { monotonicNow } from './driver.ts';
import { FileDisk } from './file-disk.ts';
import { readDiskLabel, remedyFor, writeDiskLabel, type DiskLabel } from './group-record.ts';
import { openHost, type OpenHost } from './host-driver.ts';
import { Routes } from './routes.ts';

/** What a member is told before it serves. */
export interface Beginning {
  readonly bootstrap: readonly Peer[];
  readonly viewServers: readonly Peer[];
  /** Where addresses are reached from here, when not at themselves. */
  readonly routes: Readonly<Record<string, string>>;
}

export interface ReplicaServerOptions {
  readonly id: string;
  readonly clusterId: string;
  readonly host: string;
  readonly port: number;
  /** Of this member alone. */
  readonly directory: string;
  /** Called when the address is taken; the member serves when it resolves. */
  readonly bound: (local: Address) => Promise<Beginning>;
  /** A server of the view service, not a member. */
  readonly isViewServer?: boolean;
  /** What is replicated; `kv` unless said otherwise. */
  readonly service?: ServiceName;
  /** What is wrong with it on purpose. */
  readonly fault?: Fault;
  readonly replica: Pick<ReplicaOptions, 'mode' | 'fence' | 'electionTimeoutMs'>;
  readonly sink?: Sink;
}

/** One member of a group on real sockets and a real disk. */
export class ReplicaServer {
  readonly #disk: FileDisk;
  readonly #replica: Replica & Partial<Administered>;
  readonly #open: OpenHost<MemberHost>;
  readonly #routes: Routes;
  #isPersisting = false;
  /** Called once something is on disk, before anything is said that counts on it. */
  #begun: (() => Promise<void>) | undefined;

  private constructor(disk: FileDisk, replica: Replica & Partial<Administered>, open: OpenHost<MemberHost>, routes: Routes, begun: (() => Promise<void>) | undefined) {
    this.#disk = disk;
    this.#begun = begun;
    this.#replica = replica;
    this.#open = open;
    this.#routes = routes;
  }

  /**
   * Rejects with the system's error when address or directory cannot be had, with Error when the disk is gone or another's, and with
   * CorruptLogError, which names the file by its path, when what is on it cannot be believed.
   */
  static async start(options: ReplicaServerOptions): Promise<ReplicaServer> {
    const disk = await FileDisk.open(options.directory);
    try {
      return await ReplicaServer.#startOn(disk, options);
    } catch (error) {
      await disk.close();
      throw error instanceof CorruptLogError ? new CorruptLogError(join(options.directory, error.file), error.offset, error.reason) : error;
    }
  }

  static async #startOn(disk: FileDisk, options: ReplicaServerOptions): Promise<ReplicaServer> {
    const { id, clusterId, host, port, sink, service = 'kv' } = options;
    if (service === 'file' && options.isViewServer !== true) await FileDisk.makeFolder(options.directory, FILES_FOLDER);
    const routes = new Routes();
    let server: ReplicaServer | undefined;
    let beginning: Beginning | undefined;
    let label: DiskLabel | undefined;
    let replica: (Replica & Partial<Administered>) | undefined;
    const open = await openHost<MemberHost>({
      host, port, name: id, isRef: true,
      bound: async (local) => {
        beginning = await options.bound(local);
        label = await readDiskLabel(options.directory, { mode: options.replica.mode, clusterId, id });
        routes.set(beginning.routes);
      },
      build: (endpoint, local, now) => {
        const random = createRandom(randomInt(2 ** 32));
        const self: Peer = { id, address: formatAddress(local) };
        const read: ReadFile = (file) => {
          const bytes = disk.readFile(file);
          if (file !== LOG.file || bytes !== undefined || !label!.hasBegun) return bytes;
          throw new CorruptLogError(LOG.file, 0, `there is none any more, and with it what ${id} had promised is gone; ${remedyFor(id)}`);
        };
        const create = options.isViewServer === true ? createViewServer : createReplica;
        replica = create({
          ...options.replica, self, bootstrap: beginning!.bootstrap, viewServers: beginning!.viewServers, isFounding: label!.isFounding,
          machine: createMachine(service, (files, offset, length) => disk.read(files, offset, length)),
          storage: openStorage(read), random, now, ...(sink === undefined ? {} : { sink }),
        });
        // The replica itself is asked how it is: it does not know that it lies.
        const { fault } = options;
        const { bootstrap } = beginning!;
        const served = fault === undefined
          ? replica
          : makeFaulty(replica, fault, bootstrap.findIndex((peer) => peer.id === id), random, liesOf(options.replica.mode, bootstrap.length, fault, replyLieOf(service)));
        const node = new MemberNode({ replica: served, clusterId, memberId: id });
        return new MemberHost({ endpoint, node, replica: served, resolve: (peer) => routes.resolve(peer) });
      },
      afterTurn: () => server?.persist(),
    });
    const begun = label!.hasBegun ? undefined : (): Promise<void> => writeDiskLabel(options.directory, { ...label!, hasBegun: true });
    server = new ReplicaServer(disk, replica!, open, routes, begun);
    server.persist();
    return server;
  }

  status(): ReplicaStatus {
    return this.#replica.status();
  }

  setRoutes(routes: Readonly<Record<string, string>>): void {
    this.#routes.set(routes);
  }

  /** Why it is not yet so; undefined when it is. */
  addMember(peer: Peer): string | undefined {
    return this.#administer((replica) => replica.addMember?.(peer, monotonicNow()));
  }

  removeMember(id: string): string | undefined {
    return this.#administer((replica) => replica.removeMember?.(id, monotonicNow()));
  }

  /** Carries out what the replica wants on disk, one batch after the other. */
  persist(): void {
    if (this.#isPersisting) return;
    const operations = this.#open.host.takeDisk();
    if (operations === undefined) return;
    this.#isPersisting = true;
    this.#disk.run(operations).then(() => this.#begun?.()).then(
      () => {
        this.#begun = undefined;
        this.#open.host.diskDone();
      },
      (error: Error) => this.#open.host.diskFailed(error.message, monotonicNow()),
    ).finally(() => {
      this.#isPersisting = false;
      this.#open.wake();
    });
  }

  async close(): Promise<void> {
    this.#open.close();
    await this.#disk.close();
  }

  #administer(act: (replica: Replica & Partial<Administered>) => string | undefined): string | undefined {
    const refusal = act(this.#replica);
    this.#open.host.changed();
    this.#open.wake();
    return refusal;
  }
}
