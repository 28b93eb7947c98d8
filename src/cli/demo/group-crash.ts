import { formatDuration } from '../../core/units.ts';
import { Exit } from '../exit.ts';
import { KILL_AT, killInTransfer, SLOW_CONGESTION, slowNetwork } from './crash.ts';
import { numberAt, valueAt, type Json, type Player } from './player.ts';
import type { Stage, StepResult } from './stage.ts';

/** Crashes to survive. */
const K = 2;

/** Part III: k of k+1 members are killed. The sender goes on with the rest. */
export async function crashMaskedByGroup(stage: Stage): Promise<StepResult> {
  stage.section(`III. The same kill against a group of k+1 = ${K + 1}: ${K} of its members die`);
  stage.showCommands([...stage.printedGroup(K + 1, slowNetwork(stage), SLOW_CONGESTION), `meanwhile: kill -9 ${K} of the members`]);
  return {
    failure: `crash of k = ${K} of ${K + 1} members`,
    mechanism: 'group: all have all the bytes',
    expected: { verdict: 'masked', exitCode: Exit.done },
    ...(await groupRun(stage, K)),
  };
}

/** All k+1 are killed: more than k, and nothing is guaranteed any more. */
export async function crashOfWholeGroup(stage: Stage): Promise<StepResult> {
  stage.section(`III b. All k+1 = ${K + 1} members die`);
  stage.showCommands([`as above; kill -9 all ${K + 1}`]);
  return {
    failure: `crash of all ${K + 1} members`,
    mechanism: 'group: nobody is left',
    expected: { verdict: 'detected', exitCode: Exit.timedOut },
    ...(await groupRun(stage, K + 1)),
  };
}

async function groupRun(stage: Stage, kills: number): Promise<Pick<StepResult, 'observation' | 'evidence'>> {
  const { sha256 } = stage.setting;
  const outputs = Array.from({ length: K + 1 }, (_, i) => `copy${i + 1}`);
  const members = outputs.map((output) => stage.member(output));
  const proxies = await Promise.all(members.map((member) => stage.proxy(member, slowNetwork(stage))));
  const sender = await stage.send(proxies, SLOW_CONGESTION);
  await stage.progress(sender, KILL_AT);
  const victims = members.slice(0, kills);
  const kill = await killInTransfer(stage, sender, victims);
  const exitCode = await stage.end(sender);
  const waitedMs = performance.now() - kill.atMs;
  const fates = memberFates(sender);
  fates.forEach((fate, i) => stage.say(`member copy${i + 1}: ${describeFate(fate)}`));
  stage.say(`send ends ${formatDuration(waitedMs)} after the kill with exit code ${String(exitCode)}`);
  if (exitCode !== Exit.done) stage.say(sender.lastWords);
  else await Promise.all(members.slice(kills).map(({ exited }) => exited));
  const delivered = await stage.delivered(outputs);
  const right = delivered.filter((digest) => digest === sha256).length;
  stage.say(`${right} of ${outputs.length} members hold the file with the right SHA-256`);
  await stage.clear(outputs);
  const expelled = fates.filter((fate) => fate['fate'] === 'expelled').length;
  return {
    observation: { sha256, exitCode, delivered, counted: numberAt(sender.summary, 'survivors'), hits: { kills: kill.count === kills ? kills : 0, expulsions: expelled } },
    evidence: `${kill.count} killed, ${right} right ${right === 1 ? 'copy' : 'copies'}, over after ${formatDuration(waitedMs)}`,
  };
}

function memberFates(sender: Player): Json[] {
  const fates = valueAt(sender.summary, 'members');
  return Array.isArray(fates) ? (fates as Json[]) : [];
}

function describeFate(fate: Json): string {
  const seconds = `${numberAt(fate, 'seconds').toFixed(2)} s`;
  return fate['fate'] === 'committed' ? `has committed after ${seconds}` : `expelled after ${seconds}: ${typeof fate['code'] === 'string' ? fate['code'] : String(fate['reason'])}`;
}
