import type { Millis } from '../core/machine.ts';
import { receiveBufferErrors } from './environment.ts';
import { RoleProcess } from './role-process.ts';
import type { DatagramSent, Measured, Ready, StreamReceived, StreamSent } from './roles.ts';
import { spreadOf, type Spread } from './statistics.ts';

/** What sends over loopback, without a proxy and without loss. */
export interface Contestant {
  /** `dgram` is plain UDP under a window of credit; `tcp` is node:net. */
  readonly transport: 'dgram' | 'tcp' | 'failmask';
  /** Largest UDP payload; 0 for node:net. */
  readonly mtuBytes: number;
  /** Of failmask. */
  readonly congestion?: string;
}

export interface GoodputPlan {
  readonly contestants: readonly Contestant[];
  /** Each contestant runs once in each round, so that a slow minute hits all of them. */
  readonly rounds: number;
  /** Before measuring: code is compiled, windows open. */
  readonly warmUpMs: Millis;
  readonly measureMs: Millis;
}

/** One run of one contestant. */
export interface GoodputRun {
  readonly contestant: Contestant;
  readonly round: number;
  readonly bytesPerSecond: number;
  /** CPU time for a datagram with payload, µs; undefined where nobody knows how many there were. */
  readonly senderMicros: number | undefined;
  readonly receiverMicros: number | undefined;
  /** CPU time for a byte, ns. */
  readonly senderNanosPerByte: number;
  readonly receiverNanosPerByte: number;
  readonly retransmissions: number;
  /** Datagrams that the kernel dropped during the run, of all processes; undefined where it does not say. */
  readonly receiveBufferErrors: number | undefined;
}

export interface GoodputRow {
  readonly contestant: Contestant;
  readonly bytesPerSecond: Spread;
  /** To plain dgram with datagrams of the same size, of the same round. */
  readonly toDgram: Spread | undefined;
  /** To node:net of the same round. */
  readonly toTcp: Spread | undefined;
  readonly senderMicros: Spread | undefined;
  readonly receiverMicros: Spread | undefined;
  readonly retransmissions: Spread;
  readonly receiveBufferErrors: Spread | undefined;
}

/** A UDP payload that fits an Ethernet frame even inside IPv6, and one that is as fast as still larger ones. */
const DATAGRAM_SIZES = [1452, 32_768];
const CONTROLLERS = ['newreno', 'fixed'];

export function defaultPlan(rounds: number): GoodputPlan {
  return {
    contestants: [
      { transport: 'tcp', mtuBytes: 0 },
      ...DATAGRAM_SIZES.flatMap((mtuBytes): Contestant[] => [
        { transport: 'dgram', mtuBytes },
        ...CONTROLLERS.map((congestion): Contestant => ({ transport: 'failmask', mtuBytes, congestion })),
      ]),
    ],
    rounds,
    warmUpMs: 300,
    measureMs: 700,
  };
}

const START_TIMEOUT_MS = 20_000;
/** Enough to drain what is buffered and to end. */
const END_TIMEOUT_MS = 10_000;

/** Runs all rounds, one contestant after the other. Rejects when a process fails; none is left behind. */
export async function measureGoodput(plan: GoodputPlan, onRun: (run: GoodputRun, done: number, total: number) => void): Promise<GoodputRun[]> {
  const runs: GoodputRun[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    for (const contestant of plan.contestants) {
      const run = await measureOnce(plan, contestant, round);
      runs.push(run);
      onRun(run, runs.length, plan.rounds * plan.contestants.length);
    }
  }
  return runs;
}

async function measureOnce(plan: GoodputPlan, contestant: Contestant, round: number): Promise<GoodputRun> {
  const errorsBefore = receiveBufferErrors();
  const pair = contestant.transport === 'dgram' ? await runDatagrams(plan, contestant) : await runStream(plan, contestant);
  const errorsAfter = receiveBufferErrors();
  const { sender, receiver, payloadBytes, retransmissions } = pair;
  const perPayload = (measured: Measured): number | undefined => (payloadBytes > 0 ? (measured.cpuMs * 1000 * payloadBytes) / measured.bytes : undefined);
  return {
    contestant,
    round,
    bytesPerSecond: (receiver.bytes * 1000) / receiver.elapsedMs,
    senderMicros: perPayload(sender),
    receiverMicros: perPayload(receiver),
    senderNanosPerByte: (sender.cpuMs * 1e6) / sender.bytes,
    receiverNanosPerByte: (receiver.cpuMs * 1e6) / receiver.bytes,
    retransmissions,
    receiveBufferErrors: errorsBefore === undefined || errorsAfter === undefined ? undefined : errorsAfter - errorsBefore,
  };
}

interface Pair {
  readonly sender: Measured;
  readonly receiver: Measured;
  /** Payload of a full datagram; 0 where it is not known. */
  readonly payloadBytes: number;
  readonly retransmissions: number;
}

async function runDatagrams(plan: GoodputPlan, { mtuBytes }: Contestant): Promise<Pair> {
  const { warmUpMs } = plan;
  const durationMs = warmUpMs + plan.measureMs;
  const receiver = new RoleProcess('datagram-receive', { warmUpMs });
  let sender: RoleProcess<'datagram-send'> | undefined;
  try {
    const { port } = await receiver.report<Ready>('ready', START_TIMEOUT_MS);
    sender = new RoleProcess('datagram-send', { port, datagramBytes: mtuBytes, durationMs, warmUpMs });
    const sent = await sender.report<DatagramSent>('result', START_TIMEOUT_MS + durationMs);
    const received = await receiver.report<{ measured: Measured }>('result', END_TIMEOUT_MS);
    return { sender: sent.measured, receiver: received.measured, payloadBytes: mtuBytes, retransmissions: 0 };
  } finally {
    await Promise.all([receiver.kill(), sender?.kill()]);
  }
}

async function runStream(plan: GoodputPlan, { transport, mtuBytes, congestion }: Contestant): Promise<Pair> {
  const { warmUpMs } = plan;
  const durationMs = warmUpMs + plan.measureMs;
  const name = transport === 'tcp' ? 'tcp' : 'failmask';
  const receiver = new RoleProcess('stream-receive', { transport: name, warmUpMs });
  let sender: RoleProcess<'stream-send'> | undefined;
  try {
    const { port } = await receiver.report<Ready>('ready', START_TIMEOUT_MS);
    sender = new RoleProcess('stream-send', {
      transport: name, port, durationMs, warmUpMs, ...(name === 'tcp' ? {} : { mtuBytes }), ...(congestion === undefined ? {} : { congestion }),
    });
    const received = await receiver.report<StreamReceived>('result', START_TIMEOUT_MS + durationMs + END_TIMEOUT_MS);
    const sent = await sender.report<StreamSent>('result', END_TIMEOUT_MS);
    return { sender: sent.measured, receiver: received.measured, payloadBytes: sent.segmentBytes, retransmissions: sent.retransmissions };
  } finally {
    await Promise.all([receiver.kill(), sender?.kill()]);
  }
}

/** One row a contestant, in the plan's order. */
export function summarizeGoodput(plan: GoodputPlan, runs: readonly GoodputRun[]): GoodputRow[] {
  return plan.contestants.flatMap((contestant): GoodputRow[] => {
    const own = runs.filter((run) => isSame(run.contestant, contestant));
    if (own.length === 0) return [];
    const { transport, mtuBytes } = contestant;
    const all = (pick: (run: GoodputRun) => number | undefined): Spread | undefined => spreadOfKnown(own.map(pick));
    const ratio = (to: Contestant): Spread | undefined => spreadOfKnown(own.map((run) => {
      const other = runs.find((candidate) => candidate.round === run.round && isSame(candidate.contestant, to));
      return other === undefined || other.bytesPerSecond === 0 ? undefined : run.bytesPerSecond / other.bytesPerSecond;
    }));
    return [{
      contestant,
      bytesPerSecond: spreadOf(own.map((run) => run.bytesPerSecond)),
      toDgram: transport === 'failmask' ? ratio({ transport: 'dgram', mtuBytes }) : undefined,
      toTcp: transport === 'tcp' ? undefined : ratio({ transport: 'tcp', mtuBytes: 0 }),
      senderMicros: all((run) => run.senderMicros),
      receiverMicros: all((run) => run.receiverMicros),
      retransmissions: spreadOf(own.map((run) => run.retransmissions)),
      receiveBufferErrors: all((run) => run.receiveBufferErrors),
    }];
  });
}

function isSame(a: Contestant, b: Contestant): boolean {
  return a.transport === b.transport && a.mtuBytes === b.mtuBytes && a.congestion === b.congestion;
}

function spreadOfKnown(values: readonly (number | undefined)[]): Spread | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : spreadOf(known);
}
