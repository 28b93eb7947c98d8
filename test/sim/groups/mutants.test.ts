import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Mode } from '../../../src/group/modes.ts';
import { textTable } from '../../../src/report/table.ts';
import { GROUP_MODES } from './group-modes.ts';
import { GROUP_MUTANTS, type GroupMutant } from './mutants.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** What a mutant's copy consists of. */
const FOLDERS = ['core', 'group', 'sim'];
const RUNNER = join('test', 'sim', 'groups', 'run-group-seeds.ts');
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
/** The most that a mutant of the mode needed: seeds that the tree without one has to pass. */
const needed = new Map<Mode, number>();

/** A copy of the sources, with the mutant's patches if there is one; returns the path of its seed runner. */
function copyTree(name: string, mutant?: GroupMutant): string {
  const root = join(parent, name);
  for (const folder of FOLDERS) cpSync(join(ROOT, 'src', folder), join(root, 'src', folder), { recursive: true });
  cpSync(join(ROOT, RUNNER), join(root, RUNNER));
  cpSync(join(ROOT, 'package.json'), join(root, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  for (const { file, find, replace } of mutant?.patches ?? []) {
    const path = join(root, 'src', file);
    const parts = readFileSync(path, 'utf8').split(find);
    if (parts.length !== 2) throw new Error(`"${find}" stands ${parts.length - 1} times in ${file}`);
    writeFileSync(path, parts.join(replace));
  }
  return join(root, RUNNER);
}

let free = MAX_PROCESSES;
const waiting: (() => void)[] = [];

/** The first seed with a violation, in a process of its own. */
async function firstViolation(runner: string, mode: Mode, seeds: number): Promise<Kill | null> {
  if (free > 0) free--;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    const { stdout } = await run(process.execPath, ['--import', 'tsx', runner, mode, '1', String(seeds + 1)], { cwd: ROOT, timeout: TIMEOUT_MS });
    return JSON.parse(stdout) as Kill | null;
  } finally {
    const next = waiting.shift();
    if (next !== undefined) next();
    else free++;
  }
}

beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'failmask-group-mutants-'));
});

afterAll(() => {
  rmSync(parent, { recursive: true, force: true });
  const rows = [...kills].map(([name, { seed, checker, message }]) => [name, seed, checker, message.split('\n')[0]!.slice(0, 90)]);
  console.log(textTable(['deliberate bug', 'fell at seed', 'checker', 'because'], rows));
});

/** Those that every group must not have; the further ones take as long again. */
const TRIED = GROUP_MUTANTS.filter(({ isFurther }) => isFurther === undefined || process.env['FAILMASK_ALL_MUTANTS'] !== undefined);

describe('deliberate bugs of groups fall to the generic seeds', { timeout: TIMEOUT_MS }, () => {
  it.concurrent.each(TRIED.map((mutant) => ({ ...mutant, mutant })))('$mode: $name', async ({ name, mode, mutant }) => {
    const kill = await firstViolation(copyTree(String(GROUP_MUTANTS.indexOf(mutant)), mutant), mode, SEEDS);
    if (kill !== null) {
      kills.set(`${mode}: ${name}`, kill);
      needed.set(mode, Math.max(needed.get(mode) ?? 0, kill.seed));
    }
    expect(kill, `no violation in ${SEEDS} seeds`).not.toBeNull();
  });
});

describe('the tree without a bug passes the seeds at which they fell', { timeout: TIMEOUT_MS }, () => {
  it.each(GROUP_MODES)('%s', async (mode) => {
    expect(await firstViolation(copyTree(`unmutated ${mode}`), mode, needed.get(mode) ?? 1)).toBeNull();
  });
});
