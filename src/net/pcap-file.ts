import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';

import type { Address } from '../core/address.ts';
import { assert } from '../core/assert.ts';
import { PcapngWriter, type PacketNotes } from '../report/pcap.ts';

const BUFFER_BYTES = 256 * 1024;
/** The largest block: a 65,575-byte packet, a comment, the block's own fields. */
const MAX_BLOCK_BYTES = 72 * 1024;
/** A process that is killed loses at most so much of its capture. */
const FLUSH_INTERVAL_MS = 1000;

/** Called once, when the file can no longer be written or closed (disk full, reader gone). `message` is one line. */
export type PcapErrorHandler = (message: string) => void;

/**
 * A capture file at one tap. Writing is synchronous and buffered: memory is bounded, and a regular file holds whole blocks only, so that
 * it can be read while it grows and after a kill. After a write error packets are counted and dropped: a capture never stops a transfer.
 */
export class PcapFile {
  readonly #path: string;
  readonly #fd: number;
  readonly #onError: PcapErrorHandler;
  readonly #writer: PcapngWriter;
  readonly #flushTimer: NodeJS.Timeout;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #bufferedBytes = 0;
  #bufferedPackets = 0;
  #writtenBytes = 0;
  #packets = 0;
  #dropped = 0;
  #isOpen = true;
  #isReported = false;

  /** Throws what `openSync` throws. */
  constructor(path: string, onError: PcapErrorHandler) {
    this.#path = path;
    this.#onError = onError;
    // Without O_NONBLOCK a FIFO that nobody reads would hang the process, here or in a write.
    this.#fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NONBLOCK, 0o644);
    this.#writer = new PcapngWriter((block) => this.#append(block));
    this.#flushTimer = setInterval(() => this.flush(), FLUSH_INTERVAL_MS).unref();
  }

  /** Packets in the file and in the buffer. */
  get packets(): number {
    return this.#packets;
  }

  /** Packets that are not in the file: too large for a packet, after a write error or `close`, or the reader of a FIFO is too slow. */
  get dropped(): number {
    return this.#dropped;
  }

  /** `timeMs`: milliseconds since 1970, may be fractional. Throws RangeError when a host is no IP literal. */
  packet(timeMs: number, source: Address, destination: Address, udpPayload: Uint8Array, notes?: PacketNotes): void {
    if (this.#isOpen && this.#freeBytes() < MAX_BLOCK_BYTES) this.flush();
    const hasRoom = this.#isOpen && this.#freeBytes() >= MAX_BLOCK_BYTES;
    if (!hasRoom || !this.#writer.datagram(timeMs, source, destination, udpPayload, notes)) {
      this.#dropped++;
      return;
    }
    this.#packets++;
    this.#bufferedPackets++;
  }

  /** Hands the buffer to the operating system, as far as it takes it without waiting. */
  flush(): void {
    if (!this.#isOpen) return;
    let sentBytes = 0;
    try {
      while (sentBytes < this.#bufferedBytes) sentBytes += writeSync(this.#fd, this.#buffer, sentBytes, this.#bufferedBytes - sentBytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
        this.#fail(error as Error);
        return;
      }
    }
    this.#buffer.copyWithin(0, sentBytes, this.#bufferedBytes);
    this.#bufferedBytes -= sentBytes;
    this.#writtenBytes += sentBytes;
    if (this.#bufferedBytes === 0) this.#bufferedPackets = 0;
  }

  /** Flushes and closes; may be called from an exit handler, and more than once. */
  close(): void {
    this.flush();
    if (!this.#isOpen) return;
    if (this.#bufferedBytes > 0) {
      this.#fail(new Error('its reader is too slow'));
      return;
    }
    this.#release();
  }

  #append(block: Uint8Array): void {
    assert(block.length <= this.#freeBytes(), 'a pcapng block larger than the buffer');
    this.#buffer.set(block, this.#bufferedBytes);
    this.#bufferedBytes += block.length;
  }

  #freeBytes(): number {
    return BUFFER_BYTES - this.#bufferedBytes;
  }

  #fail(error: Error): void {
    this.#packets -= this.#bufferedPackets;
    this.#dropped += this.#bufferedPackets;
    this.#cutPartialBlock();
    this.#report(`ends here: ${error.message}`);
    this.#release();
  }

  /** A flush to a regular file starts at the end of a block and completes or fails, so `#writtenBytes` is where the last whole one ends. */
  #cutPartialBlock(): void {
    try {
      if (fstatSync(this.#fd).isFile()) ftruncateSync(this.#fd, this.#writtenBytes);
    } catch {
      // The file stays as it is; readers report the cut block at its end.
    }
  }

  #release(): void {
    this.#isOpen = false;
    clearInterval(this.#flushTimer);
    try {
      closeSync(this.#fd);
    } catch (error) {
      this.#report(`may be incomplete: ${(error as Error).message}`);
    }
  }

  #report(what: string): void {
    if (this.#isReported) return;
    this.#isReported = true;
    this.#onError(`capture ${this.#path} ${what}`);
  }
}

/** Creates or empties `path` and opens it for one tap. Throws the system's error when that fails. */
export function openPcap(path: string, onError: PcapErrorHandler): PcapFile {
  return new PcapFile(path, onError);
}
