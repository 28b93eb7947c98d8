import { describe, expect, it } from 'vitest';
import { describeCounters, intervalText, statsObject, subtractCounters, summaryText } from '../../src/cli/proxy-report.ts';
import { createRandom } from '../../src/core/random.ts';
import { Link } from '../../src/link/link.ts';
import type { LinkCounters } from '../../src/link/link.ts';
import { defaultProfile } from '../../src/link/profile.ts';
import type { ProxyStats } from '../../src/net/proxy.ts';

const zero: LinkCounters = new Link(defaultProfile, createRandom(1)).counters;
const some: LinkCounters = { ...zero, offered: 1000, offeredBytes: 1024 * 1024, delivered: 850, lost: 200, duplicated: 50, queueFull: 3 };
const stats: ProxyStats = {
  seed: 7, up: some, down: zero, held: { up: 2, down: 0 }, clients: 1,
  mappings: { created: 1, expired: 0, evicted: 0, failed: 0, refused: 4 }, icmpErrors: 5, socketErrors: 0, sendQueueFull: 0, strays: 0,
};

describe('proxy report', () => {
  it('names what happened and leaves out what did not', () => {
    expect(describeCounters(some)).toBe('1000 datagrams (1 MiB): 850 delivered, 200 lost (20%), 50 duplicated, 3 dropped by the full queue');
    expect(describeCounters(zero)).toBe('0 datagrams (0 B): 0 delivered');
  });
  it('has a line a second of what is new', () => {
    const fresh = subtractCounters(some, { ...some, offered: 990, offeredBytes: 1024 * 1024 - 100, delivered: 842, lost: 198 });
    expect(intervalText(3, { ...fresh, duplicated: 0 }, zero)).toBe(
      '   3.0 s  up 10 datagrams (100 B): 8 delivered, 2 lost (20%) | down 0 datagrams (0 B): 0 delivered');
    expect(fresh.duplicated).toBe(0);
  });
  it('ends with a summary', () => {
    expect(summaryText('a → b', 3.04, stats).split('\n')).toEqual([
      '--- a → b, seed 7, 3.0 s, 1 client ---',
      `up    ${describeCounters(some)}`,
      `down  ${describeCounters(zero)}`,
      'other 2 datagrams still under way, 5 ICMP errors swallowed, 4 datagrams refused: too many clients',
    ]);
    expect(statsObject('summary', 3, stats)).toMatchObject({ type: 'summary', seconds: 3, seed: 7, up: { offered: 1000, queue_full: 3 }, icmp_errors: 5 });
  });
});
