import type { Random } from '../../core/random.ts';
import { openStorage } from '../../group/disk-storage.ts';
import type { GroupClient } from '../../group/client.ts';
import type { HistoryEvent } from '../../group/history.ts';
import { SingleClient } from '../../group/client/single-client.ts';
import { VoteClient } from '../../group/client/vote-client.ts';
import { PerfectDetector, TimeoutDetector } from '../../group/detector.ts';
import { isKvRead } from '../../group/kv/kv-operation.ts';
import { KvMachine } from '../../group/kv/kv-machine.ts';
import { QuorumClient } from '../../group/quorum/quorum-client.ts';
import { QuorumReplica } from '../../group/quorum/quorum-replica.ts';
import { RaftReplica } from '../../group/raft/raft-replica.ts';
import type { Peer, ReplicaId } from '../../group/replica.ts';
import { Service } from '../../group/service.ts';
import { ViewMachine } from '../../group/view/view-machine.ts';
import { NO_VIEW, type View } from '../../group/view/view.ts';
import { ViewReplica, type ViewMode } from '../../group/view/view-replica.ts';
import type { ClientFactory } from './client-place.ts';
import type { GroupScenario } from './draw-group.ts';
import { checkLinearizability } from '../linearizability.ts';
import { KV_WORDS } from './kv-words.ts';
import { addressOf, type Beginning, type ReplicaFactory, type SimReplica } from './member-place.ts';
import type { Operation, OperationWords } from './workload.ts';

/** A mode, as the simulator needs it: how its members and clients are made, and what they can be asked. */
export interface SimEngine {
  readonly member: ReplicaFactory;
  readonly viewServer?: ReplicaFactory;
  /** What the view service has decided last. */
  readonly currentView?: () => View;
  readonly client: ClientFactory;
  readonly words: OperationWords;
  readonly kinds: readonly Operation['op'][];
  /** How many keys could be judged, and what is wrong with their histories. */
  readonly judge: (history: readonly HistoryEvent[]) => { readonly judged: number; readonly wrong: readonly string[] };
}

const ORDERED_KINDS: SimEngine['kinds'] = ['get', 'put', 'cas', 'append', 'del'];
/** Of the search, for each key: a run that would need more is not judged. */
const MAX_VISITED = 200_000;
const REGISTER_KINDS: SimEngine['kinds'] = ['get', 'put'];

/** Knows which lives of members are over. */
export type IsDead = (member: ReplicaId) => boolean;

/** The mode's own engine, with the key-value store on it. `isDead`: in groups with views, suspicions are always right, and never late. */
export function simEngine(scenario: GroupScenario, isDead?: IsDead): SimEngine {
  switch (scenario.mode) {
    case 'raft':
      return { member: (beginning) => raftMember(scenario, beginning), client: (name, random) => leaderClient(scenario, name, random), words: KV_WORDS, kinds: ORDERED_KINDS, judge };
    case 'quorum': {
      const seats = founders(scenario);
      return { 
        member: (beginning) => quorumMember(scenario, beginning, seats), client: (name) => quorumClient(scenario, name), words: KV_WORDS, kinds: REGISTER_KINDS, judge,
      };
    }
    default: {
      const { mode } = scenario;
      const client: ClientFactory = mode === 'primary-backup' ? (name, random) => leaderClient(scenario, name, random) : (name, random) => voteClient(scenario, name, random);
      const member: ReplicaFactory = (beginning) => viewMember(scenario, mode, beginning, isDead);
      const machines: ViewMachine[] = [];
      return {
        member, viewServer: (beginning) => viewServer(scenario, beginning, (machines[beginning.place] = new ViewMachine())), client, words: KV_WORDS, kinds: ORDERED_KINDS, judge,
        currentView: () => machines.reduce((latest, { view }) => (view.number > latest.number ? view : latest), NO_VIEW),
      };
    }
  }
}

function judge(history: readonly HistoryEvent[]): { judged: number; wrong: string[] } {
  const verdict = checkLinearizability(history, { maxVisited: MAX_VISITED });
  switch (verdict.kind) {
    case 'linearizable':
      return { judged: verdict.keys, wrong: [] };
    case 'violation':
      return { judged: 0, wrong: [verdict.explanation] };
    case 'invalid':
      return { judged: 0, wrong: [verdict.reason] };
    // No evidence, neither for nor against: it counts as not judged.
    case 'unfinished':
    case 'not-judged':
      return { judged: 0, wrong: [] };
  }
}

/** Those who are there from the beginning. */
function founders({ members }: GroupScenario): Peer[] {
  return peers('m', members);
}

function peers(letter: string, count: number): Peer[] {
  return Array.from({ length: count }, (_, i) => ({ id: `${letter}${i}`, address: addressOf(`${letter}${i}`) }));
}

function targetsOf({ members, spares }: GroupScenario): string[] {
  return peers('m', members + spares).map(({ address }) => address);
}

function raftMember(scenario: GroupScenario, { self, isFounding, read, random, now, sink }: Beginning): SimReplica {
  const { electionTimeoutMs, snapshotBytes, keptEntries, inflightBytes, pendingEntries, keptBytes, maxSessions } = scenario;
  return new RaftReplica({
    self, bootstrap: isFounding ? founders(scenario) : [], service: new Service(new KvMachine(), maxSessions), storage: openStorage(read), random, now, sink,
    config: { electionTimeoutMs, snapshotBytes, keptEntries, maxInflightBytes: inflightBytes, maxUncommittedEntries: pendingEntries, maxKeptBytes: keptBytes },
  });
}

function leaderClient(scenario: GroupScenario, clientId: string, random: Random): GroupClient {
  const { deadlineMs, electionTimeoutMs } = scenario;
  return new SingleClient({ clientId, targets: targetsOf(scenario), random, isReadOnly: isKvRead, operationTimeoutMs: deadlineMs, attemptTimeoutMs: electionTimeoutMs });
}

/** Whoever begins is told who sits where at that moment, as whoever looks after the group knows it. */
function quorumMember(scenario: GroupScenario, { self, place, isFounding, read, random, sink }: Beginning, seats: Peer[]): SimReplica {
  seats[place] = self;
  const { snapshotBytes } = scenario;
  return new QuorumReplica({ id: self.id, seat: place, members: [...seats], isFounding, storage: openStorage(read), random, sink, compactBytes: snapshotBytes });
}

function quorumClient({ members, deadlineMs, electionTimeoutMs }: GroupScenario, clientId: string): GroupClient {
  return new QuorumClient({ clientId, targets: members, members, deadlineMs, retryMs: electionTimeoutMs });
}

function viewMember(scenario: GroupScenario, mode: ViewMode, { self, isFounding, read, random, now, sink }: Beginning, isDead: IsDead | undefined): SimReplica {
  const { electionTimeoutMs, snapshotBytes, keptEntries, inflightBytes, pendingEntries, keptBytes, pendingBytes, maxSessions, viewServers } = scenario;
  const heartbeatMs = electionTimeoutMs / 6;
  return new ViewReplica({
    self, mode, fence: 'view-service', bootstrap: isFounding ? founders(scenario) : [], viewServers: peers('v', viewServers),
    service: new Service(new KvMachine(), maxSessions), storage: openStorage(read), random, now, sink,
    detector: isDead === undefined ? new TimeoutDetector({ heartbeatMs, minTimeoutMs: electionTimeoutMs, maxTimeoutMs: 10 * electionTimeoutMs }) : new PerfectDetector(isDead),
    config: {
      heartbeatMs, retryMs: electionTimeoutMs / 3, snapshotBytes, keptEntries, maxInflightBytes: inflightBytes, maxUnstable: pendingEntries, maxKeptBytes: keptBytes,
      maxPendingBytes: pendingBytes, maxReportBytes: 1.5 * pendingBytes,
    },
  });
}

function viewServer({ viewServers, electionTimeoutMs }: GroupScenario, { self, read, random, now, sink }: Beginning, machine: ViewMachine): SimReplica {
  return new RaftReplica({
    self, bootstrap: peers('v', viewServers), service: new Service(machine), storage: openStorage(read), random, now, sink, config: { electionTimeoutMs },
  });
}

/** Reads have their place in the order like everything else, so they need a session, too. */
function voteClient(scenario: GroupScenario, clientId: string, random: Random): GroupClient {
  const { members, deadlineMs, electionTimeoutMs } = scenario;
  return new VoteClient({ clientId, targets: targetsOf(scenario), members, random, operationTimeoutMs: deadlineMs, attemptTimeoutMs: electionTimeoutMs });
}
