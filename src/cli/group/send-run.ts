import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

import { formatAddress } from '../../core/address.ts';
import { formatRate } from '../../core/units.ts';
import type { FileEntry } from '../../group/file-store-operation.ts';
import type { FileTransferOptions, FileTransferOutcome } from '../../group/file-transfer.ts';
import { FileSender, listFiles } from '../../net/file-sender.ts';
import { NoAnswerError } from '../../net/group-client.ts';
import { textTable } from '../../report/table.ts';
import { CommandError, Exit, type ExitCode } from '../exit.ts';
import { Reporter } from '../output.ts';
import { Progress, sampleOfAll } from '../progress.ts';
import { openInput } from '../send-run.ts';
import { onInterrupt } from '../signals.ts';
import type { FilesArgs, GroupSendArgs } from './send.ts';
import { findTarget, type Target } from './target.ts';

const EXITS = { refused: Exit.noConnection, differs: Exit.bytesDiffer, failed: Exit.timedOut } satisfies Record<string, ExitCode>;

/** Sends to a group that keeps files. Returns when the group has committed; throws otherwise. */
export async function runGroupSend(args: GroupSendArgs, name: string): Promise<void> {
  const reporter = new Reporter(args);
  const place = await findTarget(args, 'file');
  const input = await openInput(args.file);
  const takeOver = args['take-over'] ? await planTakeOver(place, name, input.isFile ? args.file : undefined) : undefined;
  const sender = await FileSender.open({ place, name, takeOver, input: input.stream, expectedBytes: input.total });
  let isInterrupted = false;
  const stopListening = onInterrupt(() => {
    isInterrupted = true;
    sender.abort();
  });
  const startedAt = performance.now();
  const progress = new Progress({ reporter, sample: () => sampleOfAll(sender.connections(), sender.confirmedBytes, input.total) });
  progress.start();
  let outcome: FileTransferOutcome | undefined;
  try {
    outcome = await sender.run();
  } finally {
    progress.stop();
    stopListening();
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const bytes = sender.confirmedBytes;
  const sha256 = outcome?.kind === 'committed' ? outcome.sha256 : null;
  const reason = outcome === undefined || outcome.kind === 'committed' ? undefined : outcome.reason;
  reporter.json({
    type: 'summary', role: 'send', peer: place.targets.map(formatAddress).join(','), name, bytes, seconds, bits_per_second: (bytes * 8) / seconds, sha256, complete: sha256 !== null,
    resumptions: sender.resumptions, outcome: isInterrupted ? 'interrupted' : outcome?.kind, reason: reason ?? null,
  });
  const ending = sha256 !== null ? '' : isInterrupted ? 'interrupted: ' : 'not complete: ';
  const again = sender.resumptions === 0 ? '' : `, asked ${sender.resumptions} times where it stands`;
  reporter.result(`${ending}${bytes} bytes confirmed as "${name}" in ${seconds.toFixed(2)} s, ${formatRate((bytes * 8) / seconds)}${sha256 === null ? '' : `, sha256 ${sha256}`}${again}`);
  if (isInterrupted) throw new CommandError('', Exit.interrupted);
  if (outcome === undefined || outcome.kind === 'committed') return;
  throw new CommandError(outcome.kind === 'refused' ? `refused: ${outcome.reason}` : `the group does not have "${name}": ${outcome.reason}`, EXITS[outcome.kind]);
}

export async function runFiles(args: FilesArgs): Promise<void> {
  const reporter = new Reporter(args);
  const entries = await filesOf(await findTarget(args, 'file'));
  reporter.json({ type: 'files', files: entries.map((entry) => ({ name: entry.name, committed: entry.isCommitted, bytes: entry.length, sha256: hex(entry), transfer: entry.transferId })) });
  reporter.result(entries.length === 0 ? 'no files' : textTable(['name', 'bytes', 'state', 'sha256'], entries.map((entry) => [
    entry.name, String(entry.length), entry.isCommitted ? 'committed' : `incomplete, of ${entry.transferId}`, hex(entry),
  ])));
}

/** Throws CommandError when the group does not answer. */
async function filesOf(place: Target): Promise<FileEntry[]> {
  try {
    return await listFiles(place);
  } catch (error) {
    throw error instanceof NoAnswerError ? new CommandError(error.message, Exit.timedOut) : error;
  }
}

/** Whom the name is taken from; undefined when nobody holds it. `path`: of a file that can be read twice. */
async function planTakeOver(place: Target, name: string, path: string | undefined): Promise<FileTransferOptions['takeOver']> {
  const entry = (await filesOf(place)).find((each) => each.name === name);
  if (entry === undefined) return undefined;
  return { from: entry.transferId, isAnew: path === undefined || !(await isBeginningOf(path, entry)) };
}

async function isBeginningOf(path: string, { length, sha256 }: FileEntry): Promise<boolean> {
  if (length === 0) return true;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { end: length - 1 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return bytes === length && hash.digest().equals(sha256);
}

function hex({ sha256 }: FileEntry): string {
  return Buffer.from(sha256).toString('hex');
}
