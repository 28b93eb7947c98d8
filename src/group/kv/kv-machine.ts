import { encodeText } from '../byte-codec.ts';
import type { DiskOperation } from '../disk.ts';
import { MAX_REASON_BYTES } from '../message.ts';
import type { Reply, StateMachine, Status } from '../state-machine.ts';
import { decodeKvOperation, isKvRead, MAX_VALUE_BYTES, type KvOperation } from './kv-operation.ts';
import { kvReply } from './kv-result.ts';
import { KvSnapshot, readKvSnapshot } from './kv-snapshot.ts';
import { DEFAULT_KV_LIMITS, KvStore, type KvLimits } from './kv-store.ts';

const NOTHING = new Uint8Array(0);
const NO_WRITES: readonly DiskOperation[] = [];

/**
 * The key-value store as a state machine. What it cannot understand is `refused`, and what there is no room for is `busy`, with the
 * reason in the body; everything else is `ok` with a KvResult. It writes nothing to disk: its state is in the log and in snapshots.
 */
export class KvMachine implements StateMachine {
  readonly #limits: KvLimits;
  #store: KvStore;
  #openSnapshots = 0;

  constructor(limits: Partial<KvLimits> = {}) {
    this.#limits = { ...DEFAULT_KV_LIMITS, ...limits };
    this.#store = new KvStore(this.#limits);
  }

  get keys(): number {
    return this.#store.size;
  }

  /** Of memory, as KvLimits counts them. */
  get bytes(): number {
    return this.#store.bytes;
  }

  /** Begun, and neither read to their ends nor given back. */
  get openSnapshots(): number {
    return this.#openSnapshots;
  }

  apply(bytes: Uint8Array): Reply {
    const operation = decodeKvOperation(bytes);
    return typeof operation === 'string' ? refusal('refused', operation) : this.#carryOut(operation);
  }

  isReadOnly(operation: Uint8Array): boolean {
    return isKvRead(operation);
  }

  query(bytes: Uint8Array): Reply {
    return this.isReadOnly(bytes) ? this.apply(bytes) : refusal('refused', 'a query that writes');
  }

  takeWrites(): readonly DiskOperation[] {
    return NO_WRITES;
  }

  snapshot(): IterableIterator<Uint8Array> {
    this.#openSnapshots++;
    return new KvSnapshot(this.#store.freeze(), () => this.#openSnapshots--);
  }

  restore(chunks: Iterable<Uint8Array>): void {
    this.#store = readKvSnapshot(chunks, this.#limits);
  }

  digest(): string {
    return this.#store.digest();
  }

  /** Values are copied: what comes in shares memory with a message, and would keep all of it. */
  #carryOut(operation: KvOperation): Reply {
    const { kind, key } = operation;
    const there = this.#store.get(key);
    switch (kind) {
      case 'get':
        return kvReply(there === undefined ? { kind: 'absent' } : { kind: 'value', value: there });
      case 'put':
        return this.#put(key, new Uint8Array(operation.value)) ?? kvReply({ kind: 'done' });
      case 'cas':
        if (!isEqual(there, operation.expected)) return kvReply({ kind: 'truth', value: false });
        return this.#put(key, new Uint8Array(operation.value)) ?? kvReply({ kind: 'truth', value: true });
      case 'append':
        return this.#append(key, there ?? NOTHING, operation.value);
      case 'delete':
        return kvReply({ kind: 'truth', value: this.#store.delete(key) });
    }
  }

  #append(key: string, there: Uint8Array, more: Uint8Array): Reply {
    const bytes = there.length + more.length;
    if (bytes > MAX_VALUE_BYTES) return refusal('refused', `the value would have ${bytes} bytes: the most is ${MAX_VALUE_BYTES}`);
    const value = new Uint8Array(bytes);
    value.set(there);
    value.set(more, there.length);
    return this.#put(key, value) ?? kvReply({ kind: 'length', bytes });
  }

  /** `value` is the store's own from here on. */
  #put(key: string, value: Uint8Array): Reply | undefined {
    const problem = this.#store.set(key, value);
    return problem === undefined ? undefined : refusal('busy', problem);
  }
}

function refusal(status: Status, reason: string): Reply {
  return { status, offset: 0, digest: NOTHING, body: encodeText(reason, MAX_REASON_BYTES) };
}

function isEqual(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
