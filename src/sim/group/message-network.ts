import type { Millis } from '../../core/machine.ts';
import type { Random } from '../../core/random.ts';
import type { Simulator } from '../simulator.ts';

/** What happens to messages on every path. Probabilities in [0, 1]. */
export interface Weather {
  /** Least time of a message on the slowest path; each path has its own share of it, unless `isEven`. */
  readonly delayMs: Millis;
  /** All paths are as long as the slowest: a time is a number of messages, one after the other. */
  readonly isEven?: boolean;
  /** Mean of what comes on top, drawn for each message. */
  readonly jitterMs: Millis;
  readonly loss: number;
  readonly duplication: number;
  /** False: what was sent earlier between two places arrives earlier. */
  readonly reorders: boolean;
  /** Of what meets a partition, the share that is kept and arrives after it, as a transport that repeats would do; the rest is lost. */
  readonly kept: number;
}

export const FAIR_WEATHER: Weather = { delayMs: 1, jitterMs: 0.5, loss: 0, duplication: 0, reorders: false, kept: 0 };

const MAX_KEPT = 2000;

export interface NetworkCounters {
  sent: number;
  delivered: number;
  lost: number;
  duplicated: number;
  overtook: number;
  blocked: number;
  kept: number;
}

/** Who wants to know of each message. One that is doubled is delivered twice under its number. */
export interface NetworkWatch {
  sent(message: number, from: string, to: string): void;
  delivered(message: number, from: string, to: string): void;
}

interface Path {
  readonly from: string;
  readonly to: string;
  readonly random: Random;
  /** In [0.2, 1]. */
  readonly share: number;
  /** Nothing passes while it is above 0: partitions may lie over each other. */
  blocks: number;
  /** Of the first of them. */
  blockedSinceMs: Millis;
  /** A connection that has died takes what was on its way with it. */
  connection: number;
  lastArrivalMs: Millis;
  kept: (() => void)[];
}

/** Carries messages between places, each on its own: late, lost, doubled, overtaken, or stopped by a partition. */
export class MessageNetwork {
  readonly counters: NetworkCounters = { sent: 0, delivered: 0, lost: 0, duplicated: 0, overtook: 0, blocked: 0, kept: 0 };
  weather: Weather = FAIR_WEATHER;
  watch: NetworkWatch | undefined;
  readonly #simulator: Simulator;
  readonly #random: Random;
  readonly #paths = new Map<string, Path>();

  constructor(simulator: Simulator, random: Random) {
    this.#simulator = simulator;
    this.#random = random;
  }

  isOpen(from: string, to: string): boolean {
    return this.#path(from, to).blocks === 0;
  }

  /** Something may have passed at that time, or later. */
  wasOpenSince(from: string, to: string, sinceMs: Millis): boolean {
    const path = this.#path(from, to);
    return path.blocks === 0 || path.blockedSinceMs > sinceMs;
  }

  /** In one direction. Each block is taken away by an unblock of its own. */
  block(from: string, to: string): void {
    const path = this.#path(from, to);
    if (path.blocks++ === 0) path.blockedSinceMs = this.#simulator.now;
  }

  unblock(from: string, to: string): void {
    const path = this.#path(from, to);
    path.blocks--;
    if (path.blocks > 0) return;
    const { kept } = path;
    path.kept = [];
    for (const deliver of kept) this.#schedule(path, deliver);
  }

  /** The connection between two places dies, with all that was on its way. */
  breakConnection(a: string, b: string): void {
    for (const path of [this.#path(a, b), this.#path(b, a)]) {
      path.connection++;
      path.kept = [];
    }
  }

  send(from: string, to: string, deliver: () => void): void {
    const path = this.#path(from, to);
    const { loss, duplication, kept } = this.weather;
    const message = this.counters.sent++;
    if (this.watch !== undefined) deliver = this.#watched(this.watch, message, path, deliver);
    if (path.random.chance(loss)) {
      this.counters.lost++;
      return;
    }
    if (path.blocks > 0) {
      this.counters.blocked++;
      if (!path.random.chance(kept) || path.kept.length >= MAX_KEPT) return;
      this.counters.kept++;
      path.kept.push(deliver);
      return;
    }
    this.#schedule(path, deliver);
    if (!path.random.chance(duplication)) return;
    this.counters.duplicated++;
    this.#schedule(path, deliver);
  }

  #watched(watch: NetworkWatch, message: number, { from, to }: Path, deliver: () => void): () => void {
    watch.sent(message, from, to);
    return () => {
      watch.delivered(message, from, to);
      deliver();
    };
  }

  /** Time of one message, as drawn. */
  drawDelayMs(from: string, to: string): Millis {
    return this.#delayMs(this.#path(from, to));
  }

  #delayMs({ random, share }: Path): Millis {
    const { delayMs, isEven, jitterMs } = this.weather;
    return (isEven === true ? delayMs : share * delayMs) + random.exponential(jitterMs);
  }

  #schedule(path: Path, deliver: () => void): void {
    const { connection } = path;
    let arrivalMs = this.#simulator.now + this.#delayMs(path);
    if (arrivalMs < path.lastArrivalMs) {
      if (this.weather.reorders) this.counters.overtook++;
      else arrivalMs = path.lastArrivalMs;
    }
    path.lastArrivalMs = Math.max(path.lastArrivalMs, arrivalMs);
    this.#simulator.at(arrivalMs, () => {
      if (path.connection !== connection) return;
      // A partition that came in the meantime stops it, too.
      if (path.blocks > 0) {
        this.counters.blocked++;
        return;
      }
      this.counters.delivered++;
      deliver();
    });
  }

  #path(from: string, to: string): Path {
    const name = `${from}>${to}`;
    let path = this.#paths.get(name);
    if (path === undefined) {
      const random = this.#random.fork(name);
      path = { from, to, random, share: 0.2 + 0.8 * random.unit(), blocks: 0, blockedSinceMs: 0, connection: 0, lastArrivalMs: 0, kept: [] };
      this.#paths.set(name, path);
    }
    return path;
  }
}
