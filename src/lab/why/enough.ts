import { createRandom } from '../../core/random.ts';
import { spaceTime, type Story } from '../../report/space-time.ts';
import { simEngine } from '../../sim/group/engines.ts';
import { fairScenario } from '../../sim/group/group-world.ts';
import type { Words } from './english.ts';
import type { Exhibit } from './exhibit.ts';
import { Stage, viewClient } from './stage.ts';
import { narrate } from './steps.ts';
import { compare, oneOrTwo } from './two-worlds.ts';

/** The two numbers that a group needs, each with a run in which k = 2 failures are masked. */

const K = 2;
const MAX_TRIES = 200;
/** For answers that come after the client has decided. */
const LATE_MS = 100;

/** k+1 members, silent failures: with k of them gone the last one has everything; beside it, all gone. */
export function survivor(seed: number, words: Words): Exhibit {
  const { title, begin, worlds, end } = words.survivor;
  const runs = [runSurvivor(seed, K, words), runSurvivor(seed, K + 1, words)] as const;
  const { text } = compare(runs[0].story, runs[1].story, worlds, 'c0', words);
  return { title, text: `${begin}\n${text}${end}\n`, isShown: runs[0].read === 'blue' && runs[1].isFailed };
}

function runSurvivor(seed: number, crashes: number, words: Words): { readonly story: Story; readonly read: unknown; readonly isFailed: boolean } {
  const members = K + 1;
  const scenario = fairScenario('primary-backup', members);
  const engine = simEngine(scenario);
  const stage = new Stage({
    random: createRandom(seed).fork('survivor'), members, clients: 1, memberFactory: engine.member, clientFactory: engine.client,
    viewServers: { count: scenario.viewServers, factory: engine.viewServer! },
  });
  stage.begin();
  const { world, steps } = stage;
  world.watches.push({
    readyLeaves: ({ name }, { messages }) => {
      for (const envelope of messages) steps.push({ kind: 'message', at: world.now, member: name, envelope, isLie: false });
    },
  });
  stage.ask(0, { op: 'put', key: 'x', value: 'blue' });
  for (let member = 0; member < crashes; member++) stage.crash(member);
  const { outcome, result } = stage.ask(0, { op: 'get', key: 'x' });
  const lanes = ['c0', ...world.places.map(({ name }) => name)].map((name) => ({ name }));
  // That nobody leads for a while is not what this is about.
  const told = steps.filter((step) => step.kind !== 'reply' || step.reply.reply.status === 'ok');
  return { story: { lanes, events: narrate(told, 'primary-backup', members, words) }, read: result, isFailed: outcome?.kind === 'failed' };
}

/** 2k+1 members, k of which tell one lie: what k+1 say alike, an honest one says. Chance is tried until both lies come before the last true answer. */
export function outvoted(seed: number, words: Words): Exhibit {
  const { title, begin, end } = words.outvoted;
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const text = runOutvoted(seed + attempt, words);
    if (text !== undefined) return { title, text: `${begin}\n${text}${end}\n`, isShown: true };
  }
  return { title, text: '', isShown: false };
}

/** Undefined: not the run that is wanted. */
function runOutvoted(seed: number, words: Words): string | undefined {
  const members = 2 * K + 1;
  const lying = Array.from({ length: K }, (_, i) => i);
  const stage = new Stage({
    random: createRandom(seed).fork('outvoted'), members, clients: 1, memberFactory: oneOrTwo(members, lying), clientFactory: viewClient('sequencer', members),
  });
  const { steps } = stage;
  stage.begin();
  stage.ask(0, { op: 'put', key: 'x', value: '1' });
  stage.world.run(stage.world.now + LATE_MS);
  steps.length = 0;
  const { result } = stage.ask(0, { op: 'get', key: 'x' });
  if (steps.filter(({ kind }) => kind === 'reply').length < members) return undefined;
  const isLiar = (name: string): boolean => lying.some((place) => name === `m${place}`);
  const events = narrate(steps.map((step) => (step.kind === 'reply' ? { ...step, isLie: isLiar(step.member) } : step)), 'sequencer', members, words);
  const lanes = ['c0', ...stage.world.members.map(({ name }) => name)].map((name) => ({ name, symbol: isLiar(name) ? ':' : '|' }));
  return result === '1' ? spaceTime({ lanes, events }, words) : undefined;
}
