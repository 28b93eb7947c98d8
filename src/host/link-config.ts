import type { Millis } from '../core/machine.ts';
import type { TcpConfig } from '../tcp/config.ts';
import { patience } from './patience.ts';

/** A connection within a group, or of its clients, whose other end is not there or falls silent is given up after this. */
const LINK_TIMEOUT_MS: Millis = 5000;

/** Small messages at once, and an end to connections whose other end is gone. */
export const LINK_CONFIG: Partial<TcpConfig> = {
  noDelay: true, userTimeoutMs: LINK_TIMEOUT_MS, connectTimeoutMs: LINK_TIMEOUT_MS, keepAlive: patience(LINK_TIMEOUT_MS),
};
