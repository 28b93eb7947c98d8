/**
 * Files to groups of real processes while a member is killed: in each mode that orders writes, each member in turn, at 10, 50 and 90 % of the bytes.
 *
 *   npx tsx bench/group-files.ts [--modes raft,primary-backup,sequencer,active] [--size 3] [--bytes 8MiB] [--at 10,50,90] [--proxy 'loss 10% delay 5ms']
 *
 * At the moment of the crash a second sender asks for the same name. Prints for each run when the crash came, for how long nothing was confirmed, and whose
 * copies have the SHA-256 of the source. Exits with 99 unless all survivors' have, the victim's has once it is back, and each second sender was refused.
 * Uses dist/: build first.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { parseArgs } from 'node:util';

import { formatDuration, formatRate, parseSize } from '../src/core/units.ts';
import type { Mode } from '../src/group/modes.ts';
import { FileSender } from '../src/net/file-sender.ts';
import { makeTempDirectory } from '../src/net/temp-directory.ts';
import { textTable } from '../src/report/table.ts';
import { BenchGroup, leaderOf, sleep } from './group.ts';
import { clientOptions } from './read-back.ts';

const { values } = parseArgs({
  options: {
    modes: { type: 'string', default: 'raft,primary-backup,sequencer,active' }, size: { type: 'string', default: '3' }, bytes: { type: 'string', default: '8MiB' },
    at: { type: 'string', default: '10,50,90' }, proxy: { type: 'string' },
  },
});
/** A busy machine is slow, and that is not what is looked for here. */
const PATIENCE_MS = 120_000;
const CHUNK_BYTES = 64 * 1024;
const LOOK_MS = 2;

interface Run {
  readonly row: string[];
  readonly isRight: boolean;
}

/** Looks how far a sender is. */
class Watch {
  readonly #sender: FileSender;
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;
  #sinceMs = performance.now();
  #wanted = Infinity;
  #reached: () => void = () => {};
  longestGapMs = 0;

  constructor(sender: FileSender) {
    this.#sender = sender;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  until(bytes: number): Promise<void> {
    this.#wanted = bytes;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { confirmedBytes } = this.#sender;
    const now = performance.now();
    if (this.#bytes < source.length) this.longestGapMs = Math.max(this.longestGapMs, now - this.#sinceMs);
    if (confirmedBytes > this.#bytes) this.#sinceMs = now;
    this.#bytes = confirmedBytes;
    if (confirmedBytes >= this.#wanted) this.#reached();
  }
}

const source = randomBytes(parseSize(values.bytes));
const right = createHash('sha256').update(source).digest('hex');
const { path: directory, remove } = await makeTempDirectory('failmask-files-');
const runs: Run[] = [];
try {
  for (const mode of values.modes.split(',')) runs.push(...(await runMode(mode as Mode)));
} finally {
  remove();
}
console.log(textTable(['mode', 'killed', 'role', 'at', 'nothing confirmed for', 'rate', 'sender', 'second sender', 'survivors equal', 'victim, once back'], runs.map(({ row }) => row)));
const wrong = runs.filter(({ isRight }) => !isRight).length;
console.log(`${runs.length} runs of ${source.length} bytes, ${wrong} not as they have to be`);
process.exitCode = wrong === 0 ? 0 : 99;

async function runMode(mode: Mode): Promise<Run[]> {
  const disks = join(directory, mode);
  const group = await BenchGroup.start([
    '--service', 'file', '--mode', mode, '--size', values.size, '--balancers', '2', '--data-dir', disks, ...(values.proxy === undefined ? [] : ['--proxy', values.proxy]),
  ]);
  const done: Run[] = [];
  try {
    for (const { id } of await group.members()) for (const percent of values.at.split(',').map(Number)) done.push(await runOne(group, disks, id, percent));
    return done;
  } finally {
    await group.stop();
    rmSync(disks, { recursive: true, force: true });
  }
}

async function runOne(group: BenchGroup, disks: string, victim: string, percent: number): Promise<Run> {
  const name = `${victim}-${percent}`;
  const members = await group.members();
  const role = leaderOf(members)?.id === victim ? 'leads' : '';
  const sender = await open(group, name, source);
  const startMs = performance.now();
  const sent = sender.run();
  const watch = new Watch(sender);
  await watch.until((source.length * percent) / 100);
  const atBytes = sender.confirmedBytes;
  const second = await open(group, name, Buffer.from('something else'));
  const [outcome, refused] = await Promise.all([sent, second.run(), group.ask('POST', '/kill', { members: [victim] })]);
  const seconds = (performance.now() - startMs) / 1000;
  watch.stop();
  const survivors = members.map(({ id }) => id).filter((id) => id !== victim);
  const equal = await countEqual(survivors.map((id) => join(disks, id, 'files', name)));
  await group.ask('POST', '/restart', { members: [victim] });
  const isBack = (await group.becomesWhole(PATIENCE_MS)) && (await countEqual([join(disks, victim, 'files', name)])) === 1;
  const isRight = outcome?.kind === 'committed' && outcome.sha256 === right && refused?.kind === 'refused' && equal === survivors.length && isBack;
  const row = [
    group.mode, victim, role, `${((atBytes / source.length) * 100).toFixed(0)} %`, formatDuration(watch.longestGapMs), formatRate((source.length * 8) / seconds),
    outcome?.kind ?? 'none', refused?.kind ?? 'none', `${equal} of ${survivors.length}`, isBack ? 'equal' : 'not equal',
  ];
  console.error(row.join('  '));
  return { row, isRight };
}

function open(group: BenchGroup, name: string, content: Buffer): Promise<FileSender> {
  const chunks = Array.from({ length: Math.ceil(content.length / CHUNK_BYTES) }, (_, i) => content.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES));
  return FileSender.open({
    place: { ...clientOptions(group), operationTimeoutMs: PATIENCE_MS },
    name, input: Readable.from(chunks, { objectMode: true }),
  });
}

/** Files that have the content of the source, or get it within the patience: what is committed is on its way to everybody. */
async function countEqual(paths: readonly string[]): Promise<number> {
  const isEqual = (path: string): boolean => {
    try {
      return createHash('sha256').update(readFileSync(path)).digest('hex') === right;
    } catch {
      return false;
    }
  };
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline && !paths.every(isEqual);) await sleep(50);
  return paths.filter(isEqual).length;
}
