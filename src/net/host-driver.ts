import { randomBytes } from 'node:crypto';

import { makeAddress, type Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import type { Sink } from '../core/trace.ts';
import type { EndpointHost } from '../host/endpoint-host.ts';
import type { TcpConfig } from '../tcp/config.ts';
import { DEFAULT_CONFIG } from '../tcp/config.ts';
import { Endpoint } from '../tcp/endpoint.ts';
import { bindSocket, createDatagramSocket, resolveHost } from './datagram-socket.ts';
import { Driver, monotonicNow, type Tap } from './driver.ts';
import { receiveBufferFor } from './receive-buffer.ts';

export interface OpenHostOptions<T extends EndpointHost> {
  /** IP literal or name to bind. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly config?: Partial<TcpConfig>;
  /** Of the transport. */
  readonly sink?: Sink;
  readonly tap?: Tap;
  readonly name: string;
  /** Keeps the process alive by itself. */
  readonly isRef: boolean;
  /** Called when the address is taken, before the host is made; what comes in meanwhile is lost. */
  readonly bound?: (local: Address) => Promise<void>;
  /** Makes the host on its endpoint; `local` is where it is bound. */
  readonly build: (endpoint: Endpoint, local: Address, now: Millis) => T;
  /** Called in each turn of the event loop in which something happened, after sending. */
  readonly afterTurn: (host: T) => void;
}

/** A host on a UDP socket of its own. */
export interface OpenHost<T extends EndpointHost> {
  readonly host: T;
  readonly address: Address;
  /** What was done to the host from outside takes effect. */
  wake(): void;
  /** Resets its connections and closes the socket. */
  close(): void;
}

/** Puts a host on a real UDP socket. Rejects with the system's error when the address can't be had. */
export async function openHost<T extends EndpointHost>(options: OpenHostOptions<T>): Promise<OpenHost<T>> {
  const { host: literal, family } = await resolveHost(options.host);
  const socket = createDatagramSocket(family);
  await bindSocket(socket, literal, options.port);
  const bound = socket.address();
  const address = makeAddress(bound.address, bound.port);
  await options.bound?.(address);
  const wantedBytes = options.config?.receiveBufferBytes ?? DEFAULT_CONFIG.receiveBufferBytes;
  const endpoint = new Endpoint({
    secret: randomBytes(32),
    config: { ...options.config, receiveBufferBytes: receiveBufferFor(socket, wantedBytes) },
    ...(options.sink === undefined ? {} : { sink: options.sink }),
    name: options.name,
  });
  const host = options.build(endpoint, address, monotonicNow());
  const driver = new Driver<T>({
    socket,
    endpoint: host,
    remote: undefined,
    isRef: options.isRef,
    tap: options.tap,
    onEvents: () => {},
    onAcceptable: () => options.afterTurn(host),
    onIdle: () => {},
  });
  driver.wake();
  return {
    host,
    address,
    wake: () => driver.wake(),
    close() {
      driver.abortAll();
      driver.close();
    },
  };
}
