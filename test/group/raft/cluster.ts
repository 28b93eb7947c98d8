import type { Random } from '../../../src/core/random.ts';
import type { RaftConfig } from '../../../src/group/raft/raft-config.ts';
import { decodeRaftMessage, type RaftMessage } from '../../../src/group/raft/raft-message.ts';
import { RaftReplica } from '../../../src/group/raft/raft-replica.ts';
import { Service } from '../../../src/group/service.ts';
import type { Storage } from '../../../src/group/storage.ts';
import { ReplicaCluster, type Node, type ReplicaClusterOptions } from '../replica-cluster.ts';

export interface ClusterOptions extends ReplicaClusterOptions {
  readonly config?: Partial<RaftConfig>;
}

/** A Raft group whose messages the test can see, hold back, lose and double. */
export class Cluster extends ReplicaCluster<RaftReplica, RaftMessage> {
  readonly #config: Partial<RaftConfig>;

  constructor(options: ClusterOptions) {
    super(options);
    this.#config = options.config ?? {};
    this.begin();
  }

  /** Elects somebody and waits until it has committed something. */
  elect(): string {
    const hasLeader = (): boolean => {
      const leader = this.leader();
      const status = leader === undefined ? undefined : this.replica(leader).status();
      return status !== undefined && status.commitIndex > 0 && status.lastIndex === status.commitIndex;
    };
    if (!this.run(20_000, hasLeader)) throw new Error('no leader');
    return this.leader()!;
  }

  /** Opens a session at the leader; returns the client's id. */
  open(): string {
    const leader = this.elect();
    const before = this.replies.length;
    this.propose(leader, { clientId: `opener ${this.random.uint32()}` });
    this.run(5000, () => this.replies.length > before);
    return `#${this.replies.at(-1)!.reply.offset}`;
  }

  protected override make({ peer: self, machine }: Node<RaftReplica>, storage: Storage, random: Random): RaftReplica {
    return new RaftReplica({
      self, bootstrap: this.isFounder(self) ? this.founders : [], service: new Service(machine), storage, random, config: this.#config, now: this.now,
      sink: { emit: (at, event) => this.trace(at, event) },
    });
  }

  protected override decode(body: Uint8Array): RaftMessage | undefined {
    return decodeRaftMessage(body);
  }
}
