import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textTable } from '../../src/report/table.ts';
import { MUTANTS, type Mutant } from './mutants.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What a mutant's copy consists of. */
const FOLDERS = ['core', 'wire', 'tcp', 'link', 'sim'];
/** A mutant that lives through so many seeds has got away. */
const SEEDS = 300;
const TIMEOUT_MS = 240_000;
const MAX_PROCESSES = 2;

interface Kill {
  readonly seed: number;
  readonly checker: string;
  readonly message: string;
}

let parent: string;
const kills = new Map<string, Kill>();

/** A copy of the sources, with the mutant's patch if there is one; returns the path of its seed runner. */
function copyTree(name: string, mutant?: Mutant): string {
  const root = join(parent, name);
  for (const folder of FOLDERS) cpSync(join(ROOT, 'src', folder), join(root, 'src', folder), { recursive: true });
  const runner = join(root, 'test', 'sim', 'run-seeds.ts');
  cpSync(join(ROOT, 'test', 'sim', 'run-seeds.ts'), runner);
  cpSync(join(ROOT, 'package.json'), join(root, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  if (mutant !== undefined) {
    const path = join(root, 'src', mutant.file);
    const parts = readFileSync(path, 'utf8').split(mutant.find);
    if (parts.length !== 2) throw new Error(`"${mutant.find}" stands ${parts.length - 1} times in ${mutant.file}`);
    writeFileSync(path, parts.join(mutant.replace));
  }
  return runner;
}

let free = MAX_PROCESSES;
const waiting: (() => void)[] = [];

/** The first seed with a violation, in a process of its own. */
async function firstViolation(runner: string): Promise<Kill | null> {
  if (free > 0) free--;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    const { stdout } = await run(process.execPath, ['--import', 'tsx', runner, '1', String(SEEDS + 1)], { cwd: ROOT, timeout: TIMEOUT_MS });
    return JSON.parse(stdout) as Kill | null;
  } finally {
    const next = waiting.shift();
    if (next !== undefined) next();
    else free++;
  }
}

beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'failmask-mutants-'));
});

afterAll(() => {
  rmSync(parent, { recursive: true, force: true });
  const rows = [...kills].map(([name, { seed, checker, message }]) => [name, seed, checker, message.split('\n')[0]!.slice(0, 90)]);
  console.log(textTable(['deliberate bug', 'fell at seed', 'checker', 'because'], rows));
});

describe('deliberate bugs fall to the generic seed suite', { timeout: TIMEOUT_MS }, () => {
  it.concurrent('and the tree without one does not', async () => {
    expect(await firstViolation(copyTree('unmutated'))).toBeNull();
  });

  it.concurrent.each(MUTANTS.map((mutant) => ({ ...mutant, mutant })))('$name', async ({ name, mutant }) => {
    const kill = await firstViolation(copyTree(String(MUTANTS.indexOf(mutant)), mutant));
    if (kill !== null) kills.set(name, kill);
    expect(kill, `no violation in ${SEEDS} seeds`).not.toBeNull();
  });
});
