import { bindSocket, createDatagramSocket } from '../net/datagram-socket.ts';
import { report, sharedNow, type PacedSendParameters, type Ready, type Received, type Started } from './roles.ts';

const LOOPBACK = '127.0.0.1';
const TICK_MS = 1;

/** Counts what arrives until SIGTERM: plain UDP has no end. */
export async function receivePaced(): Promise<void> {
  const socket = createDatagramSocket(4);
  let bytes = 0;
  let lastAtMs = 0;
  socket.on('message', (datagram) => {
    bytes += datagram.length;
    lastAtMs = sharedNow();
  });
  await bindSocket(socket, LOOPBACK, 0);
  process.once('SIGTERM', () => {
    const received: Received = { bytes, lastAtMs, isComplete: false };
    report('result', received);
    process.exit(0);
  });
  const ready: Ready = { port: socket.address().port };
  report('ready', ready);
}

/** Sends everything once, at the rate of the line, and then reports. */
export async function sendPaced({ port, datagramBytes, sizeBytes, rateBitsPerSecond }: PacedSendParameters): Promise<void> {
  const socket = createDatagramSocket(4);
  const datagram = Buffer.alloc(datagramBytes, 'failmask ');
  await bindSocket(socket, LOOPBACK, 0);
  await new Promise<void>((resolve) => socket.connect(port, LOOPBACK, resolve));
  socket.on('error', () => {});
  const started: Started = { atMs: sharedNow() };
  report('started', started);
  const from = performance.now();
  let sentBytes = 0;
  const timer = setInterval(() => {
    const due = Math.min(sizeBytes, ((performance.now() - from) * rateBitsPerSecond) / 8000);
    while (sentBytes < due) {
      const size = Math.min(datagramBytes, sizeBytes - sentBytes);
      socket.send(datagram.subarray(0, size));
      sentBytes += size;
    }
    if (sentBytes < sizeBytes) return;
    clearInterval(timer);
    report('result', { sentBytes });
    socket.close();
  }, TICK_MS);
}
