import { createRandom, type Random } from '../../core/random.ts';
import { TimeoutDetector } from '../../group/detector.ts';
import { textTable } from '../../report/table.ts';
import type { Words } from './english.ts';
import type { Exhibit } from './exhibit.ts';

const HEARTBEAT_MS = 50;
const MEAN_DELAY_MS = 25;
const LOSS = 0.1;
/** Of a life that is watched, for false suspicions. */
const LIFE_MS = 3_600_000 / 4;
const CRASHES = 50;
/** Of a life before it ends, so that the detector has got used to it. */
const SETTLED_MS = 5000;
const TIMEOUTS_MS = [100, 150, 200, 300, 500, 1000, 2000] as const;
const BAR_WIDTH = 18;

export interface DetectionPoint {
  /** Undefined: what the detector learns from the heartbeats. */
  readonly timeoutMs: number | undefined;
  /** From a crash to the suspicion, mean. */
  readonly detectedAfterMs: number;
  /** Of somebody who lives. */
  readonly falsePerHour: number;
}

/** The product's detector, at fixed timeouts and left to itself, over a network that delays and loses heartbeats. */
export function detectionCurve(seed: number): DetectionPoint[] {
  return [...TIMEOUTS_MS, undefined].map((timeoutMs) => {
    const random = createRandom(seed).fork(`detection ${timeoutMs}`);
    const make = (): TimeoutDetector => new TimeoutDetector({ heartbeatMs: HEARTBEAT_MS, minTimeoutMs: timeoutMs ?? HEARTBEAT_MS, maxTimeoutMs: timeoutMs ?? 60_000 });
    const living = make();
    watch(living, random, LIFE_MS, LIFE_MS);
    let sum = 0;
    for (let i = 0; i < CRASHES; i++) sum += watch(make(), random, SETTLED_MS + HEARTBEAT_MS * random.unit(), SETTLED_MS + 100_000);
    return { timeoutMs, detectedAfterMs: sum / CRASHES, falsePerHour: living.falseSuspicions * (3_600_000 / LIFE_MS) };
  });
}

export function detection(seed: number, words: Words): Exhibit {
  const { title, legend, header, adaptive, perfect } = words.detection;
  const points = detectionCurve(seed);
  const longest = Math.max(...points.map(({ detectedAfterMs }) => detectedAfterMs));
  const most = Math.log10(1 + Math.max(...points.map(({ falsePerHour }) => falsePerHour)));
  const rows = points.map(({ timeoutMs, detectedAfterMs, falsePerHour }) => [
    timeoutMs === undefined ? adaptive : `${timeoutMs} ms`, `${Math.round(detectedAfterMs)} ms`, bar(detectedAfterMs / longest), falsePerHour, bar(Math.log10(1 + falsePerHour) / most),
  ]);
  const fixed = points.filter(({ timeoutMs }) => timeoutMs !== undefined);
  return {
    title,
    text: `${legend(HEARTBEAT_MS, MEAN_DELAY_MS, LOSS)}\n${textTable(header, [...rows, [perfect, '0 ms', '', 0]])}`,
    // Whoever waits longer suspects fewer, and detects later.
    isShown: fixed.every((point, i) => i === 0 || (point.detectedAfterMs > fixed[i - 1]!.detectedAfterMs && point.falsePerHour <= fixed[i - 1]!.falsePerHour)) && fixed[0]!.falsePerHour > 0,
  };
}

/** Somebody beats until `untilMs`, and is watched until it is suspected after that, or until `endMs`. Returns how long that takes, in milliseconds. */
function watch(detector: TimeoutDetector, random: Random, untilMs: number, endMs: number): number {
  detector.watch(['m1'], 0);
  let sentMs = 0;
  // Heartbeats keep their order, as over a transport.
  let arrivalMs = 0;
  const next = (): void => {
    do sentMs += HEARTBEAT_MS; while (random.chance(LOSS));
    arrivalMs = sentMs > untilMs ? Infinity : Math.max(arrivalMs, sentMs + random.exponential(MEAN_DELAY_MS));
  };
  next();
  for (let now = 0; now < endMs; ) {
    now = Math.min(arrivalMs, detector.nextTimeout());
    if (now === arrivalMs) {
      detector.heard('m1', now);
      next();
      continue;
    }
    detector.handleTimeout(now);
    if (arrivalMs === Infinity && now > untilMs && detector.suspects('m1')) return now - untilMs;
  }
  return endMs - untilMs;
}

/** `share` in [0, 1]. */
function bar(share: number): string {
  return '█'.repeat(Math.round(share * BAR_WIDTH));
}
