import { afterAll, describe, expect, it } from 'vitest';
import { MODES, type Mode } from '../../../src/group/modes.ts';
import { MUTANT_TIMEOUT_MS, MutantCopies, type Kill, type Patch } from '../mutant-copies.ts';
import { GROUP_MUTANTS, HIDDEN_MUTANTS } from './mutants.ts';

/** A mutant that lives through so many seeds has got away. */
const SEEDS = 300;

const copies = new MutantCopies();
/** The most that a mutant of the mode needed: seeds that the tree without one has to pass. */
const needed = new Map<Mode, number>();
afterAll(() => console.log(copies.finish()));

function firstViolation(name: string, patches: readonly Patch[], mode: Mode, seeds: number): Promise<Kill | null> {
  return copies.firstViolation(name, patches, 'sim/groups/run-group-seeds.ts', [mode, '1', String(seeds + 1)]);
}

describe('deliberate bugs of groups fall to the generic seeds', { timeout: MUTANT_TIMEOUT_MS }, () => {
  it.concurrent.each(GROUP_MUTANTS)('$mode: $name', async ({ name, mode, patches }) => {
    const kill = await firstViolation(`${mode}: ${name}`, patches, mode, SEEDS);
    if (kill !== null) needed.set(mode, Math.max(needed.get(mode) ?? 0, kill.seed));
    expect(kill, `no violation in ${SEEDS} seeds`).not.toBeNull();
  });
});

describe('the tree without a bug passes the seeds at which they fell', { timeout: MUTANT_TIMEOUT_MS }, () => {
  it.each(MODES)('%s', async (mode) => {
    expect(await firstViolation('none', [], mode, needed.get(mode) ?? 1)).toBeNull();
  });
});

describe('deliberate bugs that hardly a drawn world shows fall to a test that was written for them', { timeout: MUTANT_TIMEOUT_MS }, () => {
  it.concurrent.each(HIDDEN_MUTANTS)('$name', async ({ name, patches, file, test }) => {
    expect(await copies.failingTests(name, patches, file, test)).not.toEqual([]);
  });
});
