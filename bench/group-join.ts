/**
 * A new member joins a group of three that holds much, while clients work: what they feel of the transfer, and whether the member has the same at the
 * end. The group is filled while it has one member, which is faster; the second and the third join then, too.
 *
 *   npx tsx bench/group-join.ts [--mode raft] [--keys 100000] [--value-bytes 2048] [--seconds 10] [--clients 8] [--proxy 'delay 1ms']
 *
 * Prints how long the transfer took, latencies before and during it, resident memory of each member, and the digests. Exits with 99 when the 99th
 * percentile during the transfer is more than three times that before, or when a digest differs. Uses dist/: build first; Linux only (RSS).
 */
import { parseArgs } from 'node:util';

import { formatDuration, formatBytes } from '../src/core/units.ts';
import type { HistoryEvent } from '../src/group/history.ts';
import { traitsOf } from '../src/group/modes.ts';
import { Load } from '../src/lab/load/load.ts';
import { summarizeLoad, type LoadSummary } from '../src/lab/load/load-report.ts';
import { KvClient } from '../src/net/kv-client.ts';
import { makeTempDirectory } from '../src/net/temp-directory.ts';
import { textTable } from '../src/report/table.ts';
import { BenchGroup, sleep, type MemberState } from './group.ts';
import { residentBytes } from './process.ts';
import { clientOptions } from './read-back.ts';

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'raft' }, keys: { type: 'string', default: '100000' }, 'value-bytes': { type: 'string', default: '2048' }, seconds: { type: 'string', default: '10' },
    clients: { type: 'string', default: '8' }, proxy: { type: 'string' },
  },
});
const SIZE = 3;
const MAX_RATIO = 3;
/** Clients that fill the store: as many as make one fsync worth while. */
const FILLERS = 64;
const FILL_TIMEOUT_MS = 60_000;
const MEMORY_POLL_MS = 100;
const SETTLE_MS = 3000;
const CATCH_UP_MS = 60_000;

async function fill(group: BenchGroup, keys: number, valueBytes: number): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    const client = await KvClient.open({ ...clientOptions(group), operationTimeoutMs: FILL_TIMEOUT_MS });
    for (let key = next++; key < keys; key = next++) await client.execute({ kind: 'put', key: `fill.${key}`, value: new Uint8Array(valueBytes).fill(key % 251) });
    client.close();
  };
  await Promise.all(Array.from({ length: FILLERS }, one));
}

/** The most that each member was seen to hold. */
class Memory {
  readonly peaks = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(members: () => readonly MemberState[]) {
    this.#timer = setInterval(() => {
      for (const { id, pid } of members()) if (pid !== null) this.peaks.set(id, Math.max(this.peaks.get(id) ?? 0, residentBytes({ pid })));
    }, MEMORY_POLL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

async function run(group: BenchGroup): Promise<boolean> {
  const keys = Number(values.keys);
  const valueBytes = Number(values['value-bytes']);
  const startedAt = performance.now();
  await fill(group, keys, valueBytes);
  console.log(`${group.mode}; ${keys} keys, ${formatBytes(keys * valueBytes)}, written in ${formatDuration(performance.now() - startedAt)}`);
  for (let size = 1; size < SIZE; size++) {
    const joinedAt = performance.now();
    const { done: name } = await group.ask('POST', '/add', {});
    console.log(`${String(name)} was taken in after ${formatDuration(performance.now() - joinedAt)}, without clients`);
  }
  await sleep(SETTLE_MS);
  const events: HistoryEvent[] = [];
  const load = new Load({
    open: () => KvClient.open({ ...clientOptions(group), members: SIZE }), clients: Number(values.clients), forMs: 3_600_000, seed: 1, keys: 5, rotateAfter: 300,
    isOrdered: traitsOf(group.mode).isOrdered, readsLocally: false, onEvent: (event) => events.push(event),
  });
  const over = load.run();
  await sleep(1000);
  const calm = events.length;
  await sleep(Number(values.seconds) * 1000);
  const joining = events.length;
  let members = await group.members();
  const memory = new Memory(() => members);
  const begunAt = performance.now();
  const added = group.ask('POST', '/add', {});
  let isIn = false;
  void added.then(() => (isIn = true), () => (isIn = true));
  while (!isIn) {
    members = await group.members();
    await sleep(MEMORY_POLL_MS);
  }
  const id = String((await added)['done']);
  const transferMs = performance.now() - begunAt;
  const joined = events.length;
  await sleep(Number(values.seconds) * 1000);
  load.stop();
  await over;
  memory.stop();
  const isSame = await becomesSame(group);
  members = await group.members();
  const before = summarizeLoad(events.slice(calm, joining));
  const during = summarizeLoad(events.slice(joining, joined));
  const row = (name: string, { ok, p50Ms, p99Ms, maxMs, notExecuted, unknown }: LoadSummary): string[] => [name, String(ok), formatDuration(p50Ms), formatDuration(p99Ms), formatDuration(maxMs), String(notExecuted + unknown)];
  console.log(textTable(['clients', 'answered', 'p50', 'p99', 'max', 'failed'], [row('before', before), row('during the transfer', during), row('afterwards', summarizeLoad(events.slice(joined)))]));
  console.log(textTable(['member', 'applied', 'digest', 'most memory', 'memory now'], members.map((member) => [
    member.id, String(member.status?.appliedIndex), member.status?.digest ?? '', formatBytes(memory.peaks.get(member.id) ?? 0), formatBytes(residentBytes({ pid: member.pid ?? 0 })),
  ])));
  const ratio = during.p99Ms / before.p99Ms;
  console.log(`${id} was taken in after ${formatDuration(transferMs)}; p99 during the transfer: ${ratio.toFixed(2)} × before (allowed: ${MAX_RATIO}); digests ${isSame ? 'equal' : 'DIFFERENT'}`);
  return isSame && ratio <= MAX_RATIO;
}

/** Nothing is under way any more, and all have applied the same. */
async function becomesSame(group: BenchGroup): Promise<boolean> {
  for (const deadline = performance.now() + CATCH_UP_MS; performance.now() < deadline; await sleep(200)) {
    const members = await group.members();
    const first = members[0]!.status;
    if (first !== null && members.every(({ status }) => status?.problem === undefined && status?.appliedIndex === first.appliedIndex && status.digest === first.digest)) return true;
  }
  return false;
}

const { path: directory, remove } = await makeTempDirectory('failmask-join-');
try {
  const group = await BenchGroup.start(['--mode', values.mode, '--size', '1', '--balancers', '1', '--data-dir', directory, ...(values.proxy === undefined ? [] : ['--proxy', values.proxy])]);
  try {
    process.exitCode = (await run(group)) ? 0 : 99;
  } finally {
    await group.stop();
  }
} finally {
  remove();
}
// Clients' sockets may still wait for their servers' last word.
process.exit();
