import { PassThrough } from 'node:stream';

import { superviseChild, type Child, type Exited } from './supervisor.ts';

/** What a process of a group is asked on its standard input and says on its standard output: one JSON object a line. */
export type Line = Readonly<Record<string, unknown>>;

/** A process that does not answer by then is paused, busy, or gone. */
const ANSWER_TIMEOUT_MS = 1000;
const START_TIMEOUT_MS = 15_000;
/** Questions without an answer, to one process. */
const MAX_QUESTIONS = 64;
/** Before what a command says on standard error. */
const OWN_NAME = /^failmask: /;

export interface GroupProcessOptions {
  /** After the name of the program. */
  readonly args: readonly string[];
  readonly onLine: (line: Line) => void;
  readonly onStderr: (text: string) => void;
  readonly onExit: (exited: Exited) => void;
}

/** Something that a process says once, if it comes so far. */
class Milestone {
  reach!: (line: Line) => void;
  fail!: (reason: string) => void;
  readonly reached = new Promise<Line>((resolve, reject) => {
    this.reach = resolve;
    this.fail = (reason) => reject(new Error(reason));
  });

  constructor() {
    // Whoever waits for it sees the error; nobody has to.
    this.reached.catch(() => {});
  }
}

/** One process of a group, from its start to its end, and a conversation with it. */
export class GroupProcess {
  readonly #child: Child;
  readonly #input = new PassThrough();
  readonly #questions = new Map<number, (line: Line) => void>();
  #nextQuestion = 1;
  isPaused = false;
  hasExited = false;
  /** Resolves with the line in which it says on which port it listens; rejects when it ends before, or takes too long. */
  readonly listening: Promise<Line>;
  /** Resolves with the line in which it says that it serves, which is once its disk has been read; rejects when it ends before. */
  readonly serving: Promise<Line>;

  constructor(options: GroupProcessOptions) {
    this.#child = superviseChild(options.args, { input: this.#input });
    const listening = new Milestone();
    const serving = new Milestone();
    this.listening = listening.reached;
    this.serving = serving.reached;
    const timer = setTimeout(() => listening.fail('the process did not start in time'), START_TIMEOUT_MS).unref();
    let lastWords = '';
    this.#child.on('stderr', (text) => {
      lastWords = text.replace(OWN_NAME, '');
      options.onStderr(lastWords);
    });
    this.#child.on('stdout', (text) => {
      const line = parseLine(text);
      if (line === undefined) return;
      if (line['type'] === 'listening') return listening.reach(line);
      if (line['type'] === 'serving') return serving.reach(line);
      const question = this.#questions.get(line['answers'] as number);
      if (question !== undefined) question(line);
      // An answer that comes too late is nothing to tell.
      else if (line['answers'] === undefined) options.onLine(line);
    });
    this.#child.on('exit', (exited) => {
      this.hasExited = true;
      clearTimeout(timer);
      this.#input.destroy();
      const reason = lastWords || `the process ended with ${exited.signal ?? `code ${exited.code}`}`;
      listening.fail(reason);
      serving.fail(reason);
      options.onExit(exited);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get exited(): Promise<Exited> {
    return this.#child.exited;
  }

  tell(line: Line): void {
    if (!this.hasExited) this.#input.write(`${JSON.stringify(line)}\n`);
  }

  /** Undefined when no answer comes in time. */
  ask(line: Line): Promise<Line | undefined> {
    if (this.hasExited || this.isPaused || this.#questions.size >= MAX_QUESTIONS) return Promise.resolve(undefined);
    const number = this.#nextQuestion++;
    return new Promise((resolve) => {
      const end = (answer: Line | undefined): void => {
        clearTimeout(timer);
        this.#questions.delete(number);
        resolve(answer);
      };
      const timer = setTimeout(() => end(undefined), ANSWER_TIMEOUT_MS);
      this.#questions.set(number, end);
      this.tell({ ...line, question: number });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
    if (signal === 'SIGSTOP') this.isPaused = true;
    if (signal === 'SIGCONT') this.isPaused = false;
  }
}

/** Undefined for what is not an object in JSON. */
export function parseLine(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Line) : undefined;
  } catch {
    return undefined;
  }
}
