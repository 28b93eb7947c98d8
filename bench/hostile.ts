/**
 * Hostile datagrams at `recv` and at `proxy` during a transfer: `npx tsx bench/hostile.ts [DATAGRAMS] [SEED]`, default a
 * million. send → relay → proxy → recv; the relay is this script. It injects towards the proxy, and so towards recv, from
 * the very address that the live peer uses, and strangers attack both. Blind: the attacker does not see the transfer.
 */
import { createHash } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { createRandom } from '../src/core/random.ts';
import { HostileDatagrams } from './hostile-datagrams.ts';
import { BUILT_MAIN, exitCodeOf, listeningPort, onLines, residentBytes, startFailmask } from './process.ts';

const BATCH = 64;
const STRANGERS = 32;
const CHUNK = Buffer.alloc(32 * 1024);

export interface HostileOptions {
  readonly datagrams: number;
  readonly seed: number;
  readonly main?: string;
  readonly onProgress?: (sent: number) => void;
}

export interface HostileResult {
  readonly exitCodes: Readonly<Record<'send' | 'recv' | 'proxy', number | null>>;
  /** The stream came out as it went in. */
  readonly isExact: boolean;
  readonly bytes: number;
  readonly seconds: number;
  /** Hostile datagrams by way: from the live peer's address, from strangers through the proxy, from strangers to recv. */
  readonly injected: Readonly<Record<'livePeer' | 'strangersAtProxy' | 'strangersAtRecv', number>>;
  /** After the first tenth, and at most; bytes. */
  readonly resident: Readonly<Record<'recv' | 'proxy', { readonly early: number; readonly peak: number }>>;
  readonly send: Readonly<Record<string, any>>;
  readonly proxy: Readonly<Record<string, any>>;
  /** What recv said on stderr, its summary with the drop counters last. */
  readonly recvLines: readonly string[];
}

export async function runHostile({ datagrams, seed, main = BUILT_MAIN, onProgress = () => {} }: HostileOptions): Promise<HostileResult> {
  const recvLines: string[] = [];
  const recv = startFailmask(main, ['recv', '-p', 0, '-o', '-', '-C', 'fixed']);
  const received = createHash('sha256');
  recv.stdout!.on('data', (chunk: Buffer) => received.update(chunk));
  const recvPort = await listeningPort(recv, (line) => recvLines.push(line));
  const proxy = startFailmask(main, ['proxy', '-l', 0, '-u', `127.0.0.1:${recvPort}`, '--json', '--seed', seed]);
  const proxyObjects: Record<string, any>[] = [];
  const proxyPort = await new Promise<number>((resolve) => {
    onLines(proxy.stdout!, (line) => {
      const object = JSON.parse(line) as Record<string, any>;
      proxyObjects.push(object);
      if (object['type'] === 'listening') resolve(object['port'] as number);
    });
  });

  // The relay: `near` is the server to send, `far` the client to the proxy.
  const [near, far, ...strangers] = await Promise.all(Array.from({ length: 2 + STRANGERS }, bound));
  let sender: { port: number; address: string } | undefined;
  near!.on('message', (bytes, from) => {
    sender = from;
    far!.send(bytes, proxyPort, '127.0.0.1');
  });
  far!.on('message', (bytes) => {
    if (sender !== undefined) near!.send(bytes, sender.port, sender.address);
  });

  const send = startFailmask(main, ['send', `127.0.0.1:${near!.address().port}`, '-', '-C', 'fixed', '--json']);
  const sendObjects: Record<string, any>[] = [];
  onLines(send.stdout!, (line) => sendObjects.push(JSON.parse(line) as Record<string, any>));
  const ends = { send: exitCodeOf(send), recv: exitCodeOf(recv), proxy: exitCodeOf(proxy) };
  const startedAt = performance.now();
  await once(far!, 'message');

  const random = createRandom(seed);
  const hostile = new HostileDatagrams(random.fork('datagrams'));
  const ways = random.fork('ways');
  const injected = { livePeer: 0, strangersAtProxy: 0, strangersAtRecv: 0 };
  const sent = createHash('sha256');
  const resident = { recv: { early: 0, peak: 0 }, proxy: { early: 0, peak: 0 } };
  let bytes = 0;
  let drained = true;
  send.stdin!.on('drain', () => (drained = true));
  const feed = (): void => {
    for (let i = 0; i < CHUNK.length; i += 4) CHUNK.writeUInt32LE(random.uint32(), i);
    sent.update(CHUNK);
    bytes += CHUNK.length;
    drained = send.stdin!.write(Buffer.from(CHUNK));
  };
  const inject = (): void => {
    const datagram = hostile.next();
    const way = ways.below(4);
    const stranger = strangers[ways.below(STRANGERS)]!;
    // Every second one from the live peer.
    if (way < 2) {
      injected.livePeer++;
      far!.send(datagram, proxyPort, '127.0.0.1');
    } else if (way === 2) {
      injected.strangersAtProxy++;
      stranger.send(datagram, proxyPort, '127.0.0.1');
    } else {
      injected.strangersAtRecv++;
      stranger.send(datagram, recvPort, '127.0.0.1');
    }
  };
  for (let count = 0; count < datagrams && send.exitCode === null && recv.exitCode === null;) {
    const end = Math.min(datagrams, count + BATCH);
    for (; count < end; count++) inject();
    if (drained) feed();
    if (count % (BATCH * 64) === 0 || count === datagrams) {
      for (const [name, child] of [['recv', recv], ['proxy', proxy]] as const) {
        const now = residentBytes(child);
        resident[name].peak = Math.max(resident[name].peak, now);
        if (count <= datagrams / 10 || resident[name].early === 0) resident[name].early = Math.max(resident[name].early, now);
      }
      onProgress(count);
    }
    // So slowly that the kernel's buffers do not overflow: what is dropped there attacks nobody.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  send.stdin!.end();
  const exitCodes = { send: await ends.send, recv: await ends.recv, proxy: null as number | null };
  const seconds = (performance.now() - startedAt) / 1000;
  proxy.kill('SIGINT');
  exitCodes.proxy = await ends.proxy;
  for (const socket of [near!, far!, ...strangers]) socket.close();
  return {
    exitCodes, isExact: sent.digest('hex') === received.digest('hex'), bytes, seconds, injected, resident, recvLines,
    send: sendObjects.find(({ type }) => type === 'summary') ?? {}, proxy: proxyObjects.find(({ type }) => type === 'summary') ?? {},
  };
}

async function bound(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 22, sendBufferSize: 1 << 22 });
  socket.on('error', () => {});
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const datagrams = Number(process.argv[2] ?? 1_000_000);
  const seed = Number(process.argv[3] ?? 1);
  const result = await runHostile({ datagrams, seed, onProgress: (sent) => process.stderr.write(`\r${sent} of ${datagrams}`) });
  process.stderr.write('\n');
  console.log(JSON.stringify(result, undefined, 2));
  const isGood = result.isExact && result.exitCodes.send === 0 && result.exitCodes.recv === 0 && result.exitCodes.proxy === 0;
  process.exit(isGood ? 0 : 1);
}
