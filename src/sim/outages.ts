import type { Millis } from '../core/machine.ts';
import type { Scenario } from './scenario.ts';

interface Outage {
  readonly fromMs: Millis;
  readonly toMs: Millis;
}

/**
 * When one client and the server could not talk, from the script of faults alone: a partition in either direction, a
 * crash up to the restart, a pause of either process. It knows nothing of what the transport made of it.
 */
export class Outages {
  readonly #outages: Outage[] = [];

  constructor(scenario: Scenario, client: number) {
    for (const fault of scenario.faults) {
      const { atMs } = fault;
      if (fault.kind === 'partition') {
        if (fault.client === client) this.#outages.push({ fromMs: atMs, toMs: atMs + fault.forMs });
      } else if (fault.kind !== 'profile' && (fault.host === client || fault.host === 'server')) {
        const forMs = fault.kind === 'pause' ? fault.forMs : (fault.restartAfterMs ?? Infinity);
        this.#outages.push({ fromMs: atMs, toMs: atMs + forMs });
      }
    }
    this.#outages.sort((a, b) => a.fromMs - b.fromMs);
  }

  /** Milliseconds of [fromMs, toMs] in which there was an outage. */
  within(fromMs: Millis, toMs: Millis): Millis {
    let total = 0;
    let countedTo = fromMs;
    for (const outage of this.#outages) {
      const from = Math.max(outage.fromMs, countedTo);
      const to = Math.min(outage.toMs, toMs);
      if (to <= from) continue;
      total += to - from;
      countedTo = to;
    }
    return total;
  }
}
