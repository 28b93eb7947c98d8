import type { Millis } from '../core/machine.ts';
import { createRandom, type Random } from '../core/random.ts';
import type { Sink } from '../core/trace.ts';
import type { Mode } from '../group/modes.ts';
import { traitsOf } from '../group/modes.ts';
import { drawGroup, formatGroupScenario, type GroupScenario } from './group/draw-group.ts';
import type { DetectorKind } from './group/detector-kind.ts';
import { simEngine, type IsDead, type SimEngine } from './group/engines.ts';
import { CoverageWatch } from './group/coverage-watch.ts';
import { GroupCoverage, type GroupCoverageName } from './group/group-coverage.ts';
import { groupWorld } from './group/group-world.ts';
import type { MemberPlace } from './group/member-place.ts';
import { Nemesis } from './group/nemesis.ts';
import { ProtocolTrace } from './group/protocol-trace.ts';
import { ProtocolWatch } from './group/protocol-watch.ts';
import { ReachWatch } from './group/reach-watch.ts';
import { LEGEND } from './group/transition-log.ts';
import { Workload, type Event } from './group/workload.ts';
import { checkHistory } from './history-checks.ts';
import type { ReplicaWorld } from './replica-world.ts';
import type { Violation } from './verdict.ts';

/** What a run of a replicated group came to. */
export interface GroupResult {
  readonly mode: Mode;
  readonly seed: number;
  readonly detector: DetectorKind;
  /** SHA-256 of everything that happened. */
  readonly traceHash: string;
  /** Empty: every checker agrees. */
  readonly violations: readonly Violation[];
  readonly coverage: Readonly<Record<GroupCoverageName, number>>;
  readonly endedAtMs: Millis;
  readonly messages: number;
  readonly history: readonly Event[];
  readonly scenario: GroupScenario;
  /** The last transitions, one a line. */
  readonly transitions: readonly string[];
}

export interface GroupRunOptions {
  /** What is changed in the world that the seed gives. */
  readonly changes?: Partial<GroupScenario>;
  /** How members of groups with views find out who is dead: by silence, as in the world, or because the simulator tells them. Default timeout. */
  readonly detector?: DetectorKind;
  /** In the place of the mode's own. */
  readonly engine?: SimEngine;
  /** In the place of the seed's; for tests. */
  readonly random?: Random;
  /** Transitions kept. Default 60; Infinity keeps all. */
  readonly keepLines?: number;
  /** Told of the protocol's transitions, messages and faults. */
  readonly sink?: Sink | undefined;
}

/** After healing, each client has so long to get on, and members to become equal. */
export const LIVENESS_MS = 20_000;
/** Operations of each client that count as getting on. */
const PROGRESS = 3;
const QUIET_MS = 500;

/** One seed of one mode: a world, a mix of faults, a healing, and the verdict. */
export function runGroupSeed(mode: Mode, seed: number, options: GroupRunOptions = {}): GroupResult {
  const random = options.random ?? createRandom(seed).fork(`group ${mode}`);
  const scenario: GroupScenario = { ...drawGroup(mode, seed, random.fork('scenario')), ...options.changes };
  const { detector = 'timeout' } = options;
  const isDead: IsDead = (member) => world.placeOf(member)?.isUp !== true;
  const engine = options.engine ?? simEngine(scenario, detector === 'perfect' ? isDead : undefined);
  const coverage = new GroupCoverage();
  const world: ReplicaWorld = groupWorld(scenario, engine, random.fork('world'), { keepLines: options.keepLines ?? 60 });
  if (options.sink !== undefined) new ProtocolTrace(world, options.sink);
  const { isOrdered, hasViews } = traitsOf(mode);
  const protocol = new ProtocolWatch(world, { coverage, isOrdered, hasOneLeader: isOrdered });
  const counting = new CoverageWatch(world, coverage);
  const isLeading = (place: MemberPlace): boolean => protocol.isLeading(place);
  if (mode === 'raft') new ReachWatch(world, world.members, 8 * scenario.electionTimeoutMs);
  if (hasViews) new ReachWatch(world, world.viewServers, 8 * scenario.electionTimeoutMs);
  const nemesis = new Nemesis(world, { scenario, random: random.fork('nemesis'), coverage, isLeading, currentView: engine.currentView });
  const workload = new Workload(world, { words: engine.words, random: random.fork('workload'), kinds: engine.kinds, ...scenario });
  for (const place of [...world.viewServers, ...world.members.slice(0, scenario.members)]) world.begin(place);

  world.run(500);
  nemesis.start();
  world.run(500 + scenario.faultyMs);
  const left = heal(world, nemesis, scenario, detector, random.fork('healing'));
  judgeLiveness(world, nemesis, workload, scenario, left);
  judgeHistory(world, workload, engine, coverage);
  counting.finish();
  cover(world, workload, coverage);
  for (const { checker, message } of world.verdicts.violations) world.hash.text(`${checker} ${message}`);
  return {
    mode, seed, detector, traceHash: world.hash.digest(), violations: world.verdicts.violations, coverage: coverage.counts, endedAtMs: world.now,
    messages: world.network.counters.sent, history: workload.history, scenario, transitions: world.log.lines(),
  };
}

/** What somebody needs who has to find out why. */
export function describeGroupFailure({ mode, seed, detector, violations, scenario, transitions }: GroupResult): string {
  return [
    `seed ${seed} of ${mode}, replay with: failmask sim --group ${mode} --seed ${seed}${detector === 'timeout' ? '' : ` --detector ${detector}`} --trace`,
    ...violations.map(({ checker, atMs, host, message }) => `  ${atMs.toFixed(3)} ms ${host}: ${checker}: ${message}`),
    ...formatGroupScenario(scenario).map((line) => `  ${line}`),
    `  the last transitions (${LEGEND}):`,
    ...transitions.map((line) => `  ${line}`),
  ].join('\n');
}

/** A random majority, or all, is healed; the others may stay dead. Returns these. */
function heal(world: ReplicaWorld, nemesis: Nemesis, { profile, mode }: GroupScenario, detector: DetectorKind, random: Random): ReadonlySet<MemberPlace> {
  const inside = world.members.filter((place) => nemesis.registrar.isInside(place));
  const { hasViews } = traitsOf(mode);
  const mayGo = hasViews ? spareOfView(inside, nemesis, random) : inside;
  // Whoever is out of reach and lives is suspected by timeouts only: all would wait for it.
  const mayLeave = profile === 'within' && !nemesis.registrar.isBusy && !(hasViews && detector === 'perfect');
  const most = mayLeave ? Math.min(mayGo.length, Math.floor((inside.length - 1) / 2)) : 0;
  const left = new Set<MemberPlace>();
  const count = random.below(most + 1);
  while (left.size < count) left.add(mayGo[random.below(mayGo.length)]!);
  world.say('*', left.size === 0 ? 'all are healed' : `all are healed but ${[...left].map(({ name }) => name).join(' ')}`);
  nemesis.stop(left);
  return left;
}

/** All but one who works in the last view: whoever knows what was answered must not be lost. Nobody, where there is no such member. */
function spareOfView(inside: readonly MemberPlace[], { registrar }: Nemesis, random: Random): readonly MemberPlace[] {
  const knowing = inside.filter(({ state, replica }) => {
    const status = replica?.status();
    return state === 'running' && status !== undefined && status.problem === undefined && status.term === registrar.currentView?.number;
  });
  if (knowing.length === 0) return [];
  const kept = knowing[random.below(knowing.length)];
  return inside.filter((place) => place !== kept);
}

function judgeLiveness(world: ReplicaWorld, nemesis: Nemesis, workload: Workload, scenario: GroupScenario, left: ReadonlySet<MemberPlace>): void {
  const { isOrdered } = traitsOf(scenario.mode);
  const healedMs = world.now;
  const report = (message: string): void => {
    if (!isOver(world, nemesis, scenario)) world.verdicts.report('liveness', world.now, '*', `${(world.now - healedMs).toFixed(0)} ms after healing, ${message}`);
  };
  workload.startCounting();
  world.run(healedMs + LIVENESS_MS, () => workload.successes.every((count) => count >= PROGRESS));
  const stuck = workload.successes.flatMap((count, i) => (count >= PROGRESS ? [] : [`c${i} (${count})`]));
  if (stuck.length > 0) report(`fewer than ${PROGRESS} operations succeeded of ${stuck.join(', ')}: ${describeMembers(world)}`);
  workload.finish();
  world.run(world.now + LIVENESS_MS, () => workload.isIdle);
  if (!workload.isIdle && stuck.length === 0) report('not every key can be read');
  if (stuck.length > 0) return;
  const alive = (): MemberPlace[] => world.members.filter((place) => nemesis.registrar.isInside(place) && !left.has(place));
  const areEqual = (): boolean => {
    if (nemesis.registrar.isBusy) return false;
    const states = alive().map(({ replica }) => replica?.status());
    return states.every((state) => state !== undefined && state.problem === undefined && (!isOrdered || (state.appliedIndex === states[0]?.appliedIndex && state.digest === states[0].digest)));
  };
  const deadlineMs = world.now + LIVENESS_MS;
  while (world.now < deadlineMs && !areEqual()) world.run(world.now + QUIET_MS);
  if (!areEqual()) report(`members differ, or do not serve: ${describeMembers(world)}`);
}

/**
 * More failed at a time than a view mode bears, and of the last view there is no disk left that surely has everything: whoever comes back
 * cannot know what the last to fail knew (Skeen 1985), and the group rightly says nothing any more.
 */
function isOver(world: ReplicaWorld, { registrar }: Nemesis, { profile }: GroupScenario): boolean {
  const members = registrar.currentView?.members ?? [];
  const isGone = (place: MemberPlace | undefined): boolean => place === undefined || (place.isDamaged && place.replica?.status().problem !== undefined);
  return profile === 'beyond' && members.length > 0 && members.every(({ id }) => isGone(world.placeOf(id)));
}

function describeMembers(world: ReplicaWorld): string {
  return world.places.map(({ name, state, replica }) => {
    const status = replica?.status();
    if (status === undefined) return `${name} ${state}`;
    return `${name} ${state} ${status.role} term ${status.term} applied ${status.appliedIndex}/${status.lastIndex} ${status.digest.slice(0, 8)}${status.problem === undefined ? '' : ` (${status.problem})`}`;
  }).join('; ');
}

function judgeHistory(world: ReplicaWorld, workload: Workload, engine: SimEngine, coverage: GroupCoverage): void {
  const report = (checker: string, message: string): void => world.verdicts.report(checker, world.now, 'clients', message);
  for (const message of checkHistory(workload.history)) report('history', message);
  const { judged, wrong } = engine.judge(workload.history);
  coverage.add('history judged', judged);
  if (judged === 0 && wrong.length === 0) coverage.add('history not judged');
  for (const message of wrong) report('linearizability', message);
}

function cover(world: ReplicaWorld, workload: Workload, coverage: GroupCoverage): void {
  const { counts } = workload;
  coverage.add('operation', counts.answered);
  coverage.add('unknown outcome', counts.unknown);
  coverage.add('not executed', counts.notExecuted);
  coverage.add('failed cas', counts.failedCas);
  coverage.add('expired session', counts.expired);
  const { counters } = world.network;
  coverage.add('lost message', counters.lost);
  coverage.add('doubled message', counters.duplicated);
  coverage.add('overtaken message', counters.overtook);
  coverage.add('late message', counters.kept);
}
