import type { Millis } from '../../core/machine.ts';
import { majorityOf } from '../modes.ts';
import type { ReplicaStatus } from '../replica.ts';
import type { Health } from './member-health.ts';

/** One member as a balancer sees it. What the member has not said yet is undefined. */
export interface MemberReport {
  readonly name: string;
  readonly address: string;
  readonly id: string | undefined;
  readonly state: Health;
  /** In this state. */
  readonly forMs: Millis;
  readonly isConnected: boolean;
  readonly role: string | undefined;
  readonly term: number | undefined;
  readonly commitIndex: number | undefined;
  readonly appliedIndex: number | undefined;
  /** Operations that the furthest member has committed and this one has not applied. */
  readonly lag: number | undefined;
  readonly digest: string | undefined;
  readonly rttMs: Millis | undefined;
  /** Requests that it has not answered. */
  readonly outstanding: number;
  readonly falseSuspicions: number;
  readonly problem: string | undefined;
}

export interface BalancerReport {
  readonly name: string;
  /** The members' own word for how they are organised; undefined before one has answered. */
  readonly mode: string | undefined;
  readonly leader: string | undefined;
  readonly term: number;
  /** Voters of the group, alive or not. */
  readonly voters: number;
  readonly livingVoters: number;
  /** How many more may stop before nobody is answered; negative: nobody is. */
  readonly sparesLeft: number;
  readonly inFlight: number;
  readonly waiting: number;
  readonly members: readonly MemberReport[];
  readonly counters: Readonly<Record<string, number>>;
}

/** Whether a group of this mode goes on with one member, or needs a majority. */
export type Needs = 'one' | 'majority';

/** Members of a primary-backup group only stop, and one of them is enough; all others count, or vote. */
export function needsOf(mode: string | undefined): Needs {
  return mode === 'primary-backup' ? 'one' : 'majority';
}

export function sparesLeft(needs: Needs, living: number, voters: number): number {
  return living - (needs === 'one' ? 1 : majorityOf(voters));
}

export interface Watched {
  readonly report: Omit<MemberReport, 'lag'>;
  readonly status: ReplicaStatus | undefined;
}

/** Members, voters and lags, from what each member said last. `needs` undefined: what the mode is known for. */
export function summarize(watched: readonly Watched[], needs: Needs | undefined): Pick<BalancerReport, 'mode' | 'voters' | 'livingVoters' | 'sparesLeft' | 'members'> {
  const statuses = watched.flatMap(({ status }) => status ?? []);
  const furthest = Math.max(0, ...statuses.map(({ commitIndex }) => commitIndex));
  // Membership as the newest of them knows it.
  const newest = statuses.reduce<ReplicaStatus | undefined>((best, status) => {
    if (status.members.length === 0) return best;
    const isNewer = best === undefined || status.term > best.term || (status.term === best.term && status.commitIndex > best.commitIndex);
    return isNewer ? status : best;
  }, undefined);
  const voterIds = newest === undefined ? undefined : new Set(newest.members.filter(({ isVoter }) => isVoter).map(({ id }) => id));
  const living = watched.filter(({ report, status }) => report.state !== 'down' && status?.problem === undefined && (voterIds?.has(report.id ?? '') ?? true)).length;
  const voters = voterIds?.size ?? watched.length;
  const mode = statuses[0]?.mode;
  return {
    mode, voters, livingVoters: living, sparesLeft: sparesLeft(needs ?? needsOf(mode), living, voters),
    members: watched.map(({ report, status }) => ({ ...report, lag: status === undefined ? undefined : Math.max(0, furthest - status.appliedIndex) })),
  };
}
