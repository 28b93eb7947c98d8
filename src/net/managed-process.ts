import type { Millis } from '../core/machine.ts';
import type { GroupProcess, Line } from './group-process.ts';
import type { Identity, ProcessKind } from './group-record.ts';

/** A process of a group, whatever it is made of. */
export type RunningProcess = Pick<GroupProcess, 'pid' | 'isPaused' | 'hasExited' | 'listening' | 'serving' | 'exited' | 'tell' | 'ask' | 'signal'>;

export interface ProcessListeners {
  readonly onLine: (line: Line) => void;
  readonly onStderr: (text: string) => void;
  readonly onExit: (exited: { readonly code: number | null; readonly signal: NodeJS.Signals | null }) => void;
}

export interface ManagedProcessOptions {
  readonly identity: Identity;
  readonly start: (spec: Line, listeners: ProcessListeners) => RunningProcess;
  readonly onLine: (line: Line) => void;
  readonly onEvent: (kind: 'problem' | 'died', text: string) => void;
}

export interface ProcessStatus {
  readonly id: string;
  readonly kind: ProcessKind;
  readonly address: string;
  readonly pid: number | null;
  readonly state: 'running' | 'paused' | 'dead';
  /** What it says of itself; null when it does not answer. */
  readonly status: unknown;
  /** Why it has ended, when that was its own doing. */
  readonly problem: string | null;
}

/** For a process to end in order. */
const STOP_TIMEOUT_MS = 3000;

/** A process of a group over all its lives. */
export class ManagedProcess {
  readonly identity: Identity;
  readonly #options: ManagedProcessOptions;
  #process: RunningProcess | undefined;
  /** The last exit was asked for. */
  #wasStopped = false;
  /** When its process was started last. */
  startedMs: Millis = -Infinity;
  /** What it said last of what is wrong. */
  lastWords: string | undefined;
  /** It is being restarted, removed or replaced. */
  isChanging = false;

  constructor(options: ManagedProcessOptions) {
    this.#options = options;
    this.identity = options.identity;
  }

  get isRunning(): boolean {
    return this.#process?.hasExited === false;
  }

  /** Starts it. Resolves when it has its port; rejects with what it says when it does not come so far. */
  async launch(spec: Line): Promise<void> {
    const { start, onLine, onEvent } = this.#options;
    this.#wasStopped = false;
    this.lastWords = undefined;
    this.startedMs = performance.now();
    const process = start(spec, {
      onLine,
      onStderr: (text) => {
        this.lastWords = text;
        onEvent('problem', text);
      },
      onExit: ({ code, signal }) => {
        if (this.#wasStopped || this.#process !== process) return;
        const how = signal ?? `exit code ${code}`;
        this.lastWords ??= how;
        onEvent('died', how);
      },
    });
    this.#process = process;
    this.identity.port = Number((await process.listening)['port']);
  }

  /** With that it begins to serve. Resolves with what it says then; rejects when it ends before. */
  async begin(line: Line): Promise<Line> {
    this.tell(line);
    return this.#process!.serving;
  }

  tell(line: Line): void {
    this.#process?.tell(line);
  }

  /** Undefined when no answer comes in time. */
  async ask(line: Line): Promise<Line | undefined> {
    return this.#process?.ask(line);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.signal(signal);
  }

  /** Resolves when it is gone. SIGTERM: in order, if that does not take too long. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const process = this.#process;
    if (process === undefined || process.hasExited) return;
    this.#wasStopped = true;
    // A stopped process does not hear SIGTERM. SIGKILL it need not hear.
    if (process.isPaused && signal !== 'SIGKILL') process.signal('SIGCONT');
    process.signal(signal);
    const timer = setTimeout(() => process.signal('SIGKILL'), STOP_TIMEOUT_MS);
    await process.exited;
    clearTimeout(timer);
  }

  async status(address: string): Promise<ProcessStatus> {
    const answer = await this.ask({ type: 'status' });
    const { id, kind } = this.identity;
    return {
      id, kind, address, pid: this.isRunning ? (this.#process!.pid ?? null) : null,
      state: !this.isRunning ? 'dead' : this.#process!.isPaused ? 'paused' : 'running',
      status: answer?.['status'] ?? null, problem: this.isRunning || this.#wasStopped ? null : (this.lastWords ?? null),
    };
  }
}
