import type { Millis } from '../../core/machine.ts';
import { createRandom } from '../../core/random.ts';
import type { HistoryEvent, HistoryValue } from '../../group/history.ts';
import type { KvOperation } from '../../group/kv/kv-operation.ts';
import type { KvResult } from '../../group/kv/kv-result.ts';
import { KvError, type KvClient } from '../../net/kv-client.ts';
import { Workload } from './workload.ts';

export interface LoadOptions {
  readonly open: () => Promise<KvClient>;
  readonly clients: number;
  readonly forMs: Millis;
  readonly seed: number;
  readonly keys: number;
  readonly rotateAfter: number;
  readonly isOrdered: boolean;
  /** Reads take what one member has. */
  readonly readsLocally: boolean;
  readonly onEvent: (event: HistoryEvent) => void;
}

const decoder = new TextDecoder();

/** Clients that work against a group until their time is over, and write down what they saw, each operation when it has ended. */
export class Load {
  readonly #options: LoadOptions;
  readonly #workload: Workload;
  /** Of the machine's monotonic clock: the history's 0. */
  readonly startedAtNs = process.hrtime.bigint();
  #nextProcess: number;
  #isOver = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#workload = new Workload(options, createRandom(options.seed));
    this.#nextProcess = options.clients;
  }

  /** Resolves when every client has ended its last operation. Rejects when a socket can't be had. */
  async run(): Promise<void> {
    const timer = setTimeout(() => this.stop(), this.#options.forMs);
    try {
      await Promise.all(Array.from({ length: this.#options.clients }, (_, i) => this.#client(i)));
    } finally {
      clearTimeout(timer);
    }
  }

  stop(): void {
    this.#isOver = true;
  }

  #now(): number {
    return Number(process.hrtime.bigint() - this.startedAtNs);
  }

  async #client(firstProcess: number): Promise<void> {
    let number = firstProcess;
    let client = await this.#options.open();
    while (!this.#isOver) {
      if (await this.#one(client, number)) continue;
      // What it asked may still be done, some time: whoever goes on is somebody else.
      number = this.#nextProcess++;
      client.close();
      client = await this.#options.open();
    }
    client.close();
  }

  /** Returns whether the outcome is known. */
  async #one(client: KvClient, process: number): Promise<boolean> {
    const { key, operation } = this.#workload.next();
    const invoke = this.#now();
    const event = { process, key, ...wordsOf(operation), invoke };
    try {
      const result = await client.execute(operation, { isStale: operation.kind === 'get' && this.#options.readsLocally });
      this.#note(key, operation, result);
      this.#options.onEvent({ ...event, result: resultOf(result), complete: this.#now(), ok: true });
      return true;
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      const isUnknown = error.outcome === 'unknown';
      this.#options.onEvent({ ...event, result: null, complete: isUnknown ? null : this.#now(), ok: isUnknown ? null : false });
      return !isUnknown;
    }
  }

  #note(key: string, operation: KvOperation, result: KvResult): void {
    if (result.kind === 'value') this.#workload.saw(key, decoder.decode(result.value));
    if (result.kind === 'absent') this.#workload.saw(key, undefined);
    if (operation.kind === 'put') this.#workload.saw(key, decoder.decode(operation.value));
    if (operation.kind === 'cas' && result.kind === 'truth' && result.value) this.#workload.saw(key, decoder.decode(operation.value));
  }
}

function wordsOf(operation: KvOperation): Pick<HistoryEvent, 'op' | 'value' | 'old'> {
  switch (operation.kind) {
    case 'get':
      return { op: 'get', value: null, old: null };
    case 'delete':
      return { op: 'del', value: null, old: null };
    case 'put':
    case 'append':
      return { op: operation.kind, value: decoder.decode(operation.value), old: null };
    case 'cas':
      return { op: 'cas', value: decoder.decode(operation.value), old: operation.expected === undefined ? null : decoder.decode(operation.expected) };
  }
}

function resultOf(result: KvResult): HistoryValue {
  switch (result.kind) {
    case 'value':
      return decoder.decode(result.value);
    case 'truth':
      return result.value;
    case 'length':
      return result.bytes;
    case 'absent':
    case 'done':
      return null;
  }
}
