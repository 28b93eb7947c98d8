/**
 * Memory under flow control: `npx tsx bench/memory.ts [MIB]`, default 1024. A stream goes through `send -` and `recv -o -`
 * to a reader that takes it in gulps, slower than the sender could send. Prints the peak of both processes' resident
 * memory in each eighth, and fails when it still grows in the second half.
 */
import { createHash } from 'node:crypto';

import { formatBytes } from '../src/core/units.ts';
import { BUILT_MAIN, exitCodeOf, listeningPort, residentBytes, startFailmask } from './process.ts';

const CHUNK_BYTES = 256 * 1024;
/** The reader's gulp, and its rest. */
const GULP_BYTES = 4 * 1024 * 1024;
const REST_MS = 60;
const SAMPLE_MS = 10;
const PARTS = 8;
/** Garbage collection lets the halves differ by so much. */
const MAX_GROWTH_BYTES = 32 * 1024 * 1024;

const total = Number(process.argv[2] ?? 1024) * 1024 * 1024;
const recv = startFailmask(BUILT_MAIN, ['recv', '-p', 0, '-o', '-']);
const port = await listeningPort(recv);
const send = startFailmask(BUILT_MAIN, ['send', `127.0.0.1:${port}`, '-', '--json']);
send.stdout!.resume();
const ends = Promise.all([exitCodeOf(send), exitCodeOf(recv)]);

const sent = createHash('sha256');
const received = createHash('sha256');
let readBytes = 0;
let gulped = 0;
recv.stdout!.on('data', (chunk: Buffer) => {
  received.update(chunk);
  readBytes += chunk.length;
  gulped += chunk.length;
  if (gulped < GULP_BYTES) return;
  gulped = 0;
  recv.stdout!.pause();
  setTimeout(() => recv.stdout!.resume(), REST_MS);
});

const peaks = Array.from({ length: PARTS }, () => ({ send: 0, recv: 0 }));
const sampler = setInterval(() => {
  const part = peaks[Math.min(PARTS - 1, Math.floor((readBytes / total) * PARTS))]!;
  part.send = Math.max(part.send, residentBytes(send));
  part.recv = Math.max(part.recv, residentBytes(recv));
}, SAMPLE_MS);

const chunk = Buffer.alloc(CHUNK_BYTES);
for (let bytes = 0; bytes < total; bytes += CHUNK_BYTES) {
  chunk.writeUInt32LE(bytes / CHUNK_BYTES, (bytes / CHUNK_BYTES) % (CHUNK_BYTES - 4));
  sent.update(chunk);
  if (!send.stdin!.write(Buffer.from(chunk))) await new Promise((resolve) => send.stdin!.once('drain', resolve));
}
send.stdin!.end();
const startedAt = performance.now();
const codes = await ends;
clearInterval(sampler);

const peakOf = (from: number, to: number, side: 'send' | 'recv'): number => Math.max(...peaks.slice(from, to).map((part) => part[side]));
const growth = (['send', 'recv'] as const).map((side) => peakOf(PARTS / 2, PARTS, side) - peakOf(1, PARTS / 2, side));
const isExact = sent.digest('hex') === received.digest('hex');
console.log(`${formatBytes(readBytes)} through send and recv to a slow reader; exit codes ${codes.join(' and ')}; ${isExact ? 'byte-exact' : 'WRONG BYTES'}; the end came ${((performance.now() - startedAt) / 1000).toFixed(2)} s after the last write`);
console.log(`peak RSS by eighth, send: ${peaks.map((part) => formatBytes(part.send)).join(', ')}`);
console.log(`peak RSS by eighth, recv: ${peaks.map((part) => formatBytes(part.recv)).join(', ')}`);
process.exit(isExact && codes.every((code) => code === 0) && Math.max(...growth) < MAX_GROWTH_BYTES ? 0 : 1);
