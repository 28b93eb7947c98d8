import { createRandom, type Random } from '../../core/random.ts';
import { makeFaulty, type Fault } from '../../group/faulty.ts';
import { decodeKvResult, type KvResult } from '../../group/kv/kv-result.ts';
import { encodeKvOperation, type KvOperation } from '../../group/kv/kv-operation.ts';
import { kvLie, quorumLie } from '../../group/lies.ts';
import { traitsOf, type Mode } from '../../group/modes.ts';
import type { OperationOutcome } from '../../group/client.ts';
import { drawGroup, type GroupScenario } from '../../sim/group/draw-group.ts';
import { simEngine } from '../../sim/group/engines.ts';
import type { Beginning, SimReplica } from '../../sim/group/member-place.ts';
import { FAIR_WEATHER } from '../../sim/group/message-network.ts';
import { ReplicaWorld } from '../../sim/replica-world.ts';

/** What can be wrong with members in the experiments on thresholds. */
export const THRESHOLD_FAULTS = ['crash', 'wrong replies, colluding', 'wrong replies, independent'] as const;
export type ThresholdFault = (typeof THRESHOLD_FAULTS)[number];

/** Masked; detected: an error, and nothing wrong; hung: neither an answer nor an error in time; wrong: a wrong answer was believed. */
export type CellVerdict = 'M' | 'D' | 'H' | 'W';

export interface ThresholdCase {
  readonly mode: Mode;
  readonly fault: ThresholdFault;
  readonly members: number;
  /** Places of the faulty ones. */
  readonly faulty: readonly number[];
  readonly seed: number;
}

export interface ThresholdRun {
  readonly verdict: CellVerdict;
  /** What the client did and heard, a line each. */
  readonly story: readonly string[];
}

/** Numbered appends, then a read; where there is no order, puts and reads. */
const APPENDS = 6;
/** Members crash when so many operations are done. */
const CRASH_AFTER = 3;
const BEGINNING_MS = 3000;
const DEADLINE_MS = 4000;
const GRACE_MS = 1000;

/** One group, one client, one placement of faults; the operations one after the other, each with an answer, an error, or neither, by its deadline. */
export function runThreshold(options: ThresholdCase): ThresholdRun {
  const { mode, fault, members, faulty, seed } = options;
  const random = createRandom(seed).fork(`${mode} ${members}`);
  const scenario = calm(mode, members, seed, random);
  const engine = simEngine(scenario);
  const isLiar = fault !== 'crash';
  const member = (beginning: Beginning): SimReplica => {
    const replica = engine.member(beginning);
    return isLiar && faulty.includes(beginning.place) ? makeFaulty(replica, lie(fault), beginning.place, beginning.random, { reply: mode === 'quorum' ? quorumLie(members) : kvLie }) : replica;
  };
  const world = new ReplicaWorld({
    random: random.fork('world'), members, viewServers: scenario.viewServers, clients: 1, memberFactory: member, clientFactory: engine.client,
    ...(engine.viewServer === undefined ? {} : { viewServerFactory: engine.viewServer }),
    weather: FAIR_WEATHER, clockDrift: 0, diskDelayMs: 1, isEager: true, queuesInputs: true,
  });
  const outcomes = new Map<number, OperationOutcome>();
  const story: string[] = [];
  world.watches.push({
    ended: (_client, outcome) => outcomes.set(outcome.ticket, outcome),
    replied: (_client, place, { reply }) => story.push(`  ${place.name}${faulty.includes(place.index) && isLiar ? ' (lies)' : ''} replies ${describeReply(reply.status, reply.body)}`),
  });
  for (const place of [...world.viewServers, ...world.members]) world.begin(place);
  const client = world.clients[0]!;
  client.start();
  world.run(BEGINNING_MS);
  let verdict: CellVerdict = 'M';
  const plan = operationsOf(mode);
  for (const [i, { operation, expected }] of plan.entries()) {
    if (i === CRASH_AFTER && !isLiar) {
      for (const place of faulty) world.crash(world.members[place]!, false);
      story.push(`${faulty.map((place) => `m${place}`).join(', ') || 'nobody'} crash${faulty.length === 1 ? 'es' : ''}`);
    }
    story.push(`the client asks: ${describeOperation(operation)}`);
    outcomes.clear();
    const ticket = client.submit(encodeKvOperation(operation));
    world.run(world.now + DEADLINE_MS + GRACE_MS, () => outcomes.has(ticket));
    const outcome = outcomes.get(ticket);
    const own = judge(outcome, expected);
    story.push(`  ${outcome === undefined ? 'nothing is known by the deadline' : outcome.kind === 'failed' ? `it fails: ${outcome.reason}` : `it believes ${describeReply(outcome.reply.status, outcome.reply.body)}`}${own === 'W' ? `, which is wrong: ${expected}` : ''}`);
    verdict = worse(verdict, own);
    // After an error nobody knows what is right; and a wrong answer is as bad as it gets.
    if (own !== 'M') break;
  }
  return { verdict, story };
}

/** M < D < H < W. */
export function worse(a: CellVerdict, b: CellVerdict): CellVerdict {
  const order = 'MDHW';
  return order.indexOf(a) >= order.indexOf(b) ? a : b;
}

function calm(mode: Mode, members: number, seed: number, random: Random): GroupScenario {
  return {
    ...drawGroup(mode, seed, random.fork('scenario')), members, spares: 0, viewServers: traitsOf(mode).hasViews ? 3 : 0, clients: 1, weather: FAIR_WEATHER,
    clockDrift: 0, diskDelayMs: 1, electionTimeoutMs: 300, deadlineMs: DEADLINE_MS, snapshotBytes: 1 << 20, keptEntries: 1000, maxSessions: 100,
  };
}

function lie(fault: ThresholdFault): Fault {
  return { kind: 'wrong-value', isColluding: fault === 'wrong replies, colluding', probability: 1, delayMs: 0 };
}

function operationsOf(mode: Mode): { readonly operation: KvOperation; readonly expected: string }[] {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  if (!traitsOf(mode).isOrdered) {
    return Array.from({ length: APPENDS }, (_, i) => i).flatMap((i) => [
      { operation: { kind: 'put', key: 'x', value: bytes(`v${i}`) } as const, expected: 'done' },
      { operation: { kind: 'get', key: 'x' } as const, expected: `"v${i}"` },
    ]);
  }
  const appends = Array.from({ length: APPENDS }, (_, i) => ({ operation: { kind: 'append', key: 'x', value: bytes(`v${i};`) } as const, expected: `${3 * (i + 1)} bytes` }));
  return [...appends, { operation: { kind: 'get', key: 'x' }, expected: `"${Array.from({ length: APPENDS }, (_, i) => `v${i};`).join('')}"` }];
}

function judge(outcome: OperationOutcome | undefined, expected: string): CellVerdict {
  if (outcome === undefined) return 'H';
  if (outcome.kind === 'failed') return 'D';
  if (outcome.reply.status !== 'ok') return 'D';
  return describeReply(outcome.reply.status, outcome.reply.body) === expected ? 'M' : 'W';
}

function describeReply(status: string, body: Uint8Array): string {
  const result = status === 'ok' ? decodeKvResult(body) : undefined;
  return result === undefined ? status : describeResult(result);
}

function describeResult(result: KvResult): string {
  switch (result.kind) {
    case 'value':
      return JSON.stringify(new TextDecoder().decode(result.value));
    case 'length':
      return `${result.bytes} bytes`;
    case 'truth':
      return String(result.value);
    default:
      return result.kind;
  }
}

function describeOperation(operation: KvOperation): string {
  const value = operation.kind === 'put' || operation.kind === 'append' ? ` ${new TextDecoder().decode(operation.value)}` : '';
  return `${operation.kind} ${operation.key}${value}`;
}

