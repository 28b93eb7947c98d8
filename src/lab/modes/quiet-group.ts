import type { Millis } from '../../core/machine.ts';
import { createRandom } from '../../core/random.ts';
import type { OperationOutcome } from '../../group/client.ts';
import type { Mode } from '../../group/modes.ts';
import { leads } from '../../group/replica.ts';
import { simEngine } from '../../sim/group/engines.ts';
import { fairScenario, groupWorld } from '../../sim/group/group-world.ts';
import { KV_WORDS } from '../../sim/group/kv-words.ts';
import { FAIR_WEATHER } from '../../sim/group/message-network.ts';
import type { MemberPlace } from '../../sim/group/member-place.ts';
import type { Operation } from '../../sim/group/workload.ts';
import type { ReplicaWorld } from '../../sim/replica-world.ts';

/** Elections and first views are over by then. */
const BEGINNING_MS = 6000;
/** As real members have it: silence after which somebody is suspected. */
const SUSPICION_MS = 1000;
const DEADLINE_MS = 20_000;

/** What went over the network since the counters were set to 0; heartbeats are among it. */
export class Traffic {
  /** Requests and replies. */
  withClients = 0;
  betweenMembers = 0;
  /** At members, of files. */
  syncs = 0;

  get messages(): number {
    return this.withClients + this.betweenMembers;
  }
}

/**
 * A group in the simulator in which nothing goes wrong unless asked for: every message takes exactly `delayMs`, and a disk no time, so that
 * a latency is a number of messages that had to wait for each other. Clients talk to members, without a balancer.
 */
export class QuietGroup {
  readonly world: ReplicaWorld;
  readonly delayMs: Millis;
  traffic = new Traffic();
  readonly #ended: ((outcome: OperationOutcome) => void)[] = [];

  constructor(mode: Mode, members: number, options: { readonly clients: number; readonly seed: number }) {
    const { clients, seed } = options;
    const random = createRandom(seed).fork(`quiet ${mode} ${members}`);
    const weather = { ...FAIR_WEATHER, isEven: true, jitterMs: 0 };
    this.delayMs = weather.delayMs;
    const scenario = fairScenario(mode, members, {
      clients, weather, diskDelayMs: 0, electionTimeoutMs: SUSPICION_MS, deadlineMs: DEADLINE_MS, snapshotBytes: 1 << 24, maxSessions: 1024,
    });
    this.world = groupWorld(scenario, simEngine(scenario), random.fork('world'));
    this.#count();
    for (const place of [...this.world.viewServers, ...this.world.members]) this.world.begin(place);
    for (const client of this.world.clients) client.start();
    this.world.run(BEGINNING_MS);
  }

  /** Who orders; where nobody does, the first member. */
  leader(): MemberPlace {
    const { members } = this.world;
    return members.find(({ replica }) => replica !== undefined && leads(replica.status().role)) ?? members[0]!;
  }

  /** Calls back with the outcome. */
  submit(client: number, operation: Operation, done: (outcome: OperationOutcome) => void): void {
    this.#ended[client] = done;
    this.world.clients[client]!.submit(KV_WORDS.write(operation));
  }

  #count(): void {
    const { world } = this;
    const members = new Set<MemberPlace>(world.members);
    world.watches.push({
      readyLeaves: (place, ready) => {
        if (!members.has(place)) return;
        this.traffic.betweenMembers += ready.messages.length;
        this.traffic.syncs += ready.persist.filter(({ kind }) => kind === 'sync').length;
      },
      requested: () => void this.traffic.withClients++,
      replied: () => void this.traffic.withClients++,
      ended: (client, outcome) => this.#ended[client]?.(outcome),
    });
  }
}
