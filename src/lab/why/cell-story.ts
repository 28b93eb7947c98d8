import { spaceTime } from '../../report/space-time.ts';
import { modeOf } from './arrangements.ts';
import type { Words } from './english.ts';
import { narrate, type Step } from './steps.ts';
import { runThreshold, type ThresholdCase } from './threshold-run.ts';

/** How a run of a cell ended, as a picture of space and time: its last round, run once more. */
export function cellStory(example: ThresholdCase, words: Words): string {
  const { arrangement, fault, members, faulty } = example;
  const steps: Step[] = [];
  const verdict = runThreshold(example, steps);
  const events = narrate(steps, modeOf(arrangement), members, words);
  const clients = [...new Set(steps.flatMap((step) => (step.kind === 'outcome' ? [step.client] : [])))];
  // Of two that do things at a time, neither alone is wrong.
  if (verdict === 'W' && clients.length > 1) events.push({ at: events.at(-1)!.at, lane: clients[0]!, text: words.contradiction, isWrong: true });
  const places = Array.from({ length: members }, (_, i) => ({ name: `m${i}`, symbol: fault !== 'crash' && faulty.includes(i) ? ':' : '|' }));
  return spaceTime({ lanes: [...clients.map((name) => ({ name })), ...places], events }, words);
}
