import type { Options } from 'yargs';

import { DEFAULT_CONFIG, MAX_BUFFER_BYTES, MIN_BUFFER_BYTES, MIN_MTU_BYTES, type Integrity, type KeepAlive, type TcpConfig } from '../tcp/config.ts';
import { createController } from '../tcp/congestion/controller.ts';
import { MAX_DATAGRAM_BYTES } from '../wire/codec.ts';
import { duration, flagValue, keepAlive, size } from './flags.ts';

/** What `send` and `recv` have in common: the transport's own flags. */
export interface TransportArgs {
  integrity: Integrity;
  congestion: string;
  mtu: number;
  'user-timeout': number;
  keepalive: KeepAlive | undefined;
  'receive-buffer': number | undefined;
  'send-buffer': number | undefined;
  pcap: string | undefined;
  log: string | undefined;
}

const GROUP = 'The transport:';

export const transportOptions = {
  'user-timeout': {
    type: 'string', default: '60s', group: GROUP, describe: 'give up when nothing is acknowledged for so long',
    coerce: duration('--user-timeout', 1),
  },
  keepalive: {
    type: 'string', group: GROUP, describe: 'probe an idle peer: IDLE/INTERVAL/COUNT, as in 30s/5s/3 (default: off)',
    coerce: keepAlive('--keepalive'),
  },
  congestion: {
    alias: 'C', type: 'string', default: DEFAULT_CONFIG.congestion, group: GROUP,
    describe: 'newreno, or fixed[:SEGMENTS] for links whose loss is not congestion', coerce: flagValue('--congestion', checkCongestion),
  },
  mtu: {
    type: 'string', default: String(DEFAULT_CONFIG.mtuBytes), group: GROUP, describe: 'largest UDP payload to send',
    coerce: size('--mtu', MIN_MTU_BYTES, MAX_DATAGRAM_BYTES),
  },
  integrity: {
    type: 'string', default: 'required', group: GROUP,
    describe: 'required: a CRC-32 on every segment; accept: serve a plain TCP, too', coerce: flagValue('--integrity', checkIntegrity),
  },
  'receive-buffer': { type: 'string', group: GROUP, describe: 'bytes held for the reader (default 2MiB)', coerce: size('--receive-buffer', MIN_BUFFER_BYTES, MAX_BUFFER_BYTES) },
  'send-buffer': { type: 'string', group: GROUP, describe: 'bytes held until acknowledged (default 2MiB)', coerce: size('--send-buffer', MIN_BUFFER_BYTES, MAX_BUFFER_BYTES) },
  pcap: { type: 'string', group: GROUP, describe: 'write a capture for Wireshark', coerce: flagValue('--pcap', (text) => text) },
  log: { type: 'string', group: GROUP, describe: 'write what the transport does, one JSON object a line', coerce: flagValue('--log', (text) => text) },
} satisfies Record<string, Options>;

/** The flags as the library's options. */
export function transportConfig(args: TransportArgs): Partial<TcpConfig> {
  return {
    integrity: args.integrity,
    congestion: args.congestion,
    mtuBytes: args.mtu,
    userTimeoutMs: args['user-timeout'],
    ...(args.keepalive === undefined ? {} : { keepAlive: args.keepalive }),
    ...(args['receive-buffer'] === undefined ? {} : { receiveBufferBytes: args['receive-buffer'] }),
    ...(args['send-buffer'] === undefined ? {} : { sendBufferBytes: args['send-buffer'] }),
  };
}

function checkCongestion(text: string): string {
  // Building one is the check.
  createController(text, { smssBytes: 1000, initialWindowSegments: 10 });
  return text;
}

function checkIntegrity(text: string): Integrity {
  if (text !== 'required' && text !== 'accept') throw new Error(`"${text}" is neither required nor accept`);
  return text;
}
