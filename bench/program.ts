import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

type Line = Readonly<Record<string, unknown>>;

/** `failmask` as a script would run it, with --json. */
export interface Running {
  readonly pid: number;
  readonly exited: Promise<number | null>;
  /** The first line, past or to come, for which this is true. Rejects when the program ends before. */
  line(isWanted: (line: Line) => boolean): Promise<Line>;
  kill(signal: NodeJS.Signals): void;
}

export function startProgram(args: readonly string[]): Running {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: Line[] = [];
  const waiting = new Set<{ isWanted: (line: Line) => boolean; resolve: (line: Line) => void; reject: (error: Error) => void }>();
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    for (const waiter of waiting) {
      if (!waiter.isWanted(line)) continue;
      waiting.delete(waiter);
      waiter.resolve(line);
    }
  });
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      for (const { reject } of waiting) reject(new Error(`failmask ${args.join(' ')} ended with ${code}`));
      resolve(code);
    });
  });
  return {
    pid: child.pid!,
    exited,
    line: (isWanted) => {
      const found = lines.find(isWanted);
      if (found !== undefined) return Promise.resolve(found);
      return new Promise((resolve, reject) => waiting.add({ isWanted, resolve, reject }));
    },
    kill: (signal) => child.kill(signal),
  };
}
