import type { Socket as DatagramSocket } from 'node:dgram';

import { MIN_BUFFER_BYTES } from '../tcp/config.ts';

/** What the kernel charges for a datagram of 1,452 bytes, and the payload that it carries. */
const KERNEL_BYTES = 2304;
const PAYLOAD_BYTES = 1420;

/**
 * The receive buffer to advertise: no more than the kernel's own buffer can hold while this process is busy, or the
 * window would invite losses. Linux grants what net.core.rmem_max allows, whatever was asked for.
 */
export function receiveBufferFor(socket: DatagramSocket, wantedBytes: number): number {
  const held = Math.floor((socket.getRecvBufferSize() / KERNEL_BYTES) * PAYLOAD_BYTES);
  return Math.max(MIN_BUFFER_BYTES, Math.min(wantedBytes, held));
}
