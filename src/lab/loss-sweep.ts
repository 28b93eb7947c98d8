/**
 * lab: experiments on the whole system, in the simulator and with real processes, and what their numbers mean. It knows
 * how to run and to judge them; how they look on a terminal is the command line's business.
 */
import type { Millis } from '../core/machine.ts';
import { formatProfile, parseProfile, type LinkProfile } from '../link/profile.ts';
import { DEFAULT_CONFIG } from '../tcp/config.ts';
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
  /** Bytes sent ÷ bytes useful, of transfers in which any arrived. */
  readonly overhead: Spread | undefined;
  /** Share of the bytes that arrived. */
  readonly arrived: Spread;
}

/** Segments of `mtuBytes` that fill the link for one round trip: its bandwidth-delay product. */
export function bdpSegments(sweep: Pick<LossSweep, 'rateBitsPerSecond' | 'rttMs' | 'mtuBytes'>): number {
  return Math.max(1, Math.round((sweep.rateBitsPerSecond * sweep.rttMs) / 8000 / sweep.mtuBytes));
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

/**
 * The sweep that the README shows. Windows of one and two bandwidth-delay products for `fixed`; the queue behind the
 * line takes the larger one.
 */
export function defaultSweep(seed: number, seeds: number): LossSweep {
  const link = { rateBitsPerSecond: 50e6, rttMs: 40, mtuBytes: DEFAULT_CONFIG.mtuBytes };
  const window = bdpSegments(link);
  return {
    ...link,
    lossProbabilities: [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4],
    limit: 400,
    sizeBytes: 8 << 20,
    contestants: [PLAIN_UDP, 'newreno', `fixed:${window}`, `fixed:${2 * window}`],
    seeds: Array.from({ length: seeds }, (_, i) => (seed + i) >>> 0),
    capMs: 60_000,
  };
}

/** Everything to run, one entry a transfer; the seeds of one cell stand apart, so that a slow minute does not hit one cell. */
export function transfersOf(sweep: LossSweep): { contestant: string; lossProbability: number; seed: number }[] {
  return sweep.seeds.flatMap((seed) =>
    sweep.lossProbabilities.flatMap((lossProbability) => sweep.contestants.map((contestant) => ({ contestant, lossProbability, seed }))));
}

export function goodputOf({ usefulBytes, elapsedMs }: Pick<LossCell, 'usefulBytes' | 'elapsedMs'>): number {
  return elapsedMs > 0 ? (usefulBytes * 8000) / elapsedMs : 0;
}

/** One row for each contestant and loss rate that has cells, in the order of the sweep. */
export function summarize(sweep: LossSweep, cells: readonly LossCell[]): LossRow[] {
  const rows: LossRow[] = [];
  for (const contestant of sweep.contestants) {
    for (const lossProbability of sweep.lossProbabilities) {
      const own = cells.filter((cell) => cell.contestant === contestant && cell.lossProbability === lossProbability);
      if (own.length === 0) continue;
      const overheads = own.filter((cell) => cell.usefulBytes > 0).map((cell) => cell.sentBytes / cell.usefulBytes);
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
