import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

import { entrust } from './janitor.ts';

/** The child reads it to its end; the end comes when the parent dies, however it dies. */
const LIFELINE_FD = 3;
const LIFELINE_VARIABLE = 'FAILMASK_LIFELINE_FD';

export interface Exited {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SuperviseOptions {
  /** Given to the child as its standard input; default: none. */
  readonly input?: Readable;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

interface ChildEvents {
  /** A line on standard output, without its newline. */
  stdout: [line: string];
  stderr: [line: string];
  /** Both outputs are read to their end and the exit code is known. */
  exit: [exited: Exited];
}

const children = new Set<Child>();

/** What is left when this process ends in order. If it is killed, the lifelines end instead, and whoever is stopped then is killed by the janitor. */
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** A child process of ours that cannot outlive this process. */
export class Child extends EventEmitter<ChildEvents> {
  readonly #process: ChildProcess;
  readonly exited: Promise<Exited>;

  constructor(process: ChildProcess, input: Readable | undefined) {
    super();
    this.#process = process;
    children.add(this);
    const gone = process.pid === undefined ? (): void => {} : entrust('process', process.pid);
    this.#forward(process.stdout!, 'stdout');
    this.#forward(process.stderr!, 'stderr');
    if (input !== undefined) {
      process.stdin!.on('error', () => input.destroy());
      input.pipe(process.stdin!);
    }
    // The lifeline carries nothing; that it breaks when the child dies is no error.
    (process.stdio[LIFELINE_FD] as Socket).on('error', () => {});
    this.exited = new Promise((resolve, reject) => {
      process.once('error', (error) => {
        children.delete(this);
        reject(error);
      });
      process.once('exit', gone);
      process.once('close', (code, signal) => {
        children.delete(this);
        this.emit('exit', { code, signal });
        resolve({ code, signal });
      });
    });
    // Whoever waits for the exit sees the error; nobody has to.
    this.exited.catch(() => {});
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** False when the child is gone already. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): boolean {
    return this.#process.kill(signal);
  }

  #forward(stream: Readable, event: 'stdout' | 'stderr'): void {
    createInterface({ input: stream }).on('line', (line) => this.emit(event, line));
  }
}

/** Starts `failmask` with `args` as this process was started itself (node or tsx, same script), tied to this process' life. */
export function superviseChild(args: readonly string[], options: SuperviseOptions = {}): Child {
  const script = process.argv[1];
  if (script === undefined) throw new Error('this process was not started from a script: no child can be started like it');
  return superviseScript([script, ...args], options);
}

/** Starts node on another script, with this process' own node options. */
export function superviseScript(argv: readonly string[], options: SuperviseOptions = {}): Child {
  const child = spawn(process.execPath, [...process.execArgv, ...argv], {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env, [LIFELINE_VARIABLE]: String(LIFELINE_FD) },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  return new Child(child, options.input);
}

/** In a supervised child: ends the process when its parent is gone. Elsewhere it does nothing. */
export function exitWithParent(): void {
  const fd = Number(process.env[LIFELINE_VARIABLE]);
  if (!Number.isInteger(fd) || fd < LIFELINE_FD) return;
  // Grandchildren have lifelines of their own.
  delete process.env[LIFELINE_VARIABLE];
  try {
    const lifeline = new Socket({ fd, readable: true, writable: false });
    lifeline.on('error', () => process.exit(1));
    lifeline.on('close', () => process.exit(1));
    lifeline.resume();
    lifeline.unref();
  } catch {
    // Not a pipe: the variable came from somewhere else.
  }
}
