import { afterAll, describe, expect, it } from 'vitest';
import { MUTANT_TIMEOUT_MS, MutantCopies, type Kill, type Patch } from './mutant-copies.ts';
import { MUTANTS } from './mutants.ts';

/** A mutant that lives through so many seeds has got away. */
const SEEDS = 300;

const copies = new MutantCopies();
afterAll(() => console.log(copies.finish()));

function firstViolation(name: string, patches: readonly Patch[]): Promise<Kill | null> {
  return copies.firstViolation(name, patches, 'sim/run-seeds.ts', ['1', String(SEEDS + 1)]);
}

describe('deliberate bugs fall to the generic seed suite', { timeout: MUTANT_TIMEOUT_MS }, () => {
  it.concurrent('and the tree without one does not', async () => {
    expect(await firstViolation('none', [])).toBeNull();
  });

  it.concurrent.each(MUTANTS)('$name', async (mutant) => {
    expect(await firstViolation(mutant.name, [mutant]), `no violation in ${SEEDS} seeds`).not.toBeNull();
  });
});
