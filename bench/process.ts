import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What `npm run build` made. */
export const BUILT_MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

const started = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL');
});

/** Starts the built command; it ends with this process. */
export function startFailmask(main: string, args: readonly (string | number)[], stdio: StdioOptions = ['pipe', 'pipe', 'pipe']): ChildProcess {
  const child = spawn(process.execPath, [main, ...args.map(String)], { stdio });
  started.add(child);
  child.stdin?.on('error', () => {});
  child.once('close', () => started.delete(child));
  return child;
}

export function exitCodeOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('close', resolve));
}

/** Calls back with each line of `stream`. */
export function onLines(stream: NodeJS.ReadableStream, callback: (line: string) => void): void {
  createInterface({ input: stream }).on('line', callback);
}

/** Resolves with the port in "listening on HOST:PORT"; passes every line on. */
export function listeningPort(child: ChildProcess, onLine: (line: string) => void = () => {}): Promise<number> {
  return new Promise((resolve, reject) => {
    onLines(child.stderr!, (line) => {
      onLine(line);
      const match = /^listening on \S+:(\d+)/.exec(line);
      if (match !== null) resolve(Number(match[1]));
    });
    child.once('close', () => reject(new Error('the process ended before it listened')));
  });
}

/** Resident bytes of a process now; 0 when it is gone (Linux only). */
export function residentBytes({ pid }: { readonly pid?: number | undefined }): number {
  try {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return match === null ? 0 : Number(match[1]) * 1024;
  } catch {
    return 0;
  }
}
