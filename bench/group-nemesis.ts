/**
 * A group of real processes under client load, with a fault every few seconds; then the history is judged.
 *
 *   npx tsx bench/group-nemesis.ts [--mode raft] [--size 5] [--seconds 60] [--every 5] [--proxy 'loss 10% delay 5ms' | --direct] [--read local]
 *                                  [--fence none] [--faults kill,pause,…] [--seed 1] [--expect linearizable|refused]
 *
 * Prints throughput, latencies, for each fault how long clients saw nothing, and the verdict. Exits with 99 when the verdict, or
 * what a fault-tolerant group owes its clients, is not what was expected. Uses dist/: build first.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { createRandom } from '../src/core/random.ts';
import { formatDuration } from '../src/core/units.ts';
import { parseHistory, type HistoryEvent } from '../src/group/history.ts';
import { inFlightAt, summarizeLoad, unavailableAfter } from '../src/lab/load/load-report.ts';
import { callControl } from '../src/net/control-client.ts';
import { textTable } from '../src/report/table.ts';
import { checkLinearizability } from '../src/sim/linearizability.ts';
import { startProgram, type Running } from './program.ts';

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'raft' }, size: { type: 'string', default: '5' }, seconds: { type: 'string', default: '60' }, every: { type: 'string', default: '5' },
    proxy: { type: 'string', default: 'loss 10% delay 5ms' }, direct: { type: 'boolean', default: false }, read: { type: 'string', default: 'linearizable' },
    fence: { type: 'string', default: 'view-service' }, faults: { type: 'string', default: 'kill,pause,partition,one-way,balancer' }, seed: { type: 'string', default: '1' },
    expect: { type: 'string', default: 'linearizable' }, clients: { type: 'string', default: '8' }, 'with-clients': { type: 'boolean', default: false },
    faulty: { type: 'string', multiple: true, default: [] },
  },
});

/** A fault lasts so long; then it is undone, and the group has the rest of the interval to recover. */
const FAULT_MS = 3000;
/** After a fault, some client must succeed within this. */
const RECOVERY_MS = 10_000;

interface Fault {
  readonly kind: string;
  readonly victim: string;
  readonly isLeader: boolean;
  /** Since 1970. */
  readonly epochMs: number;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const random = createRandom(Number(values.seed));
const directory = mkdtempSync(join(tmpdir(), 'failmask-nemesis-'));
const historyFile = join(directory, 'history.jsonl');
const running: Running[] = [];

try {
  process.exitCode = await run();
} finally {
  for (const program of running) program.kill('SIGINT');
  await Promise.all(running.map(({ exited }) => exited));
  rmSync(directory, { recursive: true, force: true });
}

async function run(): Promise<number> {
  const links = values.direct ? [] : ['--proxy', values.proxy];
  const up = startProgram(['group', 'up', '--json', '--size', values.size, '--mode', values.mode, '--balancers', '2', '--port', '0', '--control', '127.0.0.1:7799', '--fence', values.fence,
    '--data-dir', join(directory, 'disks'), '--seed', values.seed, ...links, ...values.faulty.flatMap((fault) => ['--faulty', fault])]);
  running.push(up);
  await up.line((line) => line['type'] === 'up');
  const ask = (method: 'GET' | 'POST', path: string, body?: Record<string, unknown>): Promise<Readonly<Record<string, unknown>>> => callControl('127.0.0.1', 7799, method, path, body);
  await sleep(3000);
  const load = startProgram(['kv', 'load', '--json', '--control', '127.0.0.1:7799', '--clients', values.clients, '--seconds', values.seconds, '--history', historyFile, '--read', values.read, '--seed', values.seed]);
  running.push(load);
  const started = await load.line((line) => line['type'] === 'started');
  const faults: Fault[] = [];
  const endMs = Date.now() + Number(values.seconds) * 1000;
  for (let number = 0; Date.now() + Number(values.every) * 1000 < endMs; number++) {
    await sleep(Number(values.every) * 1000 - (number === 0 ? 0 : FAULT_MS));
    faults.push(await strike(ask, number));
  }
  await load.exited;
  const status = await ask('GET', '/status');
  return report(parseHistory(readFileSync(historyFile, 'utf8')), faults, Number(started['epochMs']), status);
}

/** One fault, from its beginning to its end. Every second one hits the leader of the moment. */
async function strike(ask: (method: 'GET' | 'POST', path: string, body?: Record<string, unknown>) => Promise<Readonly<Record<string, unknown>>>, number: number): Promise<Fault> {
  const kinds = values.faults.split(',').filter((kind) => !(values.direct && (kind === 'partition' || kind === 'one-way')));
  const kind = kinds[number % kinds.length]!;
  const status = await ask('GET', '/status');
  const members = (status['processes'] as { id: string; kind: string; state: string; status: { role: string; term: number } | null }[]).filter((process) => process.kind === 'member' && process.state === 'running');
  const leader = members.filter((member) => member.status?.role === 'leader' || member.status?.role === 'primary').sort((a, b) => b.status!.term - a.status!.term)[0]?.id;
  const others = members.map(({ id }) => id).filter((id) => id !== leader);
  const hitsLeader = leader !== undefined && (number % 2 === 0 || others.length === 0);
  const victim = kind === 'balancer' ? `b${1 + (number % 2)}` : hitsLeader ? leader : others[random.below(others.length)]!;
  const epochMs = Date.now();
  const fault = { kind, victim, isLeader: kind !== 'balancer' && hitsLeader, epochMs };
  const one = { members: [victim] };
  if (kind === 'pause') {
    await ask('POST', '/pause', one);
    await sleep(FAULT_MS);
    await ask('POST', '/resume', one);
  } else if (kind === 'partition' || kind === 'one-way') {
    await ask('POST', '/partition', { ...one, direction: kind === 'partition' ? 'both' : random.chance(0.5) ? 'in' : 'out', withClients: values['with-clients'] });
    await sleep(FAULT_MS);
    await ask('POST', '/heal', {});
  } else {
    await ask('POST', '/kill', one);
    await sleep(FAULT_MS);
    await ask('POST', '/restart', one);
  }
  return fault;
}

function report(history: readonly HistoryEvent[], faults: readonly Fault[], startMs: number, status: Readonly<Record<string, unknown>>): number {
  const summary = summarizeLoad(history);
  const verdict = checkLinearizability(history);
  const rows = faults.map((fault) => {
    const at = fault.epochMs - startMs;
    return { ...fault, at, goneMs: unavailableAfter(history, at), inFlight: inFlightAt(history, at) };
  });
  console.log(textTable(['at', 'fault', 'on', 'leader', 'in flight', 'no answer for'], rows.map(({ at, kind, victim, isLeader, inFlight, goneMs }) => [
    `${(at / 1000).toFixed(1)} s`, kind, victim, isLeader ? 'yes' : '', String(inFlight), goneMs === Infinity ? 'ever' : formatDuration(goneMs),
  ])));
  const spread = (some: readonly { readonly goneMs: number }[]): string => {
    const sorted = some.map(({ goneMs }) => goneMs).sort((a, b) => a - b);
    return sorted.length === 0 ? 'none' : `median ${formatDuration(sorted[Math.floor(sorted.length / 2)]!)}, max ${formatDuration(sorted.at(-1)!)} (${sorted.length})`;
  };
  console.log(`leader faults: ${spread(rows.filter(({ isLeader }) => isLeader))}; others: ${spread(rows.filter(({ isLeader }) => !isLeader))}`);
  console.log(`${summary.ok} answered, ${summary.notExecuted} not executed, ${summary.unknown} unknown in ${summary.seconds.toFixed(1)} s: ${summary.perSecond.toFixed(0)} a second, `
    + `p50 ${formatDuration(summary.p50Ms)}, p99 ${formatDuration(summary.p99Ms)}; cas ${((history.filter(({ op }) => op === 'cas').length / Math.max(1, history.length)) * 100).toFixed(0)} %`);
  console.log(`verdict: ${verdict.kind}${verdict.kind === 'violation' ? `: ${verdict.explanation}` : verdict.kind === 'linearizable' ? ` (${verdict.operations} operations, ${verdict.keys} keys)` : `: ${verdict.reason}`}`);
  console.log(`at the end: ${String(status['spares'])}`);
  const isRefused = verdict.kind === 'violation';
  if (values.expect === 'refused') return isRefused ? 0 : 99;
  const isSlow = rows.some(({ goneMs }) => goneMs > RECOVERY_MS);
  return verdict.kind === 'linearizable' && !isSlow ? 0 : 99;
}
