import { describe, expect, it } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import { PerfectDetector, TimeoutDetector, type TimeoutDetectorOptions } from '../../src/group/detector.ts';

const OPTIONS: TimeoutDetectorOptions = { heartbeatMs: 100, minTimeoutMs: 400, maxTimeoutMs: 3000 };
const TICK_MS = 50;

/** A detector whose clock the test turns, and peers that speak now and then. */
class Watch {
  now = 0;
  readonly detector: TimeoutDetector;

  constructor(peers: readonly string[], options = OPTIONS) {
    this.detector = new TimeoutDetector(options);
    this.detector.watch(peers, this.now);
  }

  /** So long, tick by tick; `speaks` says who is heard when. Returns after how long the peer was suspected. */
  run(forMs: number, speaks: (now: number) => readonly string[] = () => [], peer = 'a'): number | undefined {
    const start = this.now;
    let suspectedMs: number | undefined;
    for (const end = this.now + forMs; this.now + TICK_MS <= end;) {
      this.now += TICK_MS;
      for (const each of speaks(this.now)) this.detector.heard(each, this.now);
      if (this.detector.nextTimeout() <= this.now) this.detector.handleTimeout(this.now);
      if (this.detector.suspects(peer)) suspectedMs ??= this.now - start;
    }
    return suspectedMs;
  }
}

function every(intervalMs: number, ...peers: string[]): (now: number) => readonly string[] {
  return (now) => (now % intervalMs === 0 ? peers : []);
}

describe('the detector by timeouts', () => {
  it('does not suspect whoever speaks, and suspects whoever is silent, not before the least timeout', () => {
    const watch = new Watch(['a', 'b']);
    expect(watch.run(5000, every(100, 'a', 'b'))).toBeUndefined();
    const afterMs = watch.run(2000, every(100, 'b'));
    expect(afterMs).toBeGreaterThanOrEqual(400);
    expect(afterMs).toBeLessThan(600);
    expect(watch.detector.suspects('b')).toBe(false);
    expect(watch.detector.falseSuspicions).toBe(0);
  });

  it('takes back a suspicion when its object is heard, and counts it', () => {
    const watch = new Watch(['a']);
    watch.run(2000);
    expect(watch.detector.suspects('a')).toBe(true);
    watch.detector.heard('a', watch.now);
    expect(watch.detector.suspects('a')).toBe(false);
    expect(watch.detector.falseSuspicions).toBe(1);
    watch.detector.heard('a', watch.now);
    expect(watch.detector.falseSuspicions).toBe(1);
  });

  it('waits longer for whoever speaks seldom or at odd times, but never longer than the longest timeout', () => {
    const regular = new Watch(['a']);
    regular.run(9000, every(100, 'a'));
    const seldom = new Watch(['a']);
    seldom.run(9000, every(600, 'a'));
    const random = createRandom(7);
    const odd = new Watch(['a']);
    let next = 0;
    odd.run(20_000, (now) => {
      if (now < next) return [];
      next = now + 50 + random.below(600);
      return ['a'];
    });
    const [regularMs, seldomMs, oddMs] = [regular, seldom, odd].map((watch) => {
      watch.detector.heard('a', watch.now);
      return watch.run(5000)!;
    });
    expect(regularMs!).toBeLessThan(seldomMs!);
    expect(regularMs!).toBeLessThan(oddMs!);
    const rare = new Watch(['a']);
    rare.run(60_000, every(2500, 'a'));
    expect(rare.run(10_000)).toBeLessThanOrEqual(3000 + 2 * TICK_MS);
  });

  it('many signs at once do not make it impatient', () => {
    const watch = new Watch(['a']);
    for (let i = 0; i < 1000; i++) watch.detector.heard('a', watch.now);
    expect(watch.run(350)).toBeUndefined();
  });

  it('a connection that died brings a suspicion sooner, two at once; one sign of life makes up for it', () => {
    const silent = new Watch(['a']);
    silent.detector.lost('a', 0);
    expect(silent.run(2000)).toBeLessThan(new Watch(['a']).run(2000)!);
    const dead = new Watch(['a']);
    dead.detector.lost('a', 0);
    dead.detector.lost('a', 0);
    expect(dead.detector.suspects('a')).toBe(false);
    expect(dead.run(2000)).toBe(TICK_MS);
    const back = new Watch(['a']);
    back.detector.lost('a', 0);
    back.detector.lost('a', 0);
    back.detector.heard('a', 0);
    expect(back.run(350)).toBeUndefined();
  });

  it('whoever slept himself suspects nobody for that, and is no more patient afterwards', () => {
    const watch = new Watch(['a']);
    watch.run(5000, every(100, 'a'));
    const before = new Watch(['a']);
    before.run(5000, every(100, 'a'));
    const usualMs = before.run(5000)!;
    // Ten seconds in which nothing of ours ran; then all timers are due at once.
    watch.now += 10_000;
    watch.detector.handleTimeout(watch.now);
    expect(watch.detector.suspects('a')).toBe(false);
    expect(watch.run(200, every(100, 'a'))).toBeUndefined();
    expect(watch.detector.falseSuspicions).toBe(0);
    expect(watch.run(5000)).toBeLessThanOrEqual(usualMs + 2 * TICK_MS);
  });

  it('watches whom it is told to, forgets the others, and needs no timer for nobody', () => {
    const watch = new Watch(['a', 'b']);
    watch.run(2000);
    expect([watch.detector.suspects('a'), watch.detector.suspects('b')]).toEqual([true, true]);
    watch.detector.watch(['b', 'c'], watch.now);
    expect([watch.detector.suspects('a'), watch.detector.suspects('b'), watch.detector.suspects('c')]).toEqual([false, true, false]);
    watch.detector.heard('a', watch.now);
    watch.detector.lost('a', watch.now);
    expect(watch.detector.suspects('a')).toBe(false);
    watch.detector.watch([], watch.now);
    expect(watch.detector.nextTimeout()).toBe(Infinity);
    watch.detector.watch(['a'], watch.now);
    expect(watch.detector.nextTimeout()).toBeLessThan(Infinity);
  });

  it('there is no timeout without a late detection or a false suspicion', () => {
    const measure = (minTimeoutMs: number): { readonly falseSuspicions: number; readonly detectedMs: number } => {
      const watch = new Watch(['a'], { heartbeatMs: 100, minTimeoutMs, maxTimeoutMs: minTimeoutMs });
      const random = createRandom(3);
      let next = 0;
      watch.run(120_000, (now) => {
        if (now < next) return [];
        next = now + 50 + random.exponential(100);
        return ['a'];
      });
      return { falseSuspicions: watch.detector.falseSuspicions, detectedMs: watch.run(10_000)! };
    };
    const [short, middle, long] = [measure(200), measure(500), measure(2000)];
    expect(short.falseSuspicions).toBeGreaterThan(middle.falseSuspicions);
    expect(middle.falseSuspicions).toBeGreaterThan(long.falseSuspicions);
    expect(short.detectedMs).toBeLessThan(middle.detectedMs);
    expect(middle.detectedMs).toBeLessThan(long.detectedMs);
  });
});

describe('the perfect detector', () => {
  it('says what it is told, whatever is heard', () => {
    const dead = new Set<string>();
    const detector = new PerfectDetector((peer) => dead.has(peer));
    detector.lost();
    expect(detector.suspects('a')).toBe(false);
    dead.add('a');
    detector.heard();
    expect(detector.suspects('a')).toBe(true);
    expect(detector.nextTimeout()).toBe(Infinity);
  });
});
