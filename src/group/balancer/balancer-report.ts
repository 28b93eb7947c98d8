import type { Millis } from '../../core/machine.ts';
import { assessGroup, lagsOf, type GroupHealth } from '../group-health.ts';
import type { Mode } from '../modes.ts';
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
  /** See lagsOf(). */
  readonly lag: number | undefined;
  readonly digest: string | undefined;
  readonly rttMs: Millis | undefined;
  /** Requests that it has not answered. */
  readonly outstanding: number;
  readonly falseSuspicions: number;
  /** What it says itself, or why it refuses to talk to this balancer. */
  readonly problem: string | undefined;
}

export interface BalancerReport {
  readonly name: string;
  readonly mode: Mode;
  readonly leader: string | undefined;
  readonly term: number;
  readonly health: GroupHealth;
  readonly inFlight: number;
  readonly waiting: number;
  readonly members: readonly MemberReport[];
  readonly counters: Readonly<Record<string, number>>;
}

export interface Watched {
  readonly report: Omit<MemberReport, 'lag'>;
  readonly status: ReplicaStatus | undefined;
}

/** Members and their lags, from what each said last. Balancers do not see the view service. */
export function summarize(mode: Mode, watched: readonly Watched[]): Pick<BalancerReport, 'health' | 'members'> {
  const lags = lagsOf(mode, watched.map(({ status }) => status));
  return {
    health: assessGroup(mode, watched.map(({ report, status }) => ({ isUp: report.state !== 'down', status }))),
    members: watched.map(({ report }, i) => ({ ...report, lag: lags[i] })),
  };
}
