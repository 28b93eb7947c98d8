import type { Socket } from 'node:dgram';
import { makeAddress } from '../core/address.ts';
import type { Address } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import { createDatagramSocket } from './datagram-socket.ts';
import type { IpFamily } from './datagram-socket.ts';

/** One client's way to the target: a socket of its own, so that the target tells clients apart and answers find back. */
export interface Mapping {
  readonly client: Address;
  readonly socket: Socket;
  readonly isOpen: boolean;
}

interface OwnMapping extends Mapping {
  isOpen: boolean;
  usedAt: Millis;
}

export interface MappingCounters {
  readonly created: number;
  /** Closed after the idle timeout. */
  readonly expired: number;
  /** Closed to make room for a new client. */
  readonly evicted: number;
  /** The system gave no socket, or no way to the target. */
  readonly failed: number;
  /** Datagrams of new clients, dropped because all mappings are in use, or because no answer could reach the sender. */
  readonly refused: number;
}

export interface MappingOptions {
  readonly target: Address;
  readonly family: IpFamily;
  readonly maxMappings: number;
  readonly idleTimeoutMs: Millis;
  readonly onDatagram: (mapping: Mapping, datagram: Uint8Array, now: Millis) => void;
  readonly onError: (error: Error) => void;
}

/** A mapping used within this time is never given up for a new client: a flood of made-up clients would else cut real ones off. */
const EVICTABLE_AFTER_MS = 10_000;

/** Times of use are kept this coarsely, so that a datagram seldom pays for moving its mapping in the order of use. */
const USE_GRANULARITY_MS = 1000;

/** The mappings of a proxy, one a client, as a NAT keeps them: bounded, least recently used first out, closed when idle. */
export class MappingTable {
  readonly counters: MappingCounters;
  readonly #count = { created: 0, expired: 0, evicted: 0, failed: 0, refused: 0 };
  readonly #options: MappingOptions;
  readonly #granularityMs: Millis;
  /** In the order of use, oldest first. */
  readonly #mappings = new Map<string, OwnMapping>();
  #last: OwnMapping | undefined;

  constructor(options: MappingOptions) {
    this.counters = this.#count;
    this.#options = options;
    this.#granularityMs = Math.min(USE_GRANULARITY_MS, options.idleTimeoutMs / 10);
  }

  get size(): number {
    return this.#mappings.size;
  }

  /** The client's mapping, made if need be; undefined, counted, if there can be none. */
  find(host: string, port: number, now: Millis): Mapping | undefined {
    let mapping = this.#last;
    if (mapping === undefined || mapping.client.port !== port || mapping.client.host !== host) {
      const client = makeAddress(host, port);
      mapping = this.#mappings.get(client.key) ?? this.#create(client, now);
      if (mapping === undefined) return undefined;
      this.#last = mapping;
    }
    this.#use(mapping, now);
    return mapping;
  }

  /** Closes what was idle for too long. */
  expire(now: Millis): void {
    for (const mapping of this.#mappings.values()) {
      if (this.#expiry(mapping) > now) break;
      this.#close(mapping);
      this.#count.expired++;
    }
  }

  /** When `expire` has something to do; Infinity for never. */
  nextTimeout(): Millis {
    for (const mapping of this.#mappings.values()) return this.#expiry(mapping);
    return Infinity;
  }

  close(): void {
    for (const mapping of this.#mappings.values()) this.#close(mapping);
  }

  #expiry(mapping: OwnMapping): Millis {
    return mapping.usedAt + this.#granularityMs + this.#options.idleTimeoutMs;
  }

  #use(mapping: OwnMapping, now: Millis): void {
    if (now - mapping.usedAt < this.#granularityMs) return;
    mapping.usedAt = now;
    this.#mappings.delete(mapping.client.key);
    this.#mappings.set(mapping.client.key, mapping);
  }

  #create(client: Address, now: Millis): OwnMapping | undefined {
    // Nothing can be sent to port 0, which a forged datagram may come from.
    if (client.port === 0 || !this.#makeRoom(now)) {
      this.#count.refused++;
      return undefined;
    }
    const { target, family, onDatagram, onError } = this.#options;
    const socket = createDatagramSocket(family);
    const mapping: OwnMapping = { client, socket, isOpen: false, usedAt: now };
    // While it is set up, and after it is closed, errors have been counted otherwise.
    socket.on('error', (error) => {
      if (mapping.isOpen) onError(error);
    });
    socket.on('message', (datagram) => {
      const now = performance.now();
      this.#use(mapping, now);
      onDatagram(mapping, datagram, now);
    });
    try {
      // Connected, so that the kernel keeps strangers out and looks the way up once. The price: ICMP errors surface here.
      socket.bind(0);
      socket.connect(target.port, target.host);
      socket.remoteAddress();
    } catch {
      this.#count.failed++;
      socket.close();
      return undefined;
    }
    mapping.isOpen = true;
    this.#count.created++;
    this.#mappings.set(client.key, mapping);
    return mapping;
  }

  #makeRoom(now: Millis): boolean {
    if (this.#mappings.size < this.#options.maxMappings) return true;
    for (const oldest of this.#mappings.values()) {
      if (now - oldest.usedAt < EVICTABLE_AFTER_MS) return false;
      this.#close(oldest);
      this.#count.evicted++;
      return true;
    }
    return false;
  }

  #close(mapping: OwnMapping): void {
    mapping.isOpen = false;
    this.#mappings.delete(mapping.client.key);
    if (this.#last === mapping) this.#last = undefined;
    mapping.socket.close();
  }
}
