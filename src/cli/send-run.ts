import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';

import { formatAddress } from '../core/address.ts';
import { openFifoReader } from '../net/fifo.ts';
import { patience } from '../host/patience.ts';
import { connect, type Socket } from '../net/socket.ts';
import { Exit } from './exit.ts';
import { Reporter } from './output.ts';
import { Progress, sampleOf, type ProgressSample } from './progress.ts';
import { openRecorders } from './recorders.ts';
import type { SendArgs } from './send.ts';
import { onInterrupt } from './signals.ts';
import { reportSummary } from './summary.ts';
import { transportConfig } from './transport-flags.ts';

const READ_BYTES = 256 * 1024;

export interface Input {
  readonly stream: Readable;
  /** Bytes that there will be; undefined for a pipe. */
  readonly total: number | undefined;
  /** It has an end of its own that must be reached: a file, not a stream that its writer or Ctrl-C may end at any time. */
  readonly isFile: boolean;
}

export async function runSend(args: SendArgs): Promise<void> {
  const reporter = new Reporter(args);
  const input = await openInput(args.file);
  const recorders = openRecorders(args, reporter);
  const { host, port } = args.to[0]!;
  const socket = connect({
    ...transportConfig(args),
    ...recorders,
    host, port, allowHalfOpen: true, connectTimeoutMs: args['connect-timeout'],
    ...(args.ipv4 ? { family: 4 as const } : args.ipv6 ? { family: 6 as const } : {}),
  });
  const transfer = new Transfer(socket, input, args);
  onInterrupt((signal) => transfer.interrupt(signal));
  const progress = new Progress({ reporter, sample: () => transfer.sample() });
  socket.once('connect', () => {
    reporter.info(`connected to ${formatAddress({ host: socket.remoteAddress!, port: socket.remotePort! })}`);
    progress.start();
  });
  let error: Error | undefined;
  try {
    await transfer.run();
  } catch (reason) {
    error = reason as Error;
  }
  progress.stop();
  reportSummary(reporter, {
    role: 'send', peer: formatAddress({ host, port }), ...transfer.result(), error, interrupted: transfer.isInterrupted,
  });
  // TIME-WAIT goes on for a second or so, lest the peer waits in vain for the ACK of its FIN; a second Ctrl-C need not wait for it.
  // What happens there is recorded, too: the recorders close when the process exits.
  if (transfer.isInterrupted) {
    // Not at once: a peer that did not get the reset asks, and is told.
    process.exitCode = Exit.interrupted;
    return;
  }
  if (error !== undefined) throw error;
}

/** FILE, or stdin for `-`. Rejects when the file cannot be read, before anybody is connected to. */
export async function openInput(file: string): Promise<Input> {
  if (file === '-') return { stream: process.stdin, total: undefined, isFile: false };
  const status = await stat(file);
  if (status.isDirectory()) throw new Error(`${file} is a directory`);
  if (status.isFIFO()) return { stream: openFifoReader(file), total: undefined, isFile: false };
  if (!status.isFile()) return { stream: createReadStream(file, { highWaterMark: READ_BYTES }), total: undefined, isFile: false };
  const handle = await open(file, 'r');
  return { stream: handle.createReadStream({ highWaterMark: READ_BYTES }), total: status.size, isFile: true };
}

/** From the input's first byte to the peer's FIN. */
class Transfer {
  readonly #socket: Socket;
  readonly #input: Input;
  readonly #userTimeoutMs: number;
  readonly #hasKeepAlive: boolean;
  readonly #hash = createHash('sha256');
  readonly #startedAt = performance.now();
  #finishedAt = 0;
  #bytes = 0;
  #inputEnded = false;
  isInterrupted = false;

  constructor(socket: Socket, input: Input, args: SendArgs) {
    this.#socket = socket;
    this.#input = input;
    this.#userTimeoutMs = args['user-timeout'];
    this.#hasKeepAlive = args.keepalive !== undefined;
  }

  /** Resolves when every byte and the FIN are acknowledged and the peer has closed its side, too. */
  async run(): Promise<void> {
    const socket = this.#socket;
    const failed = new Promise<never>((_resolve, reject) => socket.once('error', reject));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // Read and dropped: a peer that talks back must not fill both windows.
    socket.resume();
    try {
      await Promise.race([this.#copy(), failed]);
      if (!socket.destroyed) {
        socket.end();
        // Ctrl-C while connecting closes without an error.
        await Promise.race([once(socket, 'finish'), failed, closed]);
        this.#finishedAt = performance.now();
        // From here on only the peer can die; nothing of ours is outstanding that would notice.
        if (!this.#hasKeepAlive) socket.setKeepAlive(patience(this.#userTimeoutMs));
      }
      await Promise.race([closed, failed]);
    } finally {
      this.#input.stream.destroy();
    }
  }

  /** Ctrl-C: a stream ends here, by its user's wish. A file that is not through, or a stream that others end, must not look whole to the receiver. */
  interrupt(signal: NodeJS.Signals): void {
    this.isInterrupted = true;
    const mayEndHere = signal === 'SIGINT' && !this.#input.isFile;
    if (this.#socket.connecting || (!mayEndHere && !this.#inputEnded)) this.#socket.resetAndDestroy();
    this.#input.stream.destroy();
  }

  sample(): ProgressSample {
    const info = this.#socket.info();
    return sampleOf(info, info?.counters.bytesAcked ?? 0, this.#input.total);
  }

  result(): { bytes: number; seconds: number; sha256: string | undefined; info: ReturnType<Socket['info']> } {
    const info = this.#socket.info();
    const seconds = ((this.#finishedAt || performance.now()) - this.#startedAt) / 1000;
    const bytes = info?.counters.bytesAcked ?? 0;
    return { bytes, seconds, sha256: bytes === this.#bytes ? this.#hash.digest('hex') : undefined, info };
  }

  /** Resolves when the socket takes more, or is gone. */
  #drained(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
    });
  }

  async #copy(): Promise<void> {
    const { stream } = this.#input;
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        if (this.#socket.destroyed) return;
        this.#hash.update(chunk);
        this.#bytes += chunk.length;
        if (!this.#socket.write(chunk)) await this.#drained();
      }
    } catch (error) {
      if (this.isInterrupted) return;
      // A file that cannot be read to its end must not look whole either.
      this.#socket.resetAndDestroy();
      throw error;
    }
    this.#inputEnded = true;
    const { total } = this.#input;
    if (total !== undefined && this.#bytes !== total && !this.isInterrupted) {
      this.#socket.resetAndDestroy();
      throw new Error(`the file changed while it was sent: ${this.#bytes} bytes instead of ${total}`);
    }
  }
}
