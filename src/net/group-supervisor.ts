import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { formatAddress } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import type { ReplicaStatus } from '../group/replica.ts';
import { GroupLinks, type Place } from './group-links.ts';
import { GroupProcess, type Line } from './group-process.ts';
import { makeDisk, readGroupRecord, writeGroupRecord, type GroupRecord, type Identity, type ProcessKind } from './group-record.ts';

export interface GroupSupervisorOptions {
  readonly mode: string;
  /** What is replicated. */
  readonly service: string;
  readonly clusterId: string;
  /** Members at the start, 1 … 9. */
  readonly size: number;
  readonly balancers: number;
  /** Servers of the view service, for modes that have one; 0 otherwise. */
  readonly viewServers: number;
  /** IP literal that everything listens on. */
  readonly host: string;
  /** Of the first balancer; the others follow. 0 lets the system choose all of them. */
  readonly balancerPort: number;
  /** Everything that members remember lies here, in a folder each, and who they are in group.json. */
  readonly dataDirectory: string;
  readonly links: GroupLinks | undefined;
  /** open: members can be added and removed. seats: one without memory can take another's place. fixed: neither. */
  readonly membership: 'open' | 'seats' | 'fixed';
  /** What else each process is told at its start. */
  readonly settings: Line;
  /** Faults on request, by member number. */
  readonly faulty: ReadonlyMap<number, string>;
  /** A member that a balancer reports as failed is replaced by a new one. */
  readonly replacesFailed: boolean;
  /** The arguments that start a process of this kind. */
  readonly argsOf: (kind: ProcessKind, spec: Line) => readonly string[];
  readonly onEvent: (event: GroupEvent) => void;
}

/** Something happened to a process. */
export interface GroupEvent {
  readonly kind: 'started' | 'restarted' | 'killed' | 'died' | 'paused' | 'resumed' | 'added' | 'removed' | 'partitioned' | 'healed' | 'says' | 'replaced' | 'problem';
  readonly id: string;
  readonly text: string;
}

interface Member {
  readonly record: Identity;
  process: GroupProcess | undefined;
  /** When its process was started last. */
  startedMs: Millis;
  /** The last exit was this supervisor's doing. */
  wasStopped: boolean;
  /** What it said last of what is wrong. */
  lastWords: string | undefined;
  /** It is being restarted, removed or replaced. */
  isChanging: boolean;
}

export interface ProcessStatus {
  readonly id: string;
  readonly kind: ProcessKind;
  readonly address: string;
  readonly pid: number | null;
  readonly state: 'running' | 'paused' | 'dead';
  /** What it says of itself; null when it does not answer. */
  readonly status: unknown;
  /** Why it has ended, when that was its own doing. */
  readonly problem: string | null;
}

/** A request that makes no sense: one line for people. */
export class GroupRequestError extends Error {
  override readonly name = 'GroupRequestError';
}

/** Between two tries of what only a leader can do. */
const ADMIN_INTERVAL_MS = 200;
const ADMIN_TIMEOUT_MS = 60_000;
/** For a new member to get all that the others have. */
const CATCH_UP_TIMEOUT_MS = 240_000;
const STOP_TIMEOUT_MS = 3000;

function newMember(record: Identity): Member {
  return { record, process: undefined, startedMs: -Infinity, wasStopped: false, lastWords: undefined, isChanging: false };
}

/** Starts the processes of a group, and does to them what people ask for. */
export class GroupSupervisor {
  readonly #options: GroupSupervisorOptions;
  readonly #members = new Map<string, Member>();
  #founders: readonly Place[] = [];
  #nextMember: number;
  #isStopping = false;
  /** The last word about who belongs to the group; the next waits for it. */
  #recorded: Promise<void> = Promise.resolve();

  constructor(options: GroupSupervisorOptions) {
    this.#options = options;
    this.#nextMember = options.size + 1;
  }

  /** Addresses of the balancers, for clients. */
  get balancers(): Place[] {
    return this.#places((kind) => kind === 'balancer');
  }

  get members(): Place[] {
    return this.#places((kind) => kind === 'member');
  }

  /** Starts everybody. Rejects with what the first one that could not start said. */
  async start(): Promise<void> {
    await mkdir(this.#options.dataDirectory, { recursive: true });
    const known = await this.#readRecord();
    const records = known?.processes ?? this.#founding();
    // Disks before the record: once a group is on record, whoever has none has lost it.
    if (known === undefined) for (const record of records) await this.#makeDisk(record, true);
    for (const record of records) this.#members.set(record.id, newMember(record));
    const all = [...this.#members.values()];
    await Promise.all(all.map((member) => this.#launch(member)));
    if (known === undefined) this.#founders = this.members;
    await this.#writeRecord();
    await Promise.all(all.map((member) => this.#begin(member)));
    for (const { record } of all) this.#tell('started', record.id, this.#address(record));
  }

  async status(): Promise<ProcessStatus[]> {
    return Promise.all([...this.#members.values()].map(async ({ record, process, wasStopped, lastWords }) => {
      const answer = await process?.ask({ type: 'status' });
      const isDead = process === undefined || process.hasExited;
      return {
        id: record.id, kind: record.kind, address: this.#address(record), pid: isDead ? null : (process.pid ?? null),
        state: isDead ? 'dead' as const : process.isPaused ? 'paused' as const : 'running' as const,
        status: answer?.['status'] ?? null, problem: isDead && !wasStopped ? (lastWords ?? null) : null,
      };
    }));
  }

  /** SIGKILL. */
  async kill(id: string): Promise<void> {
    const member = this.#running(id);
    member.wasStopped = true;
    member.process!.signal('SIGKILL');
    await member.process!.exited;
    this.#tell('killed', id, '');
  }

  pause(id: string): void {
    this.#running(id).process!.signal('SIGSTOP');
    this.#tell('paused', id, '');
  }

  resume(id: string): void {
    this.#running(id).process!.signal('SIGCONT');
    this.#tell('resumed', id, '');
  }

  /** Starts a process that has ended again, with the disk that it had. */
  restart(id: string): Promise<void> {
    return this.#change(id, (member) => this.#restart(member));
  }

  async #restart(member: Member): Promise<void> {
    const { id } = member.record;
    if (member.process !== undefined && !member.process.hasExited) throw new GroupRequestError(`${id} is running: kill it first`);
    await this.#launch(member);
    await this.#begin(member);
    this.#tell('restarted', id, this.#address(member.record));
  }

  /** A new member, which catches up. Resolves with its id when it is one of those that the group counts on. */
  async add(): Promise<string> {
    this.#assertMembership('open');
    const id = `m${this.#nextMember++}`;
    const record: Identity = { id, kind: 'member', port: 0, isFounder: false };
    const member = newMember(record);
    await this.#makeDisk(record, false);
    this.#members.set(id, member);
    await this.#launch(member);
    await this.#writeRecord();
    await this.#shareRoutes();
    await this.#begin(member);
    await this.#administer({ type: 'add', peer: { id, address: this.#address(record) } }, `${id} was not taken in`);
    for (const { record: { kind }, process } of this.#members.values()) {
      if (kind === 'balancer') process?.tell({ type: 'member', peer: { id, address: this.#address(record) } });
    }
    await this.#caughtUp(member);
    this.#tell('added', id, this.#address(record));
    return id;
  }

  /** Out of the group, and its process with it. */
  remove(id: string): Promise<void> {
    return this.#change(id, (member) => this.#remove(member));
  }

  async #remove(member: Member): Promise<void> {
    const { id, kind: own } = member.record;
    if (own !== 'member') throw new GroupRequestError(`${id} is no member`);
    this.#assertMembership('open');
    await this.#administer({ type: 'remove', id }, `${id} was not let go`);
    await this.#end(member, 'SIGKILL');
    this.#members.delete(id);
    await this.#writeRecord();
    for (const { record: { kind }, process } of this.#members.values()) if (kind === 'balancer') process?.tell({ type: 'no-member', id });
    this.#tell('removed', id, '');
  }

  /** Its disk is not believed any more, or it is dead: it is let go, and a new member takes its place, and catches up from the others. */
  rebuild(id: string): Promise<string> {
    return this.#change(id, (member) => this.#rebuild(member));
  }

  async #rebuild(member: Member): Promise<string> {
    const { id } = member.record;
    if (member.record.kind !== 'member') throw new GroupRequestError(`${id} is no member`);
    this.#assertMembership('open', 'seats');
    await this.#end(member, 'SIGKILL');
    if (this.#options.membership === 'seats') {
      // Its seat is taken by one without memory, which gets it back from the others.
      await rm(this.#directory(id), { recursive: true, force: true });
      await this.#makeDisk(member.record, false);
      await this.#restart(member);
      await this.#caughtUp(member);
      return id;
    }
    // First out, since it is gone in any case: if the new one fails in turn, it is that one's place that is to be filled.
    await this.#remove(member);
    await rm(this.#directory(id), { recursive: true, force: true });
    const successor = await this.add();
    this.#tell('replaced', id, `by ${successor}`);
    return successor;
  }

  partition(ids: readonly string[], direction: 'both' | 'in' | 'out', withClients: boolean): void {
    const { links } = this.#options;
    if (links === undefined) throw new GroupRequestError('links are direct: start the group with --proxy, and they can be cut');
    for (const id of ids) this.#find(id);
    const balancers = new Set(this.balancers.map(({ id }) => id));
    links.partition(new Set(ids), true, direction, (id) => !withClients && balancers.has(id));
    this.#tell('partitioned', ids.join(', '), direction === 'both' ? '' : `only what they ${direction === 'out' ? 'say' : 'hear'}`);
  }

  heal(): void {
    this.#options.links?.heal();
    this.#tell('healed', '', '');
  }

  /** Ends everybody, in order. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#members.values()].map((member) => this.#end(member, 'SIGTERM')));
    await this.#options.links?.close();
  }

  #places(isWanted: (kind: ProcessKind) => boolean): Place[] {
    return [...this.#members.values()].filter(({ record }) => isWanted(record.kind)).map(({ record }) => ({ id: record.id, address: this.#address(record) }));
  }

  #address({ port }: Identity): string {
    return formatAddress({ host: this.#options.host, port });
  }

  #directory(id: string): string {
    return join(this.#options.dataDirectory, id);
  }

  #founding(): Identity[] {
    const { size, viewServers, balancers, balancerPort } = this.#options;
    const make = (count: number, letter: string, kind: ProcessKind, firstPort = 0): Identity[] => Array.from({ length: count }, (_, i) => ({
      id: `${letter}${i + 1}`, kind, port: firstPort === 0 ? 0 : firstPort + i, isFounder: true,
    }));
    return [...make(viewServers, 'v', 'view-server'), ...make(size, 'm', 'member'), ...make(balancers, 'b', 'balancer', balancerPort)];
  }

  async #launch(member: Member): Promise<void> {
    const { record } = member;
    const { clusterId, mode, service, settings, faulty, host, argsOf } = this.#options;
    const directory = this.#directory(record.id);
    const fault = record.kind === 'member' ? faulty.get(Number(record.id.slice(1))) : undefined;
    const spec: Line = {
      ...settings, id: record.id, clusterId, mode, service, host, port: record.port, directory, ...(fault === undefined ? {} : { faulty: fault }),
    };
    member.wasStopped = false;
    member.lastWords = undefined;
    member.startedMs = performance.now();
    const process = new GroupProcess({
      args: argsOf(record.kind, spec),
      onLine: (line) => this.#said(record, line),
      onStderr: (text) => {
        member.lastWords = text;
        this.#tell('problem', record.id, text);
      },
      onExit: ({ code, signal }) => this.#ended(member, process, signal ?? `exit code ${code}`),
    });
    member.process = process;
    try {
      const { port } = await process.listening;
      record.port = Number(port);
    } catch (error) {
      throw new Error(`${record.id} did not start: ${(error as Error).message}`);
    }
  }

  /** Tells a process who the others are; with that it begins to serve. */
  async #begin({ record, process }: Member): Promise<void> {
    const viewServers = this.#places((kind) => kind === 'view-server');
    process?.tell({
      type: 'begin',
      bootstrap: record.kind === 'view-server' ? viewServers : record.kind === 'balancer' ? this.members : record.isFounder ? this.#founders : [],
      viewServers,
      members: this.members,
      routes: await this.#routes(record.id, record.kind),
    });
  }

  async #routes(id: string, kind: ProcessKind): Promise<Record<string, string>> {
    const { links } = this.#options;
    if (links === undefined) return {};
    const isDialed = (other: ProcessKind): boolean => (kind === 'view-server' ? other === 'view-server' : other === 'member' || (other === 'view-server' && kind === 'member'));
    return links.routes(id, this.#places(isDialed));
  }

  async #shareRoutes(): Promise<void> {
    for (const { record, process } of this.#members.values()) {
      process?.tell({ type: 'routes', routes: await this.#routes(record.id, record.kind) });
    }
  }

  /** Asks one member after the other until one has done it. */
  async #administer(line: Line, failure: string): Promise<void> {
    let reason = 'nobody answered';
    for (const deadline = performance.now() + ADMIN_TIMEOUT_MS; performance.now() < deadline;) {
      for (const { record, process } of this.#members.values()) {
        if (record.kind !== 'member') continue;
        const answer = await process?.ask(line);
        if (answer?.['done'] === true) return;
        if (typeof answer?.['reason'] === 'string') reason = answer['reason'];
      }
      await new Promise((resolve) => setTimeout(resolve, ADMIN_INTERVAL_MS));
    }
    throw new GroupRequestError(`${failure}: ${reason}`);
  }

  /** Rejects when it has not caught up in time, which it goes on trying to. */
  async #caughtUp(member: Member): Promise<void> {
    const { record: { id }, process } = member;
    let problem = 'it does not answer';
    for (const deadline = performance.now() + CATCH_UP_TIMEOUT_MS; performance.now() < deadline;) {
      const status = (await process?.ask({ type: 'status' }))?.['status'] as ReplicaStatus | undefined;
      if (status !== undefined && status.problem === undefined) return;
      problem = status?.problem ?? problem;
      if (process?.hasExited !== false) throw new GroupRequestError(`${id} has ended: ${member.lastWords ?? problem}`);
      await new Promise((resolve) => setTimeout(resolve, ADMIN_INTERVAL_MS));
    }
    throw new GroupRequestError(`after ${CATCH_UP_TIMEOUT_MS / 1000} s, ${id} is not ready yet, and goes on: ${problem}`);
  }

  #ended(member: Member, process: GroupProcess, how: string): void {
    const { record } = member;
    if (this.#isStopping || member.wasStopped || member.process !== process) return;
    member.lastWords ??= how;
    this.#tell('died', record.id, how);
  }

  #said({ id }: Identity, line: Line): void {
    this.#tell('says', id, String(line['text'] ?? JSON.stringify(line)));
    if (line['type'] === 'failure' && this.#options.replacesFailed) this.#replace(String(line['id']), Number(line['downForMs']));
  }

  /** A balancer found a member down for so long. All balancers do, each in its own time: it is replaced once, and its successor's process is not blamed. */
  #replace(id: string, downForMs: Millis): void {
    const member = this.#members.get(id);
    if (this.#isStopping || member === undefined || member.isChanging || member.startedMs > performance.now() - downForMs) return;
    this.rebuild(id).catch((error: Error) => this.#tell('problem', id, error.message));
  }

  /** One change of a member at a time: two that replace it would bring two in its place, and its disk must not go while it is started. */
  async #change<T>(id: string, act: (member: Member) => Promise<T>): Promise<T> {
    const member = this.#find(id);
    if (member.isChanging) throw new GroupRequestError(`${id} is being restarted, removed or replaced already`);
    member.isChanging = true;
    try {
      return await act(member);
    } finally {
      member.isChanging = false;
    }
  }

  async #end(member: Member, signal: NodeJS.Signals): Promise<void> {
    const { process } = member;
    if (process === undefined || process.hasExited) return;
    member.wasStopped = true;
    // A stopped process does not hear SIGTERM. SIGKILL it need not hear.
    if (process.isPaused && signal !== 'SIGKILL') process.signal('SIGCONT');
    process.signal(signal);
    const timer = setTimeout(() => process.signal('SIGKILL'), STOP_TIMEOUT_MS);
    await process.exited;
    clearTimeout(timer);
  }

  #assertMembership(...wanted: GroupSupervisorOptions['membership'][]): void {
    const { membership, mode } = this.#options;
    if (!wanted.includes(membership)) throw new GroupRequestError(`mode ${mode}${membership === 'fixed' ? ' without a fence' : ''}: the group is what it was founded as`);
  }

  #find(id: string): Member {
    const member = this.#members.get(id);
    if (member === undefined) throw new GroupRequestError(`there is no ${id}: the group has ${[...this.#members.keys()].join(', ')}`);
    return member;
  }

  #running(id: string): Member {
    const member = this.#find(id);
    if (member.process === undefined || member.process.hasExited) throw new GroupRequestError(`${id} is not running`);
    return member;
  }

  #tell(kind: GroupEvent['kind'], id: string, text: string): void {
    this.#options.onEvent({ kind, id, text });
  }

  async #makeDisk({ id, kind }: Identity, isFounding: boolean): Promise<void> {
    const { mode, clusterId } = this.#options;
    if (kind !== 'balancer') await makeDisk(this.#directory(id), { mode, clusterId, id, isFounding });
  }

  /** Who the group was before, when it lived here already. Throws Error when it was another kind of group. */
  async #readRecord(): Promise<GroupRecord | undefined> {
    const { dataDirectory, mode, service, clusterId } = this.#options;
    const record = await readGroupRecord(dataDirectory);
    if (record === undefined) return undefined;
    if (record.mode !== mode) throw new Error(`${dataDirectory}: a group in mode ${record.mode} lives there`);
    if (record.service !== service) throw new Error(`${dataDirectory}: a group with --service ${record.service} lives there`);
    if (record.clusterId !== clusterId) throw new Error(`${dataDirectory}: the group "${record.clusterId}" lives there`);
    this.#nextMember = record.next;
    this.#founders = record.founders;
    return record;
  }

  /** As it is when its turn has come: of two that are asked for at once, the later one says all. */
  #writeRecord(): Promise<void> {
    const { mode, service, clusterId, dataDirectory } = this.#options;
    const written = this.#recorded.then(() => writeGroupRecord(dataDirectory, {
      mode, service, clusterId, next: this.#nextMember, founders: this.#founders, processes: [...this.#members.values()].map(({ record }) => record),
    }));
    this.#recorded = written.catch(() => {});
    return written;
  }
}
