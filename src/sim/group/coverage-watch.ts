import type { TraceEvent } from '../../core/trace.ts';
import type { Request } from '../../group/message.ts';
import type { ReplicaId } from '../../group/replica.ts';
import type { ReplicaWorld, Watch } from '../replica-world.ts';
import type { GroupCoverage } from './group-coverage.ts';
import type { MemberPlace } from './member-place.ts';

const SAMPLE_MS = 100;

/** Counts what members and clients came across; what the nemesis does, it counts itself. */
export class CoverageWatch implements Watch {
  readonly #world: ReplicaWorld;
  readonly #coverage: GroupCoverage;
  /** Highest serial of each client. */
  readonly #serials = new Map<string, number>();
  /** Who suspects whom at the moment, as `member member`. */
  readonly #suspicions = new Set<string>();

  constructor(world: ReplicaWorld, coverage: GroupCoverage) {
    this.#world = world;
    this.#coverage = coverage;
    world.watches.push(this);
    this.#sample();
  }

  requested(client: string, place: MemberPlace, { clientId, serial, operation }: Request): void {
    const name = `${client} ${clientId} ${place.name}`;
    if (operation.length > 0 && serial <= (this.#serials.get(name) ?? 0)) this.#coverage.add('retry');
    this.#serials.set(name, serial);
  }

  traced(place: MemberPlace, { type }: TraceEvent): void {
    if (place !== this.#world.members[place.index]) return;
    if (type === 'snapshot') this.#coverage.add('snapshot transfer');
    if (type === 'view') this.#coverage.add('view change');
  }

  down(place: MemberPlace): void {
    this.#count(place);
  }

  /** What is in the counters of those who live to the end. */
  finish(): void {
    for (const place of this.#world.places) this.#count(place);
  }

  #count(place: MemberPlace): void {
    if (place !== this.#world.members[place.index]) return;
    const counters = place.replica?.status().counters ?? {};
    this.#coverage.add('snapshot', (counters['snapshotsTaken'] ?? 0) + (counters['compactions'] ?? 0));
  }

  /** A suspicion of somebody who runs is a false one, whatever keeps the two apart. */
  #sample(): void {
    this.#world.simulator.at(this.#world.now + SAMPLE_MS, () => this.#sample());
    for (const place of this.#world.members) {
      if (place.state !== 'running') continue;
      const suspected = new Set(place.replica?.status().suspected ?? []);
      for (const id of suspected) this.#suspect(place.identity, id);
      for (const name of this.#suspicions) {
        const [by, id] = name.split(' ');
        if (by === place.identity && !suspected.has(id!)) this.#suspicions.delete(name);
      }
    }
  }

  #suspect(by: ReplicaId, id: ReplicaId): void {
    const name = `${by} ${id}`;
    if (this.#suspicions.has(name)) return;
    this.#suspicions.add(name);
    if (this.#world.placeOf(id)?.state === 'running') this.#coverage.add('false suspicion');
  }
}
