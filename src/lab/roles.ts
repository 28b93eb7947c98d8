/** What the processes of an experiment are told, and what they report: lines of JSON on standard output. */
import type { Millis } from '../core/machine.ts';
import type { LossCell, LossSweep } from './loss-sweep.ts';

/** A process can be sent to; it begins to send; it is through; one transfer of several is. */
export type Milestone = 'ready' | 'started' | 'result' | 'transfer';

/** Address 127.0.0.1, and this port. */
export interface Ready {
  readonly port: number;
}

/** `atMs` is on a clock that all processes share: since 1970, fractional. */
export interface Started {
  readonly atMs: Millis;
}

/** What a process measured after warming up. */
export interface Measured {
  readonly bytes: number;
  readonly elapsedMs: Millis;
  /** Of this process, user and system. */
  readonly cpuMs: Millis;
}

/** Of a whole transfer. */
export interface Received {
  readonly bytes: number;
  /** When the last byte came. */
  readonly lastAtMs: Millis;
  /** The stream came to its end. */
  readonly isComplete: boolean;
}

export interface StreamReceived {
  readonly measured: Measured;
  readonly whole: Received;
}

/** The transport's counters; 0 for node:net, which does not tell. */
export interface StreamSent {
  readonly measured: Measured;
  readonly sentBytes: number;
  readonly retransmissions: number;
  readonly timeouts: number;
  /** Payload of a full segment; 0 for node:net. */
  readonly segmentBytes: number;
}

export interface DatagramSent {
  readonly measured: Measured;
  /** Datagrams given up for lost because no credit came. */
  readonly writtenOff: number;
}

export interface Transferred {
  readonly cell: LossCell;
}

export interface ReceiveParameters {
  /** Counts from so long after the first byte on; before, code is compiled and windows open. */
  readonly warmUpMs: Millis;
}

export interface StreamReceiveParameters extends ReceiveParameters {
  readonly transport: 'failmask' | 'tcp';
}

export interface StreamSendParameters extends ReceiveParameters {
  readonly transport: 'failmask' | 'tcp';
  readonly port: number;
  /** Whichever is reached first ends the transfer. */
  readonly durationMs?: Millis;
  readonly sizeBytes?: number;
  readonly mtuBytes?: number;
  readonly congestion?: string;
}

export interface DatagramSendParameters extends ReceiveParameters {
  readonly port: number;
  readonly datagramBytes: number;
  readonly durationMs: Millis;
}

export interface PacedSendParameters {
  readonly port: number;
  readonly datagramBytes: number;
  readonly sizeBytes: number;
  readonly rateBitsPerSecond: number;
}

export interface ProxyParameters {
  readonly targetPort: number;
  readonly sweep: LossSweep;
  readonly lossProbability: number;
  readonly seed: number;
}

export interface SimulateParameters {
  readonly sweep: LossSweep;
  /** This process runs the transfers number `index`, `index + of`, … of the sweep. */
  readonly index: number;
  readonly of: number;
}

export interface RoleParameters {
  'stream-receive': StreamReceiveParameters;
  'stream-send': StreamSendParameters;
  'datagram-receive': ReceiveParameters;
  'datagram-send': DatagramSendParameters;
  'paced-receive': Record<string, never>;
  'paced-send': PacedSendParameters;
  proxy: ProxyParameters;
  simulate: SimulateParameters;
}

export type RoleName = keyof RoleParameters;

/** Milliseconds since 1970 on the monotonic clock, comparable between processes of one machine. */
export function sharedNow(): Millis {
  return performance.timeOrigin + performance.now();
}

/** One line to the process that runs the experiment. */
export function report(milestone: Milestone, fields: object): void {
  process.stdout.write(`${JSON.stringify({ milestone, ...fields })}\n`);
}
