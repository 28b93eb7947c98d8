import { traitsOf, type Mode } from '../src/group/modes.ts';
import { callControl } from '../src/net/control-client.ts';
import { leadingOf } from '../src/group/group-health.ts';
import type { ProcessStatus } from '../src/net/managed-process.ts';
import type { ReplicaStatus } from '../src/group/replica.ts';
import { startProgram } from './program.ts';

/** A member as `group status` sees it. */
export type MemberState = Omit<ProcessStatus, 'status'> & { readonly status: ReplicaStatus | null };

/** Operations that a member which is up to date may not have applied yet, under load. */
const MAX_LAG = 200;
const POLL_MS = 100;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** `failmask group up`, with everything that listens on ports that the system chose. */
export class BenchGroup {
  readonly mode: Mode;
  /** HOST:PORT, for --control. */
  readonly control: string;
  readonly balancers: readonly string[];
  readonly size: number;
  readonly #end: (signal: NodeJS.Signals) => Promise<void>;

  private constructor(up: Readonly<Record<string, unknown>>, end: (signal: NodeJS.Signals) => Promise<void>) {
    this.mode = up['mode'] as Mode;
    this.control = String(up['control']);
    this.balancers = up['balancers'] as string[];
    this.size = Number(up['size']);
    this.#end = end;
  }

  /** Resolves when all members serve. Rejects when they do not within 20 s. */
  static async start(flags: readonly string[]): Promise<BenchGroup> {
    const group = await BenchGroup.launch(flags);
    if (await group.becomesWhole(20_000)) return group;
    await group.stop();
    throw new Error('the group does not begin to serve');
  }

  /** Resolves when all processes run. `balancerPort`: where clients look for the first balancer; 0 for any. */
  static async launch(flags: readonly string[], balancerPort = '0'): Promise<BenchGroup> {
    const up = startProgram(['group', 'up', '--json', '--port', balancerPort, '--control', '127.0.0.1:0', ...flags]);
    return new BenchGroup(await up.line((line) => line['type'] === 'up'), async (signal) => {
      up.kill(signal);
      await up.exited;
    });
  }

  /** What `group kill`, `group partition`, … ask; rejects with the reason for which it is refused. */
  ask(method: 'GET' | 'POST', path: string, body?: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
    const [host, port] = this.control.split(':');
    return callControl(host!, Number(port), method, path, body);
  }

  async processes(): Promise<MemberState[]> {
    return (await this.ask('GET', '/status'))['processes'] as MemberState[];
  }

  async members(): Promise<MemberState[]> {
    return (await this.processes()).filter(({ kind }) => kind === 'member');
  }

  /** Waits until every member serves, is up to date, and one leads where somebody has to. False: not in time. */
  async becomesWhole(timeoutMs: number): Promise<boolean> {
    for (const deadline = performance.now() + timeoutMs; ;) {
      if (isWhole(await this.members())) return true;
      if (performance.now() > deadline) return false;
      await sleep(POLL_MS);
    }
  }

  async stop(): Promise<void> {
    await this.#end('SIGINT');
  }

  /** SIGKILL of `group up`: everything ends with it. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }
}

/** The one that leads in the highest term or view; undefined: nobody does, or nobody has to. */
export function leaderOf(members: readonly MemberState[]): MemberState | undefined {
  const leader = leadingOf(members.flatMap(({ status }) => status ?? []));
  return members.find(({ id }) => id === leader?.id);
}

function isWhole(members: readonly MemberState[]): boolean {
  const statuses = members.map(({ status }) => status);
  if (statuses.some((status) => status === null || status.problem !== undefined)) return false;
  const { isOrdered, hasLeader } = traitsOf(statuses[0]!.mode as Mode);
  // Then members count what each of them has written.
  if (!isOrdered) return true;
  const best = Math.max(...statuses.map((status) => status!.appliedIndex));
  return (!hasLeader || leaderOf(members) !== undefined) && statuses.every((status) => best - status!.appliedIndex <= MAX_LAG);
}
