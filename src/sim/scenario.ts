import type { Millis } from '../core/machine.ts';
import { formatDuration, formatProbability } from '../core/units.ts';
import { formatProfile, type LinkProfile } from '../link/profile.ts';
import type { TcpConfig } from '../tcp/config.ts';
import type { Seq } from '../wire/sequence.ts';

/** What a run does, as data: drawn from a seed, or written by hand. Host 0 is the server, the others are its clients. */
export interface Scenario {
  /** Of everything that chance decides during the run. */
  readonly seed: number;
  /** What kind of world this is, for people. */
  readonly theme: string;
  readonly server: ServerSpec;
  readonly clients: readonly ClientSpec[];
  readonly faults: readonly Fault[];
  /** Virtual time by which everything must have ended. */
  readonly deadlineMs: Millis;
}

export interface HostSpec {
  readonly config: Partial<TcpConfig>;
  /** Instead of a hashed one; the server's holds towards all its clients. */
  readonly initialSequence?: Seq;
  /** Timers fire on whole milliseconds, as real drivers' do. */
  readonly wholeMillis: boolean;
  /** Bytes that the socket holds while its process is paused; what comes on top is lost. */
  readonly socketBufferBytes: number;
}

export interface ServerSpec extends HostSpec {
  readonly listens: boolean;
  readonly backlog: number;
  /** The application takes no connection before this time. */
  readonly acceptsFromMs: Millis;
}

export interface ClientSpec extends HostSpec {
  /** From the client to the server. */
  readonly up: LinkProfile;
  readonly down: LinkProfile;
  /** A middlebox takes these options off the SYNs of both directions. */
  readonly strips: readonly StrippedOption[];
  /** It splits segments in two with this probability. */
  readonly splitProbability?: number;
  /** One after the other; each begins when the one before has left the client. */
  readonly attempts: readonly Attempt[];
}

export type StrippedOption = 'mss' | 'window-scale' | 'sack' | 'timestamps' | 'capability';

export interface Attempt {
  /** After the start of the run, or after the attempt before. */
  readonly delayMs: Millis;
  /** The server opens the connection at the same instant, too. */
  readonly simultaneous: boolean;
  readonly client: ApplicationSpec;
  readonly server: ApplicationSpec;
}

/** What an application does on its end of a connection. */
export interface ApplicationSpec {
  readonly writeBytes: number;
  /** It writes chunks of 1 … this many bytes. */
  readonly maxChunkBytes: number;
  /** Mean pause after a chunk; 0: as fast as the send buffer takes them. */
  readonly writePauseMs: Millis;
  /** Pause after a read; 0: reads whatever there is at once. */
  readonly readPauseMs: Millis;
  /** It reads nothing for so long once it has read so much. */
  readonly stall?: { readonly afterBytes: number; readonly forMs: Millis };
  /** Closes its half once everything is written, or only when the peer has closed its own, too. */
  readonly closes: 'when-written' | 'when-peer-has';
  /** Waits so long between having written everything and closing. */
  readonly holdMs: Millis;
  /** Aborts once it has read so much. */
  readonly abortAfterBytes?: number;
}

/** `client` numbers the clients from 0; `host` is a client's number, or `server`. */
export type Fault =
  | { readonly kind: 'profile'; readonly atMs: Millis; readonly client: number; readonly direction: 'up' | 'down' | 'both'; readonly change: Partial<LinkProfile> }
  | { readonly kind: 'partition'; readonly atMs: Millis; readonly forMs: Millis; readonly client: number; readonly direction: 'up' | 'down' | 'both' }
  | { readonly kind: 'pause'; readonly atMs: Millis; readonly forMs: Millis; readonly host: number | 'server' }
  | { readonly kind: 'crash'; readonly atMs: Millis; readonly host: number | 'server'; readonly restartAfterMs?: Millis };

/** Several lines for people: the world that a seed drew. */
export function formatScenario(scenario: Scenario): string {
  const lines = [`seed ${scenario.seed}: ${scenario.theme}, everything to end by ${formatDuration(scenario.deadlineMs)}`];
  const { server } = scenario;
  lines.push(`server: ${formatHost(server)} backlog=${server.backlog}${server.listens ? '' : ' not listening'}`
    + (server.acceptsFromMs > 0 ? ` accepts from ${formatDuration(server.acceptsFromMs)}` : ''));
  scenario.clients.forEach((client, i) => {
    lines.push(`client ${i}: ${formatHost(client)}`);
    lines.push(`  up:   ${formatProfile(client.up) || 'perfect'}`, `  down: ${formatProfile(client.down) || 'perfect'}`);
    if (client.strips.length > 0) lines.push(`  a middlebox strips: ${client.strips.join(', ')}`);
    if ((client.splitProbability ?? 0) > 0) lines.push(`  a middlebox splits segments: ${formatProbability(client.splitProbability ?? 0)}`);
    for (const attempt of client.attempts) {
      lines.push(`  connection after ${formatDuration(attempt.delayMs)}${attempt.simultaneous ? ', opened by both' : ''}`);
      lines.push(`    client ${JSON.stringify(attempt.client)}`, `    server ${JSON.stringify(attempt.server)}`);
    }
  });
  for (const fault of scenario.faults) lines.push(`fault at ${formatDuration(fault.atMs)}: ${JSON.stringify(fault)}`);
  return lines.join('\n');
}

function formatHost(host: HostSpec): string {
  const parts = Object.entries(host.config).map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`);
  if (host.initialSequence !== undefined) parts.push(`initialSequence=${host.initialSequence}`);
  if (host.wholeMillis) parts.push('whole-ms timers');
  return parts.join(' ');
}
