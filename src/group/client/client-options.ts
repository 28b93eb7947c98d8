import type { Millis } from '../../core/machine.ts';
import type { Random } from '../../core/random.ts';

/**
 * client: the client's side of groups that order what they do. SingleClient asks one place at a time, VoteClient asks all and
 * compares; both keep their session and their numbers in a ClientSession. The register's client, which needs neither, is in quorum/.
 */
export interface ClientOptions {
  /** Unique among all that ever spoke to this cluster. 1 … 64 bytes of UTF-8. */
  readonly clientId: string;
  /** Names of the places where the group can be reached, in the order of their numbers: HOST:PORT, as members call each other in hints. */
  readonly targets: readonly string[];
  /** For jitter. */
  readonly random: Random;
  /**
   * Which operations change nothing: they need no session, and a member may answer them without giving them a place in the order. None
   * unless said otherwise.
   */
  readonly isReadOnly?: (operation: Uint8Array) => boolean;
  /**
   * Operations on their way at a time, in [1, 256]. 1: each begins when the one before has ended. With more they overlap, and only as
   * long as nothing goes wrong are they executed in the order of submit(), see SingleClient.
   */
  readonly window?: number;
  /** Operations without outcome, those that wait included; more fail at once. */
  readonly maxPending?: number;
  /** From submit() to an outcome, at the latest. */
  readonly operationTimeoutMs?: Millis;
  /**
   * Silence after which a request is repeated; doubled, up to 8 times this, each time that all were silent. Less where there would not
   * be time to ask everybody.
   */
  readonly attemptTimeoutMs?: Millis;
  /** After a refusal; doubled each time until something is accepted, up to 32 times this. */
  readonly backoffMs?: Millis;
}

export type CompleteClientOptions = Required<ClientOptions>;

const MAX_CLIENT_ID_BYTES = 64;
const MAX_WINDOW = 256;
const MAX_TARGETS = 64;

/** Fills in the defaults. Throws RangeError for numbers that cannot be. */
export function completeClientOptions(options: ClientOptions): CompleteClientOptions {
  const complete: CompleteClientOptions = {
    isReadOnly: () => false, window: 1, maxPending: 1024, operationTimeoutMs: 10_000, attemptTimeoutMs: 1000, backoffMs: 20, ...options,
  };
  const { clientId, targets, window, maxPending } = complete;
  const idBytes = new TextEncoder().encode(clientId).length;
  if (idBytes < 1 || idBytes > MAX_CLIENT_ID_BYTES) throw new RangeError(`a client id of ${idBytes} bytes: 1 to ${MAX_CLIENT_ID_BYTES}`);
  if (targets.length < 1 || targets.length > MAX_TARGETS) throw new RangeError(`a client has 1 to ${MAX_TARGETS} places to ask, not ${targets.length}`);
  if (!Number.isInteger(window) || window < 1 || window > MAX_WINDOW) throw new RangeError(`a window of ${window} operations: 1 to ${MAX_WINDOW}`);
  if (!Number.isInteger(maxPending) || maxPending < 1) throw new RangeError(`room for ${maxPending} operations`);
  for (const name of ['operationTimeoutMs', 'attemptTimeoutMs', 'backoffMs'] as const) {
    if (!(complete[name] > 0)) throw new RangeError(`${name} must be above 0, not ${complete[name]}`);
  }
  return complete;
}

/** What clients count, for display. */
export class ClientCounters {
  submitted = 0;
  answered = 0;
  /** Operations that ended without an answer. */
  unknown = 0;
  notExecuted = 0;
  /** Requests handed out, repetitions included. */
  sent = 0;
  /** Requests handed out again. */
  retries = 0;
  /** Members that said they don't order, and where to ask. */
  redirects = 0;
  /** Attempts that nobody answered. */
  timeouts = 0;
  /** Members that could not say, or had too much to do. */
  refusals = 0;
  /** Sessions that were opened. */
  sessions = 0;
  /** Replies that nobody waits for. */
  lateReplies = 0;
  /** Operations on which too many members disagreed. */
  disagreements = 0;
}

