import type { Random } from '../../core/random.ts';
import { traitsOf, type Mode } from '../../group/modes.ts';
import { ReplicaWorld } from '../replica-world.ts';
import { drawGroup, type GroupScenario } from './draw-group.ts';
import type { SimEngine } from './engines.ts';
import type { ReplicaFactory } from './member-place.ts';
import { FAIR_WEATHER } from './message-network.ts';

/** A group that nothing disturbs but what a test or an experiment does to it. */
export function fairScenario(mode: Mode, members: number, changes: Partial<GroupScenario> = {}): GroupScenario {
  return {
    ...drawGroup(mode, 1), members, spares: 0, viewServers: traitsOf(mode).hasViews ? 3 : 0, weather: FAIR_WEATHER, clockDrift: 0, diskDelayMs: 1, electionTimeoutMs: 300,
    deadlineMs: 4000, snapshotBytes: 1 << 20, keptEntries: 1000, inflightBytes: 1 << 20, pendingEntries: 1000, keptBytes: 1 << 24, pendingBytes: 1 << 17, maxSessions: 100, isEager: true, queuesInputs: true, ...changes,
  };
}

export interface GroupWorldOptions {
  /** In the place of the engine's own. */
  readonly member?: ReplicaFactory;
  /** See WorldOptions. */
  readonly keepLines?: number;
}

/** The world of a scenario. Nobody has begun in it. */
export function groupWorld(scenario: GroupScenario, engine: SimEngine, random: Random, { member = engine.member, keepLines = 60 }: GroupWorldOptions = {}): ReplicaWorld {
  const { members, spares, viewServers, clients, weather, clockDrift, diskDelayMs, isEager, queuesInputs } = scenario;
  return new ReplicaWorld({
    random, members: members + spares, viewServers, clients, memberFactory: member, clientFactory: engine.client,
    ...(engine.viewServer === undefined ? {} : { viewServerFactory: engine.viewServer }), weather, clockDrift, diskDelayMs, isEager, queuesInputs, keepLines,
  });
}
