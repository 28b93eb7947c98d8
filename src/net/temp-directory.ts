import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Deletes the directory once its standard input ends, which it does when whoever started it dies. Terminal signals are not for it. */
const JANITOR = `
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
const done = () => {
  try { require('node:fs').rmSync(process.argv[1], { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }); } catch {}
  process.exit();
};
process.stdin.on('end', done).on('close', done).on('error', done).resume();
`;

export interface TempDirectory {
  readonly path: string;
  /** Resolves when it is gone, and its janitor, too. */
  remove(): Promise<void>;
}

/** A directory that does not outlive this process, however it dies. `prefix` starts its name. */
export async function makeTempDirectory(prefix: string): Promise<TempDirectory> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  const janitor = spawn(process.execPath, ['-e', JANITOR, path], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  // It carries nothing: that it breaks is no error.
  janitor.stdin.on('error', () => {});
  janitor.on('error', () => {});
  janitor.unref();
  (janitor.stdin as typeof janitor.stdin & { unref(): void }).unref();
  const removeNow = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', removeNow);
  return {
    path,
    async remove() {
      process.off('exit', removeNow);
      removeNow();
      if (janitor.exitCode !== null || janitor.pid === undefined) return;
      const gone = once(janitor, 'exit');
      janitor.ref();
      janitor.stdin.end();
      await gone;
    },
  };
}
