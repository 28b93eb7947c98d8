/**
 * What a member does with a damaged log. In each mode a group is killed, the log of m2 is damaged in one of three ways, and the group is started again:
 *
 * - cut: the last record is short, as after a crash in the middle of a write. It is cut off, and m2 serves.
 * - last: the last record is complete, and a byte of it has flipped. What it promised may be gone: m2 catches up before it counts.
 * - middle: a byte has flipped in front of good records. m2 refuses to start, says where, and `group rebuild` puts a new one in its place.
 *
 *   npx tsx bench/group-damage.ts [--modes raft,primary-backup,…] [--damage cut,last,middle]
 *
 * Exits with 99 when m2 did something else, or a value or a digest was not the same at the end. Uses dist/: build first.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { MODES } from '../src/group/modes.ts';
import { readRecords } from '../src/group/record-file.ts';
import { KvClient } from '../src/net/kv-client.ts';
import { makeTempDirectory } from '../src/net/temp-directory.ts';
import { BenchGroup, sleep, type MemberState } from './group.ts';
import { clientOptions } from './read-back.ts';

const DAMAGES = ['cut', 'last', 'middle'] as const;
type Damage = (typeof DAMAGES)[number];

const { values } = parseArgs({ options: { modes: { type: 'string', default: MODES.join() }, damage: { type: 'string', default: DAMAGES.join() } } });
const VICTIM = 'm2';
const KEYS = 20;
const RECOVERY_MS = 20_000;

function valueOf(key: number): string {
  return `value ${key}`;
}

function damageLog(file: string, damage: Damage): void {
  const bytes = readFileSync(file);
  const { records } = readRecords(file, bytes);
  const { offset } = damage === 'middle' ? records[records.length >> 1]! : records.at(-1)!;
  // Behind the head of the record.
  if (damage === 'cut') writeFileSync(file, bytes.subarray(0, bytes.length - 1));
  else {
    bytes[offset + 12]! ^= 0x10;
    writeFileSync(file, bytes);
  }
}

async function writeAll(group: BenchGroup): Promise<void> {
  const client = await KvClient.open(clientOptions(group));
  for (let key = 0; key < KEYS; key++) await client.execute({ kind: 'put', key: `k${key}`, value: Buffer.from(valueOf(key)) });
  client.close();
}

/** Whether all is there. */
async function readAll(group: BenchGroup): Promise<boolean> {
  const client = await KvClient.open(clientOptions(group));
  let found = 0;
  for (let key = 0; key < KEYS; key++) {
    const result = await client.execute({ kind: 'get', key: `k${key}` });
    if (result.kind === 'value' && Buffer.from(result.value).toString() === valueOf(key)) found++;
  }
  client.close();
  return found === KEYS;
}

/** What it says is wrong with it, one thing after the other, before it serves. */
async function complaintOf(group: BenchGroup): Promise<{ readonly state: MemberState['state']; readonly text: string }> {
  const texts = new Set<string>();
  for (const deadline = performance.now() + RECOVERY_MS; performance.now() < deadline; await sleep(20)) {
    const { state, status, problem } = (await group.members()).find(({ id }) => id === VICTIM)!;
    if (state === 'dead' && problem !== null) return { state, text: problem };
    if (status?.problem !== undefined) texts.add(status.problem);
    if (status !== null && status.problem === undefined) return { state, text: [...texts].join(', then: ') };
  }
  return { state: 'running', text: `not ready after ${RECOVERY_MS / 1000} s: ${[...texts].join(', then: ')}` };
}

async function hasOneDigest(group: BenchGroup): Promise<boolean> {
  for (const deadline = performance.now() + RECOVERY_MS; performance.now() < deadline; await sleep(100)) {
    const members = await group.members();
    if (members.every(({ status }) => status?.problem === undefined) && new Set(members.map(({ status }) => status?.digest)).size === 1) return true;
  }
  return false;
}

for (const mode of MODES.filter((name) => values.modes.split(',').includes(name))) {
  for (const damage of DAMAGES.filter((name) => values.damage.split(',').includes(name))) {
    const { path: directory, remove } = await makeTempDirectory('failmask-damage-');
    const flags = ['--mode', mode, '--size', '3', '--balancers', '1', '--data-dir', directory];
    let group = await BenchGroup.start(flags);
    try {
      await writeAll(group);
      await group.kill();
      damageLog(join(directory, VICTIM, 'log'), damage);
      group = await BenchGroup.launch(flags);
      const { state, text } = await complaintOf(group);
      const rebuilt = state === 'dead' ? String((await group.ask('POST', '/rebuild', { members: [VICTIM] }))['done']) : '';
      const hasAll = await readAll(group);
      const isSame = await hasOneDigest(group);
      const isGood = hasAll && isSame && (state === 'dead') === (damage === 'middle');
      if (!isGood) process.exitCode = 99;
      const said = text === '' ? '' : ` (${text.replace(`${directory}/`, '')})`;
      const ended = `all values ${hasAll ? 'there' : 'MISSING'}, digests ${isSame ? 'equal' : 'DIFFERENT'}`;
      console.log(`${mode}, ${damage}: ${VICTIM} ${state === 'dead' ? 'refuses' : 'serves'}${said}; ${rebuilt === '' ? '' : `rebuilt: ${rebuilt}; `}${ended}`);
    } finally {
      await group.stop();
      remove();
    }
  }
}
// Clients' sockets may still wait for their servers' last word.
process.exit();
