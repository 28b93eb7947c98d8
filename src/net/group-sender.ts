import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';

import { formatAddress } from '../core/address.ts';
import type { Sink } from '../core/trace.ts';
import { FileGroup } from '../group/file-group.ts';
import type { GroupOutcome, MemberEvent } from '../group/outcome.ts';
import { patience } from '../host/patience.ts';
import { resolveConfig, type TcpConfig } from '../tcp/config.ts';
import { monotonicNow, type Tap } from './driver.ts';
import { connect, pickConfig, type Socket } from './socket.ts';

/** A member that takes bytes but does not answer is expelled after the user timeout, but not before this: disks can be slow. */
const MIN_REPLY_TIMEOUT_MS = 60_000;
/** Nothing can be due while no member is connected: look again after so long. */
const MAX_TIMER_MS = 1000;

export interface GroupSenderOptions extends Partial<TcpConfig> {
  /** The k+1 members. */
  readonly members: readonly { readonly host: string; readonly port: number }[];
  readonly input: Readable;
  /** Bytes that the input must have; undefined: as many as there are. */
  readonly expectedBytes?: number | undefined;
  readonly family?: 4 | 6;
  readonly sink?: Sink;
  readonly tap?: Tap;
  readonly onEvent?: (event: MemberEvent) => void;
}

/** Sends a stream to all members of a group at once. The group has it as long as one member lives. */
export class GroupSender {
  readonly #group: FileGroup;
  readonly #sockets: readonly Socket[];
  readonly #input: Readable;
  readonly #expectedBytes: number | undefined;
  readonly #onEvent: (event: MemberEvent) => void;
  #timer: NodeJS.Timeout | undefined;
  #isAborted = false;
  #roomMade: () => void = () => {};
  #settled: (outcome: GroupOutcome) => void = () => {};
  readonly #outcome = new Promise<GroupOutcome>((resolve) => {
    this.#settled = resolve;
  });

  /** Connects to all members. Throws RangeError for options out of range. */
  constructor(options: GroupSenderOptions) {
    const config = resolveConfig(pickConfig(options));
    const { userTimeoutMs } = config;
    this.#input = options.input;
    this.#expectedBytes = options.expectedBytes;
    this.#onEvent = options.onEvent ?? ((): void => {});
    this.#group = new FileGroup({
      members: options.members.map(formatAddress),
      clientId: randomUUID(),
      silenceTimeoutMs: userTimeoutMs,
      replyTimeoutMs: Math.max(userTimeoutMs, MIN_REPLY_TIMEOUT_MS),
    }, monotonicNow());
    this.#sockets = options.members.map(({ host, port }, member) => this.#connect(host, port, member, options, config));
  }

  /** Bytes that every living member has confirmed. */
  get stableBytes(): number {
    return this.#group.stableBytes;
  }

  get livingCount(): number {
    return this.#group.livingCount;
  }

  get sockets(): readonly Socket[] {
    return this.#sockets;
  }

  /**
   * Resolves with the group's answer. Rejects, with every connection reset, when the input cannot be read to its end.
   * Connections to members that have committed close by themselves afterwards.
   */
  async run(): Promise<GroupOutcome> {
    this.#arm();
    try {
      await Promise.race([this.#copy(), this.#outcome]);
      return await this.#outcome;
    } catch (error) {
      this.abort();
      throw error;
    } finally {
      clearTimeout(this.#timer);
      this.#input.destroy();
    }
  }

  /** Nobody is to keep what is incomplete. */
  abort(): void {
    this.#isAborted = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#sockets.forEach((_, member) => this.#group.lost(member, 'given up by this side', undefined, monotonicNow()));
    this.#step();
  }

  #connect(host: string, port: number, member: number, options: GroupSenderOptions, config: TcpConfig): Socket {
    const socket: Socket = connect({
      ...config,
      // Not the caller's: the group takes silence for death after the user timeout, so somebody has to speak by then.
      keepAlive: patience(config.userTimeoutMs),
      host, port, allowHalfOpen: true,
      ...(options.family === undefined ? {} : { family: options.family }),
      ...(options.sink === undefined ? {} : { sink: options.sink }),
      ...(options.tap === undefined ? {} : { tap: options.tap }),
    });
    const group = this.#group;
    const react = (happened: (now: number) => void) => (): void => {
      happened(monotonicNow());
      this.#step();
    };
    socket.on('connect', react((now) => group.connected(member, now)));
    socket.on('data', (bytes: Buffer) => react((now) => group.received(member, bytes, now))());
    socket.on('drain', react(() => {}));
    socket.on('end', react((now) => group.lost(member, 'ended its connection before it had committed', undefined, now)));
    socket.on('error', (error: Error) => react((now) => group.lost(member, error.message, error, now))());
    return socket;
  }

  async #copy(): Promise<void> {
    for await (const chunk of this.#input as AsyncIterable<Buffer>) {
      for (let position = 0; position < chunk.length;) {
        if (this.#isAborted || this.#group.livingCount === 0) return;
        const taken = this.#group.write(chunk.subarray(position));
        position += taken;
        if (taken > 0) this.#step();
        else {
          await new Promise<void>((resolve) => {
            this.#roomMade = resolve;
          });
        }
      }
    }
    const { bytes } = this.#group;
    if (this.#isAborted) return;
    if (this.#expectedBytes !== undefined && bytes !== this.#expectedBytes) {
      throw new Error(`the file changed while it was sent: ${bytes} bytes instead of ${this.#expectedBytes}`);
    }
    this.#group.end();
    this.#step();
  }

  /** After anything that happened: tells it, sends what there is to send, lets go of the dead, and looks for the answer. */
  #step(): void {
    const group = this.#group;
    for (let event = group.nextEvent(); event !== undefined; event = group.nextEvent()) this.#onEvent(event);
    this.#sockets.forEach((socket, member) => {
      if (!group.isLiving(member)) socket.resetAndDestroy();
      if (socket.destroyed || socket.writableEnded) return;
      for (let bytes = group.output(member); bytes !== undefined && !socket.writableNeedDrain; bytes = group.output(member)) {
        socket.write(bytes);
        group.sent(member, bytes.length);
      }
      if (group.hasCommitted(member)) socket.end();
    });
    if (group.room > 0 || group.livingCount === 0) this.#roomMade();
    const outcome = group.outcome();
    if (outcome !== undefined) this.#settled(outcome);
  }

  #arm(): void {
    const delayMs = Math.min(Math.max(Math.ceil(this.#group.nextTimeout() - monotonicNow()), 1), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#sockets.forEach((socket, member) => {
        const counters = socket.info()?.counters;
        if (counters !== undefined) this.#group.observe(member, counters.segmentsReceived, counters.bytesAcked);
      });
      this.#group.handleTimeout(monotonicNow());
      this.#step();
      this.#arm();
    }, delayMs).unref();
  }
}
