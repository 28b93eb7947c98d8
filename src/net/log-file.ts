import { closeSync, openSync, writeSync } from 'node:fs';

import type { Millis } from '../core/machine.ts';
import type { Sink, TraceEvent } from '../core/trace.ts';

const BUFFER_CHARACTERS = 64 * 1024;
const FLUSH_INTERVAL_MS = 1000;

/** Trace events as JSON lines in a file. Buffered; after a write error it says so once and counts what it drops: a log never stops a transfer. */
export class LogFile implements Sink {
  readonly #fd: number;
  readonly #path: string;
  readonly #onError: (message: string) => void;
  readonly #flushTimer: NodeJS.Timeout;
  #buffer = '';
  #isOpen = true;
  dropped = 0;

  /** Throws what `openSync` throws. */
  constructor(path: string, onError: (message: string) => void) {
    this.#path = path;
    this.#onError = onError;
    this.#fd = openSync(path, 'w');
    this.#flushTimer = setInterval(() => this.flush(), FLUSH_INTERVAL_MS).unref();
  }

  emit(now: Millis, event: TraceEvent): void {
    if (!this.#isOpen) {
      this.dropped++;
      return;
    }
    this.#buffer += `${JSON.stringify({ ms: Math.round(now * 1000) / 1000, ...event })}\n`;
    if (this.#buffer.length >= BUFFER_CHARACTERS) this.flush();
  }

  flush(): void {
    if (!this.#isOpen || this.#buffer === '') return;
    try {
      const bytes = Buffer.from(this.#buffer);
      this.#buffer = '';
      for (let sent = 0; sent < bytes.length;) sent += writeSync(this.#fd, bytes, sent);
    } catch (error) {
      this.#release();
      this.#onError(`log ${this.#path} ends here: ${(error as Error).message}`);
    }
  }

  close(): void {
    this.flush();
    if (this.#isOpen) this.#release();
  }

  #release(): void {
    this.#isOpen = false;
    clearInterval(this.#flushTimer);
    closeSync(this.#fd);
  }
}
