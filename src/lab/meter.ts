import type { Millis } from '../core/machine.ts';
import type { Measured } from './roles.ts';

/** Counts bytes, time and CPU time of this process, from `warmUpMs` after the first byte on. */
export class Meter {
  readonly #warmUpMs: Millis;
  #startedAtMs: Millis | undefined;
  #isWarm = false;
  #fromMs: Millis = 0;
  #cpu: NodeJS.CpuUsage | undefined;
  #bytes = 0;
  totalBytes = 0;

  constructor(warmUpMs: Millis) {
    this.#warmUpMs = warmUpMs;
  }

  count(bytes: number): void {
    this.totalBytes += bytes;
    if (this.#isWarm) {
      this.#bytes += bytes;
      return;
    }
    const now = performance.now();
    this.#startedAtMs ??= now;
    if (now - this.#startedAtMs < this.#warmUpMs) return;
    this.#isWarm = true;
    this.#fromMs = now;
    this.#cpu = process.cpuUsage();
  }

  /** All 0 when the warm-up was not over. */
  measured(): Measured {
    if (this.#cpu === undefined) return { bytes: 0, elapsedMs: 0, cpuMs: 0 };
    const { user, system } = process.cpuUsage(this.#cpu);
    return { bytes: this.#bytes, elapsedMs: performance.now() - this.#fromMs, cpuMs: (user + system) / 1000 };
  }
}
