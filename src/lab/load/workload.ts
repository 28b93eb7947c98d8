import type { Random } from '../../core/random.ts';
import type { KvOperation } from '../../group/kv/kv-operation.ts';

export interface WorkloadOptions {
  /** Keys in use at a time. */
  readonly keys: number;
  /** A key is left for a new one after so many operations: histories of one key stay short enough to be judged. */
  readonly rotateAfter: number;
  /** Without an order there is only get and put. */
  readonly isOrdered: boolean;
}

/** What one operation is made of; the value is unique in the whole run. */
export interface Planned {
  readonly key: string;
  readonly operation: KvOperation;
}

const encoder = new TextEncoder();

/** What clients ask for: reads, writes and compare-and-set on few keys, so that they meet. Shared by all clients of a run. */
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #random: Random;
  readonly #uses: number[];
  readonly #generations: number[];
  /** What was seen last at each key in use: what a cas expects. */
  readonly #seen = new Map<string, string | undefined>();
  #values = 0;

  constructor(options: WorkloadOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#uses = Array.from({ length: options.keys }, () => 0);
    this.#generations = Array.from({ length: options.keys }, () => 1);
  }

  /** Keys that were ever used. */
  get keysUsed(): number {
    return this.#generations.reduce((sum, generation) => sum + generation, 0);
  }

  next(): Planned {
    const slot = this.#random.below(this.#options.keys);
    if (++this.#uses[slot]! > this.#options.rotateAfter) {
      this.#seen.delete(`k${slot}.${this.#generations[slot]}`);
      this.#uses[slot] = 1;
      this.#generations[slot]!++;
    }
    const key = `k${slot}.${this.#generations[slot]}`;
    return { key, operation: this.#draw(key) };
  }

  /** Somebody saw `value` at `key`; undefined: nothing. */
  saw(key: string, value: string | undefined): void {
    this.#seen.set(key, value);
  }

  /** Three in ten read, three in ten compare and set, the others write. */
  #draw(key: string): KvOperation {
    const draw = this.#random.unit();
    const value = encoder.encode(`v${++this.#values}`);
    if (draw < (this.#options.isOrdered ? 0.3 : 0.5)) return { kind: 'get', key };
    if (!this.#options.isOrdered) return { kind: 'put', key, value };
    if (draw < 0.6) {
      const seen = this.#seen.get(key);
      return { kind: 'cas', key, expected: seen === undefined ? undefined : encoder.encode(seen), value };
    }
    if (draw < 0.8) return { kind: 'put', key, value };
    return draw < 0.97 ? { kind: 'append', key, value } : { kind: 'delete', key };
  }
}
