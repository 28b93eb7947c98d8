import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { formatAddress } from '../../core/address.ts';
import { startMember } from '../../net/member.ts';
import type { Socket } from '../../net/socket.ts';
import { CommandError, Exit } from '../exit.ts';
import type { GroupMemberArgs } from './member.ts';
import { Reporter } from '../output.ts';
import { Progress, sampleOf } from '../progress.ts';
import { openRecorders } from '../recorders.ts';
import { onInterrupt } from '../signals.ts';
import { reportSummary } from '../summary.ts';
import { transportConfig } from '../transport-flags.ts';

/** Serves one transfer as a member of a group. Throws what ended it, if the file is not there then. */
export async function runGroupMember(args: GroupMemberArgs): Promise<void> {
  const reporter = new Reporter(args);
  await checkPlace(args.output);
  const recorders = openRecorders(args, reporter);
  let socket: Socket | undefined;
  let startedAt = performance.now();
  let isInterrupted = false;
  const member = await startMember({
    ...transportConfig(args), ...recorders, port: args.port, host: args.host, path: args.output,
    onTransfer(from) {
      socket = from;
      startedAt = performance.now();
      reporter.info(`transfer from ${formatAddress({ host: from.remoteAddress!, port: from.remotePort! })}`);
      progress.start();
    },
    onRejected: (peer, reason) => reporter.warn(`${peer} is not served: ${reason}`),
  });
  const progress = new Progress({
    reporter,
    sample: () => sampleOf(socket?.info(), member.bytes),
  });
  const { address, port } = member.address;
  reporter.info(`listening on ${formatAddress({ host: address, port })}`);
  reporter.json({ type: 'listening', host: address, port });
  const stopListening = onInterrupt(() => {
    isInterrupted = true;
    void member.abort();
  });
  const { bytes, sha256, error } = await member.finished;
  stopListening();
  progress.stop();
  recorders.close();
  if (socket !== undefined) {
    const peer = formatAddress({ host: socket.remoteAddress!, port: socket.remotePort! });
    const seconds = (performance.now() - startedAt) / 1000;
    const failure = isInterrupted ? undefined : error;
    reportSummary(reporter, { role: 'recv', peer, bytes, seconds, sha256, info: socket.info(), error: failure, interrupted: isInterrupted && error !== undefined });
  }
  if (isInterrupted && error !== undefined) throw new CommandError('', Exit.interrupted);
  if (error !== undefined) throw error;
}

/** Fails now rather than in the middle of a transfer. */
async function checkPlace(path: string): Promise<void> {
  const directory = await stat(dirname(path));
  if (!directory.isDirectory()) throw new Error(`${dirname(path)} is not a directory`);
  const existing = await stat(path).catch(() => undefined);
  if (existing !== undefined && !existing.isFile()) throw new Error(`${path} is not a regular file`);
}
