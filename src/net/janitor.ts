import { spawn, type ChildProcess } from 'node:child_process';

/** What is not to outlive this process. */
interface Charge {
  readonly kind: 'process' | 'directory';
  /** A process id, or a path. */
  readonly name: number | string;
}

/** For processes that run to see the end themselves, and to tell their peers. */
const GRACE_MS = 500;

/**
 * Keeps a list, told on its standard input, whose end comes when whoever started it dies, however he dies. Then it kills the processes, which
 * may be stopped and cannot see that themselves, and deletes the directories. Terminal signals are not for it.
 */
const JANITOR = `
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
const charges = new Map();
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { isOver, kind, name } = JSON.parse(line);
  if (isOver) charges.delete(kind + name);
  else charges.set(kind + name, { kind, name });
}).on('close', () => setTimeout(() => {
  const names = (wanted) => [...charges.values()].filter(({ kind }) => kind === wanted).map(({ name }) => name);
  for (const pid of names('process')) try { process.kill(pid, 'SIGKILL'); } catch {}
  for (const path of names('directory')) try { require('node:fs').rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }); } catch {}
  process.exit();
}, ${GRACE_MS}));
`;

let janitor: ChildProcess | undefined;

/** Sees to it that a child process or a directory does not outlive this process. Returns what is to be called when it is gone. */
export function entrust(kind: Charge['kind'], name: Charge['name']): () => void {
  tell({ kind, name, isOver: false });
  return () => tell({ kind, name, isOver: true });
}

function tell(line: Charge & { readonly isOver: boolean }): void {
  janitor ??= start();
  janitor.stdin!.write(`${JSON.stringify(line)}\n`);
}

/** Lives as long as this process, and keeps it from nothing. */
function start(): ChildProcess {
  const started = spawn(process.execPath, ['-e', JANITOR], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  // That it cannot be started, or is killed, is no error: children have their lifelines, and directories are deleted at an end in order.
  started.on('error', () => {});
  started.stdin!.on('error', () => {});
  started.unref();
  (started.stdin as typeof started.stdin & { unref(): void }).unref();
  return started;
}
