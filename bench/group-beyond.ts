/**
 * More failures than a group can mask. In each mode a value is put; then k+1 members are killed at once, or a client is left with too few members by a
 * partition; it asks for the value and puts another. An error in bounded time, and never a wrong answer; and when all is repaired, the value is there.
 * `npx tsx bench/group-beyond.ts [--size 3] [--modes raft,…] [--timeout 3s]`
 *
 * Prints what the client got, after how long, and with which exit code. Exits with 99 when it was told something or waited much longer than its
 * timeout, when k crashes were not masked, or when the value was gone in the end. Uses dist/: build first.
 */
import { parseArgs } from 'node:util';

import { formatDuration, parseDuration } from '../src/core/units.ts';
import { majorityOf, MODES, neededOf, type Mode } from '../src/group/modes.ts';
import { textTable } from '../src/report/table.ts';
import { BenchGroup } from './group.ts';
import { BUILT_MAIN, exitCodeOf, onLines, startFailmask } from './process.ts';

const { values } = parseArgs({ options: { size: { type: 'string', default: '3' }, modes: { type: 'string', default: MODES.join() }, timeout: { type: 'string', default: '3s' } } });
/** For what must be answered. */
const PATIENT = '20s';
/** For a busy machine to start a process, and to end it. */
const SLACK_MS = 5000;

interface Answer {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

const limitMs = parseDuration(values.timeout) + SLACK_MS;
const rows: string[][] = [];
for (const mode of MODES.filter((name) => values.modes.split(',').includes(name))) {
  const group = await BenchGroup.start(['--mode', mode, '--size', values.size, '--balancers', '2', '--proxy', 'limit 1000']);
  try {
    await kv(group, PATIENT, 'put', 'colour', 'blue');
    await crash(group, mode);
    await cutOff(group);
  } finally {
    await group.stop();
  }
}
console.log(textTable(['mode', 'failure', 'kv get', 'kv put', 'kv get, repaired', 'as it should be'], rows));

/** k members first, which is masked, so that what follows is owed to one more. */
async function crash(group: BenchGroup, mode: Mode): Promise<void> {
  const names = (await group.members()).map(({ id }) => id);
  const k = group.size - neededOf(mode, group.size);
  await group.ask('POST', '/kill', { members: names.slice(0, k) });
  const masked = await kv(group, PATIENT, 'get', 'colour');
  rows.push([mode, `${k} of ${group.size} killed`, describe(masked), '', '', judged(masked.stdout === 'blue')]);
  await group.ask('POST', '/kill', { members: names.slice(k, k + 1) });
  await suffer(group, `${k + 1} of ${group.size} killed`, () => group.ask('POST', '/restart', { members: names.slice(0, k + 1) }));
}

/** A majority, and the view service, are on the other side. */
async function cutOff(group: BenchGroup): Promise<void> {
  await group.becomesWhole(parseDuration(PATIENT));
  const processes = await group.processes();
  const members = processes.filter(({ kind }) => kind === 'member').map(({ id }) => id);
  const far = [...members.slice(-majorityOf(group.size)), ...processes.filter(({ kind }) => kind === 'view-server').map(({ id }) => id)];
  await group.ask('POST', '/partition', { members: far, withClients: true });
  await suffer(group, `left with ${members.slice(0, -majorityOf(group.size)).join(' ')}`, () => group.ask('POST', '/heal', {}));
}

async function suffer(group: BenchGroup, failure: string, repair: () => Promise<unknown>): Promise<void> {
  const read = await kv(group, values.timeout, 'get', 'colour');
  const written = await kv(group, values.timeout, 'put', 'colour', 'blue');
  await repair();
  const repaired = await kv(group, PATIENT, 'get', 'colour');
  const isDetected = [read, written].every(({ exitCode, stdout, ms }) => exitCode !== 0 && stdout === '' && ms < limitMs);
  rows.push([group.mode, failure, describe(read), describe(written), describe(repaired), judged(isDetected && repaired.stdout === 'blue')]);
}

function judged(isGood: boolean): string {
  if (!isGood) process.exitCode = 99;
  return isGood ? 'yes' : 'NO';
}

async function kv(group: BenchGroup, timeout: string, ...args: string[]): Promise<Answer> {
  const startMs = performance.now();
  const child = startFailmask(BUILT_MAIN, ['kv', ...args, '--control', group.control, '--timeout', timeout], ['ignore', 'pipe', 'pipe']);
  const said = { stdout: '', stderr: '' };
  onLines(child.stdout!, (line) => (said.stdout += line));
  onLines(child.stderr!, (line) => (said.stderr += line));
  const exitCode = await exitCodeOf(child);
  return { ...said, exitCode, ms: performance.now() - startMs };
}

function describe({ exitCode, stdout, stderr, ms }: Answer): string {
  return exitCode === 0 ? `${stdout || 'done'} after ${formatDuration(ms)}` : `exit ${exitCode} after ${formatDuration(ms)}: ${stderr.replace(/^failmask: \w+ colour: /, '')}`;
}
