import { createInterface } from 'node:readline';

import { formatDuration } from '../../core/units.ts';
import { parseFault } from '../../group/faulty.ts';
import type { Mode } from '../../group/modes.ts';
import type { Peer } from '../../group/replica.ts';
import type { ServiceName } from '../../group/services.ts';
import { BalancerServer, type BalancerBeginning } from '../../net/balancer-server.ts';
import { parseLine, type Line } from '../../net/group-process.ts';
import type { ProcessKind } from '../../net/group-record.ts';
import { ReplicaServer, type Beginning } from '../../net/replica-server.ts';
import { exitWithParent } from '../../net/supervisor.ts';

/** What the parent says, one line after the other, from the first on. */
class Orders {
  readonly #waiting = new Map<string, (line: Line) => void>();
  /** What came before it was asked for. */
  readonly #early: Line[] = [];
  #handle: (line: Line) => void = (line) => this.#early.push(line);

  constructor() {
    createInterface({ input: process.stdin }).on('line', (text) => {
      const line = parseLine(text);
      if (line === undefined) return;
      const waiting = this.#waiting.get(String(line['type']));
      if (waiting === undefined) return this.#handle(line);
      this.#waiting.delete(String(line['type']));
      waiting(line);
    });
  }

  /** The next line of this type. */
  next(type: string): Promise<Line> {
    return new Promise((resolve) => {
      this.#waiting.set(type, resolve);
    });
  }

  onLine(handle: (line: Line) => void): void {
    this.#handle = handle;
    for (const line of this.#early.splice(0)) handle(line);
  }
}

function say(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** A member, or a server of the view service, until its parent ends it. */
export async function runMember(kind: Exclude<ProcessKind, 'balancer'>, spec: Line): Promise<void> {
  exitWithParent();
  const orders = new Orders();
  const server = await ReplicaServer.start({
    id: String(spec['id']), clusterId: String(spec['clusterId']), host: String(spec['host']), port: Number(spec['port']), directory: String(spec['directory']),
    isViewServer: kind === 'view-server', service: spec['service'] as ServiceName,
    replica: {
      mode: spec['mode'] as Mode,
      fence: spec['fence'] === 'none' ? 'none' : 'view-service',
      ...(spec['electionTimeoutMs'] === undefined ? {} : { electionTimeoutMs: Number(spec['electionTimeoutMs']) }),
    },
    ...(spec['faulty'] === undefined ? {} : { fault: parseFault(String(spec['faulty'])) }),
    async bound({ port }) {
      const begin = orders.next('begin');
      say({ type: 'listening', port });
      return (await begin) as unknown as Beginning;
    },
  });
  // Not before: its disk may have been one that it does not believe.
  say({ type: 'serving' });
  orders.onLine((line) => {
    const answers = line['question'];
    if (line['type'] === 'status') say({ answers, status: server.status() });
    else if (line['type'] === 'routes') server.setRoutes(line['routes'] as Record<string, string>);
    else if (line['type'] === 'add' || line['type'] === 'remove') {
      const reason = line['type'] === 'add' ? server.addMember(line['peer'] as Peer) : server.removeMember(String(line['id']));
      say({ answers, done: reason === undefined, reason: reason ?? '' });
    }
  });
  endWith(() => server.close());
}

/** A balancer, until its parent ends it. */
export async function runBalancer(spec: Line): Promise<void> {
  exitWithParent();
  const orders = new Orders();
  const server = await BalancerServer.start({
    id: String(spec['id']), clusterId: String(spec['clusterId']), host: String(spec['host']), port: Number(spec['port']), mode: spec['mode'] as Mode,
    replaceAfterMs: spec['replaceAfterMs'] === undefined ? undefined : Number(spec['replaceAfterMs']),
    async bound({ port }) {
      const begin = orders.next('begin');
      say({ type: 'listening', port });
      return (await begin) as unknown as BalancerBeginning;
    },
    onFailure: ({ name, downForMs }) => say({ type: 'failure', id: name, downForMs, text: `${name} has been down for ${formatDuration(downForMs)}` }),
  });
  const { page } = server;
  say({ type: 'serving', ...(page instanceof Error ? { problem: `no health page: ${page.message}` } : { page }) });
  orders.onLine((line) => {
    if (line['type'] === 'status') say({ answers: line['question'], status: server.report() });
    else if (line['type'] === 'routes') server.setRoutes(line['routes'] as Record<string, string>);
    else if (line['type'] === 'member') server.addMember(line['peer'] as Peer);
    else if (line['type'] === 'no-member') server.removeMember(String(line['id']));
  });
  endWith(() => server.close());
}

/** SIGTERM ends the process in order. Ctrl-C in the terminal is the parent's to hear. */
function endWith(close: () => void | Promise<void>): void {
  process.on('SIGINT', () => {});
  process.once('SIGTERM', () => {
    void Promise.resolve(close()).then(() => process.exit(0));
  });
}
