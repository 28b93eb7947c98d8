import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { textTable } from '../../src/report/table.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const MUTANT_TIMEOUT_MS = 240_000;
const MAX_PROCESSES = 2;

/** The text `find`, which stands exactly once in `file` (below src/), becomes `replace`. */
export interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The first seed with a violation. */
export interface Kill {
  readonly seed: number;
  readonly checker: string;
  readonly message: string;
}

/** Copies of the tree, each with a deliberate bug of its own, and what fell over them. Nothing is ever changed in the tree itself. */
export class MutantCopies {
  readonly #parent = mkdtempSync(join(tmpdir(), 'failmask-mutants-'));
  readonly #kills = new Map<string, readonly [by: string | number, what: string, why: string]>();
  #copies = 0;
  #free = MAX_PROCESSES;
  readonly #waiting: (() => void)[] = [];

  /** Runs a seed runner (below test/) in a copy; null: no seed fell. */
  async firstViolation(name: string, patches: readonly Patch[], runner: string, args: readonly string[]): Promise<Kill | null> {
    const root = this.#copy(patches, [runner]);
    const stdout = await this.#inTurn(async () => (await run(process.execPath, ['--import', 'tsx', join(root, 'test', runner), ...args], { cwd: ROOT, timeout: MUTANT_TIMEOUT_MS })).stdout);
    const kill = JSON.parse(stdout) as Kill | null;
    if (kill !== null) this.#kills.set(name, [`seed ${kill.seed}`, kill.checker, kill.message]);
    return kill;
  }

  /** Runs tests whose names contain `test`, of a file below test/, in a copy. Returns the names of those that fail. */
  async failingTests(name: string, patches: readonly Patch[], file: string, test: string): Promise<string[]> {
    const root = this.#copy(patches, ['.']);
    for (const config of ['vitest.config.ts', 'tsconfig.json']) cpSync(join(ROOT, config), join(root, config));
    const report = join(root, 'report.json');
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    // Failing is what it is for.
    await this.#inTurn(() => run(process.execPath, [vitest, 'run', join('test', file), '-t', test, '--reporter=json', `--outputFile=${report}`], { cwd: root, timeout: MUTANT_TIMEOUT_MS }).catch(() => undefined));
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as { testResults: { assertionResults: { status: string; fullName: string; failureMessages: string[] }[] }[] };
    const failures = testResults.flatMap(({ assertionResults }) => assertionResults).filter(({ status }) => status === 'failed');
    if (failures.length > 0) this.#kills.set(name, [file, failures[0]!.fullName, failures[0]!.failureMessages[0] ?? '']);
    return failures.map(({ fullName }) => fullName);
  }

  /** What fell, and over what; then the copies are gone. */
  finish(): string {
    rmSync(this.#parent, { recursive: true, force: true });
    return textTable(['deliberate bug', 'fell at', 'to', 'because'], [...this.#kills].map(([name, [by, what, why]]) => [name, by, what.slice(0, 80), why.split('\n')[0]!.slice(0, 90)]));
  }

  #copy(patches: readonly Patch[], tests: readonly string[]): string {
    const root = join(this.#parent, String(this.#copies++));
    for (const path of ['src', 'package.json', ...tests.map((test) => join('test', test))]) cpSync(join(ROOT, path), join(root, path), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    for (const { file, find, replace } of patches) {
      const path = join(root, 'src', file);
      const parts = readFileSync(path, 'utf8').split(find);
      if (parts.length !== 2) throw new Error(`"${find}" stands ${parts.length - 1} times in ${file}`);
      writeFileSync(path, parts.join(replace));
    }
    return root;
  }

  async #inTurn<T>(act: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await act();
    } finally {
      const next = this.#waiting.shift();
      if (next !== undefined) next();
      else this.#free++;
    }
  }
}
