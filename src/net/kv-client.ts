import type { OperationOutcome } from '../group/client.ts';
import { encodeKvOperation, isKvRead, type KvOperation } from '../group/kv/kv-operation.ts';
import { decodeKvResult, type KvResult } from '../group/kv/kv-result.ts';
import { RemoteGroup, type GroupPlace } from './group-client.ts';

/** An operation that got no good answer. */
export class KvError extends Error {
  override readonly name = 'KvError';
  /** Whether it may have been, or may yet be, executed. */
  readonly outcome: 'not-executed' | 'unknown';
  /** No answer came in time, rather than one that says no. */
  readonly isLate: boolean;

  constructor(message: string, outcome: 'not-executed' | 'unknown', isLate: boolean) {
    super(message);
    this.outcome = outcome;
    this.isLate = isLate;
  }
}

/** A client of a replicated key-value store. */
export class KvClient {
  readonly #group: RemoteGroup;

  private constructor(group: RemoteGroup) {
    this.#group = group;
  }

  /** Rejects with the resolver's or the system's error. That nobody answers is the operations' to tell. */
  static async open(place: GroupPlace): Promise<KvClient> {
    return new KvClient(await RemoteGroup.open({ ...place, isReadOnly: isKvRead }));
  }

  /** Rejects with KvError, and with RangeError for a key or a value that is too long. */
  async execute(operation: KvOperation, options: { readonly isStale?: boolean } = {}): Promise<KvResult> {
    return resultOf(await this.#group.execute(encodeKvOperation(operation), options), this.#group.rejection);
  }

  close(): void {
    this.#group.close();
  }
}

function resultOf(outcome: OperationOutcome, rejection: string | undefined): KvResult {
  if (outcome.kind === 'failed') throw new KvError(rejection === undefined ? outcome.reason : `${outcome.reason}; ${rejection}`, outcome.outcome, outcome.isLate);
  const { status, body } = outcome.reply;
  const result = status === 'ok' ? decodeKvResult(body) : undefined;
  if (result !== undefined) return result;
  throw new KvError(`${status}${body.length > 0 ? `: ${new TextDecoder().decode(body)}` : ''}`, status === 'refused' || status === 'busy' ? 'not-executed' : 'unknown', false);
}
