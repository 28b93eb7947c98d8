import { Fifo } from '../core/fifo.ts';
import type { Millis } from '../core/machine.ts';
import { FrameReader } from '../group/framing.ts';
import { decodeMessage, encodeMessage, type Message, type ProtocolError } from '../group/message.ts';
import type { Connection } from '../tcp/connection.ts';
import { CLOSED, SYN_RECEIVED, SYN_SENT } from '../tcp/state.ts';

/** Messages over one connection. What is above is refused by send(). */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/** Frames one connection's bytes, both ways, for whoever talks in messages. */
export class Channel {
  readonly connection: Connection;
  readonly #reader = new FrameReader();
  readonly #output = new Fifo<Uint8Array>();
  #sentOfFirst = 0;
  #outputBytes = 0;
  #hasEnded = false;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  get isEstablished(): boolean {
    const { state } = this.connection;
    return state !== SYN_SENT && state !== SYN_RECEIVED && state !== CLOSED;
  }

  get isClosed(): boolean {
    return this.connection.state === CLOSED;
  }

  /** Bytes that the transport has not taken yet. */
  get outputBytes(): number {
    return this.#outputBytes;
  }

  /** What was sent goes out, then this half ends. */
  end(): void {
    this.#hasEnded = true;
  }

  /** Ends this half if end() was called and everything is handed over. */
  closeIfEnded(now: Millis): void {
    if (this.#hasEnded && this.#output.length === 0) this.connection.close(now);
  }

  /** False when too much waits already. */
  send(message: Message): boolean {
    if (this.#outputBytes > MAX_OUTPUT_BYTES) return false;
    const frame = encodeMessage(message);
    this.#output.push(frame);
    this.#outputBytes += frame.length;
    return true;
  }

  /** Gives the transport what it takes. */
  flush(): void {
    for (let frame = this.#output.peek(); frame !== undefined; frame = this.#output.peek()) {
      const taken = this.connection.write(frame, this.#sentOfFirst, frame.length);
      this.#sentOfFirst += taken;
      this.#outputBytes -= taken;
      if (this.#sentOfFirst < frame.length) return;
      this.#output.shift();
      this.#sentOfFirst = 0;
    }
  }

  /**
   * Hands over what has come. A peer that says what cannot be understood is reset. The other side's end of stream is
   * answered by ours.
   */
  receive(now: Millis, handle: (message: Message) => void): ProtocolError | undefined {
    for (let bytes = this.connection.read(); bytes !== undefined; bytes = this.connection.read()) {
      for (const frame of this.#reader.push(bytes)) {
        const message = decodeMessage(frame);
        if (message.kind === 'protocol-error') return this.#giveUp(message, now);
        handle(message);
      }
      if (this.#reader.error !== undefined) return this.#giveUp({ kind: 'protocol-error', reason: this.#reader.error }, now);
    }
    if (this.connection.isReadFinished) this.connection.close(now);
    return undefined;
  }

  #giveUp(error: ProtocolError, now: Millis): ProtocolError {
    this.connection.abort(now);
    return error;
  }
}
