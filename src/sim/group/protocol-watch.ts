import type { TraceEvent } from '../../core/trace.ts';
import { leads, type Ready, type ReplicaId, type Role } from '../../group/replica.ts';
import type { ReplicaWorld, Watch } from '../replica-world.ts';
import type { GroupCoverage } from './group-coverage.ts';
import type { MemberPlace } from './member-place.ts';

/** What one disk has promised to others, by what it let leave. */
interface Ledger {
  term: number;
  commitIndex: number;
  /** Of what left last. */
  lastIndex: number;
  /** It went down in the middle of a write, or with a disk that did not write. */
  isUnfinished: boolean;
  /** Term to candidate. */
  readonly votes: Map<number, string>;
}

interface Taken {
  readonly term: number;
  readonly commitIndex: number;
  readonly lastIndex: number;
  readonly votes: readonly (readonly [number, string])[];
  /** Others hear of it; otherwise it is only on disk. */
  readonly isPromised: boolean;
}

/** What one group (the members, or the view servers) has agreed on. */
interface Agreement {
  /** Who leads, by term or view. */
  readonly leaders: Map<number, ReplicaId>;
  /** The state after each place in the order, and the term of what stands there. */
  readonly applied: Map<number, { readonly digest: string; readonly term: number; readonly member: ReplicaId }>;
  lastLeader: ReplicaId | undefined;
}

export interface ProtocolWatchOptions {
  readonly coverage: GroupCoverage;
  /** False where two may lead at a time, since timeouts alone say who does. */
  readonly hasOneLeader: boolean;
  /** States at the same place of the order are equal. */
  readonly isOrdered: boolean;
}

/**
 * Rules that hold whatever fails: one leader a term, one vote a term, equal states at equal places of the order, what was committed
 * stays, and nobody comes back with less than it had promised.
 */
export class ProtocolWatch implements Watch {
  readonly #world: ReplicaWorld;
  readonly #options: ProtocolWatchOptions;
  readonly #agreements = { members: newAgreement(), servers: newAgreement() };
  readonly #ledgers = new Map<ReplicaId, Ledger>();
  /** Told of since the last Ready, by name of the place. */
  readonly #fresh = new Map<string, [number, string][]>();
  readonly #taken = new Map<string, Taken>();
  /** What is on disk since the last Ready left. */
  readonly #safe = new Map<string, Taken>();
  readonly #roles = new Map<string, Role>();
  readonly #commits = new Map<string, number>();
  /** Up to where a leader has just committed. */
  readonly #leads = new Map<string, number>();
  /** In which a place became leader last. */
  readonly #terms = new Map<string, number>();

  constructor(world: ReplicaWorld, options: ProtocolWatchOptions) {
    this.#world = world;
    this.#options = options;
    world.watches.push(this);
  }

  /** The last that was known of it; undefined before it said anything. */
  roleOf(place: MemberPlace): Role | undefined {
    return this.#roles.get(place.name);
  }

  isLeading(place: MemberPlace): boolean {
    const role = this.#roles.get(place.name);
    return role !== undefined && leads(role) && place.isUp;
  }

  traced(place: MemberPlace, event: TraceEvent): void {
    const agreement = this.#agreementOf(place);
    switch (event.type) {
      case 'become':
        return this.#became(place, agreement, event);
      case 'vote': {
        const fresh = this.#fresh.get(place.name) ?? [];
        this.#fresh.set(place.name, fresh);
        fresh.push([Number(event['term']), String(event['candidate'])]);
        return;
      }
      case 'commit':
        return this.#committed(place, Number(event['index']));
      case 'apply':
      case 'snapshot':
        return this.#applied(place, agreement, event);
    }
  }

  readyTaken(place: MemberPlace, ready: Ready): void {
    this.#roles.set(place.name, ready.role);
    // What could not be persisted has promised nothing.
    this.#taken.delete(place.name);
    if (ready.role === 'failed') return;
    const says = ready.messages.length + (ready.errands?.length ?? 0) > 0;
    if (ready.persist.length === 0 && !says) {
      // Answers alone stand on what is on disk already, whatever the member has in mind by now.
      const safe = this.#safe.get(place.name);
      if (ready.replies.length > 0 && safe !== undefined) this.#taken.set(place.name, safe);
      return;
    }
    const votes = this.#fresh.get(place.name) ?? [];
    this.#fresh.delete(place.name);
    const { term, commitIndex, lastIndex } = place.replica!.status();
    this.#taken.set(place.name, { term, commitIndex, lastIndex, votes, isPromised: says || ready.replies.length + votes.length > 0 });
  }

  readyLeaves(place: MemberPlace): void {
    const taken = this.#taken.get(place.name);
    if (taken === undefined) return;
    this.#taken.delete(place.name);
    this.#safe.set(place.name, { ...taken, votes: [], isPromised: true });
    if (!taken.isPromised) return;
    const ledger = this.#ledgerOf(place.identity);
    if (taken.term < ledger.term && !place.isDamaged) this.#broke(place, 'term', `its term went back from ${ledger.term} to ${taken.term}`);
    ledger.term = Math.max(ledger.term, taken.term);
    ledger.commitIndex = Math.max(ledger.commitIndex, taken.commitIndex);
    ledger.lastIndex = taken.lastIndex;
    for (const [votedTerm, candidate] of taken.votes) {
      const earlier = ledger.votes.get(votedTerm);
      if (earlier !== undefined && earlier !== candidate && !place.isDamaged) this.#broke(place, 'vote', `voted for ${earlier} and for ${candidate} in term ${votedTerm}`);
      ledger.votes.set(votedTerm, candidate);
    }
  }

  began(place: MemberPlace): void {
    this.#fresh.delete(place.name);
    this.#taken.delete(place.name);
    this.#safe.delete(place.name);
    this.#commits.delete(place.name);
    const ledger = this.#ledgers.get(place.identity);
    const status = place.replica!.status();
    this.#roles.set(place.name, status.role);
    if (ledger === undefined || !this.#options.isOrdered) return;
    const reach = Math.max(status.lastIndex, status.commitIndex);
    const isShort = reach < ledger.lastIndex && !ledger.isUnfinished;
    // What damage takes away is gone; but the member must know that something is.
    if (place.isDamaged) {
      if (isShort && status.problem === undefined) this.#broke(place, 'durability', `begins again with ${reach} entries of ${ledger.lastIndex}, and as if nothing were missing`);
      return;
    }
    if (status.term < ledger.term) this.#broke(place, 'durability', `begins again with term ${status.term}, after it had spoken in term ${ledger.term}`);
    if (reach < ledger.commitIndex) this.#broke(place, 'durability', `begins again with ${reach} entries, after it had said that ${ledger.commitIndex} are committed`);
    else if (isShort) this.#broke(place, 'durability', `begins again with ${reach} entries, after it had said that it has ${ledger.lastIndex}`);
  }

  down(place: MemberPlace): void {
    this.#ledgerOf(place.identity).isUnfinished = place.isPersisting || place.hasFailedDisk;
    if (this.isLeading(place)) this.#options.coverage.add('leader crash');
  }

  #became(place: MemberPlace, agreement: Agreement, event: TraceEvent): void {
    const { coverage } = this.#options;
    const role = event['role'] as Role;
    const term = Number(event['term'] ?? event['view']);
    this.#roles.set(place.name, role);
    if (role === 'candidate') coverage.add('candidacy');
    if (!leads(role)) return;
    if (place === this.#world.members[place.index]) {
      coverage.add('election');
      if (agreement.lastLeader !== undefined && agreement.lastLeader !== place.identity) coverage.add('fail-over');
    }
    agreement.lastLeader = place.identity;
    this.#terms.set(place.name, term);
    this.#leads.delete(place.name);
    const other = agreement.leaders.get(term);
    if (this.#options.hasOneLeader && other !== undefined && other !== place.identity) {
      this.#broke(place, 'leader', `${place.identity} and ${other} both lead in term ${term}`);
    }
    agreement.leaders.set(term, place.identity);
  }

  #committed(place: MemberPlace, index: number): void {
    const before = this.#commits.get(place.name) ?? 0;
    if (index < before) this.#broke(place, 'commit', `its commit index went back from ${before} to ${index}`);
    this.#commits.set(place.name, index);
    if (this.#roles.get(place.name) === 'leader') this.#leads.set(place.name, index);
  }

  #applied(place: MemberPlace, agreement: Agreement, event: TraceEvent): void {
    const index = Number(event['index']);
    const digest = String(event['digest'] ?? '');
    const term = Number(event['term'] ?? NaN);
    if (digest === '' || !this.#options.isOrdered) return;
    if (this.#leads.get(place.name) === index) {
      this.#leads.delete(place.name);
      const led = this.#terms.get(place.name);
      // Only entries of the own term are committed by counting; what is before them comes along (Raft paper, section 5.4.2).
      if (led !== term) this.#broke(place, 'commit', `leads in term ${led} and commits up to entry ${index}, which is of term ${term}`);
    }
    const other = agreement.applied.get(index);
    if (other === undefined) {
      if (!Number.isNaN(term)) agreement.applied.set(index, { digest, term, member: place.identity });
      return;
    }
    if (other.digest !== digest) this.#broke(place, 'state', `differs from ${other.member} after entry ${index}: ${digest}, not ${other.digest}`);
    else if (!Number.isNaN(term) && other.term !== term) this.#broke(place, 'commit', `entry ${index} is of term ${term} here and of ${other.term} at ${other.member}`);
  }

  #agreementOf(place: MemberPlace): Agreement {
    return this.#world.members[place.index] === place ? this.#agreements.members : this.#agreements.servers;
  }

  #ledgerOf(identity: ReplicaId): Ledger {
    let ledger = this.#ledgers.get(identity);
    if (ledger === undefined) {
      ledger = { term: 0, commitIndex: 0, lastIndex: 0, isUnfinished: false, votes: new Map() };
      this.#ledgers.set(identity, ledger);
    }
    return ledger;
  }

  #broke(place: MemberPlace, checker: string, message: string): void {
    this.#world.verdicts.report(checker, this.#world.now, place.name, message);
  }
}

function newAgreement(): Agreement {
  return { leaders: new Map(), applied: new Map(), lastLeader: undefined };
}
