/**
 * What a member does with a put, call by call, as strace(1) sees it: the log is written and fsynced, and only then does anything leave that depends
 * on it. And a file that got its name by rename(2) has its directory fsynced.
 *
 *   npx tsx bench/group-fsync.ts [--mode raft] [--size 3]
 *
 * The same by hand, for one member of a running group (PID from `failmask group status`), while somebody puts a value:
 *
 *   strace -f -y -ttt -T -p PID -e trace=fsync,sendmsg,pwrite64,rename
 *
 * Exits with 99 when something left too early, or a directory was not fsynced. Uses dist/: build first; needs strace, Linux.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { makeTempDirectory } from '../src/net/temp-directory.ts';
import { textTable } from '../src/report/table.ts';
import { callControl } from '../src/net/control-client.ts';
import { sleep, type MemberState } from './group.ts';
import { BUILT_MAIN } from './process.ts';
import { startProgram } from './program.ts';
import { dataLengthOf, parseTrace, type Call } from './strace.ts';

const { values } = parseArgs({ options: { mode: { type: 'string', default: 'raft' }, size: { type: 'string', default: '3' } } });
/** What is put: to be found in what is written and sent. */
const TOKEN = 'a-value-that-is-nowhere-else';
const SETTLE_MS = 3000;


/** Runs a group under strace, puts one value, and returns the calls and the members. */
async function trace(directory: string): Promise<{ readonly calls: Call[]; readonly members: MemberState[] }> {
  const file = join(directory, 'strace');
  const group = ['group', 'up', '--json', '--mode', values.mode, '--size', values.size, '--port', '0', '--control', '127.0.0.1:0', '--data-dir', join(directory, 'disks')];
  const strace = spawn('strace', ['-f', '-y', '-ttt', '-T', '-xx', '-s', '2000', '-e', 'trace=fsync,sendmsg,pwrite64,rename', '-o', file, process.execPath, BUILT_MAIN, ...group], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => strace.once('close', resolve));
  let pid: number | undefined;
  try {
    const control = await new Promise<string>((resolve, reject) => {
      strace.once('error', reject);
      strace.once('close', () => reject(new Error('the group did not start')));
      createInterface({ input: strace.stdout }).on('line', (text) => {
        const line = JSON.parse(text) as Record<string, unknown>;
        if (line['type'] === 'up') resolve(String(line['control']));
      });
    });
    await sleep(SETTLE_MS);
    const [host, port] = control.split(':');
    const status = await callControl(host!, Number(port), 'GET', '/status');
    pid = Number(status['pid']);
    const put = startProgram(['kv', 'put', 'key', TOKEN, '--control', control]);
    if ((await put.exited) !== 0) throw new Error('the put was not answered');
    await sleep(500);
    return { calls: [], members: (status['processes'] as MemberState[]).filter(({ kind }) => kind === 'member') };
  } finally {
    if (pid === undefined) strace.kill('SIGKILL');
    else process.kill(pid, 'SIGINT');
    await ended;
  }
}

function report(calls: readonly Call[], members: readonly MemberState[], disks: string): boolean {
  const rows: string[][] = [];
  let isGood = true;
  for (const { id, pid, status } of members) {
    const log = join(disks, id, 'log');
    const write = calls.find(({ name, path, bytes }) => name === 'pwrite64' && path === log && bytes.includes(TOKEN));
    const sync = calls.find(({ name, path, startedAt }) => write !== undefined && name === 'fsync' && path === log && startedAt >= write.endedAt);
    if (write === undefined || sync === undefined) {
      rows.push([id, status?.role ?? '', 'not seen', '', '', 'NO']);
      isGood = false;
      continue;
    }
    // Pure acknowledgements of the transport say nothing of what is on disk.
    const said = calls.filter(({ name, tid, bytes }) => name === 'sendmsg' && tid === pid && dataLengthOf(bytes) > 0);
    const early = said.filter(({ startedAt, bytes }) => startedAt < sync.endedAt && (startedAt >= write.startedAt || bytes.includes(TOKEN)));
    const next = said.find(({ startedAt }) => startedAt >= sync.endedAt);
    if (early.length > 0) isGood = false;
    const after = (at: number): string => `${((at - write.startedAt) * 1000).toFixed(2)} ms`;
    rows.push([id, status?.role ?? '', '0', after(sync.endedAt), next === undefined ? 'nothing' : after(next.startedAt), early.length === 0 ? 'yes' : `NO, ${early.length} datagrams`]);
  }
  console.log(textTable(['member', 'role', 'write of the log', 'fsync returned', 'next data sent', 'in this order'], rows));
  const names = calls.filter(({ name, path }) => name === 'rename' && path.startsWith(disks));
  const synced = names.filter(({ to, endedAt }) => {
    const next = calls.find(({ name, path, startedAt }) => startedAt >= endedAt && ((name === 'fsync' && path === join(to, '..')) || (name === 'pwrite64' && path === to)));
    return next?.name === 'fsync';
  });
  for (const { path, to } of names) console.log(`rename ${path.slice(disks.length + 1)} → ${to.slice(disks.length + 1)}`);
  console.log(`${synced.length} of ${names.length} renames were followed by an fsync of the directory, before anything was written to the file`);
  return isGood && names.length > 0 && synced.length === names.length;
}

const { path: directory, remove } = await makeTempDirectory('failmask-fsync-');
try {
  const { members } = await trace(directory);
  process.exitCode = report(parseTrace(readFileSync(join(directory, 'strace'), 'latin1')), members, join(directory, 'disks')) ? 0 : 99;
} finally {
  remove();
}
