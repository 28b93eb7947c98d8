import { formatBytes, formatProbability } from '../core/units.ts';
import type { LinkCounters } from '../link/link.ts';
import type { ProxyStats } from '../net/proxy.ts';

type CounterName = keyof LinkCounters;

/** The counters that say what was done to datagrams, as people call them. */
const FAULTS: readonly (readonly [CounterName, string])[] = [
  ['lost', 'lost'],
  ['duplicated', 'duplicated'],
  ['corrupted', 'corrupted'],
  ['reordered', 'reordered'],
  ['queueFull', 'dropped by the full queue'],
  ['blackholed', 'blackholed'],
  ['tooBig', 'too big'],
];

/** What was counted between two readings. */
export function subtractCounters(later: LinkCounters, earlier: LinkCounters): LinkCounters {
  const names = Object.keys(later) as CounterName[];
  return Object.fromEntries(names.map((name) => [name, later[name] - earlier[name]])) as Record<CounterName, number>;
}

/** `1200 datagrams (1.66 MiB): 1020 delivered, 240 lost (20%), 60 duplicated`; faults that did not happen are left out. */
export function describeCounters(counters: LinkCounters): string {
  const { offered, offeredBytes, delivered, lost } = counters;
  const parts = [`${delivered} delivered`];
  for (const [name, words] of FAULTS) {
    if (counters[name] === 0) continue;
    parts.push(name === 'lost' ? `${lost} ${words} (${formatProbability(lost / Math.max(1, offered))})` : `${counters[name]} ${words}`);
  }
  return `${offered} datagrams (${formatBytes(offeredBytes)}): ${parts.join(', ')}`;
}

/** One line a second while traffic flows. `seconds` since the start. */
export function intervalText(seconds: number, up: LinkCounters, down: LinkCounters): string {
  return `${seconds.toFixed(1).padStart(6)} s  up ${describeCounters(up)} | down ${describeCounters(down)}`;
}

/** The end block, as ping prints one. */
export function summaryText(title: string, seconds: number, stats: ProxyStats): string {
  const { mappings } = stats;
  const lines = [
    `--- ${title}, seed ${stats.seed}, ${seconds.toFixed(1)} s, ${mappings.created} client${mappings.created === 1 ? '' : 's'} ---`,
    `up    ${describeCounters(stats.up)}`,
    `down  ${describeCounters(stats.down)}`,
  ];
  const others: readonly (readonly [number, string])[] = [
    [stats.held.up + stats.held.down, 'datagrams still under way'],
    [stats.icmpErrors, 'ICMP errors swallowed'],
    [stats.socketErrors, 'socket errors'],
    [stats.sendQueueFull, 'datagrams dropped by a full send queue'],
    [stats.strays, 'datagrams for clients gone by'],
    [mappings.expired, 'idle clients forgotten'],
    [mappings.evicted, 'clients given up for new ones'],
    [mappings.refused, 'datagrams refused: too many clients'],
    [mappings.failed, 'clients without a socket'],
  ];
  const counted = others.filter(([count]) => count > 0).map(([count, words]) => `${count} ${words}`);
  if (counted.length > 0) lines.push(`other ${counted.join(', ')}`);
  return lines.join('\n');
}

function countersObject(counters: LinkCounters): Record<string, number> {
  return {
    offered: counters.offered,
    offered_bytes: counters.offeredBytes,
    delivered: counters.delivered,
    delivered_bytes: counters.deliveredBytes,
    lost: counters.lost,
    duplicated: counters.duplicated,
    corrupted: counters.corrupted,
    reordered: counters.reordered,
    queue_full: counters.queueFull,
    blackholed: counters.blackholed,
    too_big: counters.tooBig,
  };
}

/** For --json: counters since the start, under both `interval` and `summary`. */
export function statsObject(type: 'interval' | 'summary', seconds: number, stats: ProxyStats): Record<string, unknown> {
  return {
    type,
    seconds,
    seed: stats.seed,
    up: countersObject(stats.up),
    down: countersObject(stats.down),
    held: stats.held,
    clients: stats.clients,
    mappings: stats.mappings,
    icmp_errors: stats.icmpErrors,
    socket_errors: stats.socketErrors,
    send_queue_full: stats.sendQueueFull,
    strays: stats.strays,
  };
}
