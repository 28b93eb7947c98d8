/**
 * More crashes than a group can mask: in each mode a value is put, then k+1 members are killed at once, and a client asks for it and puts another.
 * An error in bounded time, and never a wrong answer. `npx tsx bench/group-beyond.ts [--size 3] [--modes raft,…] [--timeout 3s]`
 *
 * Prints for each mode what the client got, after how long, and with which exit code. Exits with 99 when a client was told something or
 * waited much longer than its timeout, or when k crashes were not masked. Uses dist/: build first.
 */
import { parseArgs } from 'node:util';

import { formatDuration, parseDuration } from '../src/core/units.ts';
import { MODES, type Mode } from '../src/group/modes.ts';
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

async function kv(group: BenchGroup, timeout: string, ...args: string[]): Promise<Answer> {
  const startMs = performance.now();
  const child = startFailmask(BUILT_MAIN, ['kv', ...args, '--control', group.control, '--timeout', timeout], ['ignore', 'pipe', 'pipe']);
  const said = { stdout: '', stderr: '' };
  onLines(child.stdout!, (line) => (said.stdout += line));
  onLines(child.stderr!, (line) => (said.stderr += line));
  const exitCode = await exitCodeOf(child);
  return { ...said, exitCode, ms: performance.now() - startMs };
}

/** What is enough for the group to go on: one member that has everything, or a majority. */
function toleratedBy(mode: Mode, size: number): number {
  return mode === 'primary-backup' ? size - 1 : Math.floor((size - 1) / 2);
}

const limitMs = parseDuration(values.timeout) + SLACK_MS;
const rows: string[][] = [];
for (const mode of MODES.filter((name) => values.modes.split(',').includes(name))) {
  const group = await BenchGroup.start(['--mode', mode, '--size', values.size, '--balancers', '2']);
  try {
    const k = toleratedBy(mode, group.size);
    const names = (await group.members()).map(({ id }) => id);
    await kv(group, PATIENT, 'put', 'colour', 'blue');
    // A crash that is masked first, so that the last error is one of the number.
    await group.ask('POST', '/kill', { members: names.slice(0, k) });
    const masked = await kv(group, PATIENT, 'get', 'colour');
    await group.ask('POST', '/kill', { members: names.slice(k, k + 1) });
    const read = await kv(group, values.timeout, 'get', 'colour');
    const written = await kv(group, values.timeout, 'put', 'colour', 'red');
    const isGood = masked.stdout === 'blue' && [read, written].every(({ exitCode, stdout, ms }) => exitCode !== 0 && stdout === '' && ms < limitMs);
    if (!isGood) process.exitCode = 99;
    rows.push([mode, `${k} of ${group.size}`, masked.stdout || masked.stderr, `${k + 1} of ${group.size}`, describe(read), describe(written), isGood ? 'yes' : 'NO']);
  } finally {
    await group.stop();
  }
}
console.log(textTable(['mode', 'killed', 'kv get', 'killed', 'kv get', 'kv put', 'as it should be'], rows));

function describe({ exitCode, stdout, stderr, ms }: Answer): string {
  return `exit ${exitCode} after ${formatDuration(ms)}: ${stdout || stderr.replace(/^failmask: \w+ colour: /, '')}`;
}
