import { makeAddress } from '../core/address.ts';
import { bindSocket, createDatagramSocket } from '../net/datagram-socket.ts';
import { Meter } from './meter.ts';
import { report, type DatagramSent, type DatagramSendParameters, type ReceiveParameters, type Ready } from './roles.ts';

/**
 * The ceiling: plain dgram with nothing on top but a window of credit, without which the sender would only overrun the
 * receiver. The receiver tells the number of datagrams that it has got, eight times a window.
 */
const LOOPBACK = makeAddress('127.0.0.1', 0).host;
const MAX_WINDOW = 512;
const CREDITS_PER_WINDOW = 8;
/** What the kernel charges for a datagram beside its bytes; pages are whole. */
const KERNEL_EXTRA_BYTES = 4096;
/** The kernel may use half of its buffer for its own records. */
const USABLE_SHARE = 0.5;
/** Without credit for so long, what is under way is lost. */
const STALL_MS = 50;
const BURST = 64;
/** A datagram of this size is no payload: the end, sent several times lest it is lost. */
const END_BYTES = 1;
const ENDS = 20;

/** Datagrams under way at most, so that a receive buffer like this one holds them. */
export function creditWindow(receiveBufferBytes: number, datagramBytes: number): number {
  const fit = Math.floor((receiveBufferBytes * USABLE_SHARE) / (datagramBytes + KERNEL_EXTRA_BYTES));
  return Math.max(CREDITS_PER_WINDOW, Math.min(MAX_WINDOW, fit));
}

export async function receiveDatagrams({ warmUpMs }: ReceiveParameters): Promise<void> {
  const socket = createDatagramSocket(4);
  const meter = new Meter(warmUpMs);
  const credit = Buffer.alloc(8);
  let received = 0;
  let every = 0;
  let isConnected = false;
  await bindSocket(socket, LOOPBACK, 0);
  socket.on('message', (datagram, { port }) => {
    if (datagram.length === END_BYTES) {
      report('result', { measured: meter.measured() });
      process.exit(0);
    }
    if (!isConnected) {
      isConnected = true;
      every = Math.floor(creditWindow(socket.getRecvBufferSize(), datagram.length) / CREDITS_PER_WINDOW);
      socket.connect(port, LOOPBACK);
    }
    meter.count(datagram.length);
    if (++received % every !== 0) return;
    // Read by the sender at once, or replaced by a later one: one buffer does.
    credit.writeDoubleLE(received);
    socket.send(credit);
  });
  const ready: Ready = { port: socket.address().port };
  report('ready', ready);
}

export async function sendDatagrams({ port, datagramBytes, durationMs, warmUpMs }: DatagramSendParameters): Promise<void> {
  const socket = createDatagramSocket(4);
  const meter = new Meter(warmUpMs);
  const datagram = Buffer.alloc(datagramBytes, 'failmask ');
  await bindSocket(socket, LOOPBACK, 0);
  await new Promise<void>((resolve) => socket.connect(port, LOOPBACK, resolve));
  const window = creditWindow(socket.getRecvBufferSize(), datagramBytes);
  const endsAtMs = performance.now() + durationMs;
  let sent = 0;
  let credited = 0;
  let writtenOff = 0;
  let heardAtMs = performance.now();
  let isQueued = false;

  const finish = (): void => {
    const result: DatagramSent = { measured: meter.measured(), writtenOff };
    clearInterval(stallTimer);
    report('result', result);
    let ends = 0;
    const end = (): void => {
      if (ends++ === ENDS) process.exit(0);
      socket.send(datagram.subarray(0, END_BYTES));
      setTimeout(end, 5);
    };
    end();
  };
  const pump = (): void => {
    isQueued = false;
    if (performance.now() >= endsAtMs) {
      finish();
      return;
    }
    for (let i = 0; i < BURST && sent - credited < window; i++) {
      socket.send(datagram);
      sent++;
      meter.count(datagramBytes);
    }
    if (sent - credited < window) queue();
  };
  const queue = (): void => {
    if (isQueued) return;
    isQueued = true;
    setImmediate(pump);
  };
  socket.on('message', (credit: Buffer) => {
    credited = Math.max(credited, credit.readDoubleLE() + writtenOff);
    heardAtMs = performance.now();
    queue();
  });
  // The receiver is gone, after the end.
  socket.on('error', () => {});
  const stallTimer = setInterval(() => {
    if (performance.now() - heardAtMs < STALL_MS) return;
    writtenOff += sent - credited;
    credited = sent;
    heardAtMs = performance.now();
    queue();
  }, STALL_MS);
  queue();
}
