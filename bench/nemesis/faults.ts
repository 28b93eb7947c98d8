import type { Random } from '../../src/core/random.ts';
import { traitsOf } from '../../src/group/modes.ts';
import { leaderOf, sleep, type BenchGroup, type MemberState } from '../group.ts';

export const FAULT_KINDS = ['kill', 'crash', 'pause', 'freeze', 'partition', 'one-way', 'deaf', 'mute', 'balancer'] as const;
/**
 * kill: SIGKILL, and a restart. crash: SIGKILL for good. pause: SIGSTOP, and SIGCONT. freeze: SIGSTOP for good. partition, one-way (either way),
 * deaf (hears nobody), mute: links cut. balancer: SIGKILL of a balancer, and a restart.
 */
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  readonly victim: string;
  readonly isLeader: boolean;
  /** On hrtimeMs(). */
  readonly struckMs: number;
  /** Highest term or view of any member before and after; undefined when none answers. */
  readonly termBefore: number | undefined;
  readonly termAfter: number | undefined;
  /** All members served when it struck. */
  readonly wasWhole: boolean;
}

export interface NemesisOptions {
  readonly group: BenchGroup;
  readonly random: Random;
  readonly kinds: readonly FaultKind[];
  /** A fault lasts so long; then it is undone. */
  readonly faultMs: number;
  readonly everyMs: number;
  readonly forMs: number;
  readonly cutsClients: boolean;
  /** A fault waits until the group has recovered from the one before. */
  readonly isOneAtATime: boolean;
}

/** Whoever has been repaired has so long, beyond the interval, to be as before. */
const REPAIR_MS = 10_000;
const ELECTION_MS = 3000;
const POLL_MS = 50;

/** Whoever has failed so does not come back: a group with --replace-after has to do without. */
export function isForGood(kind: FaultKind): boolean {
  return kind === 'crash' || kind === 'freeze';
}

/** One fault after the other, the first after one interval; at least half of them on the leader. */
export async function strikeAll(options: NemesisOptions): Promise<Fault[]> {
  const { group, kinds, everyMs, forMs } = options;
  const faults: Fault[] = [];
  const startMs = performance.now();
  let lateMs = 0;
  for (let number = 0; kinds.length > 0; number++) {
    const dueMs = startMs + (number + 1) * everyMs + lateMs;
    if (dueMs + everyMs > startMs + forMs) break;
    await sleep(Math.max(0, dueMs - performance.now()));
    const wasWhole = await group.becomesWhole(options.isOneAtATime ? REPAIR_MS : 0);
    lateMs += Math.max(0, performance.now() - dueMs);
    const wantsLeader = faults.filter(({ isLeader }) => isLeader).length * 2 < number + 1;
    faults.push(await strike(options, kinds[number % kinds.length]!, number, wantsLeader, wasWhole));
  }
  return faults;
}

/** The monotonic clock that all processes of a machine share, `kv load` among them: of the history, too. */
export function hrtimeMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** One fault, from its beginning to its end. */
async function strike(options: NemesisOptions, kind: FaultKind, number: number, wantsLeader: boolean, wasWhole: boolean): Promise<Fault> {
  const { group, random, faultMs, cutsClients } = options;
  const leader = await findLeader(group, wantsLeader);
  const members = await group.members();
  const living = members.filter(({ state }) => state === 'running').map(({ id }) => id);
  const others = living.filter((id) => id !== leader?.id);
  const hitsLeader = leader !== undefined && kind !== 'balancer' && (wantsLeader || others.length === 0);
  const victim = kind === 'balancer' ? `b${1 + (number % group.balancers.length)}` : hitsLeader ? leader.id : others[random.below(others.length)]!;
  const isOneWay = kind === 'one-way' || kind === 'deaf' || kind === 'mute';
  const direction = !isOneWay ? 'both' : kind === 'deaf' || (kind === 'one-way' && random.chance(0.5)) ? 'in' : 'out';
  const struckMs = hrtimeMs();
  const on = { members: [victim] };
  if (kind === 'partition' || isOneWay) await group.ask('POST', '/partition', { ...on, direction, withClients: cutsClients });
  else await group.ask('POST', kind === 'pause' || kind === 'freeze' ? '/pause' : '/kill', on);
  await sleep(faultMs);
  if (kind === 'partition' || isOneWay) await group.ask('POST', '/heal', {});
  else if (!isForGood(kind)) await group.ask('POST', kind === 'pause' ? '/resume' : '/restart', on);
  const name = isOneWay ? (direction === 'in' ? 'deaf' : 'mute') : kind;
  const [termBefore, termAfter] = [termOf(members), termOf(await group.members())];
  return { kind: name, victim, isLeader: hitsLeader, struckMs, termBefore, termAfter, wasWhole };
}

function termOf(members: readonly MemberState[]): number | undefined {
  const terms = members.flatMap(({ status }) => status?.term ?? []);
  return terms.length === 0 ? undefined : Math.max(...terms);
}

async function findLeader(group: BenchGroup, isWanted: boolean): Promise<ReturnType<typeof leaderOf>> {
  for (const deadline = performance.now() + ELECTION_MS; ;) {
    const leader = leaderOf(await group.members());
    if (leader !== undefined || !isWanted || !traitsOf(group.mode).hasLeader || performance.now() > deadline) return leader;
    await sleep(POLL_MS);
  }
}
