import type { Random } from '../../core/random.ts';
import { ReplicaWorld } from '../replica-world.ts';
import type { GroupScenario } from './draw-group.ts';
import type { SimEngine } from './engines.ts';
import type { ReplicaFactory } from './member-place.ts';

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
