/**
 * What each mode costs: operations a second and latencies of eight clients, without faults, beside one member that replicates nothing, in
 * the same run. `npx tsx bench/group-modes.ts [--seconds 5] [--sizes 3,5] [--proxy 'loss 10%']`. Uses dist/: build first.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { formatDuration } from '../src/core/units.ts';
import { MODES } from '../src/group/modes.ts';
import { textTable } from '../src/report/table.ts';
import { startProgram } from './program.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '5' }, sizes: { type: 'string', default: '3,5' }, proxy: { type: 'string' }, modes: { type: 'string', default: MODES.join() } } });
const CONTROL = '127.0.0.1:7598';
const BEGINNING_MS = 3000;

interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function measure(mode: string, size: number): Promise<Measured> {
  const directory = mkdtempSync(join(tmpdir(), 'failmask-modes-'));
  const up = startProgram(['group', 'up', '--json', '--size', String(size), '--mode', mode, '--port', '0', '--control', CONTROL, '--data-dir', directory, ...(values.proxy === undefined ? [] : ['--proxy', values.proxy])]);
  try {
    await up.line((line) => line['type'] === 'up');
    await new Promise((resolve) => setTimeout(resolve, BEGINNING_MS));
    const load = startProgram(['kv', 'load', '--json', '--control', CONTROL, '--seconds', values.seconds]);
    const summary = await load.line((line) => line['type'] === 'summary');
    await load.exited;
    return { perSecond: Number(summary['perSecond']), p50Ms: Number(summary['p50Ms']), p99Ms: Number(summary['p99Ms']) };
  } finally {
    up.kill('SIGINT');
    await up.exited;
    rmSync(directory, { recursive: true, force: true });
  }
}

const alone = await measure('raft', 1);
const rows: string[][] = [row('one member', 1, alone)];
for (const mode of values.modes.split(',')) for (const size of values.sizes.split(',').map(Number)) rows.push(row(mode, size, await measure(mode, size)));
console.log(textTable(['mode', 'members', 'operations a second', 'to one member', 'p50', 'p99'], rows));

function row(mode: string, size: number, { perSecond, p50Ms, p99Ms }: Measured): string[] {
  return [mode, String(size), perSecond.toFixed(0), (perSecond / alone.perSecond).toFixed(2), formatDuration(p50Ms), formatDuration(p99Ms)];
}
