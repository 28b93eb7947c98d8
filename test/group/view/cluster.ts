import type { Random } from '../../../src/core/random.ts';
import { TimeoutDetector, type Detector } from '../../../src/group/detector.ts';
import type { ReplyMessage } from '../../../src/group/message.ts';
import type { Errand, Peer } from '../../../src/group/replica.ts';
import { Service } from '../../../src/group/service.ts';
import type { Storage } from '../../../src/group/storage.ts';
import { ViewMachine } from '../../../src/group/view/view-machine.ts';
import { decodeViewMessage, type ViewMessage } from '../../../src/group/view/view-message.ts';
import { ViewReplica, type ViewMode, type ViewOptions } from '../../../src/group/view/view-replica.ts';
import { ReplicaCluster, type Node, type ReplicaClusterOptions } from '../replica-cluster.ts';

export interface ClusterOptions extends ReplicaClusterOptions {
  readonly mode: ViewMode;
  readonly fence?: 'view-service' | 'none';
  readonly config?: ViewOptions['config'];
  /** A new one for each life. By timeouts of 600 to 2000 ms unless said otherwise. */
  readonly detector?: () => Detector;
}

const VIEW_SERVERS: Peer[] = [{ id: 'v1', address: 'v1:1' }];
const NOTHING = new Uint8Array(0);

function byTimeouts(): Detector {
  return new TimeoutDetector({ heartbeatMs: 150, minTimeoutMs: 600, maxTimeoutMs: 2000 });
}

/** A group with views whose messages the test can see, lose and double. Its view service is one machine that never fails. */
export class Cluster extends ReplicaCluster<ViewReplica, ViewMessage> {
  readonly views = new ViewMachine();
  readonly #service = new Service(this.views);
  readonly #options: ClusterOptions;

  constructor(options: ClusterOptions) {
    super(options);
    this.#options = options;
    this.begin();
  }

  /** To everybody, as a client does whose answers are voted, or to the primary. */
  ask(request: Parameters<Cluster['propose']>[1]): void {
    if (this.#options.mode === 'primary-backup') {
      const primary = this.leader();
      if (primary !== undefined) this.propose(primary, request);
      return;
    }
    for (const [id, { replica, isPaused }] of this.nodes) if (replica !== undefined && !isPaused && replica.status().role !== 'outside') this.propose(id, request);
  }

  /** Repeats a request until somebody has answered it. Returns the answer. */
  call(request: Parameters<Cluster['propose']>[1], forMs = 20_000): ReplyMessage {
    const { clientId = 'c', serial = 0 } = request;
    const before = this.replies.length;
    const found = (): ReplyMessage | undefined => this.replies.slice(before).find((reply) => reply.clientId === clientId && reply.serial === serial && (reply.reply.status === 'ok' || reply.reply.status === 'expired'));
    for (const end = this.now + forMs; this.now < end;) {
      this.ask(request);
      this.run(300, () => found() !== undefined);
      const reply = found();
      if (reply !== undefined) return reply;
    }
    throw new Error(`no answer: ${this.describe()}`);
  }

  open(): string {
    return `#${this.call({ clientId: `opener ${this.random.uint32()}` }).reply.offset}`;
  }

  /** Everybody who lives works in one view. */
  settle(forMs = 30_000): void {
    const isSettled = (): boolean => {
      const statuses = [...this.nodes.values()].filter(({ replica, isPaused }) => replica !== undefined && !isPaused).map(({ replica }) => replica!.status());
      return statuses.length > 0 && statuses.every(({ role, term, counters }) => role !== 'outside' && term === statuses[0]!.term && counters['isRunning'] === 1);
    };
    if (!this.run(forMs, isSettled)) throw new Error(`not settled: ${this.describe()}`);
  }

  describe(): string {
    return [...this.nodes.values()].map(({ peer: { id }, replica }) => {
      const status = replica?.status();
      return `${id} ${status === undefined ? 'dead' : `${status.role} view ${status.term} ${status.members.map((member) => member.id).join('')} running ${status.counters['isRunning']} log ${status.lastIndex}/${status.commitIndex} ${status.problem ?? ''}`}`;
    }).join('; ');
  }

  protected override make({ peer: self, machine }: Node<ViewReplica>, storage: Storage, random: Random): ViewReplica {
    const { mode, fence = 'view-service', config = {}, detector = byTimeouts } = this.#options;
    return new ViewReplica({
      self, mode, fence, bootstrap: this.isFounder(self) ? this.founders : [], viewServers: VIEW_SERVERS, service: new Service(machine), storage, random, config, now: this.now,
      detector: detector(), sink: { emit: (at, event) => this.trace(at, event) },
    });
  }

  protected override decode(body: Uint8Array): ViewMessage | undefined {
    return decodeViewMessage(body);
  }

  /** There and back; cut off as the test says for the way to `v1`. */
  protected override carry(id: string, { request }: Errand): void {
    const node = this.node(id);
    const { life } = node;
    if (this.fate({ from: id, to: 'v1', body: NOTHING }, undefined) === 0) return;
    this.after(10, () => {
      const service = this.#service;
      const reply = service.isReadOnly(request) ? service.query(request) : service.apply(service.appliedIndex + 1, request);
      if (node.life === life && this.fate({ from: 'v1', to: id, body: NOTHING }, undefined) > 0) {
        node.replica?.answered({ kind: 'reply', memberId: 'v1', clientId: request.clientId, serial: request.serial, reply }, this.now);
      }
    });
  }
}
