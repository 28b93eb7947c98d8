import { formatAddress } from '../core/address.ts';
import { formatBytes, formatDuration, formatRate } from '../core/units.ts';
import type { GroupOutcome, MemberEvent, MemberFate } from '../group/outcome.ts';
import { GroupSender } from '../net/group-sender.ts';
import type { Socket } from '../net/socket.ts';
import { CommandError, Exit, exitCodeOf, oneLine, UsageError, type ExitCode } from './exit.ts';
import { Reporter } from './output.ts';
import { Progress, sampleOfAll } from './progress.ts';
import { openRecorders } from './recorders.ts';
import { openInput } from './send-run.ts';
import type { SendArgs } from './send.ts';
import { onInterrupt } from './signals.ts';
import { describeDetails, detailsOf } from './summary.ts';
import { transportConfig } from './transport-flags.ts';

/** Sends to all members of a group. Returns when at least one living member holds every byte, committed and synced; throws otherwise. */
export async function runMembersSend(args: SendArgs): Promise<void> {
  const reporter = new Reporter(args);
  checkMembers(args.to.map(formatAddress));
  const input = await openInput(args.file);
  const recorders = openRecorders(args, reporter);
  const { tap } = recorders;
  const startedAt = performance.now();
  const sender = new GroupSender({
    ...transportConfig(args),
    members: args.to, input: input.stream, expectedBytes: input.total, connectTimeoutMs: args['connect-timeout'],
    ...(args.ipv4 ? { family: 4 as const } : args.ipv6 ? { family: 6 as const } : {}),
    ...(recorders.sink === undefined ? {} : { sink: recorders.sink }),
    ...(tap === undefined ? {} : { tap }),
    onEvent: (event) => reportEvent(reporter, event),
  });
  let isInterrupted = false;
  const stopListening = onInterrupt(() => {
    isInterrupted = true;
    sender.abort();
  });
  const progress = new Progress({ reporter, sample: () => sampleOfAll(sender.sockets.map((socket) => socket.info()).filter((info) => info !== undefined), sender.stableBytes, input.total) });
  progress.start();
  let outcome: GroupOutcome;
  try {
    outcome = await sender.run();
  } finally {
    progress.stop();
    stopListening();
    // The recorders go on until the process ends: members that have committed are still to be said goodbye to.
  }
  report(reporter, outcome, sender.sockets, (performance.now() - startedAt) / 1000, isInterrupted);
  if (isInterrupted) throw new CommandError('', Exit.interrupted);
  if (outcome.kind === 'lost') {
    throw new CommandError(`the group does not have the file: none of its ${outcome.fates.length} members is left`, exitCodeOfLost(outcome.fates));
  }
}

/** Of the member that held out longest: that is when the group was lost. Silence is a timeout, whoever found it. */
export function exitCodeOfLost(fates: readonly MemberFate[]): ExitCode {
  let last: (MemberFate & { kind: 'expelled' }) | undefined;
  for (const fate of fates) if (fate.kind === 'expelled' && (last === undefined || fate.atMs > last.atMs)) last = fate;
  if (last === undefined) return Exit.runtimeError;
  return last.isSilent ? Exit.timedOut : exitCodeOf(last.error);
}

function checkMembers(members: readonly string[]): void {
  const twice = members.find((member, i) => members.indexOf(member) !== i);
  if (twice !== undefined) throw new UsageError(`${twice} stands in the list twice: each member counts once`);
}

function reportEvent(reporter: Reporter, { kind, member, atMs, reason }: MemberEvent): void {
  const at = `${(atMs / 1000).toFixed(2).padStart(6)} s  ${member}`;
  if (kind === 'joined') reporter.info(`${at} connected`);
  if (kind === 'committed') reporter.info(`${at} has committed`);
  if (kind === 'expelled') reporter.info(`${at} expelled: ${oneLine(reason)}`);
  reporter.json({ type: 'member', event: kind, member, seconds: atMs / 1000, reason: reason === '' ? null : reason });
}

function report(reporter: Reporter, outcome: GroupOutcome, sockets: readonly Socket[], seconds: number, interrupted: boolean): void {
  const survivors = outcome.fates.filter(({ kind }) => kind === 'committed').length;
  const counters = sockets.map((socket) => socket.info()?.counters);
  const retransmissions = counters.reduce((sum, counter) => sum + (counter?.retransmissions ?? 0), 0);
  const bitsPerSecond = seconds > 0 ? (outcome.bytes * 8) / seconds : 0;
  const isComplete = outcome.kind === 'committed';
  reporter.json({
    type: 'summary', role: 'send', peer: outcome.fates.map(({ member }) => member).join(','), bytes: outcome.bytes, seconds, bits_per_second: bitsPerSecond,
    sha256: isComplete ? outcome.sha256 : null, complete: isComplete, retransmissions, survivors,
    members: outcome.fates.map((fate, i) => ({ ...describeFateAsObject(fate), counters: counters[i] ?? null })),
  });
  for (const fate of outcome.fates) reporter.result(describeFate(fate));
  const parts = [
    `${outcome.bytes} bytes ${isComplete ? 'sent to' : 'taken for'} ${outcome.fates.length} members in ${seconds.toFixed(2)} s`,
    formatRate(bitsPerSecond),
    ...(isComplete ? [`sha256 ${outcome.sha256}`] : []),
    `${retransmissions} retransmissions`,
    `${survivors} of ${outcome.fates.length} hold the file`,
  ];
  reporter.result((isComplete ? '' : interrupted ? 'interrupted: ' : 'not complete: ') + parts.join(', '));
}

function describeFate(fate: MemberFate): string {
  if (fate.kind === 'committed') return `${fate.member}  committed after ${formatDuration(fate.atMs)}`;
  const known = fate.mayHaveCommitted ? 'may hold the file or not' : `confirmed ${formatBytes(fate.bytes)}, does not hold the file`;
  const details = detailsOf(fate.error);
  return `${fate.member}  expelled after ${formatDuration(fate.atMs)}: ${oneLine(fate.reason)}; ${known}${details === undefined ? '' : `\n${describeDetails(details)}`}`;
}

function describeFateAsObject(fate: MemberFate): Record<string, unknown> {
  const { kind, member, atMs, bytes } = fate;
  if (kind === 'committed') return { member, fate: kind, seconds: atMs / 1000, bytes, member_id: fate.memberId };
  const code = (fate.error as NodeJS.ErrnoException | undefined)?.code ?? (fate.isSilent ? 'ETIMEDOUT' : null);
  return {
    member, fate: kind, seconds: atMs / 1000, bytes, reason: fate.reason, code, may_have_committed: fate.mayHaveCommitted, details: detailsOf(fate.error) ?? null,
  };
}
