/**
 * lab: experiments on the whole system, in the simulator and with real processes, and what their numbers mean. It knows
 * how to run and to judge them; how they look on a terminal is the command line's business.
 */
import type { Millis } from '../core/machine.ts';
import { formatProfile, parseProfile, type LinkProfile } from '../link/profile.ts';
import { DEFAULT_CONFIG, payloadRoom } from '../tcp/config.ts';
import { CRC_BYTES, TIMESTAMPS_BYTES } from '../wire/options.ts';
import { spreadOf, type Spread } from './statistics.ts';

/** Datagrams sent once, at the rate of the line, and not a word about which of them arrive. */
export const PLAIN_UDP = 'udp';

/** One transfer over a link with a loss rate, for each loss rate, contestant and seed. */
export interface LossSweep {
  /** Of each datagram, in each direction; in [0, 1). */
  readonly lossProbabilities: readonly number[];
  readonly rateBitsPerSecond: number;
  /** Half of it each way. */
  readonly rttMs: Millis;
  /** Datagrams that each direction holds, those on their way included. */
  readonly limit: number;
  readonly mtuBytes: number;
  /** Bytes to transfer. */
  readonly sizeBytes: number;
  /** `udp`, or what the transport's `congestion` takes. */
  readonly contestants: readonly string[];
  readonly seeds: readonly number[];
  /** A transfer that takes longer is stopped, and what has arrived counts. */
  readonly capMs: Millis;
}

/** One transfer. */
export interface LossCell {
  readonly contestant: string;
  readonly lossProbability: number;
  readonly seed: number;
  /** All bytes had arrived, in order, before the cap. Plain UDP finishes only if nothing is lost. */
  readonly isFinished: boolean;
  /** From the first attempt to connect to the last byte; the cap if it struck. */
  readonly elapsedMs: Millis;
  /** Bytes handed to the receiving application. */
  readonly usefulBytes: number;
  /** Payload bytes sent, each transmission counted. */
  readonly sentBytes: number;
  readonly retransmissions: number;
  /** What the simulator's checkers found; empty on sockets. */
  readonly violations: readonly string[];
}

/** The cells of one contestant at one loss rate. */
export interface LossRow {
  readonly contestant: string;
  readonly lossProbability: number;
  readonly transfers: number;
  readonly finished: number;
  readonly goodputBitsPerSecond: Spread;
  readonly seconds: Spread;
  /** See `overheadOf`; of transfers in which anything was sent. */
  readonly overhead: Spread | undefined;
  /** Share of the bytes that arrived. */
  readonly arrived: Spread;
}

/** Segments of `mtuBytes` that fill the link for one round trip: its bandwidth-delay product. */
export function bdpSegments({ rateBitsPerSecond, rttMs, mtuBytes }: SweepLink): number {
  return Math.max(1, Math.round((rateBitsPerSecond * rttMs) / 8000 / mtuBytes));
}

/** Each direction of the link. */
export function linkOf(sweep: LossSweep, lossProbability: number): LinkProfile {
  const { rateBitsPerSecond, rttMs, limit } = sweep;
  const link = parseProfile(`delay ${rttMs / 2}ms rate ${rateBitsPerSecond}bit limit ${limit}`);
  return { ...link, loss: { model: 'random', probability: lossProbability, correlation: 0 } };
}

/** The link in the words of the proxy, without the loss that varies. */
export function describeLink(sweep: LossSweep): string {
  return formatProfile(linkOf(sweep, 0));
}

/** What arrives of datagrams that are sent at the rate of the line: (1−p) of it. */
export function idealBitsPerSecond(sweep: Pick<LossSweep, 'rateBitsPerSecond'>, lossProbability: number): number {
  return (1 - lossProbability) * sweep.rateBitsPerSecond;
}

/** Each datagram has to be sent 1/(1−p) times until one arrives. */
export function idealOverhead(lossProbability: number): number {
  return 1 / (1 - lossProbability);
}

export type SweepLink = Pick<LossSweep, 'rateBitsPerSecond' | 'rttMs' | 'mtuBytes'>;

export const DEFAULT_LINK: SweepLink = { rateBitsPerSecond: 50e6, rttMs: 40, mtuBytes: DEFAULT_CONFIG.mtuBytes };

/** What goes with a link: `fixed` with a window of one and of two bandwidth-delay products, and a queue that takes the larger one. */
export function fitToLink(link: SweepLink): Pick<LossSweep, 'contestants' | 'limit'> {
  const window = bdpSegments(link);
  return {
    contestants: [PLAIN_UDP, 'newreno', `fixed:${window}`, `fixed:${2 * window}`],
    limit: Math.ceil(2.5 * window),
  };
}

/** `count` seeds from `first` on. */
export function seedsFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => (first + i) >>> 0);
}

/** Everything to run, one entry a transfer; the seeds of one cell stand apart, so that a slow minute does not hit one cell. */
export function transfersOf(sweep: LossSweep): { contestant: string; lossProbability: number; seed: number }[] {
  return sweep.seeds.flatMap((seed) =>
    sweep.lossProbabilities.flatMap((lossProbability) => sweep.contestants.map((contestant) => ({ contestant, lossProbability, seed }))));
}

export function goodputOf({ usefulBytes, elapsedMs }: Pick<LossCell, 'usefulBytes' | 'elapsedMs'>): number {
  return elapsedMs > 0 ? (usefulBytes * 8000) / elapsedMs : 0;
}

/**
 * Bytes sent ÷ bytes delivered. In a transfer that was stopped, much may have arrived behind a hole, where it is no use
 * yet: there, bytes sent ÷ bytes sent at least once. Undefined when there is nothing to divide by.
 */
export function overheadOf({ mtuBytes }: Pick<LossSweep, 'mtuBytes'>, cell: LossCell): number | undefined {
  const { contestant, isFinished, sentBytes, usefulBytes, retransmissions } = cell;
  const isWhole = isFinished || contestant === PLAIN_UDP;
  const once = isWhole ? usefulBytes : sentBytes - retransmissions * payloadRoom(mtuBytes, TIMESTAMPS_BYTES + CRC_BYTES);
  return once > 0 ? sentBytes / once : undefined;
}

/** One row for each contestant and loss rate that has cells, in the order of the sweep. */
export function summarize(sweep: LossSweep, cells: readonly LossCell[]): LossRow[] {
  const rows: LossRow[] = [];
  for (const contestant of sweep.contestants) {
    for (const lossProbability of sweep.lossProbabilities) {
      const own = cells.filter((cell) => cell.contestant === contestant && cell.lossProbability === lossProbability);
      if (own.length === 0) continue;
      const overheads = own.map((cell) => overheadOf(sweep, cell)).filter((overhead) => overhead !== undefined);
      rows.push({
        contestant,
        lossProbability,
        transfers: own.length,
        finished: own.filter((cell) => cell.isFinished).length,
        goodputBitsPerSecond: spreadOf(own.map(goodputOf)),
        seconds: spreadOf(own.map((cell) => cell.elapsedMs / 1000)),
        overhead: overheads.length === 0 ? undefined : spreadOf(overheads),
        arrived: spreadOf(own.map((cell) => cell.usefulBytes / sweep.sizeBytes)),
      });
    }
  }
  return rows;
}
