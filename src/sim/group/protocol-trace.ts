import type { Sink, TraceEvent } from '../../core/trace.ts';
import type { ReplicaWorld, Watch } from '../replica-world.ts';
import type { MemberPlace } from './member-place.ts';

/**
 * Tells a sink what a group does: what replicas say of themselves (become, vote, append, commit, apply, snapshot, view), `crash` and
 * `restart`, what else befalls them (`note`), and each message as `send` and `receive` with the same number, from which a sink can
 * derive vector clocks. `member` is the computer: it stays when its disk is replaced. It only looks; the run is the same without it.
 */
export class ProtocolTrace implements Watch {
  readonly #world: ReplicaWorld;
  readonly #sink: Sink;

  constructor(world: ReplicaWorld, sink: Sink) {
    this.#world = world;
    this.#sink = sink;
    world.watches.push(this);
    const down = (name: string): boolean => world.places.some((place) => place.name === name && !place.isUp);
    // What reaches a computer without its member was never received; nor is it the member who says then that nobody is there.
    const refusals = new Set<number>();
    world.network.watch = {
      sent: (message, from, to) => {
        if (down(from)) refusals.add(message);
        else this.#emit(from, { type: 'send', to, message });
      },
      delivered: (message, from, to) => {
        if (!down(to) && !refusals.has(message)) this.#emit(to, { type: 'receive', from, message });
      },
    };
  }

  traced(place: MemberPlace, event: TraceEvent): void {
    this.#emit(place.name, event);
  }

  began({ name, life, identity, replica }: MemberPlace): void {
    const { role, term, lastIndex, appliedIndex, digest } = replica!.status();
    this.#emit(name, { type: life === 1 ? 'start' : 'restart', life, identity, role, term, lastIndex, appliedIndex, digest });
  }

  down({ name, life }: MemberPlace): void {
    this.#emit(name, { type: 'crash', life });
  }

  noted(who: string, text: string): void {
    this.#emit(who, { type: 'note', text });
  }

  #emit(member: string, event: TraceEvent): void {
    this.#sink.emit(this.#world.now, { ...event, member });
  }
}
