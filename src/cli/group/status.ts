import type { Argv, CommandModule } from 'yargs';

import type { GroupHealth } from '../../group/group-health.ts';
import { traitsOf, type Mode } from '../../group/modes.ts';
import type { ReplicaStatus } from '../../group/replica.ts';
import type { ProcessStatus } from '../../net/managed-process.ts';
import { textTable } from '../../report/table.ts';
import type { HostPort } from '../flags.ts';
import { Reporter } from '../output.ts';
import { onInterrupt } from '../signals.ts';
import { askGroup, controlOption } from './control.ts';

interface StatusArgs {
  control: HostPort;
  watch: boolean;
  json: boolean;
  quiet: boolean;
}

/** What `GET /status` says. */
export interface StatusAnswer {
  readonly mode: Mode;
  readonly clusterId: string;
  readonly health: GroupHealth;
  readonly processes: readonly (ProcessStatus & { readonly lag: number | null })[];
}

const WATCH_MS = 500;
const DIGEST_CHARACTERS = 8;
const COLUMNS = 80;
const NONE = '–';

export const statusCommand: CommandModule<object, StatusArgs> = {
  command: 'status',
  describe: 'who lives, who leads, who lags, and how many spares are left',
  builder: (yargs: Argv) => yargs.example('$0 group status --watch', 'while you hurt the group in another terminal').options({
    control: controlOption,
    watch: { alias: 'w', type: 'boolean', default: false, describe: 'again and again, until Ctrl-C' },
  }) as unknown as Argv<StatusArgs>,
  async handler(args) {
    const reporter = new Reporter(args);
    let isOver = false;
    onInterrupt(() => {
      isOver = true;
    });
    do {
      const answer = await askGroup(args.control, 'GET', '/status');
      reporter.json({ type: 'status', ...answer });
      reporter.result((args.watch && reporter.isInteractive ? '\u001b[H\u001b[2J' : '') + statusText(answer as unknown as StatusAnswer));
      if (args.watch) await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    } while (args.watch && !isOver);
  },
};

/** The table that people look at: no wider than a terminal of 80 columns, whatever group it is. */
export function statusText({ mode, clusterId, health, processes }: StatusAnswer): string {
  const members = processes.filter(({ kind }) => kind === 'member');
  const rows = members.map((member): string[] => {
    const { id, pid, lag } = member;
    const status = statusOf(member);
    return [
      id, pid === null ? NONE : String(pid), roleOf(member), number(status?.term), number(status?.commitIndex), number(status?.appliedIndex), number(lag ?? undefined),
      status?.digest.slice(0, DIGEST_CHARACTERS) ?? NONE, status === undefined ? NONE : status.suspected.join(' ') || 'nobody',
    ];
  });
  const { hasViews, isOrdered } = traitsOf(mode);
  const titles = ['id', 'pid', 'role', hasViews ? 'view' : isOrdered ? 'term' : 'life', 'commit', 'applied', 'lag', 'digest', 'suspects'];
  const servers = processes.filter(({ kind }) => kind === 'view-server').map((server) => `${server.id} ${roleOf(server)}`);
  const balancers = processes.filter(({ kind }) => kind === 'balancer').map(({ id, address, state }) => `${id} ${address}${state === 'running' ? '' : ` ${state}`}`);
  return [
    `group "${clusterId}", mode ${mode}`, health.summary, ...health.differences, '', textTable(titles, rows).trimEnd(),
    ...processes.flatMap((process) => {
      const problem = statusOf(process)?.problem ?? process.problem;
      return problem === null ? [] : [`${process.id}: ${problem}`];
    }),
    ...(servers.length === 0 ? [] : list('view service', servers)), ...list('balancers', balancers.length === 0 ? ['none'] : balancers),
  ].join('\n');
}

type Process = StatusAnswer['processes'][number];

/** Of a member or a server of the view service; undefined when it does not answer. */
function statusOf({ kind, status }: Process): ReplicaStatus | undefined {
  return kind === 'balancer' ? undefined : ((status ?? undefined) as ReplicaStatus | undefined);
}

function roleOf(process: Process): string {
  return process.state === 'running' ? (statusOf(process)?.role ?? 'no answer') : process.state;
}

function number(value: number | undefined): string {
  return value === undefined ? NONE : String(value);
}

/** `title: item, item`, on as many lines as it takes. */
function list(title: string, items: readonly string[]): string[] {
  const lines = [`${title}:`];
  items.forEach((item, i) => {
    const text = ` ${item}${i === items.length - 1 ? '' : ','}`;
    if (lines.at(-1)!.length + text.length <= COLUMNS) lines[lines.length - 1] += text;
    else lines.push(` ${text}`);
  });
  return lines;
}
