import type { Millis } from '../../core/machine.ts';
import { createRandom, type Random } from '../../core/random.ts';
import { formatDuration, formatProbability } from '../../core/units.ts';
import { traitsOf, type Mode } from '../../group/modes.ts';
import { FAIR_WEATHER, type Weather } from './message-network.ts';

/** What a nemesis can do. */
export const FAULT_KINDS = [
  'kill', 'power', 'pause', 'partition', 'one-way', 'partial', 'reset', 'slow disk', 'disk failure', 'lost disk', 'damage', 'membership', 'all down', 'storm', 'ambush',
  'trance',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export type Profile =
  /** Never more members faulty at a time than the mode tolerates. */
  | 'within'
  /** As many as there are: nobody need answer, but nobody may answer wrongly either. */
  | 'beyond';

/** The world of a seed, and what goes wrong in it. */
export interface GroupScenario {
  readonly mode: Mode;
  readonly seed: number;
  readonly profile: Profile;
  /** Who are there from the beginning. */
  readonly members: number;
  /** Places that are empty at first, for those who are taken in later. */
  readonly spares: number;
  readonly viewServers: number;
  /** How many may be faulty at a time without the group having to stop. */
  readonly tolerated: number;
  readonly clients: number;
  readonly thinkMs: Millis;
  readonly keys: number;
  readonly operationsPerKey: number;
  /** A client gives an operation up after this time. */
  readonly deadlineMs: Millis;
  readonly maxSessions: number;
  readonly electionTimeoutMs: Millis;
  /** Of the log, before it is replaced by a snapshot. */
  readonly snapshotBytes: number;
  readonly keptEntries: number;
  /** Bounds of what a member sends ahead, takes on at a time, and keeps for those who lag. */
  readonly inflightBytes: number;
  readonly pendingEntries: number;
  readonly keptBytes: number;
  /** Of what is pending in the agreed order; a report holds half as much again. */
  readonly pendingBytes: number;
  readonly weather: Weather;
  readonly clockDrift: number;
  readonly diskDelayMs: Millis;
  readonly isEager: boolean;
  /** Inputs wait while something is being written. */
  readonly queuesInputs: boolean;
  /** How long things go wrong. */
  readonly faultyMs: Millis;
  /** Mean time between two faults, and mean time until one is repaired. */
  readonly faultEveryMs: Millis;
  readonly repairMs: Millis;
  /** In [0, 1]: how often a fault aims at whoever leads. */
  readonly aimsAtLeader: number;
  /** Only these are drawn, as often as their weights say. */
  readonly faults: ReadonlyMap<FaultKind, number>;
}

/** Same seed and mode, same world, on every machine. `random` for tests of that very sentence. */
export function drawGroup(mode: Mode, seed: number, random: Random = createRandom(seed).fork(`group ${mode}`).fork('scenario')): GroupScenario {
  const profile: Profile = random.chance(0.75) ? 'within' : 'beyond';
  const { members, tolerated } = drawSize(mode, random);
  const electionTimeoutMs = pick(random, [150, 300, 500]);
  const weather = drawWeather(random.fork('weather'), electionTimeoutMs);
  const clients = 2 + random.below(4);
  const bounds = random.fork('bounds');
  return {
    mode, seed, profile, members, tolerated,
    spares: traitsOf(mode).canGrow && random.chance(0.5) ? 1 : 0,
    viewServers: traitsOf(mode).hasViews ? 3 : 0,
    clients,
    thinkMs: pick(random, [5, 20, 60]),
    keys: 1 + random.below(4),
    operationsPerKey: pick(random, [20, 50, 100]),
    deadlineMs: Math.max(pick(random, [1000, 2000, 5000]), 25 * (weather.delayMs + weather.jitterMs)),
    // Hardly more than there are clients: whoever starts over takes somebody's place. Whoever asks all opens several when he repeats himself.
    maxSessions: random.chance(0.3) ? clients * (traitsOf(mode).asks === 'all' ? 6 : 1) : 1024,
    electionTimeoutMs,
    snapshotBytes: pick(random, [2000, 10_000, 50_000, 1_000_000]),
    keptEntries: pick(random, [1, 10, 100]),
    inflightBytes: pick(bounds, [200, 2000, 1 << 20]),
    pendingEntries: pick(bounds, [2, 10, 1000]),
    keptBytes: pick(bounds, [1000, 10_000, 1 << 24]),
    pendingBytes: pick(bounds, [50, 500, 1 << 17]),
    weather,
    clockDrift: pick(random, [0, 0.02, 0.1]),
    diskDelayMs: pick(random, [0.2, 2, 10]),
    isEager: random.chance(0.5),
    queuesInputs: random.chance(0.7),
    // Where everybody executes and answers everything, a second is longer.
    faultyMs: (traitsOf(mode).asks === 'all' ? 0.6 : 1) * (4000 + 6000 * random.unit()),
    faultEveryMs: pick(random, [300, 800, 2000]),
    repairMs: pick(random, [150, 600, 1500]),
    aimsAtLeader: pick(random, [0.1, 0.5, 0.9]),
    faults: drawFaults(mode, random.fork('faults')),
  };
}

/** Some lines for people: the world that a seed drew. */
export function formatGroupScenario(scenario: GroupScenario): string[] {
  const { profile, tolerated, members, spares, viewServers, clients, thinkMs, keys, weather, faults } = scenario;
  const others = [spares > 0 ? `${spares} spare` : '', viewServers > 0 ? `${viewServers} view servers` : '', `${clients} clients on ${keys} keys, one operation every ${formatDuration(thinkMs)} each`];
  const troubles = [
    `${formatProbability(weather.loss)} lost`, `${formatProbability(weather.duplication)} doubled`, ...(weather.reorders ? ['overtaking'] : []),
    `${formatProbability(weather.kept)} of what meets a partition comes after it`,
  ];
  return [
    `world: ${members} members, of which ${tolerated} may be faulty at a time${profile === 'beyond' ? ', and sometimes more are' : ''}; ${others.filter((part) => part !== '').join(', ')}`,
    `messages: ${formatDuration(weather.delayMs)} and ${formatDuration(weather.jitterMs)} more on average, ${troubles.join(', ')}`,
    `hosts: election timeout ${formatDuration(scenario.electionTimeoutMs)}, clocks up to ${formatProbability(scenario.clockDrift)} wrong, disks up to ${formatDuration(scenario.diskDelayMs)}, snapshot every ${scenario.snapshotBytes} bytes of log, ${scenario.maxSessions} sessions`,
    `faults: for ${formatDuration(scenario.faultyMs)}, one every ${formatDuration(scenario.faultEveryMs)}, each for ${formatDuration(scenario.repairMs)}, ${formatProbability(scenario.aimsAtLeader)} at the leader: ${[...faults.keys()].join(', ')}`,
  ];
}

function drawSize(mode: Mode, random: Random): { members: number; tolerated: number } {
  const draw = random.unit();
  if (mode === 'primary-backup') {
    const members = draw < 0.4 ? 2 : draw < 0.9 ? 3 : 4;
    return { members, tolerated: members - 1 };
  }
  const members = draw < 0.5 ? 3 : draw < 0.9 || mode !== 'raft' ? 5 : draw < 0.93 ? 1 : draw < 0.96 ? 2 : 4;
  return { members, tolerated: Math.floor((members - 1) / 2) };
}

/** A swarm: each trouble is there or not, by itself, so that none hides what another would show. */
function drawWeather(random: Random, electionTimeoutMs: Millis): Weather {
  // Messages that take as long as a timeout are an outage, not weather.
  const delayMs = pick(random, [0.5, 5, 0.05 * electionTimeoutMs, 0.12 * electionTimeoutMs]);
  return {
    ...FAIR_WEATHER,
    delayMs,
    jitterMs: random.chance(0.5) ? 0.1 * delayMs : delayMs,
    loss: random.chance(0.4) ? 0.15 * random.unit() : 0,
    duplication: random.chance(0.4) ? 0.3 * random.unit() : 0,
    reorders: random.chance(0.5),
    kept: random.chance(0.5) ? random.unit() : 0,
  };
}

function drawFaults(mode: Mode, random: Random): Map<FaultKind, number> {
  const faults = new Map<FaultKind, number>();
  const { canGrow } = traitsOf(mode);
  for (const kind of FAULT_KINDS) {
    // Each draws, whether it can be or not.
    const isDrawn = random.chance(kind === 'all down' || kind === 'storm' ? 0.2 : 0.45);
    const weight = 0.2 + random.unit();
    if (isDrawn && (kind !== 'membership' || canGrow)) faults.set(kind, kind === 'all down' ? 0.2 * weight : weight);
  }
  if (faults.size === 0) faults.set('kill', 1);
  return faults;
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[random.below(values.length)]!;
}
