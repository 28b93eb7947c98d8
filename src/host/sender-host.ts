import type { Address } from '../core/address.ts';
import { formatAddress } from '../core/address.ts';
import type { Millis } from '../core/machine.ts';
import { FileGroup, type FileGroupOptions } from '../group/file-group.ts';
import type { TcpConfig } from '../tcp/config.ts';
import { resolveConfig } from '../tcp/config.ts';
import type { Connection } from '../tcp/connection.ts';
import type { Endpoint } from '../tcp/endpoint.ts';
import { CLOSED, SYN_RECEIVED, SYN_SENT } from '../tcp/state.ts';
import { EndpointHost } from './endpoint-host.ts';
import { patience } from './patience.ts';

export interface SenderHostOptions extends Omit<FileGroupOptions, 'members'> {
  readonly members: readonly Address[];
  /** The file. */
  readonly source: Uint8Array;
  /** Of its connections. */
  readonly config?: Partial<TcpConfig>;
}

/** A client that sends one file to a group: an endpoint with a connection to each member. */
export class SenderHost extends EndpointHost {
  readonly group: FileGroup;
  readonly #connections: readonly Connection[];
  readonly #source: Uint8Array;
  #position = 0;

  /** Connects to all members at once. */
  constructor(endpoint: Endpoint, options: SenderHostOptions, now: Millis) {
    super(endpoint);
    const { members, source, config = {}, ...groupOptions } = options;
    const { userTimeoutMs } = resolveConfig(config);
    // Not the caller's: the group takes silence for death after the user timeout, so somebody has to speak by then.
    const keepAlive = patience(userTimeoutMs);
    this.group = new FileGroup({ silenceTimeoutMs: userTimeoutMs, ...groupOptions, members: members.map(formatAddress) }, now);
    this.#connections = members.map((member) => endpoint.connect(member, now, { ...config, keepAlive }));
    this.#source = source;
  }

  protected override run(now: Millis): void {
    const { group } = this;
    this.#connections.forEach((connection, member) => this.#listen(connection, member, now));
    this.#position += group.write(this.#source.subarray(this.#position));
    if (this.#position === this.#source.length) group.end();
    this.#connections.forEach((connection, member) => this.#talk(connection, member, now));
  }

  protected override applicationTimeout(): Millis {
    return this.group.nextTimeout();
  }

  protected override handleApplicationTimeout(now: Millis): void {
    this.#connections.forEach(({ counters }, member) => this.group.observe(member, counters.segmentsReceived, counters.bytesAcked));
    this.group.handleTimeout(now);
  }

  #listen(connection: Connection, member: number, now: Millis): void {
    const { group } = this;
    const { state } = connection;
    if (state === SYN_SENT || state === SYN_RECEIVED) return;
    if (state !== CLOSED) group.connected(member, now);
    group.observe(member, connection.counters.segmentsReceived, connection.counters.bytesAcked);
    for (let bytes = connection.read(); bytes !== undefined; bytes = connection.read()) group.received(member, bytes, now);
    if (connection.error !== undefined) group.lost(member, connection.error.message, connection.error, now);
    else if (connection.isReadFinished || state === CLOSED) group.lost(member, 'ended its connection before it had committed', undefined, now);
  }

  #talk(connection: Connection, member: number, now: Millis): void {
    const { group } = this;
    if (!group.isLiving(member)) {
      connection.abort(now);
      return;
    }
    for (let bytes = group.output(member); bytes !== undefined; bytes = group.output(member)) {
      const taken = connection.write(bytes);
      group.sent(member, taken);
      if (taken < bytes.length) break;
    }
    if (group.hasCommitted(member)) connection.close(now);
  }
}
