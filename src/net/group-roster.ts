import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { formatAddress } from '../core/address.ts';
import { callControl } from './control-client.ts';
import type { GroupLinks, Place } from './group-links.ts';
import type { Line } from './group-process.ts';
import { makeDisk, readGroupRecord, writeGroupRecord, type Foundation, type Identity, type ProcessKind, type RecordedKind } from './group-record.ts';
import { ManagedProcess, type ProcessListeners, type RunningProcess } from './managed-process.ts';
import { makeDirectory } from './output-file.ts';

export interface GroupRosterOptions extends Foundation {
  /** Members at the start of a new group, 1 … 9. */
  readonly size: number;
  readonly balancers: number;
  /** Servers of the view service of a new group, for modes that have one; 0 otherwise. */
  readonly viewServers: number;
  /** IP literal that everything listens on. */
  readonly host: string;
  /** Of the first balancer; the others follow. 0 lets the system choose all of them. */
  readonly balancerPort: number;
  /** Everything that members remember lies here, in a folder each, and who they are in group.json. */
  readonly dataDirectory: string;
  readonly links: GroupLinks | undefined;
  /** What else each process is told at its start. */
  readonly settings: Line;
  /** Faults on request, by member number. */
  readonly faulty: ReadonlyMap<number, string>;
  readonly start: (kind: ProcessKind, spec: Line, listeners: ProcessListeners) => RunningProcess;
}

export interface GroupRosterListeners {
  readonly onEvent: (kind: 'problem' | 'died' | 'started', id: string, text: string) => void;
  /** What a process says of its own accord. */
  readonly onLine: (id: string, line: Line) => void;
}

/** A request that makes no sense, or that cannot be carried out: one line for people. */
export class GroupRequestError extends Error {
  override readonly name = 'GroupRequestError';
}

/** Who belongs to a group: their processes, addresses, disks and links, and the record of it. */
export class GroupRoster {
  readonly #options: GroupRosterOptions;
  readonly #listeners: GroupRosterListeners;
  readonly #processes = new Map<string, ManagedProcess>();
  #founders: readonly Place[] = [];
  #nextMember: number;
  /** Health pages of balancers: URLs. */
  readonly #pages = new Map<string, string>();
  #isStopped = false;
  /** The last word about who belongs to the group; the next waits for it. */
  #recorded: Promise<void> = Promise.resolve();

  constructor(options: GroupRosterOptions, listeners: GroupRosterListeners) {
    this.#options = options;
    this.#listeners = listeners;
    this.#nextMember = options.size + 1;
  }

  get processes(): ManagedProcess[] {
    return [...this.#processes.values()];
  }

  /** URLs, for people. */
  get healthPages(): string[] {
    return [...this.#pages.values()];
  }

  /** Members that have a fault on request. */
  get faulty(): { readonly id: string; readonly fault: string }[] {
    return this.processes.flatMap(({ identity }) => {
      const fault = this.#faultOf(identity);
      return fault === undefined ? [] : [{ id: identity.id, fault }];
    });
  }

  ofKind(kind: ProcessKind): Place[] {
    return this.processes.filter(({ identity }) => identity.kind === kind).map(({ identity }) => this.place(identity));
  }

  place({ id, port }: Identity): Place {
    return { id, address: formatAddress({ host: this.#options.host, port }) };
  }

  /** Undefined for somebody who is not, or no longer, in the group. */
  get(id: string): ManagedProcess | undefined {
    return this.#processes.get(id);
  }

  /** Throws GroupRequestError for somebody who is not in the group. */
  find(id: string): ManagedProcess {
    const member = this.#processes.get(id);
    if (member === undefined) throw new GroupRequestError(`there is no ${id}: the group has ${[...this.#processes.keys()].join(', ')}`);
    return member;
  }

  /** Starts everybody; see GroupSupervisor.start(). */
  async start(): Promise<void> {
    const { dataDirectory, balancers, balancerPort } = this.#options;
    await makeDirectory(dataDirectory);
    const known = await readGroupRecord(dataDirectory, this.#options);
    const recorded = known?.processes ?? this.#founding();
    if (known !== undefined) {
      this.#nextMember = known.next;
      this.#founders = known.founders;
    }
    // Disks before the record: once a group is on record, whoever has none has lost it.
    else for (const identity of recorded) await this.#makeDisk(identity, true);
    const all = [...recorded, ...numbered(balancers, 'b', 'balancer', balancerPort)].map((identity) => this.#manage(identity));
    await Promise.all(all.map((member) => this.launch(member)));
    if (known === undefined) this.#founders = this.ofKind('member');
    await this.#writeRecord();
    const failures = await Promise.all(all.map((member) => this.#beginAndTell(member)));
    const ofMembers = failures.filter((failure, i) => failure !== undefined && all[i]!.identity.kind === 'member');
    if (ofMembers.length === this.ofKind('member').length) throw ofMembers[0];
  }

  /** Ends everybody, in order. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.processes.map((member) => member.end('SIGTERM')));
    await this.#options.links?.close();
  }

  /** Somebody new with an empty disk. */
  async newcomer(): Promise<ManagedProcess> {
    const identity: Identity = { id: `m${this.#nextMember++}`, kind: 'member', port: 0, isFounder: false };
    await this.#makeDisk(identity, false);
    return this.#manage(identity);
  }

  /** Everybody is told how to reach a newcomer that has its address, and it is on record. */
  async introduce(): Promise<void> {
    await this.#writeRecord();
    for (const member of this.processes) member.tell({ type: 'routes', routes: await this.#routes(member.identity) });
  }

  /** It is no member, and does not come back: its process and its links go, too. */
  async forget(member: ManagedProcess): Promise<void> {
    const { id } = member.identity;
    await member.end('SIGKILL');
    this.#processes.delete(id);
    await this.#writeRecord();
    await this.#options.links?.remove(id);
  }

  /** Of a process that has ended. */
  async removeDisk({ identity }: ManagedProcess): Promise<void> {
    await rm(this.#directory(identity.id), { recursive: true, force: true });
  }

  /** An empty disk for a process that has ended: it has no memory any more, and knows that. */
  async renewDisk(member: ManagedProcess): Promise<void> {
    await this.removeDisk(member);
    await this.#makeDisk(member.identity, false);
  }

  /** Starts its process. Resolves when it has its address. Rejects with GroupRequestError, which says why it has none and what to do. */
  async launch(member: ManagedProcess): Promise<void> {
    const { identity } = member;
    const { id, port } = identity;
    const { clusterId, mode, service, fence, settings, host } = this.#options;
    const fault = this.#faultOf(identity);
    if (this.#isStopped) throw new GroupRequestError(`${id} did not start: the group is ending`);
    try {
      await member.launch({ ...settings, id, clusterId, mode, service, fence, host, port, directory: this.#directory(id), ...(fault === undefined ? {} : { faulty: fault }) });
    } catch (error) {
      throw new GroupRequestError(`${id} did not start: ${await this.#explain(identity, (error as Error).message)}`);
    }
  }

  /** Tells a process who the others are; with that it begins to serve. Rejects with GroupRequestError when it does not come so far. */
  async begin(member: ManagedProcess): Promise<void> {
    const { id, kind, isFounder } = member.identity;
    const viewServers = this.ofKind('view-server');
    const members = this.ofKind('member');
    const line = {
      type: 'begin', viewServers, members, routes: await this.#routes(member.identity),
      bootstrap: kind === 'view-server' ? viewServers : kind === 'balancer' ? members : isFounder ? this.#founders : [],
    };
    try {
      const { page, problem } = await member.begin(line);
      if (typeof page === 'string') this.#pages.set(id, page);
      else this.#pages.delete(id);
      if (typeof problem === 'string') this.#listeners.onEvent('problem', id, problem);
    } catch (error) {
      throw new GroupRequestError(`${id} did not start: ${(error as Error).message}`);
    }
  }

  tellBalancers(line: Line): void {
    for (const member of this.processes) if (member.identity.kind === 'balancer') member.tell(line);
  }

  async #beginAndTell(member: ManagedProcess): Promise<Error | undefined> {
    try {
      await this.begin(member);
    } catch (error) {
      return error as Error;
    }
    const { id, address } = this.place(member.identity);
    this.#listeners.onEvent('started', id, address);
    return undefined;
  }

  #directory(id: string): string {
    return join(this.#options.dataDirectory, id);
  }

  #faultOf({ id, kind }: Identity): string | undefined {
    return kind === 'member' ? this.#options.faulty.get(Number(id.slice(1))) : undefined;
  }

  #founding(): Identity<RecordedKind>[] {
    const { size, viewServers } = this.#options;
    return [...numbered(viewServers, 'v', 'view-server'), ...numbered(size, 'm', 'member')];
  }

  #manage(identity: Identity): ManagedProcess {
    const { id, kind } = identity;
    const { onLine, onEvent } = this.#listeners;
    const member = new ManagedProcess({
      identity, start: (spec, listeners) => this.#options.start(kind, spec, listeners), onLine: (line) => onLine(id, line), onEvent: (event, text) => onEvent(event, id, text),
    });
    this.#processes.set(id, member);
    return member;
  }

  /** What is to be done about it, too, when a port or a disk is taken. */
  async #explain(identity: Identity, reason: string): Promise<string> {
    const { kind, port } = identity;
    if (reason.includes('EBUSY')) return `${reason}: a group runs on these disks already; end it, or give another --data-dir`;
    if (port === 0 || !reason.includes('EADDRINUSE')) return reason;
    const { address } = this.place(identity);
    if (kind !== 'balancer') return `UDP ${address} is taken, and the group knows it by this address: end whoever has it (${reason})`;
    // Another group's balancer says on its health page who it is.
    const { name, clusterId, pid } = await callControl(this.#options.host, port, 'GET', '/status').catch((): Line => ({}));
    const isKnown = typeof name === 'string' && typeof clusterId === 'string' && typeof pid === 'number';
    const holder = isKnown ? `${name} of the group "${clusterId}", which process ${pid} has started` : 'another process';
    return `UDP ${address} is taken by ${holder}: give other ports with -p PORT, or end that one (${reason})`;
  }

  async #routes({ id, kind }: Identity): Promise<Record<string, string>> {
    const { links } = this.#options;
    if (links === undefined) return {};
    const dialed: readonly ProcessKind[] = kind === 'view-server' ? ['view-server'] : kind === 'member' ? ['member', 'view-server'] : ['member'];
    return links.routes(id, dialed.flatMap((other) => this.ofKind(other)));
  }

  async #makeDisk({ id }: Identity, isFounding: boolean): Promise<void> {
    const { mode, clusterId } = this.#options;
    await makeDisk(this.#directory(id), { mode, clusterId, id, isFounding });
  }

  /** As it is when its turn has come: of two that are asked for at once, the later one says all. */
  #writeRecord(): Promise<void> {
    const { mode, service, clusterId, fence, dataDirectory } = this.#options;
    const written = this.#recorded.then(() => writeGroupRecord(dataDirectory, {
      mode, service, clusterId, fence, next: this.#nextMember, founders: this.#founders, processes: this.processes.map(({ identity }) => identity).filter(isRecorded),
    }));
    this.#recorded = written.catch(() => {});
    return written;
  }
}

function isRecorded(identity: Identity): identity is Identity<RecordedKind> {
  return identity.kind !== 'balancer';
}

/** The founders of one kind. */
function numbered<Kind extends ProcessKind>(count: number, letter: string, kind: Kind, firstPort = 0): Identity<Kind>[] {
  return Array.from({ length: count }, (_, i) => ({ id: `${letter}${i + 1}`, kind, port: firstPort === 0 ? 0 : firstPort + i, isFounder: true }));
}
