import type { Millis } from '../core/machine.ts';
import { linkOf, PLAIN_UDP, type LossCell, type LossSweep } from './loss-sweep.ts';
import { RoleProcess } from './role-process.ts';
import { sharedNow, type Ready, type Received, type Started, type StreamReceived, type StreamSent } from './roles.ts';

const START_TIMEOUT_MS = 20_000;
const REPORT_TIMEOUT_MS = 5000;
/** Plain UDP is over when nothing can be on its way any more. */
const QUIET_RTTS = 5;
const QUIET_MS = 200;

/** One transfer between two processes through a proxy in a third. Rejects when a process fails; none is left behind. */
export async function transferOverSockets(sweep: LossSweep, contestant: string, lossProbability: number, seed: number): Promise<LossCell> {
  const started: RoleProcess<'stream-receive' | 'paced-receive' | 'proxy' | 'stream-send' | 'paced-send'>[] = [];
  try {
    const receiver = contestant === PLAIN_UDP
      ? new RoleProcess('paced-receive', {})
      : new RoleProcess('stream-receive', { transport: 'failmask', warmUpMs: 0 });
    started.push(receiver);
    const { port: targetPort } = await receiver.report<Ready>('ready', START_TIMEOUT_MS);
    const proxy = new RoleProcess('proxy', { targetPort, sweep, lossProbability, seed });
    started.push(proxy);
    const { port } = await proxy.report<Ready>('ready', START_TIMEOUT_MS);
    const { mtuBytes, sizeBytes, rateBitsPerSecond, capMs } = sweep;
    if (contestant === PLAIN_UDP) {
      const sender = new RoleProcess('paced-send', { port, datagramBytes: mtuBytes, sizeBytes, rateBitsPerSecond });
      started.push(sender);
      const { atMs } = await sender.report<Started>('started', START_TIMEOUT_MS);
      const { sentBytes } = await sender.report<{ sentBytes: number }>('result', capMs);
      await sleep(sweep.rttMs * QUIET_RTTS + QUIET_MS + queueMs(sweep));
      receiver.finish();
      const { bytes, lastAtMs } = await receiver.report<Received>('result', REPORT_TIMEOUT_MS);
      return {
        contestant, lossProbability, seed, isFinished: bytes === sizeBytes, elapsedMs: lastAtMs - atMs, usefulBytes: bytes, sentBytes, retransmissions: 0, violations: [],
      };
    }
    const sender = new RoleProcess('stream-send', { transport: 'failmask', port, mtuBytes, sizeBytes, congestion: contestant, warmUpMs: 0 });
    started.push(sender);
    const { atMs } = await sender.report<Started>('started', START_TIMEOUT_MS);
    const isOver = await Promise.race([
      receiver.report('result', capMs + START_TIMEOUT_MS).then(() => true),
      sleep(Math.max(0, atMs + capMs - sharedNow())).then(() => false),
    ]);
    if (!isOver) receiver.finish();
    const { whole } = await receiver.report<StreamReceived>('result', REPORT_TIMEOUT_MS);
    sender.finish();
    const sent = await sender.report<StreamSent>('result', REPORT_TIMEOUT_MS);
    const isFinished = whole.isComplete && whole.bytes === sizeBytes;
    return {
      contestant, lossProbability, seed, isFinished, elapsedMs: isFinished ? whole.lastAtMs - atMs : capMs,
      usefulBytes: whole.bytes, sentBytes: sent.sentBytes, retransmissions: sent.retransmissions, violations: [],
    };
  } finally {
    await Promise.all(started.map((role) => role.kill()));
  }
}

/** What a full queue takes to drain. */
function queueMs(sweep: LossSweep): Millis {
  return (linkOf(sweep, 0).limit * sweep.mtuBytes * 8000) / sweep.rateBitsPerSecond;
}

function sleep(ms: Millis): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
