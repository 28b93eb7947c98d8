import type { RemoteInfo, Socket } from 'node:dgram';
import { formatAddress, makeAddress } from '../core/address.ts';
import type { Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import { createRandom } from '../core/random.ts';
import type { Fate } from '../link/fate.ts';
import { Link } from '../link/link.ts';
import type { LinkCounters } from '../link/link.ts';
import { defaultProfile } from '../link/profile.ts';
import type { LinkProfile } from '../link/profile.ts';
import { Script } from '../link/script.ts';
import type { Direction, ProfileChange, ScriptLine } from '../link/script.ts';
import { bindSocket, createDatagramSocket, resolveHost } from './datagram-socket.ts';
import type { IpFamily } from './datagram-socket.ts';
import { MappingTable } from './proxy-mappings.ts';
import type { Mapping, MappingCounters } from './proxy-mappings.ts';

/**
 * Sees each datagram as it enters a link, with the fate decided for it. `up` is from client to target; `timeMs` is since
 * 1970, fractional. The bytes are read only. Must not throw.
 */
export type ProxyTap = (direction: Direction, datagram: Uint8Array, client: Address, fate: Fate, timeMs: Millis) => void;

export interface ProxyOptions {
  /** IP literal or name to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** IP literal or name of the target, looked up once. */
  readonly targetHost: string;
  readonly targetPort: number;
  /** An integer; its low 32 bits count. Same seed and same order of datagrams, same decisions. */
  readonly seed: number;
  /** From client to target; default a perfect link. */
  readonly up?: LinkProfile;
  /** From target to client; default a perfect link. */
  readonly down?: LinkProfile;
  /** A timeline that starts when the proxy listens. */
  readonly script?: readonly ScriptLine[];
  /** A client's mapping is closed after this time without a datagram; default 180 s, longer than TCP's user timeout. */
  readonly idleTimeoutMs?: Millis;
  /** Clients at the same time; default 1024. */
  readonly maxMappings?: number;
  readonly tap?: ProxyTap;
  /** Told of each change that the script makes. Must not throw. */
  readonly onProfileChange?: (change: ProfileChange) => void;
}

export interface ProxyStats {
  readonly seed: number;
  readonly up: LinkCounters;
  readonly down: LinkCounters;
  /** Datagrams in each link now. */
  readonly held: { readonly up: number; readonly down: number };
  /** Clients now. */
  readonly clients: number;
  readonly mappings: MappingCounters;
  /** Reports that the target, its host or its network cannot be reached; swallowed, as a NAT would. */
  readonly icmpErrors: number;
  /** Datagrams that the system did not take, and other errors of sockets. */
  readonly socketErrors: number;
  /** Datagrams dropped because the system's send queue is full. */
  readonly sendQueueFull: number;
  /** Datagrams that left the link after their client's mapping was closed. */
  readonly strays: number;
}

export interface Proxy {
  /** Where clients send to. */
  readonly address: Address;
  readonly target: Address;
  stats(): ProxyStats;
  profile(direction: Direction): LinkProfile;
  /** Throws Error, with one line, if the profile makes no sense. */
  setProfile(direction: Direction, profile: LinkProfile): void;
  /** Closes all sockets; what the links still hold is dropped. May be called more than once. */
  close(): Promise<void>;
}

const DEFAULT_IDLE_TIMEOUT_MS = 180_000;
const DEFAULT_MAX_MAPPINGS = 1024;

/** What libuv may queue when the kernel's send buffer is full. */
const MAX_SEND_QUEUE_BYTES = 4 * 1024 * 1024;

/** setTimeout takes 31 bits. */
const MAX_TIMER_MS = 2 ** 30;

/** How errors of the path come back on a connected UDP socket. */
const ICMP_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'ENOPROTOOPT', 'EPROTO', 'EACCES',
]);

/**
 * Two links between the clients' socket and the mappings' sockets. It never reads a datagram: garbage passes unchanged.
 * A link keeps references, and on EAGAIN libuv keeps a pointer to the bytes it could not send; both are safe because each
 * received datagram has a buffer of its own that nobody writes to again.
 */
class UdpProxy implements Proxy {
  readonly address: Address;
  readonly target: Address;
  readonly #seed: number;
  readonly #socket: Socket;
  readonly #mappings: MappingTable;
  readonly #up: Link<Mapping>;
  readonly #down: Link<Mapping>;
  readonly #script: Script;
  readonly #tap: ProxyTap | undefined;
  readonly #onProfileChange: ((change: ProfileChange) => void) | undefined;
  #icmpErrors = 0;
  #socketErrors = 0;
  #sendQueueFull = 0;
  #strays = 0;
  #timer: NodeJS.Timeout | undefined;
  #armedFor: Millis = Infinity;
  #closing: Promise<void> | undefined;

  /** `parts.socket` listens already. */
  constructor(options: ProxyOptions, parts: Parts) {
    const { address, port } = parts.socket.address();
    this.address = makeAddress(address, port);
    this.target = parts.target;
    this.#seed = options.seed;
    this.#socket = parts.socket;
    this.#up = parts.up;
    this.#down = parts.down;
    this.#script = parts.script;
    this.#tap = options.tap;
    this.#onProfileChange = options.onProfileChange;
    this.#mappings = new MappingTable({
      target: parts.target,
      family: parts.family,
      maxMappings: options.maxMappings ?? DEFAULT_MAX_MAPPINGS,
      idleTimeoutMs: options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
      onDatagram: (mapping, datagram, now) => this.#receive('down', mapping, datagram, now),
      onError: this.#countError,
    });
    this.#socket.on('error', this.#countError);
    this.#socket.on('message', (datagram: Uint8Array, { address, port }: RemoteInfo) => {
      const now = performance.now();
      const mapping = this.#mappings.find(address, port, now);
      if (mapping === undefined) this.#rearm(now);
      else this.#receive('up', mapping, datagram, now);
    });
    this.#runTimeouts();
  }

  stats(): ProxyStats {
    return {
      seed: this.#seed,
      up: { ...this.#up.counters },
      down: { ...this.#down.counters },
      held: { up: this.#up.held, down: this.#down.held },
      clients: this.#mappings.size,
      mappings: { ...this.#mappings.counters },
      icmpErrors: this.#icmpErrors,
      socketErrors: this.#socketErrors,
      sendQueueFull: this.#sendQueueFull,
      strays: this.#strays,
    };
  }

  profile(direction: Direction): LinkProfile {
    return this.#link(direction).profile;
  }

  setProfile(direction: Direction, profile: LinkProfile): void {
    this.#link(direction).setProfile(profile);
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      clearTimeout(this.#timer);
      this.#mappings.close();
      this.#socket.close(() => resolve());
    });
    return this.#closing;
  }

  #link(direction: Direction): Link<Mapping> {
    return direction === 'up' ? this.#up : this.#down;
  }

  /** What is due at once leaves in the same turn. */
  #receive(direction: Direction, mapping: Mapping, datagram: Uint8Array, now: Millis): void {
    const fate = this.#link(direction).offer(datagram, now, mapping);
    if (this.#tap !== undefined) this.#tap(direction, datagram, mapping.client, fate, performance.timeOrigin + now);
    this.#forward(direction, now);
    this.#rearm(now);
  }

  /** Sends all that is due in one direction; bounded by the link's limit. */
  #forward(direction: Direction, now: Millis): void {
    const link = this.#link(direction);
    while (this.#closing === undefined) {
      const delivery = link.poll(now);
      if (delivery === undefined) return;
      const { bytes, to } = delivery;
      const socket = direction === 'up' ? to.socket : this.#socket;
      if (!to.isOpen) this.#strays++;
      else if (socket.getSendQueueSize() > MAX_SEND_QUEUE_BYTES) this.#sendQueueFull++;
      else if (direction === 'up') socket.send(bytes, this.#countSendError);
      else socket.send(bytes, to.client.port, to.client.host, this.#countSendError);
    }
  }

  readonly #runTimeouts = (): void => {
    this.#armedFor = Infinity;
    const now = performance.now();
    for (let change = this.#script.due(now); change !== undefined; change = this.#script.due(now)) {
      this.#link(change.direction).setProfile(change.profile);
      this.#onProfileChange?.(change);
    }
    this.#forward('up', now);
    this.#forward('down', now);
    if (this.#mappings.nextTimeout() <= now) setImmediate(this.#expire);
    this.#rearm(now);
  };

  /** After the sockets were read: a timer that fires late, after SIGSTOP say, must not overtake the datagrams that wait there. */
  readonly #expire = (): void => {
    if (this.#closing !== undefined) return;
    const now = performance.now();
    this.#mappings.expire(now);
    this.#rearm(now);
  };

  /** One timer for everything. It is only ever brought forward: if it fires for nothing it is set again, which is cheaper. */
  #rearm(now: Millis): void {
    const next = Math.min(
      this.#up.nextTimeout(), this.#down.nextTimeout(), this.#script.nextTimeout(), this.#mappings.nextTimeout(),
    );
    if (next >= this.#armedFor || this.#closing !== undefined) return;
    clearTimeout(this.#timer);
    this.#armedFor = next;
    this.#timer = setTimeout(this.#runTimeouts, Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil(next - now))));
  }

  readonly #countError = (error: NodeJS.ErrnoException): void => {
    if (ICMP_CODES.has(error.code ?? '')) this.#icmpErrors++;
    else this.#socketErrors++;
  };

  readonly #countSendError = (error: Error | null): void => {
    if (error !== null) this.#countError(error);
  };
}

/** What a proxy is put together from. */
interface Parts {
  readonly socket: Socket;
  readonly target: Address;
  readonly family: IpFamily;
  readonly up: Link<Mapping>;
  readonly down: Link<Mapping>;
  readonly script: Script;
}

/** True if a socket bound to `local` hears what is sent to `remote`; each datagram would then go round for ever. */
function isSelf(local: string, remote: string): boolean {
  const isLoopback = remote.startsWith('127.') || remote === '::1';
  return local === remote || ((local === '0.0.0.0' || local === '::') && isLoopback);
}

/**
 * Starts a UDP proxy that listens and forwards through a lossy link each way. Rejects with the system's error when the
 * address can't be had or a name not resolved, and with an Error of one line when a profile or the script makes no sense.
 */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const random = createRandom(options.seed);
  const profiles = { up: options.up ?? defaultProfile, down: options.down ?? defaultProfile };
  const up = new Link<Mapping>(profiles.up, random.fork('up'));
  const down = new Link<Mapping>(profiles.down, random.fork('down'));
  const [local, remote] = await Promise.all([resolveHost(options.host ?? '127.0.0.1'), resolveHost(options.targetHost)]);
  // Made before the port is taken: a script that makes no sense then leaves nothing open.
  const script = new Script(options.script ?? [], profiles, performance.now());
  if (isSelf(local.host, remote.host) && options.port === options.targetPort) {
    throw new Error(`the proxy would forward to itself: ${formatAddress({ host: remote.host, port: options.targetPort })}`);
  }
  const socket = createDatagramSocket(local.family);
  await bindSocket(socket, local.host, options.port);
  const target = makeAddress(remote.host, options.targetPort);
  return new UdpProxy(options, { socket, target, family: remote.family, up, down, script });
}
