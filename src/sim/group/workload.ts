import type { Millis } from '../../core/machine.ts';
import type { Random } from '../../core/random.ts';
import type { OperationOutcome } from '../../group/client.ts';
import type { HistoryEvent, HistoryValue } from '../../group/history.ts';
import type { Reply } from '../../group/state-machine.ts';
import type { ReplicaWorld } from '../replica-world.ts';

export type Operation =
  | { readonly op: 'get' | 'del'; readonly key: string }
  | { readonly op: 'put' | 'append'; readonly key: string; readonly value: string }
  /** Puts `value` in the place of `old`; null: where there is nothing. */
  | { readonly op: 'cas'; readonly key: string; readonly old: string | null; readonly value: string };

/** As it is being recorded. */
export type Event = { -readonly [Field in keyof HistoryEvent]: HistoryEvent[Field] };

/** The service's language. */
export interface OperationWords {
  write(operation: Operation): Uint8Array;
  /** What an answered operation returned, in a history's words; undefined: it was not executed. Throws for a reply that makes no sense. */
  result(operation: Operation, reply: Reply): HistoryValue | undefined;
}

export interface WorkloadOptions {
  readonly words: OperationWords;
  readonly random: Random;
  readonly kinds: readonly Operation['op'][];
  /** Live at a time; the first of them is only appended to and read. */
  readonly keys: number;
  /** A key retires after so many operations, and another takes its place. */
  readonly operationsPerKey: number;
  readonly thinkMs: Millis;
}

/** Some clients do seldom anything: they are the last to learn who leads now. */
const SLOW_SHARE = 0.3;
const SLOWNESS = 8;
/** Others only look: nothing of theirs waits for a leader that has lost its followers. */
const READER_SHARE = 0.25;

interface ClientState {
  process: number;
  readonly thinkMs: Millis;
  readonly isReader: boolean;
  ticket: number | undefined;
  event: Event | undefined;
  operation: Operation | undefined;
  /** Since it was last set to 0. */
  successes: number;
}

interface KeyState {
  name: string;
  operations: number;
  /** What somebody found there, or put there. */
  guess: string | null;
}

/** What clients do: one operation after the other, on few keys, with values that occur only once. */
export class Workload {
  readonly history: Event[] = [];
  readonly #world: ReplicaWorld;
  readonly #options: WorkloadOptions;
  readonly #random: Random;
  readonly #clients: ClientState[];
  readonly #keys: KeyState[];
  readonly #queue: Operation[] = [];
  readonly #all = new Map<string, 'append' | 'any'>();
  #processes = 0;
  #values = 0;
  #generation = 0;
  #isOver = false;
  readonly counts = { answered: 0, unknown: 0, notExecuted: 0, failedCas: 0, expired: 0 };

  constructor(world: ReplicaWorld, options: WorkloadOptions) {
    this.#world = world;
    this.#options = options;
    this.#random = options.random;
    this.#keys = Array.from({ length: options.keys }, (_, i) => this.#newKey(i));
    this.#clients = world.clients.map(() => ({
      process: this.#processes++, thinkMs: options.thinkMs * (this.#random.chance(SLOW_SHARE) ? SLOWNESS : 1), isReader: this.#random.chance(READER_SHARE),
      ticket: undefined, event: undefined, operation: undefined, successes: 0,
    }));
    world.watches.push({ ended: (client, outcome) => this.#ended(client, outcome) });
    world.clients.forEach((client, i) => {
      client.start();
      this.#think(i);
    });
  }

  /** Operations of each client that succeeded since startCounting(). */
  get successes(): readonly number[] {
    return this.#clients.map(({ successes }) => successes);
  }

  get isIdle(): boolean {
    return this.#isOver && this.#queue.length === 0 && this.#clients.every(({ event }) => event === undefined);
  }

  startCounting(): void {
    for (const client of this.#clients) client.successes = 0;
  }

  /** No more of it, but for a last look at each key. */
  finish(): void {
    this.#isOver = true;
    for (const key of this.#all.keys()) this.#queue.push({ op: 'get', key });
    this.#clients.forEach((client, i) => {
      if (client.event === undefined) this.#think(i);
    });
  }

  #newKey(i: number): KeyState {
    const isAppendOnly = i === 0 && this.#options.kinds.includes('append');
    const name = `${isAppendOnly ? 'log' : 'key'} ${this.#generation++}`;
    this.#all.set(name, isAppendOnly ? 'append' : 'any');
    return { name, operations: 0, guess: null };
  }

  #think(client: number): void {
    this.#world.simulator.at(this.#world.now + this.#random.exponential(this.#clients[client]!.thinkMs), () => this.#next(client));
  }

  #next(client: number): void {
    const state = this.#clients[client]!;
    if (state.event !== undefined) return;
    const operation = this.#isOver ? this.#queue.shift() : this.#draw(state.isReader);
    if (operation === undefined) return;
    state.operation = operation;
    state.event = { process: state.process, value: null, old: null, result: null, ...operation, invoke: this.#ns(), complete: null, ok: null };
    this.history.push(state.event);
    this.#world.say(`c${client}`, `${words(operation)}, process ${state.process}`);
    state.ticket = this.#world.clients[client]!.submit(this.#options.words.write(operation));
  }

  #draw(isReader: boolean): Operation {
    const { kinds, operationsPerKey } = this.#options;
    const i = this.#random.below(this.#keys.length);
    if (this.#keys[i]!.operations >= operationsPerKey) this.#keys[i] = this.#newKey(i);
    const state = this.#keys[i]!;
    state.operations++;
    const key = state.name;
    if (isReader) return { op: 'get', key };
    if (this.#all.get(key) === 'append') return this.#random.chance(0.3) ? { op: 'get', key } : { op: 'append', key, value: `${this.#value()};` };
    const op = kinds[this.#random.below(kinds.length)]!;
    switch (op) {
      case 'get':
      case 'del':
        return { op, key };
      case 'put':
        state.guess = this.#value();
        return { op, key, value: state.guess };
      case 'append':
        return { op, key, value: `${this.#value()};` };
      case 'cas': {
        const old = this.#random.chance(0.8) ? state.guess : this.#random.chance(0.5) ? null : 'never there';
        return { op, key, old, value: this.#value() };
      }
    }
  }

  #value(): string {
    return `v${this.#values++}`;
  }

  #ended(client: number, outcome: OperationOutcome): void {
    const state = this.#clients[client]!;
    const { event, operation } = state;
    if (event === undefined || operation === undefined || outcome.ticket !== state.ticket) {
      this.#world.verdicts.report('client', this.#world.now, `c${client}`, `an outcome of ticket ${outcome.ticket}, where ${state.ticket ?? 'none'} is waited for`);
      return;
    }
    this.#judge(client, event, operation, outcome);
    this.#world.say(`c${client}`, `${words(operation)}: ${event.ok === true ? JSON.stringify(event.result) : event.ok === false ? 'not executed' : 'outcome unknown'}`);
    state.event = undefined;
    if (event.ok === null) {
      state.process = this.#processes++;
      // Not in the middle of what the client is doing.
      this.#world.simulator.at(this.#world.now, () => this.#world.clients[client]!.startOver());
    }
    if (event.ok === true) state.successes++;
    // The last look at a key is taken until it succeeds.
    else if (this.#isOver && operation.op === 'get') this.#queue.push(operation);
    this.#think(client);
  }

  #judge(client: number, event: Event, operation: Operation, outcome: OperationOutcome): void {
    if (outcome.kind === 'failed') {
      if (outcome.outcome === 'unknown') {
        this.counts.unknown++;
        if (outcome.reason.includes('expired')) this.counts.expired++;
        return;
      }
      this.counts.notExecuted++;
      event.ok = false;
      event.complete = this.#ns();
      return;
    }
    if (outcome.reply.status === 'expired') {
      this.counts.expired++;
      this.counts.unknown++;
      return;
    }
    let result: HistoryValue | undefined;
    try {
      result = this.#options.words.result(operation, outcome.reply);
    } catch (error) {
      this.#world.verdicts.report('client', this.#world.now, `c${client}`, `${words(operation)}: ${(error as Error).message}`);
      return;
    }
    event.complete = this.#ns();
    event.ok = result !== undefined;
    if (result === undefined) {
      this.counts.notExecuted++;
      return;
    }
    event.result = result;
    this.counts.answered++;
    if (operation.op === 'cas' && result === false) this.counts.failedCas++;
    this.#learn(operation, result);
  }

  #learn(operation: Operation, result: HistoryValue): void {
    const key = this.#keys.find(({ name }) => name === operation.key);
    if (key === undefined) return;
    if (operation.op === 'get') key.guess = result as string | null;
    if (operation.op === 'del') key.guess = null;
    if (operation.op === 'cas' && result === true) key.guess = operation.value;
  }

  #ns(): number {
    return Math.round(this.#world.now * 1e6);
  }
}

function words(operation: Operation): string {
  const { op, key } = operation;
  if (op === 'cas') return `${op} ${key} ${operation.old ?? 'nothing'} -> ${operation.value}`;
  return `value` in operation ? `${op} ${key} ${operation.value}` : `${op} ${key}`;
}
