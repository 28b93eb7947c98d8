import type { DiskOperation } from './disk.ts';

/** How an operation ended. Their order is their number on the wire: add at the end. */
export const STATUSES = [
  /** Applied. */
  'ok',
  /** Applied, complete and on disk. */
  'committed',
  /** Not applied: bytes before it are missing. */
  'gap',
  /** Not applied: length or digest are not what this member has. */
  'mismatch',
  /** Not applied: in the hands of another client, or full. */
  'busy',
  /** Not applied: cannot be understood, or not now. */
  'refused',
  /** Outcome unknown: this client's serial is so old that its reply is gone. */
  'expired',
  /** Outcome unknown: the disk failed, and this member with it. */
  'disk-error',
  /** Not applied by this member, which does not order: `body` names who may, as HOST:PORT, or is empty. Ask there, with the same serial. */
  'not-leader',
  /** This member can't say: it is without a quorum, without a view, or not up to date. Ask another, with the same serial. */
  'unavailable',
] as const;

export type Status = (typeof STATUSES)[number];

/** What a state machine answers to one operation. */
export interface Reply {
  readonly status: Status;
  /** Where the state stands after it: bytes of a file, or an index. In [0, 2^53). */
  readonly offset: number;
  /** Of the state after it: equal at all members that applied the same operations. May be empty. */
  readonly digest: Uint8Array;
  /** The operation's own result; the reason in UTF-8 where it was not applied. */
  readonly body: Uint8Array;
}

/**
 * A service that can be replicated. It is deterministic: the same operations in the same order give the same replies and the
 * same digest at every member. No clock, no chance, no I/O inside.
 */
export interface StateMachine {
  /** Never throws for what an operation says: that is a reply. */
  apply(operation: Uint8Array): Reply;
  /** True: the operation changes nothing, so query() may answer it without giving it a place in the order. */
  isReadOnly(operation: Uint8Array): boolean;
  /** Answers a read-only operation from the state as it is. Never throws for what the operation says. */
  query(operation: Uint8Array): Reply;
  /** What the operations since the last call want on disk; must be done before their replies leave. */
  takeWrites(): readonly DiskOperation[];
  /**
   * The whole state in chunks of at most 64 KiB, as it was at the time of the call, whatever is applied while they are taken
   * (copy-on-write). Several may be under way. Whoever stops early calls the iterator's return(). Taking the last one may throw
   * DamagedStateError: a snapshot goes through everything anyway, so a machine may compare it with its digest then.
   */
  snapshot(): Iterable<Uint8Array>;
  /** Becomes the state that snapshot() gave. Throws SnapshotError and changes nothing when the chunks are not one. */
  restore(chunks: Iterable<Uint8Array>): void;
  /** Of the whole state, in hexadecimal; cheap. */
  digest(): string;
}

/** A snapshot that is cut short, damaged, or of another kind. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

/** What is in memory is not what its digest says: bad memory, or a bug. Whoever finds it must not go on: what is on disk is still good. */
export class DamagedStateError extends Error {
  override readonly name = 'DamagedStateError';
}

/** Takes one chunk after the other; throws SnapshotError where there is none. */
export function chunkReader(chunks: Iterator<Uint8Array>): () => Uint8Array {
  return () => {
    const { done, value } = chunks.next();
    if (done === true) throw new SnapshotError('the snapshot ends too early');
    return value;
  };
}
