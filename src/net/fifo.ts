import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Named pipes without a thread that blocks: Node's file functions would open, read and write them in its thread pool,
 * and a process cannot exit while a thread of that waits for the other end, not even by process.exit().
 */

/** The system tells nobody when a reader opens a FIFO. */
const POLL_MS = 20;

/** Waits for its first writer, and ends when the last one has gone. Throws the system's error. */
export function openFifoReader(path: string): Readable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: true, writable: false });
}

/** Resolves when the FIFO has a reader. Rejects with the system's error, and with `signal`'s reason. */
export async function openFifoWriter(path: string, signal?: AbortSignal): Promise<Writable> {
  for (;;) {
    signal?.throwIfAborted();
    const fd = tryToOpen(path);
    if (fd !== undefined) return new Socket({ fd, readable: false, writable: true });
    // An abort is found by the check above, which throws its reason.
    await delay(POLL_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  }
}

/** Undefined when there is no reader. */
function tryToOpen(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return undefined;
    throw error;
  }
}
