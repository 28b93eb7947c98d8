import type { Millis } from '../../core/machine.ts';
import type { Random } from '../../core/random.ts';
import type { TraceEvent } from '../../core/trace.ts';
import { LOG } from '../../group/disk-storage.ts';
import { traitsOf } from '../../group/modes.ts';
import { leads, type Role } from '../../group/replica.ts';
import type { View } from '../../group/view/view.ts';
import type { ReplicaWorld } from '../replica-world.ts';
import type { FaultKind, GroupScenario } from './draw-group.ts';
import type { GroupCoverage } from './group-coverage.ts';
import type { MemberPlace } from './member-place.ts';
import { Registrar } from './registrar.ts';
import type { Weather } from './message-network.ts';

export interface NemesisOptions {
  readonly scenario: GroupScenario;
  readonly random: Random;
  readonly coverage: GroupCoverage;
  readonly isLeading: (place: MemberPlace) => boolean;
  /** Where members come and go by views: what the service has decided. */
  readonly currentView?: (() => View) | undefined;
}

/** Moments of the protocol at which it is bad to fall. */
const MOMENTS = ['vote', 'vote', 'vote', 'append', 'commit', 'become', 'snapshot', 'view'] as const;
const WEAPONS: readonly FaultKind[] = ['kill', 'power', 'power', 'pause', 'one-way'];
const AMBUSH_MS = 2000;
/** From the moment to the blow, and often from the blow to the repair. */
const BLOW_MS = 3;

const STORM: Partial<Weather> = { loss: 0.3, duplication: 0.3, reorders: true };

/** What makes things go wrong, one after the other, and repairs them, as the scenario says. */
export class Nemesis {
  readonly #world: ReplicaWorld;
  readonly #scenario: GroupScenario;
  readonly #random: Random;
  readonly #coverage: GroupCoverage;
  readonly #isLeading: (place: MemberPlace) => boolean;
  readonly registrar: Registrar;
  /** Faults that lie on a place, by its name. */
  readonly #burdens = new Map<string, number>();
  /** What takes back the faults that are there, in the order in which they came. */
  readonly #repairs = new Set<() => void>();
  #ambush: { readonly moment: string; readonly weapon: FaultKind; readonly untilMs: Millis } | undefined;
  /** What breaks now is repaired at once. */
  #isBrief = false;
  #isOver = false;

  constructor(world: ReplicaWorld, options: NemesisOptions) {
    this.#world = world;
    this.#scenario = options.scenario;
    this.#random = options.random;
    this.#coverage = options.coverage;
    this.#isLeading = options.isLeading;
    this.registrar = new Registrar(world, options);
    world.watches.push({ traced: (place, event) => this.#spring(place, event) });
  }

  start(): void {
    this.#await();
  }

  /** Nothing more goes wrong, and what is broken is repaired, but for those of `leave`. */
  stop(leave: ReadonlySet<MemberPlace>): void {
    this.#isOver = true;
    for (const repair of [...this.#repairs]) repair();
    const { network } = this.#world;
    network.weather = { ...network.weather, loss: 0, duplication: 0, reorders: false };
    for (const place of this.#world.places) {
      if (leave.has(place)) this.#isolate(place);
      else if (place.hasFailedDisk) this.#repairDisk(place);
    }
  }

  #await(): void {
    this.#world.simulator.at(this.#world.now + this.#random.exponential(this.#scenario.faultEveryMs), () => {
      if (this.#isOver) return;
      this.#strike(this.#draw());
      this.#await();
    });
  }

  #draw(): FaultKind {
    const { faults } = this.#scenario;
    let total = 0;
    for (const weight of faults.values()) total += weight;
    let at = this.#random.unit() * total;
    for (const [kind, weight] of faults) {
      at -= weight;
      if (at < 0) return kind;
    }
    return [...faults.keys()][0]!;
  }

  #strike(kind: FaultKind): void {
    switch (kind) {
      case 'partition':
        return this.#partition();
      case 'partial':
        return this.#partial();
      case 'reset':
        return this.#reset();
      case 'membership':
        return this.registrar.change((place) => this.#mayBurden([place]));
      case 'all down':
        return this.#allDown();
      case 'storm':
        return this.#storm();
      case 'ambush':
        this.#ambush = { moment: MOMENTS[this.#random.below(MOMENTS.length)]!, weapon: WEAPONS[this.#random.below(WEAPONS.length)]!, untilMs: this.#world.now + AMBUSH_MS };
        return;
      default: {
        const place = this.#drawPlace();
        if (place !== undefined && this.#mayBurden([place])) this.#strikeOne(kind, place);
      }
    }
  }

  #strikeOne(kind: FaultKind, place: MemberPlace): void {
    const { disk } = place;
    switch (kind) {
      case 'kill':
      case 'power':
        if (!place.isUp) return;
        this.#crash(place, kind === 'power');
        return this.#burden([place], () => this.#restart(place));
      case 'pause':
        if (place.state !== 'running') return;
        this.#coverage.add('pause');
        if (this.#isLeading(place)) this.#coverage.add('leader pause');
        this.#world.pause(place);
        // Long enough, as a rule, for the others to go on without it.
        return this.#burden([place], () => this.#world.resume(place), this.#random.chance(0.7) ? 3 * this.#scenario.electionTimeoutMs : undefined);
      case 'trance': {
        // Cut off from the others, though not from all clients, it sleeps for longer than these wait, and is asked before it knows.
        if (place.state !== 'running') return;
        this.#coverage.add('trance');
        const { places, clients } = this.#world;
        const inside = [place, ...clients.filter(() => this.#random.chance(0.5))].map(({ name }) => name);
        this.#world.pause(place);
        this.#burden([place], () => this.#world.resume(place), this.#scenario.deadlineMs);
        const outside = [...places, ...clients].map(({ name }) => name).filter((name) => !inside.includes(name));
        return this.#block(`in a trance, and cut off: ${inside.join(' ')}`, across(inside, outside), [place], 2 * this.#scenario.deadlineMs);
      }
      case 'one-way': {
        this.#coverage.add('one-way partition');
        const isDeaf = this.#random.chance(0.5);
        const others = [...this.#world.places, ...this.#world.clients].filter((other) => other !== place);
        return this.#block(`${place.name} ${isDeaf ? 'hears' : 'is heard by'} nobody`, others.map(({ name }) => (isDeaf ? [name, place.name] : [place.name, name])), [place]);
      }
      case 'slow disk':
        this.#coverage.add('slow disk');
        disk.slowness = 10 + 90 * this.#random.unit();
        this.#world.say(place.name, `its disk is ${disk.slowness.toFixed(0)} times as slow`);
        return this.#burden([place], () => {
          disk.slowness = 1;
        });
      case 'disk failure':
        if (!place.isUp) return;
        this.#coverage.add('disk failure');
        place.failDisk(this.#random.chance(0.5) ? 'EIO' : 'ENOSPC');
        this.#world.say(place.name, 'its disk fails');
        return this.#burden([place], () => this.#repairDisk(place));
      case 'lost disk':
        return this.#loseDisk(place);
      case 'damage':
        return this.#damage(place);
      default:
        return;
    }
  }

  #crash(place: MemberPlace, whole: boolean): void {
    if (!place.isUp) return;
    this.#coverage.add(whole ? 'power failure' : 'crash');
    if (whole && place.isPersisting) this.#coverage.add('torn tail');
    this.#world.crash(place, whole);
    if (this.#world.members.every(({ isUp }) => !isUp)) this.#coverage.add('all down');
  }

  #restart(place: MemberPlace): void {
    if (place.isUp) return;
    if (place.isFounding) this.#coverage.add('restart');
    this.#world.begin(place);
    if (place.isUp) return;
    // A damaged disk was refused. Whoever looks after the group gives it another.
    this.#coverage.add('disk refused');
    this.registrar.replace(place);
  }

  /** A disk that has failed works again after the computer was switched off and on; what it had not written is lost. */
  #repairDisk(place: MemberPlace): void {
    place.failDisk(undefined);
    if (place.isUp) this.#crash(place, true);
    place.hasFailedDisk = false;
    this.#restart(place);
  }

  #loseDisk(place: MemberPlace): void {
    if (!this.registrar.mayReplace(place)) return;
    this.#crash(place, true);
    this.registrar.announceLoss(place);
    this.#burden([place], () => {
      this.#coverage.add('lost disk');
      this.registrar.replace(place);
    });
  }

  /** A bit of the log turns over while the computer is off. */
  #damage(place: MemberPlace): void {
    if (!this.registrar.mayReplace(place)) return;
    this.#crash(place, true);
    const bytes = place.disk.read(LOG.file)?.length ?? 0;
    if (bytes > 0) {
      this.#coverage.add('damaged disk');
      // The last record is another matter than one in the middle.
      place.disk.flip(LOG.file, this.#random.chance(0.5) ? bytes - 1 - this.#random.below(Math.min(bytes, 40)) : this.#random.below(bytes));
      place.isDamaged = true;
      this.#world.say(place.name, 'a bit of its log turns over');
    }
    this.registrar.watch(place);
    this.#burden([place], () => this.#restart(place));
  }

  /** It strikes whoever comes to the moment first, and soon lets go again. */
  #spring(place: MemberPlace, event: TraceEvent): void {
    const ambush = this.#ambush;
    if (ambush?.moment !== event.type || (event.type === 'become' && !leads(event['role'] as Role))) return;
    this.#ambush = undefined;
    if (ambush.untilMs < this.#world.now) return;
    this.#world.simulator.at(this.#world.now + this.#random.exponential(BLOW_MS), () => {
      if (!this.registrar.isInside(place) || !this.#mayBurden([place])) return;
      this.#coverage.add('ambush');
      this.#isBrief = this.#random.chance(0.7);
      this.#strikeOne(ambush.weapon, place);
      this.#isBrief = false;
    });
  }

  #partition(): void {
    const { members, viewServers, clients } = this.#world;
    const minority: MemberPlace[] = [];
    const size = 1 + this.#random.below(Math.max(1, Math.floor(members.length / 2)));
    const first = this.#drawPlace();
    if (first !== undefined) minority.push(first);
    for (const place of shuffled(members, this.#random)) if (minority.length < size && !minority.includes(place)) minority.push(place);
    if (this.#random.chance(0.5)) for (const place of shuffled(viewServers, this.#random).slice(0, 1)) if (!minority.includes(place)) minority.push(place);
    if (!this.#mayBurden(minority)) return;
    this.#coverage.add('partition');
    const inside = new Set(minority.map(({ name }) => name));
    // Some clients are left with them.
    for (const { name } of clients) if (this.#random.chance(0.5)) inside.add(name);
    const outside = [...this.#world.places, ...clients].map(({ name }) => name).filter((name) => !inside.has(name));
    this.#block(`a partition: ${[...inside].join(' ')} on the one side`, across([...inside], outside), minority);
  }

  #partial(): void {
    const [a, b] = shuffled(this.#world.places, this.#random);
    if (a === undefined || b === undefined || !this.#mayBurden([a])) return;
    this.#coverage.add('partial partition');
    const pairs: [string, string][] = this.#random.chance(0.7) ? [[a.name, b.name], [b.name, a.name]] : [[a.name, b.name]];
    this.#block(`${a.name} does not reach ${b.name}`, pairs, [a]);
  }

  #reset(): void {
    const [a, b] = shuffled(this.#world.places, this.#random);
    if (a === undefined || b === undefined) return;
    this.#coverage.add('connection reset');
    this.#world.breakConnection(a, b);
    const client = this.#world.clients[this.#random.below(this.#world.clients.length)];
    const target = this.#random.below(this.#world.members.length);
    if (this.#random.chance(0.5)) client?.reset(target);
  }

  /** A power cut in the whole building. It is no more than the mode tolerates: all come back with their disks. */
  #allDown(): void {
    const places = [...this.#world.places].filter(({ isUp }) => isUp);
    for (const place of places) this.#crash(place, this.#random.chance(0.5));
    for (const place of shuffled(places, this.#random)) this.#burden([place], () => this.#restart(place));
  }

  #storm(): void {
    const { network } = this.#world;
    const before = network.weather;
    if (before.loss === STORM.loss) return;
    network.weather = { ...before, ...STORM };
    this.#burden([], () => {
      network.weather = before;
    });
  }

  #block(text: string, pairs: readonly (readonly [string, string])[], places: readonly MemberPlace[], meanMs?: Millis): void {
    const { network } = this.#world;
    this.#world.say('*', text);
    for (const [from, to] of pairs) network.block(from, to);
    this.#burden(places, () => {
      this.#world.say('*', `no more: ${text}`);
      for (const [from, to] of pairs) network.unblock(from, to);
    }, meanMs);
  }

  /** Out of reach for good. */
  #isolate(place: MemberPlace): void {
    this.#world.say(place.name, 'is left out of reach');
    for (const other of [...this.#world.places, ...this.#world.clients]) {
      if (other === place) continue;
      this.#world.network.block(place.name, other.name);
      this.#world.network.block(other.name, place.name);
    }
  }

  #drawPlace(): MemberPlace | undefined {
    const { places } = this.#world;
    const leaders = places.filter((place) => this.#isLeading(place));
    const isAimed = this.#random.chance(this.#scenario.aimsAtLeader);
    const among = isAimed && leaders.length > 0 ? leaders : places.filter((place) => this.registrar.isInside(place));
    return among[this.#random.below(Math.max(1, among.length))];
  }

  /** Whether these may be faulty, too. */
  #mayBurden(places: readonly MemberPlace[]): boolean {
    const { members, viewServers } = this.#world;
    if (this.#isOver) return false;
    if (this.#scenario.profile === 'beyond') return true;
    const isFaulty = (place: MemberPlace): boolean => places.includes(place) || this.#isBurdened(place) || (this.registrar.isInside(place) && !this.registrar.isWhole(place));
    if (viewServers.filter(isFaulty).length > Math.max(0, Math.floor((viewServers.length - 1) / 2))) return false;
    const { mode, tolerated } = this.#scenario;
    if (!traitsOf(mode).hasViews) return members.filter(isFaulty).length <= tolerated;
    // Whoever was let go is nobody to fall back on, either.
    const healthy = members.filter((place) => this.registrar.isInside(place) && !isFaulty(place)).length;
    return healthy >= this.#scenario.members - tolerated;
  }

  #isBurdened(place: MemberPlace): boolean {
    return (this.#burdens.get(place.name) ?? 0) > 0;
  }

  #burden(places: readonly MemberPlace[], repair: () => void, meanMs = this.#repairMs()): void {
    for (const { name } of places) this.#burdens.set(name, (this.#burdens.get(name) ?? 0) + 1);
    const once = (): void => {
      if (!this.#repairs.delete(once)) return;
      for (const { name } of places) this.#burdens.set(name, this.#burdens.get(name)! - 1);
      repair();
    };
    this.#repairs.add(once);
    this.#world.simulator.at(this.#world.now + this.#random.exponential(meanMs), once);
  }

  #repairMs(): Millis {
    return this.#isBrief ? BLOW_MS : this.#scenario.repairMs;
  }
}

/** Both ways. */
function across(inside: readonly string[], outside: readonly string[]): [string, string][] {
  return inside.flatMap((a) => outside.flatMap((b): [string, string][] => [[a, b], [b, a]]));
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}
