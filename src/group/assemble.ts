import type { Millis } from '../core/machine.ts';
import type { Random } from '../core/random.ts';
import type { Sink } from '../core/trace.ts';
import type { GroupClient } from './client.ts';
import { SingleClient } from './client/single-client.ts';
import { VoteClient } from './client/vote-client.ts';
import { TimeoutDetector, type Detector } from './detector.ts';
import type { Fault } from './faulty.ts';
import { quorumForgery, quorumLie, type Lies, type ReplyLie } from './lies.ts';
import type { CompactionLimits } from './log-compaction.ts';
import { traitsOf, type Mode } from './modes.ts';
import { QuorumClient } from './quorum/quorum-client.ts';
import { QuorumReplica } from './quorum/quorum-replica.ts';
import { raftLie } from './raft/raft-lies.ts';
import { RaftReplica } from './raft/raft-replica.ts';
import type { Peer, Replica, ReplicaId } from './replica.ts';
import { Service } from './service.ts';
import type { StateMachine } from './state-machine.ts';
import type { Storage } from './storage.ts';
import { DEFAULT_VIEW_CONFIG } from './view/view-config.ts';
import { viewLie } from './view/view-lies.ts';
import { ViewMachine } from './view/view-machine.ts';
import { ViewReplica } from './view/view-replica.ts';

/** Silence for which nobody is suspected in a group with views, and how much more irregular networks may ask for. */
const DEFAULT_SUSPICION_MS = 1000;
const MAX_SUSPICION_FACTOR = 4;

/** A replica whose membership people may change. */
export interface Administered {
  /** Takes a member in, and says why it is not yet so: ask again until it is. Only whoever orders can. */
  addMember(peer: Peer, now: Millis): string | undefined;
  removeMember(id: ReplicaId, now: Millis): string | undefined;
}

export interface ReplicaOptions {
  readonly mode: Mode;
  readonly self: Peer;
  /** Who the group consists of at its beginning; empty for a member that joins later. */
  readonly bootstrap: readonly Peer[];
  readonly viewServers: readonly Peer[];
  readonly fence: 'view-service' | 'none';
  /** Its disk is the one that the group was founded with: if nothing is on it, nothing was promised. */
  readonly isFounding: boolean;
  /** What is replicated. Not asked for in mode quorum: a register is a service of its own. */
  readonly machine: StateMachine;
  readonly storage: Storage;
  readonly random: Random;
  /** Silence after which a leader is taken for dead; the mode's own default if undefined. */
  readonly electionTimeoutMs?: Millis;
  /** When a log is replaced by a snapshot; the mode's own default if undefined. */
  readonly compaction?: CompactionLimits;
  readonly sink?: Sink;
  readonly now: Millis;
}

/** A member of a group that replicates any service, in any mode. */
export function createReplica(options: ReplicaOptions): Replica & Partial<Administered> {
  const { mode, self, bootstrap, isFounding, machine, storage, random, electionTimeoutMs, compaction, sink, now } = options;
  const traced = sink === undefined ? {} : { sink };
  switch (mode) {
    case 'raft': {
      const config = { ...compaction, ...(electionTimeoutMs === undefined ? {} : { electionTimeoutMs }) };
      return new RaftReplica({ self, bootstrap, service: new Service(machine), storage, random, config, now, ...traced });
    }
    case 'quorum':
      return new QuorumReplica({ id: self.id, seat: bootstrap.findIndex(({ id }) => id === self.id), members: bootstrap, isFounding, storage, random, ...traced });
    default:
      return new ViewReplica({
        mode, self, bootstrap, fence: options.fence, viewServers: options.viewServers, service: new Service(machine), storage, random, now, ...traced,
        detector: createDetector(electionTimeoutMs), ...(compaction === undefined ? {} : { config: compaction }),
      });
  }
}

/** A server of the view service. */
export function createViewServer({ self, bootstrap, storage, random, electionTimeoutMs, sink, now }: Omit<ReplicaOptions, 'machine'>): Replica & Partial<Administered> {
  return new RaftReplica({
    self, bootstrap, service: new Service(new ViewMachine()), storage, random, now,
    ...(electionTimeoutMs === undefined ? {} : { config: { electionTimeoutMs } }), ...(sink === undefined ? {} : { sink }),
  });
}

function createDetector(timeoutMs: Millis = DEFAULT_SUSPICION_MS): Detector {
  const { heartbeatMs } = DEFAULT_VIEW_CONFIG;
  return new TimeoutDetector({ heartbeatMs, minTimeoutMs: Math.max(timeoutMs, 3 * heartbeatMs), maxTimeoutMs: MAX_SUSPICION_FACTOR * timeoutMs });
}

/** What a faulty member of such a group says that looks right and is not; `reply`: of the service. */
export function liesOf(mode: Mode, members: number, { kind }: Fault, reply: ReplyLie): Lies {
  switch (mode) {
    case 'quorum':
      // Members say nothing to each other while all have their memory.
      return { reply: kind === 'two-faced' ? quorumForgery(members) : quorumLie(members) };
    case 'raft':
      return { reply, message: raftLie };
    default:
      return { reply, message: viewLie };
  }
}

export interface ClientConfig {
  readonly mode: Mode;
  /** Of the group. */
  readonly members: number;
  readonly clientId: string;
  /** HOST:PORT, as members call each other. */
  readonly targets: readonly string[];
  readonly random: Random;
  /** Which of the service's operations change nothing. */
  readonly isReadOnly: (operation: Uint8Array) => boolean;
  /** Operations on their way at a time, where the mode keeps them in order; see ClientOptions. */
  readonly window?: number;
  readonly operationTimeoutMs?: Millis;
}

/** A client of a group, in any mode. In mode quorum it speaks to a register, whatever else it is told. */
export function createClient(config: ClientConfig): GroupClient {
  const { mode, members, operationTimeoutMs, clientId, targets } = config;
  if (!traitsOf(mode).isOrdered) return new QuorumClient({ clientId, targets: targets.length, members, ...(operationTimeoutMs === undefined ? {} : { deadlineMs: operationTimeoutMs }) });
  return traitsOf(mode).asks === 'leader' ? new SingleClient(config) : new VoteClient(config);
}
