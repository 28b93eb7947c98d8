/**
 * Hostile datagrams at `recv` and at `proxy` during a transfer, as real processes:
 * `npx tsx bench/hostile.ts [COUNT [SEED]]`, default one million. Half come from strangers, half from the live peer's own
 * address, with blind sequence numbers; half of all have a right CRC. Prints what was dropped and why, and the memory of
 * both processes; exits with 1 when a process died or a byte is wrong.
 */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Socket } from 'node:dgram';

import { createRandom, type Random } from '../src/core/random.ts';
import { bindSocket, createDatagramSocket } from '../src/net/datagram-socket.ts';
import { superviseScript, type Child } from '../src/net/supervisor.ts';
import { encodeInto } from '../src/wire/codec.ts';
import { CAPABILITY_INTEGRITY } from '../src/wire/options.ts';
import { Segment, SYN } from '../src/wire/segment.ts';

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const STRANGERS = 8;
const FILE_BYTES = 16 * 1024 * 1024;
/** Sent in one go; more would only overflow the kernel's buffer. */
const BURST = 64;

const count = Number(process.argv[2] ?? 1_000_000);
const seed = Number(process.argv[3] ?? 1);

/** One hostile datagram; `variant` says which kind, so that every kind has its share. */
function hostileDatagram(random: Random, variant: number): Uint8Array {
  const segment = new Segment();
  segment.seq = random.uint32();
  segment.ack = random.uint32();
  segment.flags = variant & 0xff;
  segment.window = random.below(65_536);
  segment.hasCrc = (variant & 0x100) !== 0;
  if (segment.hasCrc && segment.has(SYN)) segment.capabilities = CAPABILITY_INTEGRITY;
  segment.hasTimestamps = random.chance(0.5);
  segment.tsVal = random.uint32();
  segment.tsEcr = random.uint32();
  segment.payload = randomBytes(random, random.below(200));
  segment.payloadEnd = segment.payload.length;
  const buffer = new Uint8Array(512);
  const datagram = buffer.slice(0, encodeInto(segment, buffer));
  // A right CRC stays as it is; what has none is also cut short, made noise, or given options that lie about their length.
  if (segment.hasCrc) return datagram;
  switch (random.below(4)) {
    case 0: return datagram.subarray(0, random.below(datagram.length));
    case 1: return randomBytes(random, random.below(300));
    case 2:
      datagram[0] = (5 + random.below(11)) << 4;
      for (let i = 12; i < Math.min(datagram.length, 52); i++) datagram[i] = random.below(256);
      return datagram;
    default: return datagram;
  }
}

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.below(256));
}

async function listeningPort(child: Child): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('stdout', (line) => {
      const event = JSON.parse(line) as { type?: string; port?: number };
      if (event.type === 'listening') resolve(event.port!);
    });
    void child.exited.then(() => reject(new Error('a process ended before it listened')));
  });
}

async function openSocket(): Promise<Socket> {
  const socket = createDatagramSocket(4);
  await bindSocket(socket, '127.0.0.1', 0);
  return socket;
}

function residentMiB(child: Child): number {
  const line = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
  return Math.round(Number(line?.[1] ?? 0) / 1024);
}

const directory = mkdtempSync(join(tmpdir(), 'failmask-hostile-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const file = join(directory, 'file');
const copy = join(directory, 'copy');
const random = createRandom(seed);
const bytes = randomBytes(random.fork('file'), FILE_BYTES);
writeFileSync(file, bytes);

const recv = superviseScript([MAIN, 'recv', '-p', '0', '-o', copy, '--json']);
const recvSummary = new Promise<Record<string, unknown>>((resolve) => recv.on('stdout', (line) => {
  const event = JSON.parse(line) as Record<string, unknown>;
  if (event['type'] === 'summary') resolve(event);
}));
const recvPort = await listeningPort(recv);
const proxy = superviseScript([MAIN, 'proxy', '-l', '0', '-u', `127.0.0.1:${recvPort}`, '--seed', String(seed), '--json']);
const proxyPort = await listeningPort(proxy);

// The relay owns the address from which the live peer's datagrams come: what it injects comes from there, too.
const relayFront = await openSocket();
const relayBack = await openSocket();
let sender: { port: number; address: string } | undefined;
let relayed = 0;
relayFront.on('message', (datagram, from) => {
  sender = from;
  relayed++;
  relayBack.send(datagram, proxyPort, '127.0.0.1');
});
relayBack.on('message', (datagram) => {
  if (sender !== undefined) relayFront.send(datagram, sender.port, sender.address);
});
const strangers = await Promise.all(Array.from({ length: STRANGERS }, openSocket));

// A stream that ends when the flood has ended keeps the connection alive throughout.
const send = superviseScript([MAIN, 'send', '-C', 'fixed', '--json', `127.0.0.1:${relayFront.address().port}`, '-'], { input: await paced() });
const peaks = { recv: 0, proxy: 0 };
let sent = 0;

/** The file, in pieces that are given out as the flood goes on. */
async function paced(): Promise<import('node:stream').Readable> {
  const { Readable } = await import('node:stream');
  return Readable.from((async function* pieces() {
    const piece = 64 * 1024;
    for (let at = 0; at < bytes.length; at += piece) {
      while (sent < (at / bytes.length) * count) await new Promise((resolve) => setImmediate(resolve));
      yield bytes.subarray(at, at + piece);
    }
  })());
}

// Not before the live peer is known to the proxy and to recv.
while (relayed < 10) await new Promise((resolve) => setImmediate(resolve));
const hostile = random.fork('hostile');
while (sent < count) {
  for (let i = 0; i < BURST && sent < count; i++, sent++) {
    const from = (sent & 1) === 0 ? relayBack : strangers[(sent >> 1) % STRANGERS]!;
    from.send(hostileDatagram(hostile, sent >> 1), proxyPort, '127.0.0.1');
  }
  await new Promise((resolve) => setImmediate(resolve));
  if (sent % (BURST * 256) === 0) {
    peaks.recv = Math.max(peaks.recv, residentMiB(recv));
    peaks.proxy = Math.max(peaks.proxy, residentMiB(proxy));
    // Lets the victims keep up: what the kernel drops is no test.
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
const [sendExit, recvExit, summary] = await Promise.all([send.exited, recv.exited, recvSummary]);
proxy.kill('SIGINT');
const proxyExit = await proxy.exited;
const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
const isSame = digest(readFileSync(copy)) === digest(bytes);
console.log(JSON.stringify({
  hostile: count, seed, sendExit, recvExit, proxyExit, sameBytes: isSame,
  peakResidentMiB: peaks, endpoint: summary['endpoint'], connection: summary['counters'],
}, null, 1));
for (const socket of [relayFront, relayBack, ...strangers]) socket.close();
process.exit(isSame && sendExit.code === 0 && recvExit.code === 0 && proxyExit.code === 0 ? 0 : 1);
