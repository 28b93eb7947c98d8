import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import {
  FATE_BLACKHOLED, FATE_CORRUPTED, FATE_DELIVERED, FATE_DUPLICATED, FATE_LOST, FATE_QUEUE_FULL, FATE_REORDERED, FATE_TOO_BIG, formatFate,
} from '../../src/link/fate.ts';
import type { Fate } from '../../src/link/fate.ts';
import { Link } from '../../src/link/link.ts';
import { parseProfile } from '../../src/link/profile.ts';

interface Arrival {
  readonly number: number;
  readonly atMs: number;
  readonly bytes: Uint8Array;
}

function makeLink(words: string, seed = 1): Link<number> {
  return new Link<number>(parseProfile(words), createRandom(seed));
}

/** Collects what is due, stepping from timeout to timeout: fails if the link announces a time at which it gives nothing. */
function drain(link: Link<number>, until: number): Arrival[] {
  const arrivals: Arrival[] = [];
  for (let at = link.nextTimeout(); at <= until; at = link.nextTimeout()) {
    const delivery = link.poll(at);
    if (delivery === undefined) throw new Error(`nothing at the announced time ${at}`);
    arrivals.push({ number: delivery.to, atMs: at, bytes: delivery.bytes });
  }
  expect(link.poll(until)).toBeUndefined();
  return arrivals;
}

/** Offers `count` datagrams of `size` bytes, one each `gapMs`, numbered from 1. */
function run(link: Link<number>, count: number, gapMs = 1, size = 100): { fates: Fate[]; arrivals: Arrival[] } {
  const fates: Fate[] = [];
  const arrivals: Arrival[] = [];
  for (let n = 1; n <= count; n++) {
    const now = (n - 1) * gapMs;
    arrivals.push(...drain(link, now));
    fates.push(link.offer(new Uint8Array(size).fill(n & 255), now, n));
  }
  arrivals.push(...drain(link, Number.MAX_VALUE));
  return { fates, arrivals };
}

function numbersWith(fates: Fate[], bit: number): number[] {
  return fates.flatMap((fate, i) => ((fate & bit) !== 0 ? [i + 1] : []));
}

function expectAccounted(link: Link<number>): void {
  const c = link.counters;
  expect(c.offered + c.duplicated).toBe(c.delivered + c.lost + c.queueFull + c.blackholed + c.tooBig + link.held);
}

describe('a perfect link', () => {
  it('delivers the same bytes at once, in order', () => {
    const link = makeLink('');
    const datagram = Uint8Array.of(1, 2, 3);
    expect(link.nextTimeout()).toBe(Infinity);
    expect(link.offer(datagram, 5, 1)).toBe(FATE_DELIVERED);
    link.offer(new Uint8Array(0), 5, 2);
    expect(link.nextTimeout()).toBe(5);
    expect(link.poll(5)).toEqual({ bytes: datagram, to: 1 });
    expect(link.poll(5)).toEqual({ bytes: new Uint8Array(0), to: 2 });
    expect(link.poll(5)).toBeUndefined();
    expect(link.counters).toMatchObject({ offered: 2, offeredBytes: 3, delivered: 2, deliveredBytes: 3 });
  });
  it('still has a bound', () => {
    const link = makeLink('limit 2');
    expect([1, 2, 3].map((n) => link.offer(new Uint8Array(1), 0, n))).toEqual([FATE_DELIVERED, FATE_DELIVERED, FATE_QUEUE_FULL]);
    link.poll(0);
    expect(link.offer(new Uint8Array(1), 0, 4)).toBe(FATE_DELIVERED);
    expectAccounted(link);
  });
});

describe('loss, duplication, corruption', () => {
  it('hits about as many as asked for, and accounts for every one', () => {
    const link = makeLink('loss 20% duplicate 10% corrupt 5%');
    const { arrivals } = run(link, 20_000);
    const c = link.counters;
    expect(c.lost / 20_000).toBeCloseTo(0.2, 1);
    expect(c.duplicated / 20_000).toBeCloseTo(0.1, 1);
    expect(c.corrupted / (20_000 * 0.9)).toBeCloseTo(0.05, 2);
    expect(c.delivered).toBe(arrivals.length);
    expectAccounted(link);
  });
  it('drops exactly the nth, both copies', () => {
    const { fates, arrivals } = run(makeLink('drop-nth 2,5,7 duplicate 100%'), 8);
    expect(numbersWith(fates, FATE_LOST)).toEqual([2, 5, 7]);
    expect(arrivals.map((a) => a.number)).toEqual([1, 1, 3, 3, 4, 4, 6, 6, 8, 8]);
  });
  it('a lost datagram may survive as its duplicate, as in netem', () => {
    const { fates, arrivals } = run(makeLink('loss 100% duplicate 100%'), 3);
    expect(fates).toEqual(Array(3).fill(FATE_LOST | FATE_DUPLICATED | FATE_DELIVERED));
    expect(arrivals.map((a) => a.number)).toEqual([1, 2, 3]);
  });
  it('flips one bit of a copy and leaves the caller and the duplicate alone', () => {
    const link = makeLink('corrupt 50% duplicate 100%');
    let originals = 0;
    let copies = 0;
    let onlyOne = 0;
    for (let n = 1; n <= 400; n++) {
      const datagram = new Uint8Array(20);
      link.offer(datagram, n, n);
      const bits = [0, 0].map(() => link.poll(n)!.bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0));
      expect(datagram.every((byte) => byte === 0)).toBe(true);
      expect(Math.max(...bits)).toBeLessThanOrEqual(1);
      originals += bits[0]!;
      copies += bits[1]!;
      if (bits[0] !== bits[1]) onlyOne++;
    }
    // Independent of each other: one of the two in half of all cases.
    expect(onlyOne).toBeGreaterThan(150);
    expect(onlyOne).toBeLessThan(250);
    expect(originals).toBeGreaterThan(150);
    expect(copies).toBeGreaterThan(150);
    expect(originals + copies).toBe(link.counters.corrupted);
  });
  it('corruption reaches every bit, and an empty datagram has none', () => {
    const link = makeLink('corrupt 100%');
    const seen = new Set<string>();
    for (let n = 1; n <= 400; n++) {
      link.offer(new Uint8Array(2), n, n);
      seen.add(link.poll(n)!.bytes.join());
    }
    expect(seen.size).toBe(16);
    expect(link.offer(new Uint8Array(0), 999, 1)).toBe(FATE_DELIVERED);
  });
  it('black hole and MTU are silent and counted, and take the duplicate too', () => {
    const link = makeLink('mtu 100 duplicate 100%');
    expect(link.offer(new Uint8Array(101), 0, 1)).toBe(FATE_TOO_BIG);
    expect(link.offer(new Uint8Array(100), 0, 2)).toBe(FATE_DELIVERED | FATE_DUPLICATED);
    link.setProfile(parseProfile('blackhole duplicate 100%'));
    expect(link.offer(new Uint8Array(1), 0, 3)).toBe(FATE_BLACKHOLED);
    expect(drain(link, 0).map((a) => a.number)).toEqual([2, 2]);
    expect(link.counters).toMatchObject({ tooBig: 1, blackholed: 1, delivered: 2, lost: 0 });
    expectAccounted(link);
  });
  it('names fates', () => {
    expect(formatFate(FATE_DELIVERED)).toBe('delivered');
    expect(formatFate(FATE_DELIVERED | FATE_DUPLICATED | FATE_CORRUPTED)).toBe('duplicated+corrupted');
    expect(formatFate(FATE_QUEUE_FULL)).toBe('queue-full');
  });
});

describe('streams are independent', () => {
  const FAULTS = ['loss 20%', 'duplicate 10%', 'corrupt 30%', 'reorder 25% gap 3', 'delay 20ms 10ms'];

  it('no fault shifts which datagrams are lost', () => {
    const alone = numbersWith(run(makeLink('loss 20%'), 2000).fates, FATE_LOST);
    for (const others of [
      'duplicate 30%', 'corrupt 50%', 'delay 5ms 5ms distribution pareto', 'delay 5ms reorder 50% gap 4', 'rate 100mbit', 'drop-nth 2',
      'duplicate 30% corrupt 50% delay 5ms 5ms reorder 50% rate 100mbit',
    ]) {
      const expected = others === 'drop-nth 2' ? [...new Set([2, ...alone])].sort((a, b) => a - b) : alone;
      expect(numbersWith(run(makeLink(`loss 20% ${others}`), 2000).fates, FATE_LOST)).toEqual(expected);
    }
  });

  it('loss shifts no other decision about those that survive', () => {
    const without = run(makeLink(FAULTS.slice(2).join(' ')), 2000);
    const withLoss = run(makeLink(`loss gemodel 5% 30% ${FAULTS.slice(2).join(' ')}`), 2000);
    for (const [i, fate] of withLoss.fates.entries()) {
      if ((fate & FATE_LOST) === 0) expect(fate).toBe(without.fates[i]);
    }
    const times = new Map(without.arrivals.map((a) => [a.number, a]));
    for (const arrival of withLoss.arrivals) expect(arrival).toEqual(times.get(arrival.number));
    expect(withLoss.arrivals.length).toBeLessThan(without.arrivals.length);
  });

  it('duplication shifts nothing about the originals', () => {
    const key = (a: Arrival): string => `${a.number} ${a.atMs} ${a.bytes.join()}`;
    const without = run(makeLink('corrupt 30% delay 20ms 10ms reorder 25% gap 3'), 1000).arrivals.map(key);
    const duplicated = run(makeLink('corrupt 30% delay 20ms 10ms reorder 25% gap 3 duplicate 40%'), 1000).arrivals.map(key);
    expect(duplicated.length).toBeGreaterThan(1300);
    const left = new Set(duplicated);
    expect(without.filter((arrival) => !left.has(arrival))).toEqual([]);
  });

  it('the size and the time of datagrams decide nothing about chance', () => {
    const some = run(makeLink(FAULTS.join(' '), 5), 500, 1, 100).fates;
    const other = run(makeLink(FAULTS.join(' '), 5), 500, 7.3, 1400).fates;
    expect(other).toEqual(some);
  });

  it('same seed, same fates and times; another seed, others', () => {
    const words = `${FAULTS.join(' ')} rate 10mbit limit 30`;
    const one = run(makeLink(words, 42), 1000, 0.5);
    expect(run(makeLink(words, 42), 1000, 0.5)).toEqual(one);
    expect(run(makeLink(words, 43), 1000, 0.5).fates).not.toEqual(one.fates);
    for (const bit of [FATE_LOST, FATE_DUPLICATED, FATE_CORRUPTED, FATE_REORDERED, FATE_QUEUE_FULL]) {
      expect(numbersWith(one.fates, bit)).not.toEqual([]);
    }
  });
});

describe('delay', () => {
  it('is exact without jitter and keeps order', () => {
    const { arrivals } = run(makeLink('delay 20ms'), 100, 0.25);
    expect(arrivals.map((a) => a.number)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    for (const arrival of arrivals) expect(arrival.atMs).toBe((arrival.number - 1) * 0.25 + 20);
  });
  it('jitter is uniform within ± jitter, reorders, and never goes below 0', () => {
    const delays = run(makeLink('delay 20ms 10ms'), 5000, 1).arrivals.map((a) => a.atMs - (a.number - 1));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(10);
    expect(Math.min(...delays)).toBeLessThan(10.1);
    expect(Math.max(...delays)).toBeLessThan(30);
    expect(delays.reduce((a, b) => a + b) / 5000).toBeCloseTo(20, 0);
    const numbers = run(makeLink('delay 20ms 10ms'), 100, 1).arrivals.map((a) => a.number);
    expect(numbers).not.toEqual([...numbers].sort((a, b) => a - b));
    expect(Math.min(...run(makeLink('delay 1ms 50ms'), 100, 1).arrivals.map((a) => a.atMs - (a.number - 1)))).toBe(0);
  });
  it('normal jitter has the standard deviation asked for', () => {
    const delays = run(makeLink('delay 100ms 10ms distribution normal'), 5000, 1).arrivals.map((a) => a.atMs - (a.number - 1) - 100);
    expect(Math.sqrt(delays.reduce((sum, d) => sum + d * d, 0) / 5000)).toBeCloseTo(10, 0);
  });
  it('correlation makes neighbours alike', () => {
    const roughness = (words: string): number => {
      const delays = run(makeLink(words), 2000, 100).arrivals.map((a) => a.atMs - (a.number - 1) * 100);
      return delays.slice(1).reduce((sum, d, i) => sum + Math.abs(d - delays[i]!), 0);
    };
    expect(roughness('delay 20ms 10ms 75%')).toBeLessThan(roughness('delay 20ms 10ms') / 2);
  });
});

describe('reorder', () => {
  it('sends the chosen ones at once, ahead of those delayed', () => {
    const { fates, arrivals } = run(makeLink('delay 10ms reorder 25%'), 2000);
    const early = numbersWith(fates, FATE_REORDERED);
    expect(early.length / 2000).toBeCloseTo(0.25, 1);
    const isEarly = new Set(early);
    for (const a of arrivals) expect(a.atMs - (a.number - 1)).toBe(isEarly.has(a.number) ? 0 : 10);
  });
  it('gap 5 with certainty is every fifth', () => {
    expect(numbersWith(run(makeLink('delay 10ms reorder 100% gap 5'), 20).fates, FATE_REORDERED)).toEqual([5, 10, 15, 20]);
  });
});

describe('rate and limit', () => {
  it('paces to the exact time of each datagram on the line, delay after it', () => {
    // 1250 bytes at 10 Mbit/s take 1 ms each.
    const link = makeLink('rate 10mbit delay 5ms');
    for (let n = 1; n <= 4; n++) link.offer(new Uint8Array(1250), 0, n);
    expect(drain(link, 100).map((a) => a.atMs)).toEqual([6, 7, 8, 9]);
    link.offer(new Uint8Array(2500), 50, 5);
    expect(drain(link, 100).map((a) => a.atMs)).toEqual([57]);
  });
  it('drops at the tail when the queue is full, and a lost datagram takes no room', () => {
    const link = makeLink('rate 10mbit limit 3 drop-nth 1');
    const fates = [1, 2, 3, 4, 5].map((n) => link.offer(new Uint8Array(1250), 0, n));
    expect(fates).toEqual([FATE_LOST, FATE_DELIVERED, FATE_DELIVERED, FATE_DELIVERED, FATE_QUEUE_FULL]);
    expect(link.held).toBe(3);
    expectAccounted(link);
    expect(drain(link, 100).map((a) => [a.number, a.atMs])).toEqual([[2, 1], [3, 2], [4, 3]]);
    expectAccounted(link);
  });
  it('the limit counts delayed datagrams as netem does', () => {
    const link = makeLink('delay 100ms limit 10');
    for (let n = 1; n <= 15; n++) link.offer(new Uint8Array(1), n, n);
    expect(link.counters.queueFull).toBe(5);
    expect(drain(link, 1000)).toHaveLength(10);
  });
});

describe('setProfile', () => {
  it('holds for later datagrams; those held keep their time and come first when due first', () => {
    const link = makeLink('delay 10ms');
    link.offer(new Uint8Array(1), 0, 1);
    link.setProfile(parseProfile(''));
    link.offer(new Uint8Array(1), 4, 2);
    link.offer(new Uint8Array(1), 12, 3);
    expect(drain(link, 20).map((a) => [a.number, a.atMs])).toEqual([[2, 4], [1, 10], [3, 12]]);
  });
  it('refuses a profile that makes no sense and keeps the old one', () => {
    const link = makeLink('delay 10ms');
    const broken = { ...parseProfile(''), reorder: { probability: 1, correlation: 0, gap: 1 } };
    expect(() => link.setProfile(broken)).toThrow('reorder does nothing');
    expect(link.profile).toEqual(parseProfile('delay 10ms'));
  });
  it('a change elsewhere keeps the state of a loss model, and exact drops count on', () => {
    const link = makeLink('loss gemodel 100% 0.001%');
    link.offer(new Uint8Array(1), 0, 1);
    link.setProfile(parseProfile('loss gemodel 100% 0.001% delay 5ms drop-nth 3'));
    expect(link.offer(new Uint8Array(1), 0, 2)).toBe(FATE_LOST);
    link.setProfile(parseProfile('drop-nth 3,4'));
    expect([3, 4, 5].map((n) => link.offer(new Uint8Array(1), 0, n))).toEqual([FATE_LOST, FATE_LOST, FATE_DELIVERED]);
  });
});
