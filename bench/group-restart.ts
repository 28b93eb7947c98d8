/**
 * All members killed at once (SIGKILL) while clients work, and restarted one after the other, in every order; at last `group up` itself is killed. Then
 * every key is read back, and the history is judged: every acknowledged write is there, none was applied twice.
 *
 *   npx tsx bench/group-restart.ts [--modes raft,primary-backup,…] [--wait 3s] [--clients 8] [--seed 1]
 *
 * Prints for each order whether clients were answered within the wait after the first, the second and the third member was back, and why not. Exits
 * with 99 when a history is not linearizable, or a group that was whole again did not serve. Uses dist/: build first.
 */
import { parseArgs } from 'node:util';

import { parseDuration } from '../src/core/units.ts';
import type { GroupHealth } from '../src/group/group-health.ts';
import type { HistoryEvent } from '../src/group/history.ts';
import { MODES, traitsOf, type Mode } from '../src/group/modes.ts';
import { Load } from '../src/lab/load/load.ts';
import { inFlightAt } from '../src/lab/load/load-report.ts';
import { KvClient } from '../src/net/kv-client.ts';
import { makeTempDirectory } from '../src/net/temp-directory.ts';
import { textTable } from '../src/report/table.ts';
import { checkLinearizability } from '../src/sim/linearizability.ts';
import { BenchGroup, sleep } from './group.ts';
import { clientOptions, readBack } from './read-back.ts';

const { values } = parseArgs({ options: { modes: { type: 'string', default: MODES.join() }, wait: { type: 'string', default: '3s' }, clients: { type: 'string', default: '8' }, seed: { type: 'string', default: '1' } } });
const ORDERS = [['m1', 'm2', 'm3'], ['m1', 'm3', 'm2'], ['m2', 'm1', 'm3'], ['m2', 'm3', 'm1'], ['m3', 'm1', 'm2'], ['m3', 'm2', 'm1']];
const waitMs = parseDuration(values.wait);
/** Of work before everybody is killed. */
const WORK_MS = 1000;
const OPERATION_TIMEOUT_MS = 3000;
/** For a group that is whole again to serve. */
const RECOVERY_MS = 20_000;
const POLL_MS = 50;

/** Clients at work, and what they have seen. */
class Work {
  readonly events: HistoryEvent[] = [];
  readonly #startedAt = process.hrtime.bigint();
  readonly #load: Load;
  readonly #done: Promise<void>;

  constructor(group: BenchGroup) {
    this.#load = new Load({
      open: () => KvClient.open({ ...clientOptions(group), operationTimeoutMs: OPERATION_TIMEOUT_MS }),
      clients: Number(values.clients), forMs: 3_600_000, seed: Number(values.seed), keys: 5, rotateAfter: 300, isOrdered: traitsOf(group.mode).isOrdered, readsLocally: false,
      onEvent: (event) => this.events.push(event),
    });
    this.#done = this.#load.run();
  }

  readonly now = (): number => Number(process.hrtime.bigint() - this.#startedAt);

  /** Waits for an answer to something that was asked from now on. Returns after how long it came; Infinity: not in time. */
  async answer(withinMs: number): Promise<number> {
    const since = this.now();
    const seen = this.events.length;
    for (const deadline = performance.now() + withinMs; performance.now() < deadline; await sleep(POLL_MS)) {
      const first = this.events.slice(seen).find(({ ok, invoke }) => ok === true && invoke >= since);
      if (first !== undefined) return (first.complete! - since) / 1e6;
    }
    return Infinity;
  }

  /** What was under way at `at`, ns, and writes acknowledged by then. */
  countsAt(at: number): string[] {
    const recent = this.events.filter(({ invoke }) => invoke >= at - OPERATION_TIMEOUT_MS * 1e6);
    const writes = this.events.filter(({ ok, op, complete }) => ok === true && op !== 'get' && complete! <= at);
    return [String(inFlightAt(recent, at / 1e6)), String(writes.length)];
  }

  async stop(): Promise<void> {
    this.#load.stop();
    await this.#done;
  }
}

async function killAll(group: BenchGroup): Promise<void> {
  for (const { pid } of await group.members()) if (pid !== null) process.kill(pid, 'SIGKILL');
  while ((await group.members()).some(({ state }) => state !== 'dead')) await sleep(POLL_MS);
}

/** What people see when they ask why nobody answers. */
async function reasonOf(group: BenchGroup): Promise<string> {
  const status = await group.ask('GET', '/status');
  const problems = (await group.members()).flatMap((member) => (member.status?.problem === undefined ? [] : [`${member.id}: ${member.status.problem}`]));
  return [(status['health'] as GroupHealth).summary, ...problems].join('; ');
}

async function judge(mode: Mode, directory: string): Promise<boolean> {
  const flags = ['--mode', mode, '--size', '3', '--balancers', '1', '--data-dir', directory];
  let group = await BenchGroup.start(flags);
  const rows: string[][] = [];
  const reasons = new Set<string>();
  let isServed = true;
  try {
    const work = new Work(group);
    const show = (ms: number): string => (ms === Infinity ? 'refuses' : `serves after ${ms.toFixed(0)} ms`);
    for (const order of ORDERS) {
      await work.answer(RECOVERY_MS);
      await sleep(WORK_MS);
      const killedAt = work.now();
      await killAll(group);
      const stages: string[] = [];
      for (const [i, id] of order.entries()) {
        await group.ask('POST', '/restart', { members: [id] });
        const answered = await work.answer(i === order.length - 1 ? RECOVERY_MS : waitMs);
        stages.push(show(answered));
        if (answered === Infinity) reasons.add(await reasonOf(group));
      }
      if (stages.at(-1) === 'refuses' || !(await group.becomesWhole(RECOVERY_MS))) isServed = false;
      rows.push([order.join(' '), ...work.countsAt(killedAt), ...stages]);
    }
    await sleep(WORK_MS);
    const killedAt = work.now();
    await group.kill();
    // Clients go on asking where they asked before.
    group = await BenchGroup.launch(flags, group.balancers[0]!.split(':')[1]);
    const answered = await work.answer(RECOVERY_MS);
    rows.push(['group up, all at once', ...work.countsAt(killedAt), '', '', show(answered)]);
    if (answered === Infinity || !(await group.becomesWhole(RECOVERY_MS))) isServed = false;
    await sleep(WORK_MS);
    await work.stop();
    const reads = await readBack(group, work.events, work.now);
    const verdict = checkLinearizability([...work.events, ...reads]);
    console.log(`${mode}\n${textTable(['restarted in the order', 'in flight', 'writes acknowledged', 'with one', 'with two', 'with all'], rows)}`);
    for (const reason of reasons) console.log(`refuses: ${reason}`);
    console.log(`${reads.length} keys read back; ${verdict.kind}${verdict.kind === 'linearizable' ? ` (${verdict.operations} operations)` : verdict.kind === 'violation' ? `: ${verdict.explanation}` : `: ${verdict.reason}`}\n`);
    return isServed && verdict.kind === 'linearizable';
  } finally {
    await group.stop();
  }
}

for (const mode of MODES.filter((name) => values.modes.split(',').includes(name))) {
  const { path: directory, remove } = await makeTempDirectory('failmask-restart-');
  try {
    if (!(await judge(mode, directory))) process.exitCode = 99;
  } finally {
    remove();
  }
}
// Clients' sockets may still wait for their servers' last word.
process.exit();
