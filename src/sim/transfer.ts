import type { Millis } from '../core/machine.ts';
import type { LinkProfile } from '../link/profile.ts';
import type { TcpConfig } from '../tcp/config.ts';
import type { Seq } from '../wire/sequence.ts';
import type { ApplicationSpec, ClientSpec, Fault, HostSpec, Scenario } from './scenario.ts';

export interface TransferOptions {
  readonly seed: number;
  readonly bytes: number;
  readonly up: LinkProfile;
  readonly down: LinkProfile;
  readonly config?: Partial<TcpConfig>;
  /** Of the client, on top of `config`. */
  readonly clientConfig?: Partial<TcpConfig>;
  readonly faults?: readonly Fault[];
  readonly initialSequence?: Seq;
  readonly client?: Partial<ApplicationSpec>;
  readonly server?: Partial<ApplicationSpec>;
  readonly deadlineMs?: Millis;
}

const CHUNK_BYTES = 64 * 1024;
const SOCKET_BUFFER_BYTES = 4 << 20;
const DEADLINE_MS = 3_600_000;

/** One client sends a file to the server, which answers with nothing but its FIN: what `send` and `recv` do. */
export function transferScenario(options: TransferOptions): Scenario {
  const { seed, config = {}, clientConfig = {}, initialSequence, up, down, faults = [], deadlineMs = DEADLINE_MS } = options;
  const host = (own: Partial<TcpConfig>): HostSpec => ({
    config: own,
    wholeMillis: true,
    socketBufferBytes: SOCKET_BUFFER_BYTES,
    ...(initialSequence === undefined ? {} : { initialSequence }),
  });
  const application: ApplicationSpec = {
    writeBytes: 0, maxChunkBytes: CHUNK_BYTES, writePauseMs: 0, readPauseMs: 0, closes: 'when-written', holdMs: 0,
  };
  const client: ClientSpec = {
    ...host({ ...config, ...clientConfig }),
    up, down,
    strips: [],
    attempts: [{
      delayMs: 0,
      simultaneous: false,
      client: { ...application, writeBytes: options.bytes, ...options.client },
      server: { ...application, closes: 'when-peer-has', ...options.server },
    }],
  };
  return {
    seed,
    theme: 'transfer',
    server: { ...host(config), listens: true, backlog: 16, acceptsFromMs: 0 },
    clients: [client],
    faults,
    deadlineMs,
  };
}
