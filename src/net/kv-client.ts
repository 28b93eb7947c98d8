import { randomInt, randomUUID } from 'node:crypto';

import { makeAddress, type Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import { createRandom } from '../core/random.ts';
import { createClient } from '../group/assemble.ts';
import type { OperationOutcome } from '../group/client.ts';
import { encodeKvOperation, type KvOperation } from '../group/kv/kv-operation.ts';
import { decodeKvResult, type KvResult } from '../group/kv/kv-result.ts';
import type { Mode } from '../group/modes.ts';
import { ClientHost } from '../host/client-host.ts';
import { resolveHost } from './datagram-socket.ts';
import { monotonicNow } from './driver.ts';
import { openHost, type OpenHost } from './host-driver.ts';

export interface KvClientOptions {
  readonly mode: Mode;
  readonly clusterId: string;
  /** Of the group, for modes in which answers are voted. */
  readonly members: number;
  /** Balancers or members. */
  readonly targets: readonly { readonly host: string; readonly port: number }[];
  /** An operation that is not answered by then has failed. */
  readonly operationTimeoutMs?: Millis;
}

/** An operation that got no good answer. */
export class KvError extends Error {
  override readonly name = 'KvError';
  /** Whether it may have been, or may yet be, executed. */
  readonly outcome: 'not-executed' | 'unknown';

  constructor(message: string, outcome: 'not-executed' | 'unknown') {
    super(message);
    this.outcome = outcome;
  }
}

interface Waiting {
  readonly resolve: (result: KvResult) => void;
  readonly reject: (error: KvError) => void;
}

/** A client of a replicated key-value store, on a UDP socket of its own. */
export class KvClient {
  readonly #open: OpenHost<ClientHost>;
  readonly #waiting: Map<number, Waiting>;

  private constructor(open: OpenHost<ClientHost>, waiting: Map<number, Waiting>) {
    this.#open = open;
    this.#waiting = waiting;
  }

  /** Rejects with the resolver's or the system's error. That nobody answers is the operations' to tell. */
  static async open(options: KvClientOptions): Promise<KvClient> {
    const { mode, clusterId, members, operationTimeoutMs } = options;
    const waiting = new Map<number, Waiting>();
    const targets = await Promise.all(options.targets.map(async ({ host, port }): Promise<Address> => makeAddress((await resolveHost(host)).host, port)));
    const isIpv6 = targets.some(({ host }) => host.includes(':'));
    const clientId = randomUUID();
    const open = await openHost<ClientHost>({
      host: isIpv6 ? '::' : '0.0.0.0', port: 0, name: 'client', isRef: false,
      build: (endpoint) => new ClientHost({
        endpoint, clusterId, clientId, targets,
        client: createClient({ mode, members, clientId, targets, random: createRandom(randomInt(2 ** 32)), ...(operationTimeoutMs === undefined ? {} : { operationTimeoutMs }) }),
      }),
      afterTurn: (host) => settle(host, waiting),
    });
    return new KvClient(open, waiting);
  }

  /** Rejects with KvError, and throws RangeError for a key or a value that is too long. */
  execute(operation: KvOperation, options: { readonly isStale?: boolean } = {}): Promise<KvResult> {
    const bytes = encodeKvOperation(operation);
    const { host } = this.#open;
    const ticket = host.client.submit(bytes, monotonicNow(), options);
    const result = new Promise<KvResult>((resolve, reject) => {
      this.#waiting.set(ticket, { resolve, reject });
    });
    host.changed();
    this.#open.wake();
    return result;
  }

  /** Why a target refused to talk to us, if one did. */
  get rejection(): string | undefined {
    return this.#open.host.rejection;
  }

  close(): void {
    this.#open.close();
  }
}

function settle(host: ClientHost, waiting: Map<number, Waiting>): void {
  for (let outcome = host.client.takeOutcome(); outcome !== undefined; outcome = host.client.takeOutcome()) {
    const asker = waiting.get(outcome.ticket);
    waiting.delete(outcome.ticket);
    if (asker !== undefined) tell(asker, outcome, host.rejection);
  }
}

function tell({ resolve, reject }: Waiting, outcome: OperationOutcome, rejection: string | undefined): void {
  if (outcome.kind === 'failed') {
    reject(new KvError(rejection === undefined ? outcome.reason : `${outcome.reason}; ${rejection}`, outcome.outcome));
    return;
  }
  const { status, body } = outcome.reply;
  const result = status === 'ok' ? decodeKvResult(body) : undefined;
  if (result !== undefined) resolve(result);
  else reject(new KvError(`${status}${body.length > 0 ? `: ${new TextDecoder().decode(body)}` : ''}`, status === 'refused' || status === 'busy' ? 'not-executed' : 'unknown'));
}
