import { formatDuration } from '../../core/units.ts';
import { MODES } from '../../group/modes.ts';
import { FAIL_OVERS } from '../../lab/modes/fail-over.ts';
import { MODE_FACTS, type Formula } from '../../lab/modes/mode-facts.ts';
import { differences, modeTable, type ModeRow } from '../../lab/modes/mode-table.ts';
import type { Spread } from '../../lab/statistics.ts';
import { textTable } from '../../report/table.ts';
import { CommandError, Exit } from '../exit.ts';
import { Reporter } from '../output.ts';
import type { ModesArgs } from './lab.ts';

/** Sizes that have a majority. */
const SIZES = [3, 5, 7, 9];

/** What each mode costs and masks, from counters. Throws CommandError when something is not as its formula says. */
export function runModes(args: ModesArgs): void {
  const reporter = new Reporter(args);
  const sizes = SIZES.filter((size) => size <= args.members);
  reporter.result(textTable(
    ['mode', 'group', 'protocol', 'tolerates', 'assumes'],
    MODES.map((mode) => {
      const { group, protocol, tolerates, assumes } = MODE_FACTS[mode];
      return [mode, group, protocol, tolerates, assumes];
    }),
  ));
  reporter.info('Counted in the simulator: quiet groups, clients without a balancer, a network of 1 ms a message.\n');
  reporter.info('Silent: killed or paused, nothing more is heard. Reset: its connections say so at once, as those of kernel TCP would; here they do not.\n');
  const rows: ModeRow[] = [];
  for (const row of modeTable(sizes, args.seed, args.runs)) {
    rows.push(row);
    reporter.json(factsOf(row));
  }
  reporter.result(textTable(
    ['mode', 'members', 'messages a put', 'a get', 'round trips a put', 'a get', 'syncs a put'],
    rows.map(({ mode, members, facts, put, get }) => [
      mode, members, counted(put.messages, facts.messagesPerPut), counted(get.messages, facts.messagesPerGet), put.delays / 2, get.delays / 2, counted(put.syncs, facts.syncsPerPut),
    ]),
  ));
  reporter.result(textTable(['no answer to anybody for', 'members', ...FAIL_OVERS], rows.map(({ mode, members, gaps }) => [mode, members, ...FAIL_OVERS.map((failOver) => rangeOf(gaps[failOver]))])));
  const wrong = rows.flatMap(differences);
  if (wrong.length > 0) throw new CommandError(`not as the formulas say: ${wrong.join('; ')}`, Exit.expectationNotMet);
}

function counted(value: number, { text }: Formula): string {
  return `${value} = ${text}`;
}

function rangeOf({ median, low, high }: Spread): string {
  return low === high ? formatDuration(median) : `${formatDuration(median)} (${formatDuration(low)}–${formatDuration(high)})`;
}

function factsOf({ mode, members, facts, put, get, gaps }: ModeRow): Record<string, unknown> {
  const both = (measured: number, formula: Formula): object => ({ measured, expected: formula.of(members), formula: formula.text });
  return {
    type: 'mode', mode, members, group: facts.group, protocol: facts.protocol, tolerates: facts.tolerates, assumes: facts.assumes,
    messagesPerPut: both(put.messages, facts.messagesPerPut), messagesPerGet: both(get.messages, facts.messagesPerGet),
    roundTripsPerPut: { measured: put.delays / 2, expected: facts.delaysPerPut / 2 }, roundTripsPerGet: { measured: get.delays / 2, expected: facts.delaysPerGet / 2 },
    syncsPerPut: both(put.syncs, facts.syncsPerPut),
    gapMs: Object.fromEntries(FAIL_OVERS.map((failOver) => [failOver, gaps[failOver]])),
  };
}
