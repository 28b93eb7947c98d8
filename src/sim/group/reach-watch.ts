import type { Millis } from '../../core/machine.ts';
import type { TraceEvent } from '../../core/trace.ts';
import type { ReplicaWorld, Watch } from '../replica-world.ts';
import type { MemberPlace } from './member-place.ts';

const SAMPLE_MS = 50;

/**
 * For groups that elect: whoever is cut off from a majority can neither stand for election in a new term, since it has to ask first
 * (PreVote), nor go on leading for long (CheckQuorum). Without the one, terms grow while nothing happens, and a member that comes back
 * deposes a leader that did nothing wrong; without the other, its clients wait for a leader that can do nothing.
 */
export class ReachWatch implements Watch {
  readonly #world: ReplicaWorld;
  readonly #group: readonly MemberPlace[];
  readonly #patienceMs: Millis;
  /** Since when a place reaches no majority, by index. */
  readonly #cutSinceMs: Millis[];

  constructor(world: ReplicaWorld, group: readonly MemberPlace[], patienceMs: Millis) {
    this.#world = world;
    this.#group = group;
    this.#patienceMs = patienceMs;
    this.#cutSinceMs = group.map(() => Infinity);
    world.watches.push(this);
    this.#sample();
  }

  traced(place: MemberPlace, event: TraceEvent): void {
    if (event.type !== 'become' || event['role'] !== 'candidate' || this.#group[place.index] !== place) return;
    const forMs = this.#world.now - this.#cutSinceMs[place.index]!;
    // A way may have opened since the last look.
    if (forMs < this.#patienceMs || this.#reachesMajority(place, place.replica?.status().members ?? [])) return;
    this.#broke(place, 'term inflation', `stands for election in term ${event['term']}, after it has been cut off from a majority for ${forMs.toFixed(0)} ms`);
  }

  #sample(): void {
    this.#world.simulator.at(this.#world.now + SAMPLE_MS, () => this.#sample());
    this.#group.forEach((place, i) => {
      const status = place.state === 'running' ? place.replica?.status() : undefined;
      if (status === undefined || this.#reachesMajority(place, status.members)) {
        this.#cutSinceMs[i] = Infinity;
        return;
      }
      this.#cutSinceMs[i] = Math.min(this.#cutSinceMs[i]!, this.#world.now);
      const forMs = this.#world.now - this.#cutSinceMs[i];
      if (status.role !== 'leader' || forMs < this.#patienceMs) return;
      this.#broke(place, 'leader without quorum', `leads on in term ${status.term}, ${forMs.toFixed(0)} ms after it was cut off from a majority`);
      this.#cutSinceMs[i] = Infinity;
    });
  }

  #reachesMajority(place: MemberPlace, members: readonly { readonly id: string; readonly isVoter: boolean }[]): boolean {
    const voters = members.filter(({ isVoter }) => isVoter);
    let reached = 0;
    for (const { id } of voters) {
      const other = this.#world.placeOf(id);
      const { network, now } = this.#world;
      // What changed since the last look may have let something pass.
      const since = now - SAMPLE_MS;
      if (other === undefined || (other.state !== 'running' && other.sinceMs <= since)) continue;
      if (other === place || (network.wasOpenSince(place.name, other.name, since) && network.wasOpenSince(other.name, place.name, since))) reached++;
    }
    return reached > voters.length / 2;
  }

  #broke(place: MemberPlace, checker: string, message: string): void {
    this.#world.verdicts.report(checker, this.#world.now, place.name, message);
  }
}
