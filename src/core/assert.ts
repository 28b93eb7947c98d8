/**
 * core: leaves that everything else stands on. Assertions, seeded randomness, queues, addresses, trace
 * events. It imports nothing, asks the operating system nothing, and knows no protocol.
 */

/** A broken invariant: a bug in failmask, never a peer's or a caller's mistake. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws AssertionError unless `condition` holds. Kept on in production: a wrong state must not go on. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks a branch that no value can reach. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
