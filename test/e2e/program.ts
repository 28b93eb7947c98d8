import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What `npm run build` made; another build can be tested by this variable. */
const GIVEN_MAIN = process.env['FAILMASK_TEST_MAIN'];
export const MAIN = GIVEN_MAIN ?? join(ROOT, 'dist/cli/main.js');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  /** 'pipe': the test writes it (default: nothing). A number is a file descriptor. */
  readonly stdin?: 'pipe' | 'ignore' | number;
  readonly stdout?: number;
  readonly stderr?: number;
}

const running = new Set<Program>();
const directories: string[] = [];

/** A process of the built command line; nothing of it outlives the test. */
export class Program {
  readonly child: ChildProcess;
  readonly exited: Promise<Ended>;
  readonly #chunks: Buffer[] = [];
  #stderr = '';
  readonly #lines: string[] = [];
  #watchers: (() => void)[] = [];

  constructor(args: readonly string[], { stdin = 'ignore', stdout, stderr }: StartOptions) {
    assertBuilt();
    this.child = spawn(process.execPath, [MAIN, ...args], { stdio: [stdin, stdout ?? 'pipe', stderr ?? 'pipe'] });
    running.add(this);
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#wake();
    });
    if (this.child.stderr !== null) {
      createInterface({ input: this.child.stderr }).on('line', (line) => {
        this.#stderr += `${line}\n`;
        this.#lines.push(line);
        this.#wake();
      });
    }
    // A process that is killed breaks the pipe.
    this.child.stdin?.on('error', () => {});
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => {
        running.delete(this);
        this.#wake();
        resolve({ code, signal });
      });
    });
  }

  get stderr(): string {
    return this.#stderr;
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get stdoutBytes(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  /** The lines of standard output as JSON. */
  get objects(): Record<string, any>[] {
    return String(this.stdout).split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, any>);
  }

  get summary(): Record<string, any> {
    return this.objects.find(({ type }) => type === 'summary')!;
  }

  /** The exit code. */
  async code(): Promise<number | null> {
    return (await this.exited).code;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Waits until `predicate` holds; it is looked at whenever there is output. Rejects when the process ends first. */
  async until(predicate: () => boolean, what = String(predicate)): Promise<void> {
    while (!predicate()) {
      if (!running.has(this)) throw new Error(`the process ended before ${what}: ${this.#stderr}`);
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** The first line on stderr that matches. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    const find = (): RegExpExecArray | undefined => this.#lines.map((line) => pattern.exec(line)).find((match) => match !== null);
    await this.until(() => find() !== undefined, String(pattern));
    return find()!;
  }

  /** The port in "listening on HOST:PORT". */
  async port(): Promise<number> {
    return Number((await this.line(/^listening on \S+:(\d+)/))[1]);
  }

  write(bytes: Uint8Array | string): void {
    this.child.stdin!.write(bytes);
  }

  #wake(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}

export function failmask(args: readonly (string | number)[], options: StartOptions = {}): Program {
  return new Program(args.map(String), options);
}

export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'failmask-e2e-'));
  directories.push(directory);
  return directory;
}

/** For afterEach. */
export async function endAll(): Promise<void> {
  const ends = [...running].map((program) => {
    program.kill('SIGKILL');
    return program.exited;
  });
  await Promise.all(ends);
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
}

let isChecked = false;

/** These tests run what users run; a stale build would be tested in vain. */
function assertBuilt(): void {
  if (isChecked || GIVEN_MAIN !== undefined) return;
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run "npm run build" first, as "npm test" does`);
  const builtAt = statSync(MAIN.replace(/main\.js$/, 'commands.js')).mtimeMs;
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  const newer = sources.find((path) => statSync(join(ROOT, 'src', path)).mtimeMs > builtAt);
  if (newer !== undefined) throw new Error(`dist/ is older than src/${newer}: run "npm run build" first, as "npm test" does`);
  isChecked = true;
}
