import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { formatAddress } from '../core/address.ts';
import { patience } from '../host/patience.ts';
import { isSpecialFile, openOutput, type Output } from '../net/output-file.ts';
import { createServer, type Server } from '../net/server.ts';
import type { Socket } from '../net/socket.ts';
import { CommandError, describeError, Exit } from './exit.ts';
import { Reporter } from './output.ts';
import { Progress, sampleOf } from './progress.ts';
import { openRecorders } from './recorders.ts';
import type { RecvArgs } from './recv.ts';
import { onInterrupt } from './signals.ts';
import { reportSummary } from './summary.ts';
import { transportConfig } from './transport-flags.ts';

/** A path that cannot work is told before anybody connects. Rejects with the reason. */
async function checkOutput(path: string): Promise<void> {
  if (path === '-') return;
  const existing = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (existing?.isDirectory()) throw new Error(`${path} is a directory`);
  if (existing === undefined) await access(dirname(path), constants.W_OK);
}

/** A sender that has fallen silent is given up after its user timeout, but not before this. */
const MIN_PATIENCE_MS = 60_000;

/** A little more than a server takes to close after a reset. */
const MAX_PARTING_MS = 1200;

export async function runRecv(args: RecvArgs): Promise<void> {
  const reporter = new Reporter(args);
  await checkOutput(args.output);
  const recorders = openRecorders(args, reporter);
  const server = createServer({ ...transportConfig(args), ...recorders, allowHalfOpen: true });
  const receiver = new Receiver(args, reporter, server);
  const stopListening = onInterrupt(() => receiver.interrupt());
  server.listen({ port: args.port, host: args.host });
  // Rejects with the system's error when the port is taken.
  await once(server, 'listening');
  const address = server.address()!;
  reporter.info(`listening on ${formatAddress({ host: address.address, port: address.port })}`);
  reporter.json({ type: 'listening', host: address.address, port: address.port });
  try {
    await receiver.run();
  } catch (error) {
    // The process ends with the error, at once: a sender that did not get the reset must have heard of it by then. A second Ctrl-C need not wait.
    await receiver.part();
    throw error;
  } finally {
    // The recorders close when the process exits: a last reset is recorded, too.
    stopListening();
  }
}

/** Serves one connection after the other; others wait their turn in the transport's buffers. */
class Receiver {
  readonly #args: RecvArgs;
  readonly #reporter: Reporter;
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  #wakeUp: () => void = () => {};
  #current: Socket | undefined;
  #isInterrupted = false;
  #served = 0;

  constructor(args: RecvArgs, reporter: Reporter, server: Server) {
    this.#args = args;
    this.#reporter = reporter;
    this.#server = server;
    // One is served, a few wait; more are reset.
    server.maxConnections = args['keep-open'] ? 64 : 1;
    server.on('connection', (socket) => {
      // An error before its turn ends it; later listeners see the rest.
      socket.on('error', () => {});
      this.#waiting.push(socket);
      this.#wakeUp();
    });
  }

  async run(): Promise<void> {
    for (;;) {
      const socket = await this.#next();
      if (socket === undefined) break;
      if (socket.destroyed) continue;
      if (!this.#args['keep-open']) this.#server.close();
      try {
        await this.#serve(socket);
      } catch (error) {
        if (!this.#args['keep-open'] || this.#isInterrupted) throw error;
        this.#reporter.warn(describeError(error));
      }
      if (!this.#args['keep-open']) return;
    }
    // A daemon's end is its user's wish; a single receiver was to receive something.
    throw new CommandError('', this.#args['keep-open'] ? Exit.done : Exit.interrupted);
  }

  interrupt(): void {
    this.#isInterrupted = true;
    // What is not complete must not look it, on either side.
    for (const socket of this.#waiting) socket.resetAndDestroy();
    this.#current?.resetAndDestroy();
    this.#server.close();
    this.#wakeUp();
  }

  /** Resolves when the peers of what was reset have had their time to hear of it, or after that time: other connections are not waited for. */
  async part(): Promise<void> {
    if (this.#server.address() === null) return;
    const tooLate = new AbortController();
    const timer = setTimeout(() => tooLate.abort(), MAX_PARTING_MS);
    await once(this.#server, 'close', { signal: tooLate.signal }).catch(() => {});
    clearTimeout(timer);
  }

  async #next(): Promise<Socket | undefined> {
    while (this.#waiting.length === 0 && !this.#isInterrupted) {
      await new Promise<void>((resolve) => {
        this.#wakeUp = resolve;
      });
    }
    return this.#isInterrupted ? undefined : this.#waiting.shift();
  }

  async #serve(socket: Socket): Promise<void> {
    this.#current = socket;
    // A receiver sends nothing that could time out: without probes it would wait for a dead sender for ever.
    if (this.#args.keepalive === undefined) socket.setKeepAlive(patience(Math.max(this.#args['user-timeout'], MIN_PATIENCE_MS)));
    const peer = formatAddress({ host: socket.remoteAddress!, port: socket.remotePort! });
    const path = await this.#nextPath();
    this.#reporter.info(`connection from ${peer}`);
    const hash = createHash('sha256');
    const startedAt = performance.now();
    let bytes = 0;
    const progress = new Progress({
      reporter: this.#reporter,
      id: this.#served,
      sample: () => sampleOf(socket.info(), bytes),
    });
    let error: Error | undefined;
    let finishedAt = 0;
    let isCommitted = false;
    let committing: Promise<void> | undefined;
    let output: Output | undefined;
    // Errors of a connection that ends while the disk is busy are found below.
    let connectionError: Error | undefined;
    socket.once('error', (reason: Error) => {
      connectionError = reason;
    });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    // Whoever reads the output may never come or go on: that must not outlast the connection.
    const gone = new AbortController();
    let abandon: (reason: Error) => void = () => {};
    void closed.then(() => {
      gone.abort(connectionError ?? new Error('the connection is closed'));
      abandon(gone.signal.reason as Error);
    });
    // No Promise.race: a connection's worth of them would be held until its end.
    const unlessGone = (work: Promise<void>): Promise<void> =>
      new Promise((resolve, reject) => {
        abandon = reject;
        work.then(resolve, reject);
        if (gone.signal.aborted) reject(gone.signal.reason as Error);
      });
    try {
      output = await openOutput(path, process.stdout, gone.signal);
      progress.start();
      for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        bytes += chunk.length;
        await unlessGone(output.write(chunk));
      }
      finishedAt = performance.now();
      committing = output.commit();
      await unlessGone(committing);
      isCommitted = true;
      socket.end();
      await closed;
      if (connectionError !== undefined) throw connectionError;
    } catch (reason) {
      error = connectionError ?? (reason as Error);
      socket.resetAndDestroy();
      // A commit that is under way goes to its end first: what it has renamed is complete.
      await committing?.then(() => { isCommitted = true; }, () => {});
      if (!isCommitted) await output?.discard();
    }
    progress.stop();
    this.#current = undefined;
    const seconds = ((finishedAt || performance.now()) - startedAt) / 1000;
    const interrupted = this.#isInterrupted && error !== undefined;
    reportSummary(this.#reporter, {
      role: 'recv', peer, bytes, seconds, sha256: error === undefined ? hash.digest('hex') : undefined, info: socket.info(), error: interrupted ? undefined : error, interrupted,
      endpoint: this.#server.counters,
    });
    if (interrupted) throw new CommandError('', this.#args['keep-open'] ? Exit.done : Exit.interrupted);
    if (error !== undefined) throw error;
  }

  /** FILE, FILE.2, FILE.3, …; stdout and special files stay what they are. */
  async #nextPath(): Promise<string> {
    this.#served++;
    const { output } = this.#args;
    return this.#served === 1 || output === '-' || (await isSpecialFile(output)) ? output : `${output}.${this.#served}`;
  }
}
