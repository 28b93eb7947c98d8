import { createRandom } from '../core/random.ts';
import { Link } from '../link/link.ts';
import { runScenario } from '../sim/world.ts';
import type { ApplicationSpec, HostSpec, Scenario } from '../sim/scenario.ts';
import { linkOf, PLAIN_UDP, type LossCell, type LossSweep } from './loss-sweep.ts';

/** As the sockets of real processes have it. */
const SOCKET_BUFFER_BYTES = 4 << 20;
const WRITE_BYTES = 64 * 1024;

const SILENT: ApplicationSpec = {
  writeBytes: 0, maxChunkBytes: WRITE_BYTES, writePauseMs: 0, readPauseMs: 0, closes: 'when-peer-has', holdMs: 0,
};

/** One transfer in virtual time: the same cell and seed give the same numbers on any machine. */
export function simulateCell(sweep: LossSweep, contestant: string, lossProbability: number, seed: number): LossCell {
  if (contestant === PLAIN_UDP) return simulateDatagrams(sweep, lossProbability, seed);
  let completedAtMs: number | undefined;
  const result = runScenario(scenarioOf(sweep, contestant, lossProbability, seed), {
    onTrace(now, host, event) {
      // The FIN is taken in order: all bytes before it have been read.
      if (event.type === 'state' && event['to'] === 'CLOSE-WAIT' && host === 'server') completedAtMs = now;
    },
  });
  const { client, server } = result.connections[0]!;
  const isFinished = completedAtMs !== undefined && server?.readBytes === sweep.sizeBytes;
  return {
    contestant,
    lossProbability,
    seed,
    isFinished,
    elapsedMs: isFinished ? completedAtMs! : sweep.capMs,
    usefulBytes: server?.readBytes ?? 0,
    sentBytes: client.sentBytes,
    retransmissions: client.retransmissions,
    // Whatever the cap cuts off is, for the simulator, a transfer that hangs; one that does hang is not finished.
    violations: result.violations.filter(({ checker }) => checker !== 'liveness').map(({ checker, message }) => `${checker}: ${message}`),
  };
}

function scenarioOf(sweep: LossSweep, contestant: string, lossProbability: number, seed: number): Scenario {
  const link = linkOf(sweep, lossProbability);
  const host: HostSpec = {
    config: { congestion: contestant, mtuBytes: sweep.mtuBytes }, wholeMillis: false, socketBufferBytes: SOCKET_BUFFER_BYTES,
  };
  return {
    seed,
    theme: 'loss sweep',
    deadlineMs: sweep.capMs,
    faults: [],
    server: { ...host, listens: true, backlog: 1, acceptsFromMs: 0 },
    clients: [{
      ...host,
      up: link,
      down: link,
      strips: [],
      attempts: [{ delayMs: 0, simultaneous: false, client: { ...SILENT, writeBytes: sweep.sizeBytes, closes: 'when-written' }, server: SILENT }],
    }],
  };
}

/** Datagrams at the rate of the line; nothing comes back, so the link alone decides. */
function simulateDatagrams(sweep: LossSweep, lossProbability: number, seed: number): LossCell {
  const { sizeBytes, mtuBytes, rateBitsPerSecond, capMs } = sweep;
  const link = new Link<undefined>(linkOf(sweep, lossProbability), createRandom(seed).fork('up0'));
  const datagram = new Uint8Array(mtuBytes);
  let sentBytes = 0;
  let usefulBytes = 0;
  let elapsedMs = 0;
  const receiveUntil = (now: number): void => {
    for (let at = link.nextTimeout(); at <= now; at = link.nextTimeout()) {
      usefulBytes += link.poll(at)!.bytes.length;
      elapsedMs = at;
    }
  };
  for (let now = 0; sentBytes < sizeBytes && now < capMs; now = (sentBytes * 8000) / rateBitsPerSecond) {
    receiveUntil(now);
    const size = Math.min(mtuBytes, sizeBytes - sentBytes);
    link.offer(datagram.subarray(0, size), now, undefined);
    sentBytes += size;
  }
  receiveUntil(capMs);
  return {
    contestant: PLAIN_UDP, lossProbability, seed, isFinished: usefulBytes === sizeBytes, elapsedMs, usefulBytes, sentBytes, retransmissions: 0, violations: [],
  };
}
