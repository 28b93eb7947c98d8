/**
 * A group of real processes under client load, with a fault every few seconds; then the history is judged.
 *
 *   npx tsx bench/group-nemesis.ts [--mode raft] [--size 5] [--seconds 60] [--every 5] [--last 3] [--faults kill,pause,partition,one-way,balancer | none]
 *                                  [--proxy 'loss 10% delay 5ms' | --direct] [--answers 5000] [--read local] [--fence none] [--faulty 2:wrong-value …]
 *                                  [--one-at-a-time] [--with-clients] [--replace-after 2s] [--clients 8] [--seed 1] [--expect linearizable|refused|unnoticed]
 *
 * Prints for each fault how long clients saw nothing, throughput, latencies, and what the run had to show, each with what was found. Exits with 99
 * when something was not. `--proxy 'limit 1000'` has links that can be cut and lose nothing else. Uses dist/: build first.
 */
import { parseArgs } from 'node:util';

import { MODES } from '../src/group/modes.ts';
import { FAULT_KINDS } from './nemesis/faults.ts';
import { DEFAULT_PROCEDURE as DEFAULT, EXPECTATIONS } from './nemesis/procedures.ts';
import { runProcedure } from './nemesis/run.ts';

const text = (value: unknown): { readonly type: 'string'; readonly default: string } => ({ type: 'string', default: String(value) });
const { values } = parseArgs({
  options: {
    mode: text(DEFAULT.mode), size: text(DEFAULT.size), seconds: text(DEFAULT.seconds), every: text(DEFAULT.everySeconds), last: text(DEFAULT.lastSeconds),
    faults: text(DEFAULT.faults), proxy: text(DEFAULT.proxy), direct: { type: 'boolean', default: false }, answers: text(DEFAULT.answers), read: text(DEFAULT.read),
    fence: text(DEFAULT.fence), faulty: { type: 'string', multiple: true, default: [] }, 'with-clients': { type: 'boolean', default: false },
    'one-at-a-time': { type: 'boolean', default: false }, 'replace-after': { type: 'string' }, clients: text(DEFAULT.clients), seed: text(DEFAULT.seed), expect: text(DEFAULT.expect),
  },
});

const { isAsExpected } = await runProcedure({
  mode: oneOf(MODES, values.mode, 'a mode'), size: Number(values.size), seconds: Number(values.seconds), everySeconds: Number(values.every), lastSeconds: Number(values.last),
  faults: values.faults === 'none' ? [] : values.faults.split(',').map((name) => oneOf(FAULT_KINDS, name, 'a fault')),
  proxy: values.direct ? undefined : values.proxy, fence: oneOf(['view-service', 'none'] as const, values.fence, 'a fence'),
  read: oneOf(['linearizable', 'local'] as const, values.read, 'a way to read'), faulty: values.faulty, replaceAfter: values['replace-after'], cutsClients: values['with-clients'],
  isOneAtATime: values['one-at-a-time'], clients: Number(values.clients), seed: Number(values.seed), answers: Number(values.answers), expect: oneOf(EXPECTATIONS, values.expect, 'an expectation'),
});
process.exitCode = isAsExpected ? 0 : 99;

function oneOf<T extends string>(names: readonly T[], name: string, what: string): T {
  const found = names.find((known) => known === name);
  if (found === undefined) throw new Error(`"${name}" is not ${what}: ${names.join(', ')}`);
  return found;
}
