import { ByteReader, ByteWriter } from './byte-codec.ts';
import type { DiskOperation } from './disk.ts';
import type { Request } from './message.ts';
import { isOpening, MAX_SESSIONS, Sessions } from './sessions.ts';
import { chunkReader, SnapshotError, type Reply, type StateMachine } from './state-machine.ts';

const CHUNK_BYTES = 64 * 1024;

/**
 * What every member of an ordered group holds: a state machine, the sessions of its clients, and the place in the order up
 * to which both have been brought. Engines decide the order and hand it over, one index after the other.
 */
export class Service {
  readonly #machine: StateMachine;
  readonly #sessions: Sessions;
  #appliedIndex = 0;

  constructor(machine: StateMachine, maxSessions = MAX_SESSIONS) {
    this.#machine = machine;
    this.#sessions = new Sessions('opened', maxSessions);
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  /** The place `index` is `request`'s. Once only: a repeated serial gets the reply that it got. Throws RangeError for a place out of order. */
  apply(index: number, request: Request): Reply {
    this.skip(index);
    if (isOpening(request)) return this.#sessions.open(index);
    const known = this.#sessions.find(request);
    if (known !== undefined) return known;
    const reply = this.#machine.apply(request.operation);
    this.#sessions.record(request, reply);
    return reply;
  }

  /** The place `index` belongs to the engine itself: nothing to apply. */
  skip(index: number): void {
    if (index !== this.#appliedIndex + 1) throw new RangeError(`place ${index} does not follow ${this.#appliedIndex}`);
    this.#appliedIndex = index;
  }

  isReadOnly(request: Request): boolean {
    return !isOpening(request) && this.#machine.isReadOnly(request.operation);
  }

  /** Answers a read-only request from the state as it is; no session is needed, since nothing is done twice by reading twice. */
  query(request: Request): Reply {
    return this.#machine.query(request.operation);
  }

  takeWrites(): readonly DiskOperation[] {
    return this.#machine.takeWrites();
  }

  /** Sessions and state as of now, in chunks of at most 64 KiB; see StateMachine.snapshot. */
  snapshot(): Iterable<Uint8Array> {
    const writer = new ByteWriter();
    const sessions = this.#sessions.snapshot();
    for (const session of sessions) writer.u32(session.length).raw(session);
    const bytes = writer.finish();
    const header = new ByteWriter().u53(this.#appliedIndex).u32(sessions.length).u53(bytes.length).finish();
    // One client's replies may be more than a message holds.
    const pieces = Array.from({ length: Math.ceil(bytes.length / CHUNK_BYTES) }, (_, i) => bytes.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES));
    return concatenate([header, ...pieces], this.#machine.snapshot());
  }

  /** Throws SnapshotError when the chunks are not what snapshot() gave; the service is unusable then. */
  restore(chunks: Iterable<Uint8Array>): void {
    const iterator = chunks[Symbol.iterator]();
    const next = chunkReader(iterator);
    const header = new ByteReader(next());
    const appliedIndex = header.u53();
    const count = header.u32();
    const bytes = header.u53();
    if (!header.end()) throw new SnapshotError('the header of the snapshot is damaged');
    const writer = new ByteWriter();
    for (let read = 0; read < bytes;) {
      const piece = next();
      writer.raw(piece);
      read += piece.length;
    }
    const reader = new ByteReader(writer.finish());
    const sessions = Array.from({ length: Math.min(count, MAX_SESSIONS) }, () => reader.raw(reader.u32()));
    if (!reader.end()) throw new SnapshotError('the sessions of the snapshot are damaged');
    this.#sessions.restore(sessions);
    this.#machine.restore({ [Symbol.iterator]: () => iterator });
    this.#appliedIndex = appliedIndex;
  }

  /** Of the state and its place in the order. Equal at all members that have applied as much. */
  digest(): string {
    return this.#machine.digest();
  }
}

function concatenate(first: readonly Uint8Array[], rest: Iterable<Uint8Array>): Iterable<Uint8Array> {
  // Begun now: `rest` is the state as of this call, whenever its chunks are taken.
  const iterator = rest[Symbol.iterator]();
  let position = 0;
  return {
    [Symbol.iterator]: () => ({
      next: () => (position < first.length ? { done: false, value: first[position++]! } : iterator.next()),
      return: () => iterator.return?.() ?? { done: true, value: undefined },
    }),
  };
}
