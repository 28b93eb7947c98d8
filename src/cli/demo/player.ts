import { superviseChild, type Child, type Exited } from '../../net/supervisor.ts';

export type Json = Readonly<Record<string, unknown>>;

const MAX_STDERR_LINES = 20;

/** One `failmask …` as a child process, with what it says under --json. It cannot outlive this process. */
export class Player {
  readonly name: string;
  readonly #child: Child;
  readonly #listening: Promise<number>;
  readonly #stderr: string[] = [];
  #exited: Exited | undefined;
  #summary: Json | undefined;
  #bytes = 0;
  #onProgress: (bytes: number) => void = () => {};

  constructor(name: string, args: readonly string[]) {
    this.name = name;
    this.#child = superviseChild([...args, '--json']);
    this.#child.on('stderr', (line) => {
      this.#stderr.push(line);
      if (this.#stderr.length > MAX_STDERR_LINES) this.#stderr.shift();
    });
    this.#listening = new Promise((resolve, reject) => {
      this.#child.on('stdout', (line) => {
        const event = parse(line);
        if (event === undefined) return;
        if (event['type'] === 'listening') resolve(event['port'] as number);
        if (event['type'] === 'summary') this.#summary = event;
        if (event['type'] === 'interval' && typeof event['bytes'] === 'number') this.#onInterval(event['bytes']);
      });
      this.exited.then(() => reject(new Error(`${name} ended before it listened: ${this.lastWords}`)), reject);
    });
    this.#listening.catch(() => {});
  }

  /** Its port, as soon as it listens. Rejects when it ends before. */
  get port(): Promise<number> {
    return this.#listening;
  }

  get exited(): Promise<Exited> {
    return this.#child.exited.then((exited) => (this.#exited = exited));
  }

  get isRunning(): boolean {
    return this.#exited === undefined;
  }

  /** The last object of its output. */
  get summary(): Json {
    return this.#summary ?? {};
  }

  /** Bytes that its interval lines add up to. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Its last line on stderr, without the command's name. */
  get lastWords(): string {
    return this.#stderr.at(-1)?.replace(/^failmask: /, '') ?? 'it said nothing';
  }

  /** Resolves once its interval lines add up to `bytes`, or it has ended. */
  async reached(bytes: number): Promise<void> {
    const enough = new Promise<void>((resolve) => {
      const look = (sum: number): void => {
        if (sum >= bytes) resolve();
      };
      this.#onProgress = look;
      look(this.#bytes);
    });
    await Promise.race([enough, this.exited]);
  }

  kill(signal: NodeJS.Signals): boolean {
    return this.#child.kill(signal);
  }

  /** Asks it to end in order and waits for it. */
  async stop(): Promise<void> {
    if (this.isRunning) this.kill('SIGTERM');
    await this.exited;
  }

  #onInterval(bytes: number): void {
    this.#bytes += bytes;
    this.#onProgress(this.#bytes);
  }
}

/** A number inside nested objects; 0 where there is none. */
export function numberAt(object: Json, ...path: string[]): number {
  const value = valueAt(object, ...path);
  return typeof value === 'number' ? value : 0;
}

export function valueAt(object: Json, ...path: string[]): unknown {
  let value: unknown = object;
  for (const name of path) value = typeof value === 'object' && value !== null ? (value as Json)[name] : undefined;
  return value;
}

function parse(line: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}
