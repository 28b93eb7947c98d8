import type { Millis } from '../core/machine.ts';
import type { Random } from '../core/random.ts';
import {
  EVENT_CLOSED, EVENT_CONNECTED, EVENT_END, EVENT_FINISHED, EVENT_READABLE, EVENT_WRITABLE, type Connection,
} from '../tcp/connection.ts';
import type { ConnectionError } from '../tcp/errors.ts';
import { isSynchronized, TIME_WAIT } from '../tcp/state.ts';
import type { Flow } from './flow.ts';
import type { Pattern } from './pattern.ts';
import type { ApplicationSpec } from './scenario.ts';
import type { Report } from './verdict.ts';

export interface ApplicationOptions {
  readonly name: string;
  readonly spec: ApplicationSpec;
  readonly connection: Connection;
  readonly outgoing: Pattern;
  readonly incoming: Pattern;
  readonly flow: Flow | undefined;
  readonly random: Random;
  readonly report: Report;
  readonly now: () => Millis;
  /** Runs an action on this application's host, after a pause or a resumption at the earliest; never after a crash. */
  readonly after: (delayMs: Millis, action: () => void) => void;
}

/**
 * One end of a connection, used as its script says. It acts only on the connection's events and its own pauses, so an
 * event that is not told leaves it hanging, and that is found. What it reads must be what the other end wrote.
 */
export class Application {
  readonly name: string;
  readonly spec: ApplicationSpec;
  readonly connection: Connection;
  /** The other end, once there is one. */
  peer: Application | undefined;
  written = 0;
  read = 0;
  /** It called close(). */
  hasClosed = false;
  /** It has read everything up to the peer's FIN. */
  hasEnded = false;
  /** Told that everything it wrote, and its FIN, has arrived. */
  hasFinished = false;
  hasAborted = false;
  hasCrashed = false;
  /** The connection is gone. */
  isGone = false;
  goneAtMs: Millis = Infinity;
  finishedAtMs: Millis = Infinity;
  stalledForMs: Millis = 0;
  readonly startedAtMs: Millis;
  readonly #options: ApplicationOptions;
  #writesLater = false;
  #readsLater = false;
  #hasStalled = false;
  #isHolding = false;
  #mayClose = false;

  constructor(options: ApplicationOptions) {
    this.#options = options;
    this.name = options.name;
    this.spec = options.spec;
    this.connection = options.connection;
    this.startedAtMs = options.now();
    // Some applications write before the connection stands, or before they hear that it does.
    if (options.random.chance(0.5)) this.#write();
  }

  get error(): ConnectionError | undefined {
    return this.connection.error;
  }

  /** Ended without a word of complaint on this side, everything sent and received. */
  get isClean(): boolean {
    return this.isGone && this.hasFinished && this.hasEnded && this.error === undefined && !this.hasAborted && !this.hasCrashed;
  }

  /** Nothing is left to happen on this end, for better or worse. */
  get isSettled(): boolean {
    return this.isGone && (this.hasEnded || this.error !== undefined);
  }

  /** Bytes that it has read or can still read. */
  get received(): number {
    return this.read + this.connection.info().receiveQueueBytes;
  }

  onEvents(events: number): void {
    if (this.hasCrashed) return;
    if ((events & (EVENT_CONNECTED | EVENT_WRITABLE)) !== 0) this.#write();
    if ((events & (EVENT_READABLE | EVENT_END)) !== 0) this.#readSome();
    if ((events & EVENT_FINISHED) !== 0 && !this.hasFinished) this.#finish();
    if ((events & EVENT_CLOSED) !== 0 && !this.isGone) {
      this.isGone = true;
      this.goneAtMs = this.#options.now();
    }
  }

  /** The host crashed. */
  crash(): void {
    this.hasCrashed = true;
    if (this.goneAtMs === Infinity) this.goneAtMs = this.#options.now();
  }

  #write(): void {
    const { spec, connection } = this;
    const { random, outgoing, flow, after } = this.#options;
    if (this.#writesLater || this.isGone) return;
    while (this.written < spec.writeBytes) {
      const wanted = Math.min(1 + random.below(spec.maxChunkBytes), spec.writeBytes - this.written);
      const bytes = outgoing.view(this.written, wanted);
      const taken = connection.write(bytes);
      this.written += taken;
      flow?.onWritten(this.written);
      if (taken < bytes.length) return;
      if (spec.writePauseMs > 0) {
        this.#writesLater = true;
        after(random.exponential(spec.writePauseMs), () => {
          this.#writesLater = false;
          this.#write();
        });
        return;
      }
    }
    if (this.hasClosed || this.#isHolding) return;
    this.#isHolding = true;
    if (spec.holdMs > 0) after(spec.holdMs, () => this.#release());
    else this.#release();
  }

  #release(): void {
    this.#mayClose = true;
    this.#close();
  }

  #close(): void {
    if (!this.#mayClose || this.hasClosed || this.isGone) return;
    if (this.spec.closes === 'when-peer-has' && !this.hasEnded) return;
    this.hasClosed = true;
    this.#options.flow?.onClose();
    this.connection.close(this.#options.now());
  }

  #readSome(): void {
    const { spec, connection } = this;
    const { incoming, flow, report } = this.#options;
    if (connection.isReadFinished && connection.info().receiveQueueBytes > 0) report('stream', `${this.name}: told that all is read with bytes left`);
    if (this.#readsLater || this.hasAborted) return;
    for (let bytes = connection.read(); bytes !== undefined; bytes = connection.read()) {
      if (bytes.length === 0) report('stream', `${this.name}: read() returned no bytes`);
      const wrong = incoming.mismatch(this.read, bytes);
      if (wrong >= 0) report('stream', `${this.name}: byte ${wrong} is not what was written`);
      this.read += bytes.length;
      flow?.onRead(this.read);
      if (this.peer !== undefined && this.read > this.peer.written) report('stream', `${this.name}: read ${this.read} of ${this.peer.written} bytes written`);
      if (spec.abortAfterBytes !== undefined && this.read >= spec.abortAfterBytes) {
        this.#abort();
        return;
      }
      if (this.#pauseReading()) return;
    }
    if (connection.isReadFinished && !this.hasEnded) this.#end();
  }

  #pauseReading(): boolean {
    const { spec } = this;
    let forMs = spec.readPauseMs;
    if (spec.stall !== undefined && !this.#hasStalled && this.read >= spec.stall.afterBytes) {
      this.#hasStalled = true;
      forMs = spec.stall.forMs;
      this.stalledForMs = forMs;
    }
    if (forMs === 0) return false;
    this.#readsLater = true;
    this.#options.after(forMs, () => {
      this.#readsLater = false;
      this.#readSome();
    });
    return true;
  }

  #end(): void {
    const { peer, name } = this;
    const { report } = this.#options;
    this.hasEnded = true;
    if (peer === undefined || !peer.hasClosed) report('stream', `${name}: the end came though the other side has not closed`);
    else if (this.read !== peer.written) report('stream', `${name}: the end came after ${this.read} of ${peer.written} bytes`);
    this.#close();
  }

  #finish(): void {
    const { peer, name, written } = this;
    const { report } = this.#options;
    this.hasFinished = true;
    this.finishedAtMs = this.#options.now();
    if (!this.hasClosed) report('finish', `${name}: told "finished" before it closed`);
    // An abort throws away what was received.
    if (peer === undefined || peer.hasAborted) return;
    if (peer.received !== written) report('finish', `${name}: told "finished", but the other side has ${peer.received} of ${written} bytes`);
  }

  /** What the wire shows of it. */
  get flow(): Flow | undefined {
    return this.#options.flow;
  }

  #abort(): void {
    this.hasAborted = true;
    const { state } = this.connection;
    if (isSynchronized(state) && state !== TIME_WAIT) this.#options.flow?.resets.onAbort(this.#options.now());
    this.connection.abort(this.#options.now());
  }
}
