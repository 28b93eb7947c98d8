import type { Socket } from 'node:dgram';
import { expect, it } from 'vitest';
import { receiveBufferFor } from '../../src/net/receive-buffer.ts';

const socketOf = (bytes: number): Socket => ({ getRecvBufferSize: () => bytes }) as Socket;

it('advertises what was asked for where the kernel can hold it', () => {
  expect(receiveBufferFor(socketOf(8 << 20), 2 << 20)).toBe(2 << 20);
});

it('and never more than fits at what the kernel charges for a small datagram', () => {
  const held = receiveBufferFor(socketOf(212_992), 2 << 20);
  expect(held).toBeLessThan(212_992);
  expect(Math.ceil(held / 1420) * 2304).toBeLessThanOrEqual(212_992 + 2304);
  expect(receiveBufferFor(socketOf(0), 2 << 20)).toBe(4096);
});
