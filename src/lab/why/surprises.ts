import { createRandom } from '../../core/random.ts';
import { TimeoutDetector } from '../../group/detector.ts';
import { openStorage } from '../../group/disk-storage.ts';
import { SingleClient } from '../../group/client/single-client.ts';
import { VoteClient } from '../../group/client/vote-client.ts';
import type { OperationOutcome } from '../../group/client.ts';
import { KvMachine } from '../../group/kv/kv-machine.ts';
import { encodeKvOperation, isKvRead, type KvOperation } from '../../group/kv/kv-operation.ts';
import { decodeKvResult } from '../../group/kv/kv-result.ts';
import type { Peer } from '../../group/replica.ts';
import { Service } from '../../group/service.ts';
import type { Reply } from '../../group/state-machine.ts';
import { ViewReplica, type ViewMode } from '../../group/view/view-replica.ts';
import { addressOf, type Beginning, type SimReplica } from '../../sim/group/member-place.ts';
import { FAIR_WEATHER } from '../../sim/group/message-network.ts';
import { ReplicaWorld } from '../../sim/replica-world.ts';

/** What an experiment showed: lines for people, and whether it showed what it was to show. */
export interface Surprise {
  readonly title: string;
  readonly lines: readonly string[];
  readonly isShown: boolean;
}

const MAX_TRIES = 100;

/**
 * Two clients, four replicas, no failure at all: every channel is reliable and first in, first out, and still the replicas differ, since
 * nobody says whose message comes first. A vote then is two against two.
 */
export function withoutOrder(seed: number): Surprise {
  const random = createRandom(seed).fork('without order');
  const operations = [{ name: 'A: x := 1', apply: () => 1 }, { name: 'B: x := 2x', apply: (x: number) => 2 * x }];
  const draw = (i: number): { name: string; order: string[]; x: number } => {
    // Each client's message takes its own time to each replica.
    const arrived = operations.map((operation) => ({ operation, at: random.unit() })).sort((first, second) => first.at - second.at).map(({ operation }) => operation);
    return { name: `m${i}`, order: arrived.map(({ name }) => name), x: arrived.reduce((x, { apply }) => apply(x), 3) };
  };
  // What chance gives, until it gives the case that matters.
  let results = Array.from({ length: 4 }, (_, i) => draw(i));
  let tries = 1;
  for (; tries < MAX_TRIES && results.filter(({ x }) => x === 2).length !== 2; tries++) results = Array.from({ length: 4 }, (_, i) => draw(i));
  const values = new Set(results.map(({ x }) => x));
  return {
    title: 'two clients, no failure at all, and the replicas differ: messages to all are not enough, they must come in one order',
    lines: ['x = 3 everywhere; A sends "x := 1" to all, B sends "x := 2x" to all', ...results.map(({ name, order, x }) => `${name} gets ${order.join(', then ')}: x = ${x}`), `${values.size} different answers, each with ${results.length / values.size} votes of ${results.length} (run ${tries} of this seed)`],
    isShown: values.size === 2,
  };
}

/** k+1 members and nothing but timeouts: cut in two, each half takes the other for dead, and both answer. */
export function splitBrain(seed: number): Surprise {
  const world = makeWorld(seed, 2, 2, 'primary-backup', () => new KvMachine());
  const [m0, m1] = ['m0', 'm1'];
  const lines: string[] = [];
  const ask = (client: number, operation: KvOperation, words: string): string => {
    const outcome = perform(world, client, operation);
    const text = describe(outcome);
    lines.push(`client ${client}: ${words} → ${text}`);
    return text;
  };
  ask(0, { kind: 'put', key: 'x', value: bytes('before') }, 'put x before');
  for (const [from, to] of [[m0, m1], [m1, m0], ['c0', m1], [m1, 'c0'], ['c1', m0], [m0, 'c1']] as const) world.network.block(from!, to!);
  lines.push('the network is cut: m0 and client 0 here, m1 and client 1 there; after the timeouts, each member is the primary of what is left');
  world.run(world.now + 5000);
  ask(0, { kind: 'put', key: 'x', value: bytes('left') }, 'put x left');
  ask(1, { kind: 'put', key: 'x', value: bytes('right') }, 'put x right');
  const right = ask(1, { kind: 'get', key: 'x' }, 'get x');
  const left = ask(0, { kind: 'get', key: 'x' }, 'get x');
  return {
    title: 'k+1 members with timeouts only: silence is taken for death, and both sides of a partition answer',
    lines, isShown: left === '"left"' && right === '"right"',
  };
}

/** Three honest members in one order, and a service that looks at the clock: they outvote each other. */
export function clockInApply(seed: number): Surprise {
  let world: ReplicaWorld | undefined;
  class ClockMachine extends KvMachine {
    override apply(operation: Uint8Array): Reply {
      const reply = super.apply(operation);
      return reply.status === 'ok' ? { ...reply, offset: Math.round((world?.now ?? 0) * 1000) } : reply;
    }
  }
  world = makeWorld(seed, 3, 1, 'sequencer', () => new ClockMachine());
  const outcome = perform(world, 0, { kind: 'append', key: 'x', value: bytes('a') });
  return {
    title: 'a clock read in apply(): three honest members outvote each other',
    lines: ['each member puts the time at which it carries out the operation into its answer', `client: append x a → ${describe(outcome)}`],
    isShown: outcome?.kind === 'failed',
  };
}

function makeWorld(seed: number, members: number, clients: number, mode: ViewMode, machine: () => KvMachine): ReplicaWorld {
  const random = createRandom(seed).fork(`surprise ${mode}`);
  const peers: Peer[] = Array.from({ length: members }, (_, i) => ({ id: `m${i}`, address: addressOf(`m${i}`) }));
  const targets = peers.map(({ address }) => address);
  const factory = ({ self, read, random: own, now, sink }: Beginning): SimReplica => new ViewReplica({
    self, mode, fence: 'none', bootstrap: peers, viewServers: [], service: new Service(machine()), storage: openStorage(read), random: own, now, sink,
    detector: new TimeoutDetector({ heartbeatMs: 50, minTimeoutMs: 300, maxTimeoutMs: 1000 }),
  });
  const world = new ReplicaWorld({
    random, members, viewServers: 0, clients, memberFactory: factory, weather: FAIR_WEATHER, clockDrift: 0, diskDelayMs: 1, isEager: true, queuesInputs: true,
    clientFactory: (clientId, own) => (mode === 'primary-backup'
      ? new SingleClient({ clientId, targets, random: own, isReadOnly: isKvRead, operationTimeoutMs: 5000, attemptTimeoutMs: 300 })
      : new VoteClient({ clientId, targets, members, random: own, operationTimeoutMs: 5000, attemptTimeoutMs: 300 })),
  });
  for (const place of world.members) world.begin(place);
  for (const client of world.clients) client.start();
  world.run(3000);
  return world;
}

function perform(world: ReplicaWorld, client: number, operation: KvOperation): OperationOutcome | undefined {
  let outcome: OperationOutcome | undefined;
  const ticket = world.clients[client]!.submit(encodeKvOperation(operation));
  world.watches.push({
    ended: (who, ended) => {
      if (who === client && ended.ticket === ticket) outcome = ended;
    },
  });
  world.run(world.now + 8000, () => outcome !== undefined);
  return outcome;
}

function describe(outcome: OperationOutcome | undefined): string {
  if (outcome === undefined) return 'nothing';
  if (outcome.kind === 'failed') return outcome.reason;
  const result = decodeKvResult(outcome.reply.body);
  return result?.kind === 'value' ? JSON.stringify(new TextDecoder().decode(result.value)) : (result?.kind ?? outcome.reply.status);
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
