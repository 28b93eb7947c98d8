import { randomInt, randomUUID } from 'node:crypto';

import { formatAddress, makeAddress, type Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import { createRandom } from '../core/random.ts';
import { createClient } from '../group/assemble.ts';
import type { OperationOutcome } from '../group/client.ts';
import type { Mode } from '../group/modes.ts';
import { ClientHost } from '../host/client-host.ts';
import type { ConnectionInfo } from '../tcp/connection.ts';
import { resolveHost } from './datagram-socket.ts';
import { monotonicNow } from './driver.ts';
import { openHost, type OpenHost } from './host-driver.ts';

export interface GroupPlace {
  readonly mode: Mode;
  readonly clusterId: string;
  /** Of the group, for modes in which answers are voted: how many are believed is settled when a client is opened, and stays so when the group grows. */
  readonly members: number;
  /** Balancers or members. */
  readonly targets: readonly { readonly host: string; readonly port: number }[];
  /** False: members only; see ClientHostOptions. */
  readonly mayBeBalancers: boolean;
  /** An operation that is not answered by then has failed. */
  readonly operationTimeoutMs?: Millis;
}

export interface GroupClientOptions extends GroupPlace {
  /** Which of the service's operations change nothing. */
  readonly isReadOnly: (operation: Uint8Array) => boolean;
  /** Operations on their way at a time; see ClientOptions. */
  readonly window?: number;
}

/** No answer came from the group in time, or none that counts: more has failed than it masks, or nobody is there. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

type Waiting = Map<number, (outcome: OperationOutcome) => void>;

/** A client of a group, whatever it replicates, on a UDP socket of its own. It keeps the process alive until it is closed: between two dials nothing else does. */
export class RemoteGroup {
  readonly #open: OpenHost<ClientHost>;
  readonly #waiting: Waiting;

  private constructor(open: OpenHost<ClientHost>, waiting: Waiting) {
    this.#open = open;
    this.#waiting = waiting;
  }

  /** Rejects with the resolver's or the system's error. That nobody answers is the operations' to tell. */
  static async open(options: GroupClientOptions): Promise<RemoteGroup> {
    const { clusterId, targets: places, mayBeBalancers, ...others } = options;
    const waiting: Waiting = new Map();
    const targets = await Promise.all(places.map(async ({ host, port }): Promise<Address> => makeAddress((await resolveHost(host)).host, port)));
    const isIpv6 = targets.some(({ host }) => host.includes(':'));
    const clientId = randomUUID();
    const open = await openHost<ClientHost>({
      host: isIpv6 ? '::' : '0.0.0.0', port: 0, name: 'client', isRef: true,
      build: (endpoint) => new ClientHost({
        endpoint, clusterId, clientId, targets, mayBeBalancers,
        client: createClient({ ...others, clientId, targets: targets.map(formatAddress), random: createRandom(randomInt(2 ** 32)) }),
      }),
      afterTurn: (host) => settle(host, waiting),
    });
    return new RemoteGroup(open, waiting);
  }

  /** Never rejects: how it ended is in the outcome. */
  execute(operation: Uint8Array, options: { readonly isStale?: boolean } = {}): Promise<OperationOutcome> {
    const { host } = this.#open;
    const ticket = host.client.submit(operation, monotonicNow(), options);
    const outcome = new Promise<OperationOutcome>((resolve) => {
      this.#waiting.set(ticket, resolve);
    });
    host.changed();
    this.#open.wake();
    return outcome;
  }

  /** Why a target refused to talk to us, if one did. */
  get rejection(): string | undefined {
    return this.#open.host.rejection;
  }

  /** Of the connections that stand, or are being made. */
  connections(): ConnectionInfo[] {
    return [...this.#open.host.endpoint.connections()].map((connection) => connection.info());
  }

  close(): void {
    this.#open.close();
  }
}

function settle(host: ClientHost, waiting: Waiting): void {
  for (let outcome = host.client.takeOutcome(); outcome !== undefined; outcome = host.client.takeOutcome()) {
    waiting.get(outcome.ticket)?.(outcome);
    waiting.delete(outcome.ticket);
  }
}
