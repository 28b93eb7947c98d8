import type { textTable } from '../report/table.ts';
import type { Contestant, GoodputRow, GoodputRun } from './goodput.ts';
import { formatSpread, type Spread } from './statistics.ts';

const MEGA = 1e6;

export function goodputName({ transport, congestion }: Contestant): string {
  if (transport === 'tcp') return 'node:net (kernel TCP)';
  return transport === 'dgram' ? 'plain dgram' : `failmask ${congestion ?? ''}`.trim();
}

/** Median and range of all rounds; ratios are taken within a round. */
export function goodputResultTable(rows: readonly GoodputRow[], write: typeof textTable): string {
  const header = ['loopback', 'datagram', 'MB/s', '÷ dgram', '÷ node:net', 'sender µs/datagram', 'receiver µs/datagram', 'retransmitted', 'kernel drops'];
  return write(header, rows.map((row) => [
    goodputName(row.contestant),
    row.contestant.mtuBytes === 0 ? '–' : row.contestant.mtuBytes,
    formatSpread(scaled(row.bytesPerSecond, MEGA), 0),
    optional(row.toDgram, 2),
    optional(row.toTcp, 2),
    optional(row.senderMicros, 1),
    optional(row.receiverMicros, 1),
    row.contestant.transport === 'failmask' ? formatSpread(row.retransmissions, 0) : '–',
    optional(row.receiveBufferErrors, 0),
  ]));
}

/** A run as a line of JSON. */
export function runObject(run: GoodputRun): Record<string, unknown> {
  const { transport, mtuBytes, congestion } = run.contestant;
  return {
    type: 'run', transport, mtu: mtuBytes, congestion: congestion ?? null, round: run.round, bytes_per_second: run.bytesPerSecond,
    sender_us_per_datagram: run.senderMicros ?? null, receiver_us_per_datagram: run.receiverMicros ?? null,
    sender_ns_per_byte: run.senderNanosPerByte, receiver_ns_per_byte: run.receiverNanosPerByte,
    retransmissions: run.retransmissions, receive_buffer_errors: run.receiveBufferErrors ?? null,
  };
}

/** A row as a line of JSON: medians and ranges. */
export function goodputRowObject(row: GoodputRow): Record<string, unknown> {
  const { transport, mtuBytes, congestion } = row.contestant;
  return {
    type: 'summary', transport, mtu: mtuBytes, congestion: congestion ?? null, bytes_per_second: row.bytesPerSecond,
    to_dgram: row.toDgram ?? null, to_node_net: row.toTcp ?? null,
    sender_us_per_datagram: row.senderMicros ?? null, receiver_us_per_datagram: row.receiverMicros ?? null,
    retransmissions: row.retransmissions, receive_buffer_errors: row.receiveBufferErrors ?? null,
  };
}

function optional(spread: Spread | undefined, decimals: number): string {
  return spread === undefined ? '–' : formatSpread(spread, decimals);
}

function scaled({ median, low, high, count }: Spread, unit: number): Spread {
  return { median: median / unit, low: low / unit, high: high / unit, count };
}
