import { createRandom } from '../../core/random.ts';
import { liesOf } from '../../group/assemble.ts';
import type { OperationOutcome } from '../../group/client.ts';
import { makeFaulty, parseFault } from '../../group/faulty.ts';
import type { HistoryEvent, HistoryValue } from '../../group/history.ts';
import { kvLie, type Lies } from '../../group/lies.ts';
import { traitsOf } from '../../group/modes.ts';
import { simEngine } from '../../sim/group/engines.ts';
import { fairScenario, groupWorld } from '../../sim/group/group-world.ts';
import { KV_WORDS } from '../../sim/group/kv-words.ts';
import type { Beginning, SimReplica } from '../../sim/group/member-place.ts';
import type { Operation } from '../../sim/group/workload.ts';
import { stepKey, type KeyState } from '../../sim/kv-model.ts';
import type { ReplicaWorld } from '../../sim/replica-world.ts';
import { modeOf, PERFECT, unfencedMember, type Arrangement } from './arrangements.ts';
import type { Step } from './steps.ts';

/** What is wrong with members in the experiments on thresholds; but for `crash`, in the words of `group up --faulty`. */
export const THRESHOLD_FAULTS = ['crash', 'wrong-value:colluding', 'wrong-value:independent', 'two-faced'] as const;
export type ThresholdFault = (typeof THRESHOLD_FAULTS)[number];

/** Masked; detected: an error, and nothing wrong; hung: neither an answer nor an error in time; wrong: a wrong answer was believed. */
export type CellVerdict = 'M' | 'D' | 'H' | 'W';

export interface ThresholdCase {
  readonly arrangement: Arrangement;
  readonly fault: ThresholdFault;
  readonly members: number;
  /** Places of the faulty ones. */
  readonly faulty: readonly number[];
  readonly seed: number;
}

/** Operations of one client, or of each of two. */
const WRITES = 6;
/** Members crash when so many rounds are over. */
const CRASH_AFTER = 3;
const BEGINNING_MS = 1500;
const DEADLINE_MS = 3000;
const GRACE_MS = 1000;
/** After the last answer: those who were later shall be heard, too. */
const LATE_MS = 100;

/**
 * One group, one placement of faults; one client that does one operation after the other, each with an answer, an error, or neither, by its
 * deadline. Where members lie to each other there are two clients at a time, so that there is an order to lie about. `steps`: takes what
 * happened in the last round, and the lies among members in the one before.
 */
export function runThreshold(options: ThresholdCase, steps: Step[] = []): CellVerdict {
  const { arrangement, fault, members, faulty, seed } = options;
  const mode = modeOf(arrangement);
  const random = createRandom(seed).fork(`${arrangement} ${members}`);
  const scenario = fairScenario(mode, members, { deadlineMs: DEADLINE_MS, ...(arrangement === PERFECT ? { viewServers: 0 } : {}) });
  const engine = simEngine(scenario);
  const lies = new Set<object>();
  let world: ReplicaWorld | undefined;
  const member = (beginning: Beginning): SimReplica => {
    const replica = arrangement === PERFECT ? unfencedMember({ mode: 'primary-backup', members, isDead: (id) => world?.placeOf(id)?.isUp === false }, beginning) : engine.member(beginning);
    if (fault === 'crash' || !faulty.includes(beginning.place)) return replica;
    const parsed = parseFault(fault);
    return makeFaulty(replica, parsed, beginning.place, beginning.random, noted(liesOf(mode, members, parsed, kvLie), lies));
  };
  const rounds = roundsOf(options);
  world = groupWorld({ ...scenario, clients: rounds[0]!.length }, engine, random.fork('world'), { member });
  const { simulator } = world;
  const outcomes = new Map<number, OperationOutcome>();
  world.watches.push({
    ended: (client, outcome) => outcomes.set(client, outcome),
    requested: (client, place, request) => steps.push({ kind: 'request', at: simulator.now, client, member: place.name, request, isLost: !place.isUp }),
    replied: (client, place, reply) => steps.push({ kind: 'reply', at: simulator.now, client, member: place.name, reply, isLie: lies.has(reply.reply) }),
    readyLeaves: (place, { messages }) => {
      if (fault !== 'two-faced' || !faulty.some((i) => place.name === `m${i}`)) return;
      for (const envelope of messages) steps.push({ kind: 'message', at: simulator.now, member: place.name, envelope, isLie: lies.has(envelope.body) });
    },
  });
  for (const place of [...world.viewServers, ...world.members]) world.begin(place);
  for (const client of world.clients) client.start();
  world.run(BEGINNING_MS);
  const history: HistoryEvent[] = [];
  let state: KeyState = null;
  let roundAt = 0;
  for (const [number, operations] of rounds.entries()) {
    // What was told to members in the round before may come out in this one.
    const lately = steps.filter((step) => step.kind === 'message' && step.isLie && step.at >= roundAt);
    steps.splice(0, steps.length, ...lately);
    roundAt = world.now;
    if (number === CRASH_AFTER && fault === 'crash') {
      for (const place of faulty) {
        steps.push({ kind: 'crash', at: world.now, member: `m${place}` });
        world.crash(world.members[place]!, false);
      }
    }
    outcomes.clear();
    const from = world.now;
    operations.forEach((operation, client) => world.clients[client]!.submit(KV_WORDS.write(operation)));
    world.run(from + DEADLINE_MS + GRACE_MS, () => outcomes.size === operations.length);
    let verdict: CellVerdict = 'M';
    for (const [client, operation] of operations.entries()) {
      const result = resultOf(operation, outcomes.get(client));
      history.push(eventOf(client, operation, from, world.now, result));
      state = stepKey(state, { ...history.at(-1)!, result: null, ok: null }) ?? null;
      if (typeof result === 'string') verdict = worse(verdict, result);
    }
    if (engine.judge(history).wrong.length > 0) verdict = 'W';
    for (const [client, operation] of operations.entries()) {
      const right = verdict !== 'W' || operations.length > 1 || operation.op === 'put' ? null : operation.op === 'get' ? state : String(state).length;
      steps.push({ kind: 'outcome', at: world.now, client: `c${client}`, afterMs: world.now - from, outcome: outcomes.get(client), isWrong: verdict === 'W', right });
    }
    // After an error nobody knows what is right; and a wrong answer is as bad as it gets.
    if (verdict !== 'M') return verdict;
  }
  world.run(world.now + LATE_MS);
  return 'M';
}

function eventOf(process: number, operation: Operation, fromMs: number, toMs: number, result: ReturnType<typeof resultOf>): HistoryEvent {
  const [invoke, complete] = [fromMs, toMs].map((ms) => Math.round(ms * 1e6)) as [number, number];
  const event = { process, value: null, old: null, ...operation, invoke };
  return typeof result === 'string' ? { ...event, result: null, complete: null, ok: null } : { ...event, result: result.value, complete, ok: true };
}

/** M < D < H < W. */
export function worse(a: CellVerdict, b: CellVerdict): CellVerdict {
  const order = 'MDHW';
  return order.indexOf(a) >= order.indexOf(b) ? a : b;
}

/** What an operation returned; or that it failed, or is still waiting. */
function resultOf(operation: Operation, outcome: OperationOutcome | undefined): { readonly value: HistoryValue } | 'D' | 'H' {
  if (outcome === undefined) return 'H';
  if (outcome.kind === 'failed') return 'D';
  const value = KV_WORDS.result(operation, outcome.reply);
  return value === undefined ? 'D' : { value };
}

/** The same lies, and every one that is told is put in `told`. */
function noted({ reply, message }: Lies, told: Set<object>): Lies {
  return {
    reply: (right, lie) => {
      const wrong = reply!(right, lie);
      if (wrong !== right) told.add(wrong);
      return wrong;
    },
    message: (body, role) => {
      const bodies = message?.(body, role);
      for (const wrong of bodies ?? []) if (wrong !== body) told.add(wrong);
      return bodies;
    },
  };
}

/** What each client does at the same time, round by round: appends, then a read; where there is no order, puts and reads. */
function roundsOf({ arrangement, fault }: ThresholdCase): Operation[][] {
  const clients = fault === 'two-faced' ? ['a', 'b'] : ['v'];
  const all = (make: (client: string) => Operation): Operation[] => clients.map(make);
  const get = all(() => ({ op: 'get', key: 'x' }));
  const writes = Array.from({ length: WRITES }, (_, i) => i);
  if (!traitsOf(modeOf(arrangement)).isOrdered) return writes.flatMap((i) => [all((client) => ({ op: 'put', key: 'x', value: `${client}${i}` })), get]);
  return [...writes.map((i) => all((client) => ({ op: 'append', key: 'x', value: `${client}${i};` }))), get];
}
