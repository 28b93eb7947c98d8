import { majorityOf, neededOf, traitsOf, type Mode } from './modes.ts';
import { leads, type ReplicaStatus } from './replica.ts';

/** A member as somebody sees it who is none. */
export interface Sighting {
  /** It is there, as far as can be told from outside. */
  readonly isUp: boolean;
  /** What it said last of itself. */
  readonly status: ReplicaStatus | undefined;
}

export interface ViewServiceSighting {
  readonly servers: number;
  readonly living: number;
}

export interface GroupHealth {
  /** Of the group, alive or not. */
  readonly members: number;
  /** Those that are up, have no problem, and count with the others. */
  readonly serving: number;
  /** So many have to. */
  readonly needed: number;
  /** How many more may fail before nobody is answered; negative: nobody is. */
  readonly sparesLeft: number;
  /** Says all that in a sentence. */
  readonly summary: string;
  /** Who is not in the same state as others at the same place of the order: one line each. */
  readonly differences: readonly string[];
}

/**
 * How a group is, from what its members say: the one measure for people, programs and balancers. Who is up and is not counted by the leader, or by the
 * newest membership where nobody leads, serves nobody. Without a majority of the view service nobody can be left out, so all of the view are needed;
 * `viewService` undefined: there is none, or whoever looks does not see it.
 */
export function assessGroup(mode: Mode, sightings: readonly Sighting[], viewService?: ViewServiceSighting): GroupHealth {
  const living = sightings.filter(({ isUp, status }) => isUp && status !== undefined).map(({ status }) => status!);
  const leader = leadingOf(living);
  const knowing = sightings.flatMap(({ status }) => (status !== undefined && status.members.length > 0 ? status : []));
  const reference = leader !== undefined && leader.members.length > 0 ? leader : newest(knowing);
  const voters = reference && new Set(reference.members.filter(({ isVoter }) => isVoter).map(({ id }) => id));
  const counts = (id: string): boolean => (voters?.has(id) ?? true) && leader?.suspected.includes(id) !== true;
  const serving = living.filter(({ id, problem }) => problem === undefined && counts(id)).length;
  const counted = voters?.size ?? sightings.length;
  const isFenceLost = viewService !== undefined && viewService.living < majorityOf(viewService.servers);
  const needed = Math.max(neededOf(mode, traitsOf(mode).needs === 'votes' ? sightings.length : counted), isFenceLost ? counted : 0);
  const sparesLeft = serving - needed;
  return {
    members: sightings.length, serving, needed, sparesLeft,
    summary: summarize(sightings.length, serving, needed, sparesLeft, isFenceLost),
    differences: traitsOf(mode).isOrdered ? differencesOf(sightings.flatMap(({ status }) => status ?? [])) : [],
  };
}

/** Of those who say that they lead, the one in the highest term: there may be two for a moment. */
export function leadingOf(statuses: readonly ReplicaStatus[]): ReplicaStatus | undefined {
  return newest(statuses.filter(({ role }) => leads(role)));
}

/** Operations that the furthest member has committed and each of these has not applied. Undefined where operations have no order: then members count what each of them has written. */
export function lagsOf(mode: Mode, statuses: readonly (ReplicaStatus | undefined)[]): (number | undefined)[] {
  const furthest = Math.max(0, ...statuses.map((status) => status?.commitIndex ?? 0));
  return statuses.map((status) => (status === undefined || !traitsOf(mode).isOrdered ? undefined : Math.max(0, furthest - status.appliedIndex)));
}

function newest(statuses: readonly ReplicaStatus[]): ReplicaStatus | undefined {
  return statuses.reduce<ReplicaStatus | undefined>((best, status) => {
    const isNewer = best === undefined || status.term > best.term || (status.term === best.term && status.commitIndex > best.commitIndex);
    return isNewer ? status : best;
  }, undefined);
}

function summarize(members: number, serving: number, needed: number, sparesLeft: number, isFenceLost: boolean): string {
  const living = `${serving} of ${members} members serve, ${sparesLeft < 0 ? `${needed} ${needed === 1 ? 'is' : 'are'} needed` : `${sparesLeft} more may fail`}`;
  return isFenceLost ? `${living}: the view service has no majority` : living;
}

/** Members that have applied equally much are in the same state, or one of them is wrong. */
function differencesOf(statuses: readonly ReplicaStatus[]): string[] {
  const places = new Map<number, Map<string, string[]>>();
  for (const { id, appliedIndex, digest } of statuses) {
    const states = places.get(appliedIndex) ?? new Map<string, string[]>();
    places.set(appliedIndex, states);
    states.set(digest, [...(states.get(digest) ?? []), id]);
  }
  return [...places].filter(([, states]) => states.size > 1).map(([index, states]) => `${[...states.values()].map((ids) => ids.join(' ')).join(' and ')} differ at ${index}`);
}
