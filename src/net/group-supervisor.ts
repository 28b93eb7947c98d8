import type { Millis } from '../core/machine.ts';
import type { ReplicaStatus } from '../group/replica.ts';
import type { Place } from './group-links.ts';
import type { Line } from './group-process.ts';
import { remedyFor } from './group-record.ts';
import { GroupRequestError, GroupRoster, type GroupRosterOptions } from './group-roster.ts';
import type { ManagedProcess, ProcessStatus } from './managed-process.ts';

export interface GroupSupervisorOptions extends GroupRosterOptions {
  /** open: members can be added and removed. seats: one without memory can take another's place. fixed: neither. */
  readonly membership: 'open' | 'seats' | 'fixed';
  /** A member that a balancer reports as failed is replaced by a new one. */
  readonly replacesFailed: boolean;
  readonly onEvent: (event: GroupEvent) => void;
  /** For a change of membership to be made, 30 s if undefined. */
  readonly administerTimeoutMs?: Millis;
}

/** Something happened to a process. */
export interface GroupEvent {
  readonly kind: 'started' | 'restarted' | 'killed' | 'died' | 'paused' | 'resumed' | 'added' | 'removed' | 'partitioned' | 'healed' | 'says' | 'replaced' | 'problem';
  readonly id: string;
  readonly text: string;
}

/** Somebody is in the group and not yet of use. */
class NotReadyError extends GroupRequestError {}

/** Between two tries of what only a leader can do. */
const ADMIN_INTERVAL_MS = 200;
/** A member is replaced by a removal, an addition and a catch-up: all of it while whoever asked waits, see control-client.ts. */
const ADMIN_TIMEOUT_MS = 30_000;
/** For a new member to get all that the others have. */
const CATCH_UP_TIMEOUT_MS = 180_000;
/** At a time: each is looked at for each link. */
const MAX_PARTITIONS = 64;
/** Between two tries to replace a member that a balancer found failed; doubled up to the second. */
const REPLACE_AGAIN_MS = [1000, 30_000] as const;

/** Starts the processes of a group, and does to them what people ask for. */
export class GroupSupervisor {
  readonly #options: GroupSupervisorOptions;
  readonly #roster: GroupRoster;
  /** Members that the group was asked to take in and that are gone: it may yet do so. */
  readonly #givenUp = new Set<string>();
  /** Members for which a successor is sought. */
  readonly #replacing = new Set<ManagedProcess>();
  #isStopping = false;

  constructor(options: GroupSupervisorOptions) {
    this.#options = options;
    this.#roster = new GroupRoster(options, { onEvent: (kind, id, text) => this.#tell(kind, id, text), onLine: (id, line) => this.#said(id, line) });
  }

  /** Addresses of the balancers, for clients. */
  get balancers(): Place[] {
    return this.#roster.ofKind('balancer');
  }

  get members(): Place[] {
    return this.#roster.ofKind('member');
  }

  /** URLs, for people. */
  get healthPages(): string[] {
    return this.#roster.healthPages;
  }

  /** Members that have a fault on request. */
  get faulty(): GroupRoster['faulty'] {
    return this.#roster.faulty;
  }

  /**
   * Starts everybody. Rejects with what the first one that could not start said. A member that has its address and then cannot serve, since its
   * disk cannot be believed, is told of as dead; only if none is left to serve is that an error.
   */
  start(): Promise<void> {
    return this.#roster.start();
  }

  async status(): Promise<ProcessStatus[]> {
    return Promise.all(this.#roster.processes.map((member) => member.status(this.#roster.place(member.identity).address)));
  }

  /** SIGKILL. */
  async kill(id: string): Promise<void> {
    await this.#running(id).end('SIGKILL');
    this.#tell('killed', id, '');
  }

  pause(id: string): void {
    this.#running(id).signal('SIGSTOP');
    this.#tell('paused', id, '');
  }

  resume(id: string): void {
    this.#running(id).signal('SIGCONT');
    this.#tell('resumed', id, '');
  }

  /** Starts a process that has ended again, with the disk that it had. Resolves when it serves. */
  restart(id: string): Promise<void> {
    return this.#change(id, (member) => this.#restart(member));
  }

  async #restart(member: ManagedProcess): Promise<void> {
    const { id, address } = this.#roster.place(member.identity);
    if (member.isRunning) throw new GroupRequestError(`${id} is running: kill it first`);
    await this.#roster.launch(member);
    await this.#roster.begin(member);
    this.#tell('restarted', id, address);
  }

  /** A new member, which catches up. Resolves with its id when it is one of those that the group counts on. One that is not taken in is gone again. */
  async add(): Promise<string> {
    this.#assertMembership('open');
    const member = await this.#admit();
    await this.#settle(member);
    return member.identity.id;
  }

  async #admit(): Promise<ManagedProcess> {
    const member = await this.#roster.newcomer();
    const { id } = member.identity;
    try {
      await this.#roster.launch(member);
      await this.#roster.introduce();
      await this.#roster.begin(member);
      for (const former of this.#givenUp) {
        await this.#administer({ type: 'remove', id: former }, `${id} was not taken in`);
        this.#givenUp.delete(former);
      }
      // From here on the group may take it in, also when nobody says so.
      this.#givenUp.add(id);
      await this.#administer({ type: 'add', peer: this.#roster.place(member.identity) }, `${id} was not taken in`);
      this.#givenUp.delete(id);
      return member;
    } catch (error) {
      await this.#abandon(member);
      throw error;
    }
  }

  /** Nothing of it stays; what cannot be cleared away is told, and is not the reason for which it has to go. */
  async #abandon(member: ManagedProcess): Promise<void> {
    try {
      await this.#roster.forget(member);
      await this.#roster.removeDisk(member);
    } catch (error) {
      this.#tell('problem', member.identity.id, (error as Error).message);
    }
  }

  async #settle(member: ManagedProcess): Promise<void> {
    const peer = this.#roster.place(member.identity);
    this.#roster.tellBalancers({ type: 'member', peer });
    await this.#caughtUp(member);
    this.#tell('added', peer.id, peer.address);
  }

  /** Out of the group, and its process with it. */
  remove(id: string): Promise<void> {
    return this.#change(id, (member) => this.#remove(member));
  }

  async #remove(member: ManagedProcess): Promise<void> {
    const { id, kind } = member.identity;
    if (kind !== 'member') throw new GroupRequestError(`${id} is no member`);
    this.#assertMembership('open');
    await this.#administer({ type: 'remove', id }, `${id} was not let go`);
    await this.#roster.forget(member);
    this.#roster.tellBalancers({ type: 'no-member', id });
    this.#tell('removed', id, '');
  }

  /** Its disk is not believed any more, or it is dead: it is let go, and a new member takes its place, and catches up from the others. */
  async rebuild(id: string): Promise<string> {
    if (await this.#change(id, (member) => this.#takeOut(member))) return this.#succeed(id, '; when the group serves: failmask group add');
    return id;
  }

  /** Whether its place is to be taken by another; else it has renewed itself. */
  async #takeOut(member: ManagedProcess): Promise<boolean> {
    const { id, kind } = member.identity;
    if (kind !== 'member') throw new GroupRequestError(kind === 'balancer' ? `${id} has no disk: failmask group restart ${id}` : `${id}: ${remedyFor(id)}`);
    this.#assertMembership('open', 'seats');
    await member.end('SIGKILL');
    if (this.#options.membership === 'seats') {
      // Its seat is taken by one without memory, which gets it back from the others.
      await this.#roster.renewDisk(member);
      await this.#restart(member);
      await this.#caughtUp(member);
      return false;
    }
    // First out, since it is gone in any case: if the new one fails in turn, it is that one's place that is to be filled.
    await this.#remove(member);
    await this.#roster.removeDisk(member);
    return true;
  }

  /** A new member in the place of one that is out. `advice`: what follows when nobody could be taken in. */
  async #succeed(id: string, advice: string): Promise<string> {
    const successor = await this.#admit().catch((error: Error) => {
      throw new GroupRequestError(`${id} is out, and nobody is in its place: ${error.message}${advice}`);
    });
    await this.#settle(successor);
    this.#tell('replaced', id, `by ${successor.identity.id}`);
    return successor.identity.id;
  }

  async partition(ids: readonly string[], direction: 'both' | 'in' | 'out', withClients: boolean): Promise<void> {
    const { links } = this.#options;
    if (links === undefined) throw new GroupRequestError('links are direct: start the group with --proxy, and they can be cut');
    for (const id of ids) this.#roster.find(id);
    if (links.partitions >= MAX_PARTITIONS) throw new GroupRequestError(`${MAX_PARTITIONS} partitions last already: failmask group heal`);
    const balancers = new Set(this.balancers.map(({ id }) => id));
    await links.partition({ members: new Set(ids), direction, spares: (id) => !withClients && balancers.has(id) });
    this.#tell('partitioned', ids.join(', '), direction === 'both' ? '' : `only what they ${direction === 'out' ? 'say' : 'hear'}`);
  }

  async heal(): Promise<void> {
    await this.#options.links?.heal();
    this.#tell('healed', '', '');
  }

  /** Ends everybody, in order. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#roster.stop();
  }

  /** Asks one member after the other until one has done it. */
  async #administer(line: Line, failure: string): Promise<void> {
    let reason = 'nobody answered';
    for (const deadline = performance.now() + (this.#options.administerTimeoutMs ?? ADMIN_TIMEOUT_MS); performance.now() < deadline;) {
      for (const member of this.#roster.processes) {
        if (member.identity.kind !== 'member') continue;
        const answer = await member.ask(line);
        if (answer?.['done'] === true) return;
        if (typeof answer?.['reason'] === 'string') reason = answer['reason'];
      }
      await pause(ADMIN_INTERVAL_MS);
    }
    throw new GroupRequestError(`${failure}: ${reason}`);
  }

  /** Rejects when it has not caught up in time, which it goes on trying to. */
  async #caughtUp(member: ManagedProcess): Promise<void> {
    const { id } = member.identity;
    let problem = 'it does not answer';
    for (const deadline = performance.now() + CATCH_UP_TIMEOUT_MS; performance.now() < deadline;) {
      const status = (await member.ask({ type: 'status' }))?.['status'] as ReplicaStatus | undefined;
      if (status !== undefined && status.problem === undefined) return;
      problem = status?.problem ?? problem;
      if (!member.isRunning) throw new NotReadyError(`${id} has ended: ${member.lastWords ?? problem}`);
      await pause(ADMIN_INTERVAL_MS);
    }
    throw new NotReadyError(`after ${CATCH_UP_TIMEOUT_MS / 1000} s, ${id} is not ready yet, and goes on: ${problem}`);
  }

  #said(id: string, line: Line): void {
    this.#tell('says', id, String(line['text'] ?? JSON.stringify(line)));
    if (line['type'] !== 'failure' || !this.#options.replacesFailed) return;
    const member = this.#roster.get(String(line['id']));
    // All balancers notice, each in its own time: it is replaced once, and its successor's process is not blamed.
    if (member === undefined || member.isChanging || this.#replacing.has(member) || (member.isRunning && member.startedMs > performance.now() - Number(line['downForMs']))) return;
    this.#replacing.add(member);
    void this.#replace(member).finally(() => this.#replacing.delete(member));
  }

  /** Tries until somebody is in its place, it is back, or people have taken it out themselves. */
  async #replace(member: ManagedProcess): Promise<void> {
    const { id } = member.identity;
    const { startedMs } = member;
    const [firstMs, longestMs] = REPLACE_AGAIN_MS;
    let isOut = false;
    for (let waitMs: Millis = firstMs; !this.#isStopping; waitMs = Math.min(2 * waitMs, longestMs)) {
      if (!isOut && (this.#roster.get(id) !== member || (member.isRunning && member.startedMs > startedMs))) return;
      try {
        if (!isOut && !(await this.#change(id, () => this.#takeOut(member)))) return;
        isOut = true;
        await this.#succeed(id, '');
        return;
      } catch (error) {
        if (this.#isStopping) return;
        if (error instanceof NotReadyError) return this.#tell('problem', id, error.message);
        this.#tell('problem', id, `${(error as Error).message}; tried again in ${waitMs / 1000} s`);
      }
      await pause(waitMs);
    }
  }

  /** One change of a member at a time: two that replace it would bring two in its place, and its disk must not go while it is started. */
  async #change<T>(id: string, act: (member: ManagedProcess) => Promise<T>): Promise<T> {
    const member = this.#roster.find(id);
    if (member.isChanging) throw new GroupRequestError(`${id} is being restarted, removed or replaced already`);
    member.isChanging = true;
    try {
      return await act(member);
    } finally {
      member.isChanging = false;
    }
  }

  #assertMembership(...wanted: GroupSupervisorOptions['membership'][]): void {
    const { membership, mode } = this.#options;
    if (wanted.includes(membership)) return;
    throw new GroupRequestError(membership === 'seats'
      ? `mode ${mode}: members cannot be added or removed; failmask group rebuild renews one`
      : `mode ${mode} without a fence: nobody says who is right, so members cannot be added, removed or rebuilt`);
  }

  #running(id: string): ManagedProcess {
    const member = this.#roster.find(id);
    if (!member.isRunning) throw new GroupRequestError(`${id} is not running`);
    return member;
  }

  #tell(kind: GroupEvent['kind'], id: string, text: string): void {
    this.#options.onEvent({ kind, id, text });
  }
}

function pause(forMs: Millis): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, forMs).unref());
}
