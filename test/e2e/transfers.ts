import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failmask, type Program } from './program.ts';

/** Bytes that no compression or repetition could fake. */
export function randomFile(directory: string, bytes: number): { path: string; data: Buffer; sha256: string } {
  const data = Buffer.alloc(bytes);
  for (let i = 0, x = 1; i < bytes; i++) data[i] = (x = (x * 48_271) % 2_147_483_647) >>> 8;
  const path = join(directory, 'input');
  writeFileSync(path, data);
  return { path, data, sha256: createHash('sha256').update(data).digest('hex') };
}

export async function receiver(...flags: (string | number)[]): Promise<{ recv: Program; to: string }> {
  const recv = failmask(['recv', '-p', 0, ...flags]);
  return { recv, to: `127.0.0.1:${await recv.port()}` };
}

/** A port that was free a moment ago and that nobody listens on. */
export async function unusedPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

export const codes = (...programs: Program[]): Promise<(number | null)[]> => Promise.all(programs.map((program) => program.code()));
