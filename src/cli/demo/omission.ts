import { formatBytes, formatProbability } from '../../core/units.ts';
import { Exit } from '../exit.ts';
import type { Network } from './commands.ts';
import { numberAt, type Json, type Player } from './player.ts';
import type { Stage, StepResult } from './stage.ts';

const FAULTS = ['lost', 'duplicated', 'reordered', 'corrupted'] as const;

/** Part I: a channel that loses, doubles, reorders and corrupts; the transport masks all of it. */
export async function maskedOmission(stage: Stage): Promise<StepResult> {
  const { seed, loss, bytes, sha256 } = stage.setting;
  const calm: Network = { seed, delay: '10ms 2ms' };
  const rough: Network = { ...calm, loss, duplicate: '2%', reorder: '5%', corrupt: '2%' };
  stage.section(`I. Omission: the network loses ${formatProbability(loss)} each way, and doubles, reorders and corrupts`);
  stage.showCommands(stage.printedChain(rough));

  const reference = await transfer(stage, calm);
  stage.say(`without faults:  ${formatBytes(bytes)} in ${reference.seconds.toFixed(2)} s`);
  const run = await transfer(stage, rough);
  const hits = Object.fromEntries(FAULTS.map((name) => [name, numberAt(run.proxy, 'up', name) + numberAt(run.proxy, 'down', name)]));
  const offered = numberAt(run.proxy, 'up', 'offered') + numberAt(run.proxy, 'down', 'offered');
  const retransmissions = numberAt(run.sender.summary, 'retransmissions');
  stage.say(`with faults:     ${formatBytes(bytes)} in ${run.seconds.toFixed(2)} s`);
  stage.say(`the proxy hurt ${hurt(hits)} of ${offered} datagrams: ${FAULTS.map((name) => `${hits[name]} ${name}`).join(', ')}`);
  stage.say(`${retransmissions} retransmissions masked it; the price: ${price(run.seconds, reference.seconds)}`);
  const isEqual = run.delivered[0] === sha256;
  stage.say(`SHA-256 of the copy ${isEqual ? 'is that of the file' : 'is NOT that of the file'}: ${run.delivered[0]?.slice(0, 16) ?? 'no copy'}…`);

  return {
    failure: `omission: ${formatProbability(loss)} loss, and more`,
    mechanism: 'TCP: ACK, retransmission, CRC',
    expected: { verdict: 'masked', exitCode: Exit.done },
    observation: { sha256, exitCode: run.exitCode, delivered: run.delivered, counted: 1, hits: { ...hits, retransmissions } },
    evidence: `${hurt(hits)} hurt, ${retransmissions} sent again, ${price(run.seconds, reference.seconds)}`,
  };
}

interface Transfer {
  readonly exitCode: number | undefined;
  readonly seconds: number;
  readonly sender: Player;
  readonly proxy: Json;
  readonly delivered: string[];
}

async function transfer(stage: Stage, network: Network): Promise<Transfer> {
  const outputs = ['copy'];
  const receiver = stage.recv('copy');
  const proxy = await stage.proxy(receiver, network);
  const sender = await stage.send([proxy]);
  const exitCode = await stage.end(sender);
  if (exitCode !== Exit.done) stage.say(`send ends with exit code ${String(exitCode)}: ${sender.lastWords}`);
  else await receiver.exited;
  await proxy.stop();
  const delivered = await stage.delivered(outputs);
  await stage.clear(outputs);
  return { exitCode, seconds: numberAt(sender.summary, 'seconds'), sender, proxy: proxy.summary, delivered };
}

function hurt(hits: Readonly<Record<string, number>>): number {
  return Object.values(hits).reduce((sum, count) => sum + count, 0);
}

/** What the faults cost in time. */
function price(seconds: number, referenceSeconds: number): string {
  return referenceSeconds > 0 ? `${(seconds / referenceSeconds).toFixed(1)} × the time` : 'unknown';
}
