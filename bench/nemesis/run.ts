import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { createRandom } from '../../src/core/random.ts';
import type { GroupHealth } from '../../src/group/group-health.ts';
import { parseHistory } from '../../src/group/history.ts';
import { makeTempDirectory } from '../../src/net/temp-directory.ts';
import { BenchGroup, type MemberState } from '../group.ts';
import { startProgram } from '../program.ts';
import { readBack } from '../read-back.ts';
import { hrtimeMs, strikeAll } from './faults.ts';
import type { Procedure } from './procedures.ts';
import { judge, type Judgement } from './verdict.ts';

const KEYS = 5;
const ROTATE_AFTER = 300;
/** After the last fault, for the group to be as at the beginning. */
const REPAIR_MS = 20_000;

/** Starts a group, works and strikes, prints what came of it, and ends the group. */
export async function runProcedure(procedure: Procedure): Promise<Judgement> {
  const { mode, size, fence, seed, proxy, faulty, replaceAfter } = procedure;
  const { path: directory, remove } = await makeTempDirectory('failmask-nemesis-');
  try {
    const group = await BenchGroup.start([
      '--size', String(size), '--mode', mode, '--balancers', '2', '--fence', fence, '--data-dir', join(directory, 'disks'), '--seed', String(seed),
      ...(proxy === undefined ? [] : ['--proxy', proxy]), ...faulty.flatMap((fault) => ['--faulty', fault]), ...(replaceAfter === undefined ? [] : ['--replace-after', replaceAfter]),
    ]);
    try {
      return await torment(group, procedure, join(directory, 'history.jsonl'));
    } finally {
      await group.stop();
    }
  } finally {
    remove();
  }
}

async function torment(group: BenchGroup, procedure: Procedure, historyFile: string): Promise<Judgement> {
  const { seconds, everySeconds, lastSeconds, faults: kinds, seed, isOneAtATime, cutsClients } = procedure;
  const load = startProgram([
    'kv', 'load', '--json', '--control', group.control, '--clients', String(procedure.clients), '--seconds', String(seconds), '--history', historyFile, '--read', procedure.read,
    '--keys', String(KEYS), '--rotate', String(ROTATE_AFTER), '--seed', String(seed),
  ]);
  const startMs = Number((await load.line((line) => line['type'] === 'started'))['hrtimeMs']);
  const faults = await strikeAll({
    group, random: createRandom(seed), kinds, faultMs: lastSeconds * 1000, everyMs: everySeconds * 1000, forMs: seconds * 1000, cutsClients, isOneAtATime,
  });
  await load.exited;
  await group.becomesWhole(REPAIR_MS);
  const history = parseHistory(readFileSync(historyFile, 'utf8'));
  const lastReads = await readBack(group, history, () => Math.round((hrtimeMs() - startMs) * 1e6));
  const processes = await group.processes();
  const judgement = judge({
    procedure, history, lastReads, faults, startMs, keys: KEYS, rotateAfter: ROTATE_AFTER,
    members: processes.filter(({ kind }) => kind === 'member').map(({ id }) => id), complaints: complaintsOf(processes),
  });
  console.log(`at the end: ${((await group.ask('GET', '/status'))['health'] as GroupHealth).summary}`);
  return judgement;
}

/** What members say is wrong, digests that differ at equal places among it. */
function complaintsOf(processes: readonly MemberState[]): string[] {
  const members = processes.filter(({ kind }) => kind === 'member');
  const complaints = members.flatMap(({ id, status }) => {
    if (status === null) return [`${id} does not answer`];
    return [...(status.problem === undefined ? [] : [`${id}: ${status.problem}`]), ...status.suspected.map((other) => `${id} suspects ${other}`)];
  });
  const digests = new Set(members.map(({ status }) => `${status?.appliedIndex} ${status?.digest}`));
  if (digests.size > new Set(members.map(({ status }) => status?.appliedIndex)).size) complaints.push('digests differ');
  return complaints;
}
