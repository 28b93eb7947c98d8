import type { Millis } from '../core/machine.ts';
import type { ReplicaId } from './replica.ts';

/** Who is taken for dead. A suspicion can be wrong, and is taken back when its object is heard again. */
export interface Detector {
  /** Whom to watch from now on; others are forgotten. */
  watch(peers: readonly ReplicaId[], now: Millis): void;
  heard(peer: ReplicaId, now: Millis): void;
  /** A connection has died: evidence, and no proof. */
  lost(peer: ReplicaId, now: Millis): void;
  suspects(peer: ReplicaId): boolean;
  /** Suspicions that were taken back. */
  readonly falseSuspicions: number;
  nextTimeout(): Millis;
  handleTimeout(now: Millis): void;
}

export interface TimeoutDetectorOptions {
  /** Everybody says something at least so often. */
  readonly heartbeatMs: Millis;
  /** Silence below this is never suspected. */
  readonly minTimeoutMs: Millis;
  readonly maxTimeoutMs: Millis;
}

interface Watched {
  heardMs: Millis;
  /** Of the time between two signs of life: mean and mean deviation (Jacobson 1988). */
  meanMs: Millis;
  deviationMs: Millis;
  /** Silence, in ticks: whoever was stopped himself has missed one tick only. */
  silentTicks: number;
  /** What dead connections add to it, in ticks. */
  lostTicks: number;
  isSuspected: boolean;
}

const GAIN = 1 / 8;
const DEVIATIONS = 4;
/** Silence that a dead connection is worth: a suspicion comes in half the time. */
const LOSS_TICKS_SHARE = 0.5;

/** Suspects whoever is silent for longer than its usual silence and four deviations, counted in ticks of half a heartbeat. */
export class TimeoutDetector implements Detector {
  readonly #options: TimeoutDetectorOptions;
  readonly #tickMs: Millis;
  readonly #watched = new Map<ReplicaId, Watched>();
  #nextTickMs: Millis = Infinity;
  falseSuspicions = 0;

  constructor(options: TimeoutDetectorOptions) {
    this.#options = options;
    this.#tickMs = options.heartbeatMs / 2;
  }

  watch(peers: readonly ReplicaId[], now: Millis): void {
    const wanted = new Set(peers);
    for (const id of this.#watched.keys()) if (!wanted.has(id)) this.#watched.delete(id);
    for (const id of wanted) {
      if (this.#watched.has(id)) continue;
      this.#watched.set(id, { heardMs: now, meanMs: this.#options.heartbeatMs, deviationMs: this.#options.heartbeatMs / 2, silentTicks: 0, lostTicks: 0, isSuspected: false });
    }
    if (this.#watched.size === 0) this.#nextTickMs = Infinity;
    else if (this.#nextTickMs === Infinity) this.#nextTickMs = now + this.#tickMs;
  }

  heard(peer: ReplicaId, now: Millis): void {
    const watched = this.#watched.get(peer);
    if (watched === undefined) return;
    // No longer than what its ticks say: while we were stopped ourselves, nobody could be heard.
    const sampleMs = Math.min(now - watched.heardMs, (watched.silentTicks + 1) * this.#tickMs);
    watched.heardMs = now;
    watched.silentTicks = 0;
    watched.lostTicks = 0;
    // Many signs at once say nothing about silence.
    if (sampleMs >= this.#options.heartbeatMs / 2) {
      watched.deviationMs += GAIN * (Math.abs(sampleMs - watched.meanMs) - watched.deviationMs);
      watched.meanMs += GAIN * (sampleMs - watched.meanMs);
    }
    if (!watched.isSuspected) return;
    watched.isSuspected = false;
    this.falseSuspicions++;
  }

  lost(peer: ReplicaId, _now: Millis): void {
    const watched = this.#watched.get(peer);
    if (watched !== undefined) watched.lostTicks += LOSS_TICKS_SHARE * this.#limit(watched);
  }

  suspects(peer: ReplicaId): boolean {
    return this.#watched.get(peer)?.isSuspected ?? false;
  }

  nextTimeout(): Millis {
    return this.#nextTickMs;
  }

  handleTimeout(now: Millis): void {
    if (now < this.#nextTickMs) return;
    this.#nextTickMs = now + this.#tickMs;
    for (const watched of this.#watched.values()) {
      watched.silentTicks++;
      if (watched.silentTicks + watched.lostTicks > this.#limit(watched)) watched.isSuspected = true;
    }
  }

  /** In ticks. */
  #limit({ meanMs, deviationMs }: Watched): number {
    const { minTimeoutMs, maxTimeoutMs } = this.#options;
    return Math.min(Math.max(meanMs + DEVIATIONS * deviationMs, minTimeoutMs), maxTimeoutMs) / this.#tickMs;
  }
}

/** Knows, since the simulator tells it: what no real network offers, and what k+1 members need. */
export class PerfectDetector implements Detector {
  readonly #isDead: (peer: ReplicaId) => boolean;
  readonly falseSuspicions = 0;

  constructor(isDead: (peer: ReplicaId) => boolean) {
    this.#isDead = isDead;
  }

  watch(): void {}

  heard(): void {}

  lost(): void {}

  suspects(peer: ReplicaId): boolean {
    return this.#isDead(peer);
  }

  nextTimeout(): Millis {
    return Infinity;
  }

  handleTimeout(): void {}
}
