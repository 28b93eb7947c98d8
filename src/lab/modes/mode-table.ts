import { MODES, type Mode } from '../../group/modes.ts';
import type { Spread } from '../statistics.ts';
import { FAIL_OVERS, measureFailOver, type FailOver } from './fail-over.ts';
import { MODE_FACTS, type ModeFacts } from './mode-facts.ts';
import { measureOperation, type OperationCost } from './operation-cost.ts';

/** One mode at one size: what it should cost, and what it was counted to cost. */
export interface ModeCost {
  readonly mode: Mode;
  readonly members: number;
  readonly facts: ModeFacts;
  readonly put: OperationCost;
  readonly get: OperationCost;
}

/** And how long it is silent when a member goes: milliseconds of virtual time without any answer. */
export interface ModeRow extends ModeCost {
  readonly gaps: Readonly<Record<FailOver, Spread>>;
}

export function measureMode(mode: Mode, members: number, seed: number): ModeCost {
  return { mode, members, facts: MODE_FACTS[mode], put: measureOperation(mode, members, 'put', seed), get: measureOperation(mode, members, 'get', seed) };
}

/** Row by row, since each takes some time. */
export function* modeTable(sizes: readonly number[], seed: number, gapRuns: number): Generator<ModeRow> {
  const seeds = Array.from({ length: gapRuns }, (_, i) => seed + i);
  for (const mode of MODES) {
    for (const members of sizes) {
      const gaps = Object.fromEntries(FAIL_OVERS.map((failOver) => [failOver, measureFailOver(mode, members, failOver, seeds)])) as Record<FailOver, Spread>;
      yield { ...measureMode(mode, members, seed), gaps };
    }
  }
}

/** What was counted and is not what the formula says, in words. */
export function differences({ mode, members, facts, put, get }: ModeCost): string[] {
  const pairs = [
    ['messages a put', put.messages, facts.messagesPerPut.of(members)],
    ['messages a get', get.messages, facts.messagesPerGet.of(members)],
    ['messages in a row a put', put.delays, facts.delaysPerPut],
    ['messages in a row a get', get.delays, facts.delaysPerGet],
    ['syncs a put', put.syncs, facts.syncsPerPut.of(members)],
  ] as const;
  return pairs.filter(([, counted, expected]) => counted !== expected).map(([what, counted, expected]) => `${mode} of ${members}: ${counted} ${what} instead of ${expected}`);
}
