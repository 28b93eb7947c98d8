import { randomInt } from 'node:crypto';
import type { Server } from 'node:http';

import { formatAddress } from '../../core/address.ts';
import { parseFaultyMember } from '../../group/faulty.ts';
import { assessGroup, lagsOf, leadingOf, type GroupHealth, type Sighting } from '../../group/group-health.ts';
import { traitsOf, type Mode } from '../../group/modes.ts';
import type { ReplicaStatus } from '../../group/replica.ts';
import { formatProfile } from '../../link/profile.ts';
import { callControl } from '../../net/control-client.ts';
import { ControlError, startControlServer, type ControlHandler } from '../../net/control-server.ts';
import { GroupLinks } from '../../net/group-links.ts';
import { GroupProcess, type Line } from '../../net/group-process.ts';
import type { ProcessKind } from '../../net/group-record.ts';
import { GroupRequestError } from '../../net/group-roster.ts';
import { GroupSupervisor, type GroupEvent } from '../../net/group-supervisor.ts';
import type { ProcessStatus } from '../../net/managed-process.ts';
import { makeTempDirectory } from '../../net/temp-directory.ts';
import { CommandError, Exit, UsageError } from '../exit.ts';
import { Reporter } from '../output.ts';
import { onInterrupt } from '../signals.ts';
import type { GroupUpArgs } from './up.ts';

const VIEW_SERVERS = 3;
const MAX_SEED = 2 ** 32;

/** Runs a group until Ctrl-C. Throws UsageError, and what the first process says that cannot start. */
export async function runGroupUp(args: GroupUpArgs): Promise<void> {
  const reporter = new Reporter(args);
  const { mode, service, control, host } = args;
  const seed = args.seed ?? randomInt(MAX_SEED);
  const hasViewService = traitsOf(mode).hasViews && args.fence === 'view-service';
  if (args.fence === 'none' && !traitsOf(mode).hasViews) throw new UsageError(`--fence none: ${mode} has no views to fence`);
  if (service === 'file' && !traitsOf(mode).isOrdered) throw new UsageError(`--service file: mode ${mode} has no order, and appends need one`);
  if (service === 'file' && args['data-dir'] === undefined) throw new UsageError('--service file: say where the files are to be kept, with --data-dir DIR');
  if (args['replace-after'] !== undefined && args.balancers === 0) throw new UsageError('--replace-after: without a balancer nobody notices that a member has failed');
  if (args['replace-after'] !== undefined && args.fence === 'none') throw new UsageError('--replace-after: without a fence nobody says who is right, so nobody can be replaced');
  const startedAt = performance.now();
  const secondsNow = (): number => Math.round(performance.now() - startedAt) / 1000;
  const temporary = args['data-dir'] === undefined ? await makeTempDirectory('failmask-group-') : undefined;
  const directory = args['data-dir'] ?? temporary!.path;
  const settings: Line = {
    ...(args['replace-after'] === undefined ? {} : { replaceAfterMs: args['replace-after'] }),
    ...(args['election-timeout'] === undefined ? {} : { electionTimeoutMs: args['election-timeout'] }),
  };
  const supervisor = new GroupSupervisor({
    mode, service, clusterId: args.cluster, fence: args.fence, size: args.size, balancers: args.balancers, host, balancerPort: args.port,
    viewServers: hasViewService ? VIEW_SERVERS : 0,
    dataDirectory: directory,
    links: args.proxy === undefined ? undefined : new GroupLinks({ host, profile: args.proxy, seed }),
    membership: args.fence === 'none' ? 'fixed' : traitsOf(mode).canGrow ? 'open' : 'seats',
    settings,
    faulty: parseFaulty(args.faulty ?? [], args.size),
    replacesFailed: args['replace-after'] !== undefined,
    start: (kind, spec, listeners) => new GroupProcess({ args: ['group', 'node', '--kind', kind, '--spec', JSON.stringify(spec)], ...listeners }),
    onEvent: (event) => reportEvent(reporter, event, secondsNow()),
  });
  const server = await openControl(args, supervisor);
  try {
    const interrupted = new Promise<void>((resolve) => {
      onInterrupt(() => resolve());
    });
    // After an interrupt, that somebody did not start is no news.
    const hasStarted = await Promise.race([supervisor.start().then(() => true), interrupted.then(() => false)]);
    if (!hasStarted) return;
    reporter.info(`group "${args.cluster}", mode ${mode}, service ${service}, ${supervisor.members.length} members, disks in ${directory}${args.proxy === undefined ? '' : `, links: ${formatProfile(args.proxy) || 'perfect'}, seed ${seed}`}`);
    const { members, balancers, healthPages, faulty } = supervisor;
    if (members.length !== args.size) reporter.info(`${directory} has a group of ${members.length}, ${members.map(({ id }) => id).join(' ')}: --size ${args.size} is for a new one`);
    if (faulty.length > 0) reporter.info(`faulty, as you asked: ${faulty.map(({ id, fault }) => `${id} ${fault}`).join(', ')}`);
    reporter.info(`clients: ${balancers.map(({ address }) => address).join(',') || 'no balancer'}; commands: ${formatAddress({ host: control.host, port: portOf(server) })}`);
    if (healthPages.length > 0) reporter.info(`health: ${healthPages.join(' ')}`);
    reporter.json({
      type: 'up', mode, service, cluster: args.cluster, size: members.length, directory, seed, control: formatAddress({ host: control.host, port: portOf(server) }),
      balancers: balancers.map(({ address }) => address), members, health: healthPages, faulty,
    });
    await interrupted;
    reporter.info('ending');
  } finally {
    server.close();
    server.closeAllConnections();
    await supervisor.stop();
    temporary?.remove();
  }
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}

function reportEvent(reporter: Reporter, { kind, id, text }: GroupEvent, seconds: number): void {
  const words = kind === 'says' || kind === 'problem' ? text : `${kind}${text === '' ? '' : ` ${text}`}`;
  reporter.info(`${seconds.toFixed(2).padStart(8)} s  ${id.padEnd(4)} ${words}`);
  reporter.json({ type: 'event', seconds, event: kind, id, text });
}

/** Texts of faults by the number of their member. Throws UsageError. */
function parseFaulty(texts: readonly string[], size: number): Map<number, string> {
  return new Map(texts.map((text) => {
    try {
      return [parseFaultyMember(text, size).member, text.slice(text.indexOf(':') + 1)] as const;
    } catch (error) {
      throw new UsageError(`--faulty: ${(error as Error).message}`);
    }
  }));
}

async function openControl(args: GroupUpArgs, supervisor: GroupSupervisor): Promise<Server> {
  const { host, port } = args.control;
  try {
    return await startControlServer(host, port, handlers(args, supervisor));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    const { pid, clusterId } = await callControl(host, port, 'GET', '/status').catch((): Line => ({}));
    const holder = typeof clusterId === 'string' && typeof pid === 'number' ? `the group "${clusterId}" of process ${pid}` : 'another process';
    throw new CommandError(`${formatAddress(args.control)} is held by ${holder}: give another --control, or end that one`, Exit.runtimeError);
  }
}

function handlers(args: GroupUpArgs, supervisor: GroupSupervisor): Record<string, ControlHandler> {
  const named = (body: Readonly<Record<string, unknown>>): Promise<string[]> => namesOf(args.mode, supervisor, body);
  const each = async (body: Readonly<Record<string, unknown>>, act: (id: string) => unknown): Promise<{ done: string }> => onMembers(await named(body), act);
  return {
    'GET /status': async () => ({
      pid: process.pid, mode: args.mode, clusterId: args.cluster, size: supervisor.members.length, ...describeGroup(args.mode, await supervisor.status()),
    }),
    'GET /group': async () => ({
      mode: args.mode, service: args.service, clusterId: args.cluster, size: supervisor.members.length, balancers: supervisor.balancers.map(({ address }) => address),
      members: supervisor.members.map(({ address }) => address),
    }),
    'POST /kill': (body) => each(body, (id) => supervisor.kill(id)),
    'POST /pause': (body) => each(body, (id) => supervisor.pause(id)),
    'POST /resume': (body) => each(body, (id) => supervisor.resume(id)),
    'POST /restart': (body) => each(body, (id) => supervisor.restart(id)),
    'POST /rebuild': (body) => each(body, (id) => supervisor.rebuild(id)),
    'POST /remove': (body) => each(body, (id) => supervisor.remove(id)),
    'POST /add': async () => ({
      done: await asRequest(() => supervisor.add()),
      ...(traitsOf(args.mode).needs === 'votes' ? { note: 'clients that were opened before go on believing as few equal answers as then: open them anew' } : {}),
    }),
    'POST /heal': async () => {
      await supervisor.heal();
      return { done: 'all links' };
    },
    'POST /partition': async (body) => {
      const members = await named(body);
      const direction = body['direction'] ?? 'both';
      if (direction !== 'both' && direction !== 'in' && direction !== 'out') throw new ControlError(400, 'direction is both, in or out');
      await asRequest(() => supervisor.partition(members, direction, body['withClients'] === true));
      return { done: members.join(', ') };
    },
  };
}

async function onMembers(members: readonly string[], act: (id: string) => unknown): Promise<{ done: string }> {
  const done: string[] = [];
  for (const id of members) {
    const successor = await asRequest(() => act(id));
    done.push(typeof successor === 'string' && successor !== id ? `${id} by ${successor}` : id);
  }
  return { done: done.join(', ') };
}

/** What is wrong with a request is the asker's to know, not a failure of the group's. */
async function asRequest<T>(act: () => T | Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof GroupRequestError) throw new ControlError(409, error.message);
    throw error;
  }
}

async function namesOf(mode: Mode, supervisor: GroupSupervisor, { members }: Readonly<Record<string, unknown>>): Promise<string[]> {
  if (!Array.isArray(members) || members.length === 0 || members.some((name) => typeof name !== 'string')) throw new ControlError(400, 'name members, as in {"members": ["m1"]}');
  const names = [...new Set(members as string[])];
  if (!names.includes('leader')) return names;
  if (!traitsOf(mode).hasLeader) throw new ControlError(409, `mode ${mode} has no leader: all members are equal; name one, as in m1`);
  const leader = leadingOf((await supervisor.status()).filter(({ kind }) => kind === 'member').flatMap((member) => sightingOf(member).status ?? []))?.id;
  if (leader === undefined) throw new ControlError(409, 'nobody leads now');
  return [...new Set(names.map((name) => (name === 'leader' ? leader : name)))];
}

function sightingOf({ state, status }: ProcessStatus): Sighting {
  return { isUp: state === 'running' && status !== null, status: (status ?? undefined) as ReplicaStatus | undefined };
}

/** What `group status` shows. `lag`: see lagsOf(); null where there is none. */
export function describeGroup(mode: Mode, processes: readonly ProcessStatus[]): { health: GroupHealth; processes: readonly (ProcessStatus & { readonly lag: number | null })[] } {
  const ofKind = (kind: ProcessKind): readonly ProcessStatus[] => processes.filter((process) => process.kind === kind);
  const members = ofKind('member');
  const servers = ofKind('view-server');
  const sightings = members.map(sightingOf);
  const lags = lagsOf(mode, sightings.map(({ status }) => status));
  const viewService = servers.length === 0 ? undefined : { servers: servers.length, living: servers.map(sightingOf).filter(({ isUp }) => isUp).length };
  return {
    health: assessGroup(mode, sightings, viewService),
    processes: processes.map((process) => ({ ...process, lag: lags[members.indexOf(process)] ?? null })),
  };
}
