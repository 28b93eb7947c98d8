import { BUILT_MAIN, exitCodeOf, onLines, startFailmask } from './process.ts';

type Line = Readonly<Record<string, unknown>>;

/** `failmask` as a script would run it, with --json. */
export interface Running {
  readonly pid: number;
  readonly exited: Promise<number | null>;
  /** The first line, past or to come, for which this is true. Rejects when the program ends without it. */
  line(isWanted: (line: Line) => boolean): Promise<Line>;
  kill(signal: NodeJS.Signals): void;
}

export function startProgram(args: readonly string[]): Running {
  const child = startFailmask(BUILT_MAIN, args, ['ignore', 'pipe', 'inherit']);
  const lines: Line[] = [];
  const waiting = new Set<{ isWanted: (line: Line) => boolean; resolve: (line: Line) => void }>();
  onLines(child.stdout!, (text) => {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    for (const waiter of waiting) {
      if (!waiter.isWanted(line)) continue;
      waiting.delete(waiter);
      waiter.resolve(line);
    }
  });
  const exited = exitCodeOf(child);
  const failed = exited.then((code): never => {
    throw new Error(`failmask ${args.join(' ')} ended with ${code}`);
  });
  failed.catch(() => {});
  return {
    pid: child.pid!,
    exited,
    line: (isWanted) => {
      const found = lines.find(isWanted);
      if (found !== undefined) return Promise.resolve(found);
      return Promise.race([new Promise<Line>((resolve) => waiting.add({ isWanted, resolve })), failed]);
    },
    kill: (signal) => child.kill(signal),
  };
}
