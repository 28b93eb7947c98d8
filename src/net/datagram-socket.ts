import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';

export type IpFamily = 4 | 6;

/**
 * Asked for each socket and capped by the system (net.core.rmem_max). The default holds some 90 small datagrams, and an
 * overflow is a loss that no seed repeats.
 */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

type LookupCallback = (error: Error | null, address: string, family: number) => void;

/** All our addresses are literals: the default lookup would put each send off to a later tick, and cost a call. */
function literalLookup(family: IpFamily): (host: string, options: unknown, callback: LookupCallback) => void {
  return (host, _options, callback) => callback(null, host, family);
}

/**
 * A UDP socket that takes IP literals only and binds, connects and sends in the same turn. Because 'listening' fires inside
 * `bind`, attach listeners first. reuseAddr stays off: with it a second process could take the port and its traffic.
 */
export function createDatagramSocket(family: IpFamily): Socket {
  return createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    lookup: literalLookup(family),
    recvBufferSize: SOCKET_BUFFER_BYTES,
    sendBufferSize: SOCKET_BUFFER_BYTES,
  });
}

/** Binds and resolves when the socket listens; closes it and rejects with the system's error otherwise. Port 0 lets the system choose. */
export function bindSocket(socket: Socket, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      socket.close();
      reject(error);
    };
    socket.once('error', fail);
    socket.once('listening', () => {
      socket.off('error', fail);
      resolve();
    });
    socket.bind(port, host);
  });
}

/**
 * The IP literal and family of `host`, asked of the system once; of the wanted family only, if one is, else IPv4 if it has one, because
 * `localhost` must mean the same to who listens and who connects.
 * Rejects with the resolver's error.
 */
export async function resolveHost(host: string, wanted: IpFamily | 0 = 0): Promise<{ readonly host: string; readonly family: IpFamily }> {
  const { address, family } = await lookup(host, { family: wanted, order: 'ipv4first' });
  return { host: address, family: family === 6 ? 6 : 4 };
}
