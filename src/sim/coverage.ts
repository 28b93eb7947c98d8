/** What the runs are meant to come across, and what counts as having come across it. */
export const COVERAGE = {
  'rto': 'retransmission timeouts with data outstanding',
  'tail loss probe': 'TLP probes sent',
  'rack loss': 'losses found by RACK',
  'fast recovery': 'fast recoveries',
  'fast recovery without SACK': 'losses found by duplicate ACKs',
  'zero window': 'times a window closed',
  'zero-window probe': 'probes of a closed window',
  'paws drop': 'segments dropped by PAWS',
  'd-sack': 'duplicates reported to the sender',
  'duplicate received': 'payloads that came twice',
  'out of order': 'payloads that came ahead of a hole',
  'reordering': 'datagrams that overtook an earlier one',
  'segment split': 'segments that a middlebox split in two',
  'unacceptable segment': 'segments outside the window',
  'challenge ACK': 'challenge ACKs',
  'reset sent': 'RSTs to strangers, and those said again',
  'reset said again': 'RSTs of connections that are gone, repeated',
  'abort': 'connections aborted by the application',
  'simultaneous open': 'connections opened by both sides',
  'simultaneous close': 'connections in CLOSING',
  'half-close': 'ends that received data after their own FIN',
  'time-wait': 'connections in TIME-WAIT',
  'time-wait ended by SYN': 'new incarnations out of TIME-WAIT',
  'fin again in time-wait': 'FINs that came again in TIME-WAIT',
  'SYN retransmission': 'SYNs sent again',
  'SYN-ACK retransmission': 'SYN-ACKs sent again',
  'FIN retransmission': 'FINs sent again',
  'window scaling off': 'connections without window scaling',
  'timestamps off': 'connections without timestamps',
  'sack off': 'connections without SACK',
  'integrity off': 'connections without CRC',
  'sequence wrap': 'streams across the end of sequence space',
  'keep-alive probe': 'keep-alive probes',
  'keep-alive timeout': 'ETIMEDOUT by keep-alive',
  'user timeout': 'ETIMEDOUT by the user timeout',
  'connect timeout': 'ETIMEDOUT before the connection',
  'connection refused': 'ECONNREFUSED',
  'connection reset': 'ECONNRESET',
  'backlog full': 'SYNs that found the backlog full',
  'corruption dropped': 'datagrams dropped for their CRC',
  'queue drop': 'datagrams dropped at a full queue',
  'crash': 'hosts crashed',
  'restart': 'hosts restarted without memory',
  'pause': 'hosts paused',
  'socket overflow': 'datagrams lost while a host was paused',
  'partition': 'links partitioned',
  'one-way partition': 'links partitioned in one direction',
  'outage masked': 'connections that lived through an outage',
  'stall outlived': 'reads that stalled for longer than the user timeout',
  'orphan left idle': 'ends that never heard of a dead peer, having nothing to send and no keep-alive',
} as const;

export type CoverageName = keyof typeof COVERAGE;

export const COVERAGE_NAMES = Object.keys(COVERAGE) as readonly CoverageName[];

/** Counts by name. */
export class Coverage {
  readonly counts: Record<CoverageName, number>;

  constructor() {
    this.counts = Object.fromEntries(COVERAGE_NAMES.map((name) => [name, 0])) as Record<CoverageName, number>;
  }

  add(name: CoverageName, count = 1): void {
    this.counts[name] += count;
  }

  addAll(other: Readonly<Record<CoverageName, number>>): void {
    for (const name of COVERAGE_NAMES) this.counts[name] += other[name];
  }

  /** What no run came across. */
  missing(): CoverageName[] {
    return COVERAGE_NAMES.filter((name) => this.counts[name] === 0);
  }
}
