import { createRandom } from '../../../src/core/random.ts';
import type { OperationOutcome } from '../../../src/group/client.ts';
import type { HistoryValue } from '../../../src/group/history.ts';
import { traitsOf, type Mode } from '../../../src/group/modes.ts';
import type { ReplyMessage, Request } from '../../../src/group/message.ts';
import { thresholdOf } from '../../../src/lab/why/thresholds.ts';
import type { GroupScenario } from '../../../src/sim/group/draw-group.ts';
import { leads } from '../../../src/group/replica.ts';
import { simEngine } from '../../../src/sim/group/engines.ts';
import { fairScenario, groupWorld } from '../../../src/sim/group/group-world.ts';
import { KV_WORDS } from '../../../src/sim/group/kv-words.ts';
import type { MemberPlace } from '../../../src/sim/group/member-place.ts';
import type { Operation } from '../../../src/sim/group/workload.ts';
import type { ReplicaWorld } from '../../../src/sim/replica-world.ts';

/** How an operation ended; `unknown` and `not executed` are errors that the client is told. */
export type Answer = { readonly result: HistoryValue } | 'unknown' | 'not executed' | 'nothing by the deadline';

const DEADLINE_MS = 4000;
/** A client may take so much longer than its deadline. */
const GRACE_MS = 100;
const SETTLE_MS = 30_000;
const REPEAT_MS = 300;

/** A group of real replicas on simulated disks and its clients, all in virtual time: what the conformance suites are run against. */
export class ConformanceGroup {
  readonly mode: Mode;
  readonly world: ReplicaWorld;
  readonly words = KV_WORDS;
  /** Members that may crash. */
  readonly tolerated: number;
  readonly #outcomes = new Map<string, OperationOutcome>();
  #openers = 0;

  constructor(mode: Mode, members: number, changes: Partial<GroupScenario> = {}) {
    this.mode = mode;
    this.tolerated = thresholdOf(mode, 'crash', members);
    const random = createRandom(1).fork(`conformance ${mode}`);
    const scenario = fairScenario(mode, members, { clients: 3, deadlineMs: DEADLINE_MS, ...changes });
    this.world = groupWorld(scenario, simEngine(scenario), random, { keepLines: 0 });
    this.world.watches.push({ ended: (client, outcome) => this.#outcomes.set(`${client} ${outcome.ticket}`, outcome) });
    for (const place of this.world.places) this.world.begin(place);
    for (const client of this.world.clients) client.start();
    this.settle();
  }

  get members(): readonly MemberPlace[] {
    return this.world.members;
  }

  /** Who orders, or the first member where nobody does. */
  get leader(): MemberPlace {
    const leaders = this.members.filter(({ state, replica }) => state === 'running' && leads(replica!.status().role));
    return leaders.sort((a, b) => b.replica!.status().term - a.replica!.status().term)[0] ?? this.members[0]!;
  }

  /** Begins an operation; what became of it is asked with outcome(). */
  submit(operation: Operation, client = 0): () => Answer | undefined {
    const ticket = this.world.clients[client]!.submit(this.words.write(operation));
    const key = `${client} ${ticket}`;
    // A client that has started over counts its tickets from the beginning.
    this.#outcomes.delete(key);
    return () => {
      const outcome = this.#outcomes.get(key);
      return outcome === undefined ? undefined : this.#read(operation, outcome);
    };
  }

  /** One operation, waited for until the client says how it ended. Afterwards a client whose operation has an unknown outcome is another. */
  ask(operation: Operation, client = 0): Answer {
    const outcome = this.submit(operation, client);
    this.world.run(this.world.now + DEADLINE_MS + GRACE_MS, () => outcome() !== undefined);
    const answer = outcome() ?? 'nothing by the deadline';
    if (answer === 'unknown') this.world.clients[client]!.startOver();
    return answer;
  }

  put(key: string, value: string, client = 0): Answer {
    return this.ask({ op: 'put', key, value }, client);
  }

  get(key: string, client = 0): Answer {
    return this.ask({ op: 'get', key }, client);
  }

  append(key: string, value: string, client = 0): Answer {
    return this.ask({ op: 'append', key, value }, client);
  }

  crash(places: readonly MemberPlace[]): void {
    for (const place of places) this.world.crash(place, true);
  }

  start(places: readonly MemberPlace[]): void {
    for (const place of places) this.world.begin(place);
  }

  /** Until everybody who lives serves and, where there is an order, has the same state. Throws when that takes more than half a minute. */
  settle(): void {
    const { isOrdered, hasLeader } = traitsOf(this.mode);
    const isSettled = (): boolean => {
      const states = this.members.filter(({ isUp }) => isUp).map(({ replica }) => replica!.status());
      const [first] = states;
      return states.every(({ problem, role, term, appliedIndex, digest }) =>
        problem === undefined && (!isOrdered || (role !== 'outside' && term === first!.term && appliedIndex === first!.appliedIndex && digest === first!.digest)));
    };
    const isLed = (): boolean => !hasLeader || this.leader.replica?.status().leader !== undefined;
    for (const end = this.world.now + SETTLE_MS; this.world.now < end;) {
      this.world.run(this.world.now + 100);
      if (isLed() && isSettled()) return;
    }
    throw new Error(this.members.map(({ name, state, replica }) => `${name} ${state} ${JSON.stringify(replica?.status())}`).join('\n'));
  }

  /** A session of nobody's: its requests are sent by send() and call(). */
  openSession(): string {
    return `#${this.call({ clientId: `opener ${++this.#openers}`, serial: 0 }).reply.offset}`;
  }

  /** A request as it is, to these members, once. Returns what they reply, as it comes. */
  send(request: Pick<Request, 'clientId' | 'serial'> & Partial<Request>, places: readonly MemberPlace[] = this.#asked): readonly ReplyMessage[] {
    const replies: ReplyMessage[] = [];
    for (const place of places) {
      if (!place.isUp) continue;
      place.request({ kind: 'request', acknowledged: 0, isStale: false, operation: new Uint8Array(0), ...request }, {
        name: 'tester', received: (reply) => {
          if (reply.serial === request.serial) replies.push(reply);
        },
      });
    }
    return replies;
  }

  /** The same request again and again until a member has an answer. Throws when none has within half a minute. */
  call(request: Pick<Request, 'clientId' | 'serial'> & Partial<Request>): ReplyMessage {
    for (const end = this.world.now + SETTLE_MS; this.world.now < end;) {
      const replies = this.send(request);
      const answer = (): ReplyMessage | undefined => replies.find(({ reply: { status } }) => status === 'ok' || status === 'expired');
      this.world.run(this.world.now + REPEAT_MS, () => answer() !== undefined);
      if (answer() !== undefined) return answer()!;
    }
    throw new Error(`no answer to ${request.clientId} ${request.serial}`);
  }

  /** Whom a client of this mode asks. */
  get #asked(): readonly MemberPlace[] {
    return traitsOf(this.mode).asks === 'all' ? this.members : [this.leader];
  }

  #read(operation: Operation, outcome: OperationOutcome): Answer {
    if (outcome.kind === 'failed') return outcome.outcome === 'unknown' ? 'unknown' : 'not executed';
    const result = this.words.result(operation, outcome.reply);
    return result === undefined ? 'not executed' : { result };
  }
}
