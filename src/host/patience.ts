import type { Millis } from '../core/machine.ts';
import type { KeepAlive } from '../tcp/config.ts';

const PROBES = 30;

/**
 * Keep-alive that finds a dead peer within the user timeout also while nothing is outstanding, and does not give up because
 * of probes that a lossy network swallows: thirty in a row.
 */
export function patience(userTimeoutMs: Millis): KeepAlive {
  return { idleMs: userTimeoutMs / 4, intervalMs: (userTimeoutMs * 0.75) / PROBES, count: PROBES };
}
