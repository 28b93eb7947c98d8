import { once } from 'node:events';
import net from 'node:net';

import { connect, type Socket } from '../net/socket.ts';
import { createServer } from '../net/server.ts';
import { Meter } from './meter.ts';
import {
  report, sharedNow, type Ready, type Started, type StreamReceiveParameters, type StreamReceived, type StreamSendParameters, type StreamSent,
} from './roles.ts';

const LOOPBACK = '127.0.0.1';
const CHUNK_BYTES = 64 * 1024;

/** Takes one connection, and reports at its end or at SIGTERM. failmask and node:net have the same shape, so this is one program. */
export async function receiveStream({ transport, warmUpMs }: StreamReceiveParameters): Promise<void> {
  const meter = new Meter(warmUpMs);
  let lastAtMs = 0;
  const finish = (isComplete: boolean): never => {
    const received: StreamReceived = { measured: meter.measured(), whole: { bytes: meter.totalBytes, lastAtMs, isComplete } };
    report('result', received);
    process.exit(0);
  };
  const accept = (socket: Socket | net.Socket): void => {
    socket.on('data', (chunk: Buffer) => {
      lastAtMs = sharedNow();
      meter.count(chunk.length);
    });
    socket.on('error', () => finish(false));
    // The answer to the FIN shall still leave: the sender waits for it.
    socket.on('end', () => {
      lastAtMs = sharedNow();
      setImmediate(() => setImmediate(() => finish(true)));
    });
  };
  process.once('SIGTERM', () => finish(false));
  const server = transport === 'tcp' ? net.createServer(accept) : createServer(accept);
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  const ready: Ready = { port: (server.address() as net.AddressInfo).port };
  report('ready', ready);
}

/** Sends for some time or some bytes, and reports when everything is acknowledged, or at SIGTERM. */
export async function sendStream(parameters: StreamSendParameters): Promise<void> {
  const { transport, port, warmUpMs, durationMs = Infinity, sizeBytes = Infinity } = parameters;
  const meter = new Meter(warmUpMs);
  const started: Started = { atMs: sharedNow() };
  const socket = transport === 'tcp' ? net.connect(port, LOOPBACK) : connect({
    port, host: LOOPBACK,
    ...(parameters.mtuBytes === undefined ? {} : { mtuBytes: parameters.mtuBytes }),
    ...(parameters.congestion === undefined ? {} : { congestion: parameters.congestion }),
  });
  report('started', started);
  const finish = (): never => {
    report('result', sentBy(socket, meter));
    process.exit(0);
  };
  process.once('SIGTERM', finish);
  await once(socket, 'connect');
  const chunk = Buffer.alloc(CHUNK_BYTES, 'failmask ');
  const endsAtMs = performance.now() + durationMs;
  while (meter.totalBytes < sizeBytes && performance.now() < endsAtMs) {
    const bytes = chunk.subarray(0, Math.min(CHUNK_BYTES, sizeBytes - meter.totalBytes));
    meter.count(bytes.length);
    if (!socket.write(bytes)) await once(socket, 'drain');
  }
  socket.end();
  await once(socket, 'finish');
  finish();
}

function sentBy(socket: Socket | net.Socket, meter: Meter): StreamSent {
  const info = 'info' in socket ? socket.info() : undefined;
  return {
    measured: meter.measured(),
    sentBytes: info?.counters.bytesSent ?? 0,
    retransmissions: info?.counters.retransmissions ?? 0,
    timeouts: info?.counters.timeouts ?? 0,
    segmentBytes: info?.smssBytes ?? 0,
  };
}
