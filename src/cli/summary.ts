import { formatBytes, formatDuration, formatRate } from '../core/units.ts';
import type { ConnectionInfo } from '../tcp/connection.ts';
import type { EndpointCounters } from '../tcp/endpoint.ts';
import type { ErrorDetails } from '../tcp/errors.ts';
import type { Reporter } from './output.ts';

export interface TransferSummary {
  readonly role: 'send' | 'recv';
  readonly peer: string;
  readonly bytes: number;
  readonly seconds: number;
  /** Undefined when not all that was read has arrived: the hash would be taken for that of what did. */
  readonly sha256: string | undefined;
  readonly info: ConnectionInfo | undefined;
  readonly error?: Error | undefined;
  readonly interrupted?: boolean;
  /** What the UDP socket brought that was no segment of the connection's. */
  readonly endpoint?: Readonly<EndpointCounters> | undefined;
}

/** The last line of a transfer, or the object that says the same. */
export function reportSummary(reporter: Reporter, summary: TransferSummary): void {
  const { role, peer, bytes, seconds, sha256, info, error } = summary;
  const counters = info?.counters;
  const bitsPerSecond = seconds > 0 ? (bytes * 8) / seconds : 0;
  const details = detailsOf(error);
  reporter.json({
    type: 'summary', role, peer, bytes, seconds, bits_per_second: bitsPerSecond, sha256: sha256 ?? null,
    complete: error === undefined && summary.interrupted !== true,
    retransmissions: counters?.retransmissions ?? 0,
    timeouts: counters?.timeouts ?? 0,
    srtt_ms: info === undefined || info.srttMs === 0 ? null : info.srttMs,
    counters: counters ?? null,
    endpoint: summary.endpoint ?? null,
    error: error === undefined ? null : { code: (error as NodeJS.ErrnoException).code ?? null, message: error.message, details: details ?? null },
  });
  if (details !== undefined) reporter.result(describeDetails(details));
  const drops = describeDrops(summary.endpoint);
  if (drops !== undefined) reporter.result(drops);
  const verb = role === 'send' ? 'sent' : 'received';
  const parts = [
    `${bytes} bytes ${verb} in ${seconds.toFixed(2)} s`,
    formatRate(bitsPerSecond),
    ...(error === undefined && sha256 !== undefined ? [`sha256 ${sha256}`] : []),
    `${counters?.retransmissions ?? 0} retransmissions`,
    ...(info !== undefined && info.srttMs > 0 ? [`SRTT ${formatDuration(info.srttMs)}`] : []),
  ];
  const ending = error !== undefined ? 'not complete: ' : summary.interrupted === true ? 'interrupted: ' : '';
  reporter.result(ending + parts.join(', '));
}

const DROPS: readonly (readonly [keyof EndpointCounters, string])[] = [
  ['droppedTooShort', 'too short'], ['droppedBadOffset', 'with a bad offset'], ['droppedBadOption', 'with bad options'],
  ['droppedBadCrc', 'with a wrong CRC'], ['droppedNoCrc', 'without CRC'], ['strangers', 'of strangers'],
];

/** `dropped 12 datagrams: 10 with a wrong CRC, 2 of strangers`; undefined when nothing was. */
export function describeDrops(counters: Readonly<EndpointCounters> | undefined): string | undefined {
  if (counters === undefined) return undefined;
  const parts = DROPS.filter(([name]) => counters[name] > 0);
  if (parts.length === 0) return undefined;
  const total = parts.reduce((sum, [name]) => sum + counters[name], 0);
  return `dropped ${total} ${total === 1 ? 'datagram' : 'datagrams'}: ${parts.map(([name, what]) => `${counters[name]} ${what}`).join(', ')}`;
}

/** What the connection knew when it died. */
export function describeDetails(details: ErrorDetails): string {
  const heard = Number.isFinite(details.lastHeardMs) ? `last heard ${formatDuration(details.lastHeardMs)} before` : 'never heard';
  const circumstances = `${heard}, ${details.retransmissions} retransmissions, RTO ${formatDuration(details.rtoMs)}${details.icmp === undefined ? '' : `, ICMP said ${details.icmp}`}`;
  // Who only receives has nothing on its way.
  if (details.bytesAcked + details.bytesInFlight + details.bytesUnsent === 0) return `what is known: ${circumstances}`;
  return [
    `what is known: ${formatBytes(details.bytesAcked)} acknowledged, ${formatBytes(details.bytesInFlight)} sent and unanswered, ${formatBytes(details.bytesUnsent)} never sent`,
    `               ${circumstances}`,
  ].join('\n');
}

export function detailsOf(error: Error | undefined): ErrorDetails | undefined {
  return (error as { details?: ErrorDetails } | undefined)?.details;
}
