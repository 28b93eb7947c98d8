import type { Argv, CommandModule } from 'yargs';

import type { ReplicaStatus } from '../../group/replica.ts';
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

interface Row {
  readonly id: string;
  readonly kind: string;
  readonly address: string;
  readonly pid: number | null;
  readonly state: string;
  readonly status: ReplicaStatus | null;
  readonly problem: string | null;
}

const WATCH_MS = 500;
const DIGEST_CHARACTERS = 8;

export const statusCommand: CommandModule<object, StatusArgs> = {
  command: 'status',
  describe: 'who lives, who leads, who lags, and how many spares are left',
  builder: (yargs: Argv) => yargs.options({
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
      reporter.result((args.watch && reporter.isInteractive ? '\u001b[H\u001b[2J' : '') + statusText(answer));
      if (args.watch) await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    } while (args.watch && !isOver);
  },
};

/** The table that people look at. */
export function statusText(answer: Readonly<Record<string, unknown>>): string {
  const rows = answer['processes'] as readonly Row[];
  const best = Math.max(0, ...rows.map(({ kind, status }) => (kind === 'member' ? (status?.appliedIndex ?? 0) : 0)));
  const cells = rows.filter(({ kind }) => kind !== 'balancer').map(({ id, address, pid, state, status, kind, problem }) => [
    id, address, pid === null ? '–' : String(pid), state === 'running' && status === null ? 'no answer' : state,
    status?.role ?? '–', number(status?.term), status?.leader ?? '–', number(status?.commitIndex), number(status?.appliedIndex),
    status === null || kind !== 'member' ? '–' : String(best - status.appliedIndex),
    status?.digest.slice(0, DIGEST_CHARACTERS) ?? '–', status === null ? '–' : status.suspected.join(' ') || 'nobody', status?.problem ?? problem ?? '',
  ]);
  const titles = ['id', 'address', 'pid', 'process', 'role', 'term', 'leader', 'commit', 'applied', 'lag', 'digest', 'suspects', ''];
  const balancers = rows.filter(({ kind }) => kind === 'balancer').map(({ id, address, state }) => `${id} ${address} ${state}`).join(', ');
  return `${String(answer['mode'])}, group "${String(answer['clusterId'])}": ${String(answer['spares'])}\n${textTable(titles, cells)}\nbalancers: ${balancers || 'none'}`;
}

function number(value: number | undefined): string {
  return value === undefined ? '–' : String(value);
}
