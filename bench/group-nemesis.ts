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
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { createRandom } from '../src/core/random.ts';
import { parseHistory } from '../src/group/history.ts';
import { BenchGroup, type MemberState } from './group.ts';
import { FAULT_KINDS, strikeAll, type FaultKind } from './nemesis/faults.ts';
import { EXPECTATIONS, judge, type Expectation } from './nemesis/verdict.ts';
import { startProgram } from './program.ts';
import { readBack } from './read-back.ts';

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'raft' }, size: { type: 'string', default: '5' }, seconds: { type: 'string', default: '60' }, every: { type: 'string', default: '5' },
    last: { type: 'string', default: '3' }, faults: { type: 'string', default: 'kill,pause,partition,one-way,balancer' }, proxy: { type: 'string', default: 'loss 10% delay 5ms' },
    direct: { type: 'boolean', default: false }, answers: { type: 'string', default: '1' }, read: { type: 'string', default: 'linearizable' }, fence: { type: 'string', default: 'view-service' },
    faulty: { type: 'string', multiple: true, default: [] }, 'with-clients': { type: 'boolean', default: false }, 'one-at-a-time': { type: 'boolean', default: false }, 'replace-after': { type: 'string' }, clients: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' }, expect: { type: 'string', default: 'linearizable' },
  },
});
const KEYS = 5;
const ROTATE_AFTER = 300;

const kinds = values.faults === 'none' ? [] : values.faults.split(',').map((name) => oneOf(FAULT_KINDS, name, 'a fault'));
const expectation = oneOf(EXPECTATIONS, values.expect, 'an expectation');
const directory = mkdtempSync(join(tmpdir(), 'failmask-nemesis-'));
try {
  const group = await BenchGroup.start([
    '--size', values.size, '--mode', values.mode, '--balancers', '2', '--fence', values.fence, '--data-dir', join(directory, 'disks'), '--seed', values.seed,
    ...(values.direct ? [] : ['--proxy', values.proxy]), ...values.faulty.flatMap((fault) => ['--faulty', fault]),
    ...(values['replace-after'] === undefined ? [] : ['--replace-after', values['replace-after']]),
  ]);
  try {
    process.exitCode = (await run(group, kinds, expectation)) ? 0 : 99;
  } finally {
    await group.stop();
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function run(group: BenchGroup, faultKinds: readonly FaultKind[], expect: Expectation): Promise<boolean> {
  const isOneAtATime = values['one-at-a-time'];
  const forMs = Number(values.seconds) * 1000;
  const historyFile = join(directory, 'history.jsonl');
  const load = startProgram([
    'kv', 'load', '--json', '--control', group.control, '--clients', values.clients, '--seconds', values.seconds, '--history', historyFile, '--read', values.read,
    '--keys', String(KEYS), '--rotate', String(ROTATE_AFTER), '--seed', values.seed,
  ]);
  const startMs = Number((await load.line((line) => line['type'] === 'started'))['epochMs']);
  const faults = await strikeAll({
    group, random: createRandom(Number(values.seed)), kinds: faultKinds, faultMs: Number(values.last) * 1000, everyMs: Number(values.every) * 1000, forMs, cutsClients: values['with-clients'],
    isOneAtATime,
  });
  await load.exited;
  const history = parseHistory(readFileSync(historyFile, 'utf8'));
  const lastReads = await readBack(group, history, () => (Date.now() - startMs) * 1e6);
  const processes = await group.processes();
  const isAsExpected = judge({
    mode: group.mode, size: group.size, expect, history, lastReads, faults, startMs, keys: KEYS, rotateAfter: ROTATE_AFTER, answers: Number(values.answers), isOneAtATime,
    members: processes.filter(({ kind }) => kind === 'member').map(({ id }) => id), complaints: complaintsOf(processes),
  });
  console.log(`at the end: ${String((await group.ask('GET', '/status'))['spares'])}`);
  return isAsExpected;
}

/** What members and balancers say is wrong, digests that differ at equal places among it. */
function complaintsOf(processes: readonly MemberState[]): string[] {
  const members = processes.filter(({ kind }) => kind === 'member');
  const complaints = members.flatMap(({ id, status }) => {
    if (status === null) return [`${id} does not answer`];
    return [...(status.problem === undefined ? [] : [`${id}: ${status.problem}`]), ...status.suspected.map((other) => `${id} suspects ${other}`)];
  });
  const digests = new Set(members.map(({ status }) => `${status?.appliedIndex} ${status?.digest}`));
  if (digests.size > 1 && new Set(members.map(({ status }) => status?.appliedIndex)).size < digests.size) complaints.push('digests differ');
  return complaints;
}

function oneOf<T extends string>(names: readonly T[], name: string, what: string): T {
  const found = names.find((known) => known === name);
  if (found === undefined) throw new Error(`"${name}" is not ${what}: ${names.join(', ')}`);
  return found;
}
