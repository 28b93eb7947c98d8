import type { Random } from '../../core/random.ts';
import type { GroupClient, OperationOutcome } from '../../group/client.ts';
import { SingleClient } from '../../group/client/single-client.ts';
import { VoteClient } from '../../group/client/vote-client.ts';
import type { HistoryValue } from '../../group/history.ts';
import { isKvRead } from '../../group/kv/kv-operation.ts';
import type { ViewMode } from '../../group/view/view-replica.ts';
import { KV_WORDS } from '../../sim/group/kv-words.ts';
import type { ReplicaFactory } from '../../sim/group/member-place.ts';
import type { ClientFactory } from '../../sim/group/client-place.ts';
import { FAIR_WEATHER } from '../../sim/group/message-network.ts';
import type { Operation } from '../../sim/group/workload.ts';
import { ReplicaWorld } from '../../sim/replica-world.ts';
import { founders } from './arrangements.ts';
import type { Step } from './steps.ts';

const BEGINNING_MS = 3000;
/** Longer than any client's. */
const PATIENCE_MS = 20_000;
const CLIENT_PATIENCE_MS = 5000;

export interface StageOptions {
  readonly random: Random;
  readonly members: number;
  readonly clients: number;
  readonly memberFactory: ReplicaFactory;
  readonly clientFactory: ClientFactory;
  /** Of a group with a fence; none unless said otherwise. */
  readonly viewServers?: { readonly count: number; readonly factory: ReplicaFactory };
}

/** How an operation ended. */
export interface Answer {
  readonly outcome: OperationOutcome | undefined;
  /** Undefined: it was not answered, or not executed. */
  readonly result: HistoryValue | undefined;
}

/** A world in which an experiment asks one thing after the other, and what clients and members said meanwhile. */
export class Stage {
  readonly world: ReplicaWorld;
  readonly steps: Step[] = [];

  constructor({ viewServers, ...options }: StageOptions) {
    const fence = viewServers === undefined ? { viewServers: 0 } : { viewServers: viewServers.count, viewServerFactory: viewServers.factory };
    const world = new ReplicaWorld({ ...options, ...fence, weather: FAIR_WEATHER, clockDrift: 0, diskDelayMs: 1, isEager: true, queuesInputs: true });
    this.world = world;
    world.watches.push({
      requested: (client, place, request) => this.steps.push({ kind: 'request', at: world.now, client, member: place.name, request, isLost: !place.isUp || !world.network.isOpen(client, place.name) }),
      replied: (client, place, reply) => this.steps.push({ kind: 'reply', at: world.now, client, member: place.name, reply, isLie: false }),
    });
  }

  /** Members begin, clients connect. */
  begin(): void {
    const { world } = this;
    for (const place of world.places) world.begin(place);
    for (const client of world.clients) client.start();
    world.run(BEGINNING_MS);
  }

  note(lane: string, text: string, symbol?: string): void {
    this.steps.push({ kind: 'note', at: this.world.now, lane, text, ...(symbol === undefined ? {} : { symbol }) });
  }

  crash(member: number): void {
    this.steps.push({ kind: 'crash', at: this.world.now, member: `m${member}` });
    this.world.crash(this.world.members[member]!, true);
  }

  /** Between everybody on the one side and everybody on the other, in both directions. */
  cut(side: readonly string[], other: readonly string[]): void {
    for (const here of side) {
      for (const there of other) {
        this.world.network.block(here, there);
        this.world.network.block(there, here);
      }
    }
  }

  /** `wrong`: results that must not be. */
  ask(client: number, operation: Operation, wrong?: HistoryValue): Answer {
    const { world } = this;
    const from = world.now;
    let outcome: OperationOutcome | undefined;
    const watch = { ended: (who: number, ended: OperationOutcome) => void (who === client && (outcome = ended)) };
    world.watches.push(watch);
    world.clients[client]!.submit(KV_WORDS.write(operation));
    world.run(from + PATIENCE_MS, () => outcome !== undefined);
    world.watches.splice(world.watches.indexOf(watch), 1);
    // TypeScript does not see that the watch has set it.
    const ended = outcome as OperationOutcome | undefined;
    const result = ended?.kind === 'answered' ? KV_WORDS.result(operation, ended.reply) : undefined;
    this.steps.push({ kind: 'outcome', at: world.now, client: `c${client}`, afterMs: world.now - from, outcome: ended, isWrong: wrong !== undefined && result === wrong });
    return { outcome: ended, result };
  }
}

/** A client of a group with views: of the primary, or of all. */
export function viewClient(mode: ViewMode, members: number): (clientId: string, random: Random) => GroupClient {
  const targets = founders(members).map(({ address }) => address);
  const options = { targets, isReadOnly: isKvRead, operationTimeoutMs: CLIENT_PATIENCE_MS, attemptTimeoutMs: 300 };
  return (clientId, random) => (mode === 'primary-backup' ? new SingleClient({ ...options, clientId, random }) : new VoteClient({ ...options, clientId, random, members }));
}
