import { formatBytes, formatDuration, spellRate } from '../../core/units.ts';
import { Exit } from '../exit.ts';
import type { Network } from './commands.ts';
import { numberAt, valueAt, type Player } from './player.ts';
import type { Stage, StepResult } from './stage.ts';

/** A kill hits when so much has been confirmed. */
export const KILL_AT = 0.2;
/** The line is so fast that the file would take about so long. */
const TRANSFER_SECONDS = 4;
/** A window that hardly queues on that line: what is confirmed then grows steadily. */
export const SLOW_CONGESTION = 'fixed:64';

/**
 * A network on which a process can be killed in mid-transfer: slow, and without faults of its own, since one fault at a time is
 * to be seen.
 */
export function slowNetwork(stage: Stage): Network {
  const bitsPerSecond = Math.ceil((stage.setting.bytes * 8) / TRANSFER_SECONDS / 1000) * 1000;
  return { delay: '5ms', rate: spellRate(bitsPerSecond) };
}

/** Part II: the receiver is killed. Silence, and then an error: that is all TCP can do. */
export async function unmaskedCrash(stage: Stage): Promise<StepResult> {
  const network = slowNetwork(stage);
  stage.section('II. Crash: the receiver is killed (SIGKILL) in mid-transfer');
  stage.showCommands([...stage.printedChain(network, SLOW_CONGESTION), 'meanwhile: kill -9 the recv']);
  const run = await interrupted(stage, network, false);
  return {
    failure: 'crash of the receiver',
    mechanism: 'TCP: user timeout',
    expected: { verdict: 'detected', exitCode: Exit.timedOut },
    ...run,
  };
}

/** The receiver comes back on the same port, and knows nothing. */
export async function crashAndRestart(stage: Stage): Promise<StepResult> {
  const network = slowNetwork(stage);
  stage.section('II b. The same, but a receiver without memory is started on the same port');
  stage.showCommands(['as above; then start the same recv again']);
  const run = await interrupted(stage, network, true);
  return {
    failure: 'crash, restart without memory',
    mechanism: 'TCP: reset',
    expected: { verdict: 'detected', exitCode: Exit.connectionReset },
    ...run,
  };
}

async function interrupted(stage: Stage, network: Network, restarts: boolean): Promise<Pick<StepResult, 'observation' | 'evidence'>> {
  const { sha256 } = stage.setting;
  const outputs = ['copy', 'copy-after'];
  const receiver = stage.recv('copy');
  const port = await receiver.port;
  const proxy = await stage.proxy(receiver, network);
  const sender = await stage.send([proxy], SLOW_CONGESTION);
  await stage.progress(sender, KILL_AT);
  const kill = await killInTransfer(stage, sender, [receiver]);
  if (restarts) {
    await stage.recv('copy-after', port).port;
    stage.say('a new recv listens on its port');
  }
  const exitCode = await stage.end(sender);
  const waitedMs = performance.now() - kill.atMs;
  const code = valueAt(sender.summary, 'error', 'code');
  stage.say(`send ends ${formatDuration(waitedMs)} later with exit code ${String(exitCode)}, ${String(code)}; what it knew:`);
  for (const line of knowledge(sender)) stage.say(`  ${line}`);
  const delivered = await stage.delivered(outputs);
  stage.say(delivered.length === 0 ? 'no copy is there that looks complete' : `${delivered.length} files look complete`);
  const acked = numberAt(sender.summary, 'error', 'details', 'bytesAcked');
  await stage.clear(outputs);
  return {
    observation: { sha256, exitCode, delivered, counted: 1, hits: { kills: kill.count, 'bytes acknowledged': acked } },
    evidence: `${String(code)} after ${formatDuration(waitedMs)}, ${formatBytes(acked)} acknowledged`,
  };
}

export interface Kill {
  /** Processes that died of it while the sender was at work. */
  readonly count: number;
  readonly atMs: number;
}

/** Kills all of them at once, if the transfer is really under way. */
export async function killInTransfer(stage: Stage, sender: Player, victims: readonly Player[]): Promise<Kill> {
  const isUnderWay = sender.isRunning && sender.bytes > 0 && sender.bytes < stage.setting.bytes;
  const atMs = performance.now();
  for (const victim of victims) victim.kill('SIGKILL');
  const deaths = await Promise.all(victims.map(({ exited }) => exited));
  const killed = deaths.filter(({ signal }) => signal === 'SIGKILL').length;
  const percent = Math.round((sender.bytes / stage.setting.bytes) * 100);
  stage.say(`kill -9 ${victims.map(({ name }) => name).join(', ')}: ${percent}% of the file is confirmed`);
  return { count: isUnderWay ? killed : 0, atMs };
}

function knowledge(sender: Player): string[] {
  const details = valueAt(sender.summary, 'error', 'details');
  if (typeof details !== 'object' || details === null) return [sender.lastWords];
  const at = (name: string): number => numberAt(sender.summary, 'error', 'details', name);
  return [
    `${formatBytes(at('bytesAcked'))} acknowledged, ${formatBytes(at('bytesInFlight'))} sent and unanswered`,
    `nothing heard for ${formatDuration(at('lastHeardMs'))}, ${at('retransmissions')} retransmissions in all`,
  ];
}
