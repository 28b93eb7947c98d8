import { createRandom } from '../../core/random.ts';
import { liesOf } from '../../group/assemble.ts';
import { makeFaulty, parseFault } from '../../group/faulty.ts';
import { kvLie } from '../../group/lies.ts';
import { QuorumClient } from '../../group/quorum/quorum-client.ts';
import { spaceTime } from '../../report/space-time.ts';
import { simEngine } from '../../sim/group/engines.ts';
import { fairScenario } from '../../sim/group/group-world.ts';
import type { Words } from './english.ts';
import type { Exhibit } from './exhibit.ts';
import { Stage } from './stage.ts';
import { narrate } from './steps.ts';

/** Experiments with majorities that do not meet. */

const MAX_TRIES = 200;

/** 2k members, cut in halves: with quorums of n − k both halves go on; with majorities of k + 1 neither does. */
export function halves(seed: number, words: Words): Exhibit {
  const { title, quorum, raft } = words.halves;
  const both = runHalves(seed, 'quorum', words);
  const none = runHalves(seed, 'raft', words);
  return {
    title, text: `${quorum}\n${both.text}\n${raft}\n${none.text}`,
    isShown: both.answers.join() === 'left,right' && none.answers.every((answer) => answer === undefined),
  };
}

function runHalves(seed: number, mode: 'quorum' | 'raft', words: Words): { readonly text: string; readonly answers: readonly unknown[] } {
  const members = 4;
  const scenario = fairScenario(mode, members);
  const engine = simEngine(scenario);
  const { deadlineMs } = scenario;
  const stage = new Stage({
    random: createRandom(seed).fork(`halves ${mode}`), members, clients: 2, memberFactory: engine.member,
    clientFactory: mode === 'raft' ? engine.client : (clientId) => new QuorumClient({ clientId, targets: members, members, readQuorum: 2, writeQuorum: 2, deadlineMs }),
  });
  stage.begin();
  for (const client of [0, 1]) stage.ask(client, { op: 'put', key: 'x', value: 'before' });
  stage.cut(['m0', 'm1', 'c0'], ['m2', 'm3', 'c1']);
  // Whoever leads alone finds out.
  stage.world.run(stage.world.now + 2000);
  stage.steps.length = 0;
  stage.ask(0, { op: 'put', key: 'x', value: 'left' });
  stage.ask(1, { op: 'put', key: 'x', value: 'right' });
  const asked = mode === 'raft' ? [] : [0, 1];
  const answers = asked.map((client) => stage.ask(client, { op: 'get', key: 'x' }, client === 0 ? 'left' : 'right').result);
  const outcomes = stage.steps.flatMap((step) => (step.kind === 'outcome' ? [step.outcome] : []));
  const lanes = ['c0', 'm0', 'm1', 'm2', 'm3', 'c1'].map((name) => ({ name }));
  // What cannot arrive is said by the first line.
  const told = stage.steps.filter((step) => step.kind !== 'request' || !step.isLost);
  return {
    text: spaceTime({ lanes, events: narrate(told, mode, members, words) }, words),
    answers: mode === 'raft' ? outcomes.map((outcome) => (outcome?.kind === 'failed' ? undefined : outcome)) : answers,
  };
}

/** Three members, one of which votes for whoever asks. */
export function votes(seed: number, words: Words): Exhibit {
  // Whether the other two ask in the same term is chance.
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const exhibit = runVotes(seed + attempt, words);
    if (exhibit.isShown) return exhibit;
  }
  return { title: words.votes.title, text: '', isShown: false };
}

function runVotes(seed: number, words: Words): Exhibit {
  const { title, cut, leads, end } = words.votes;
  const members = 3;
  const scenario = fairScenario('raft', members);
  const engine = simEngine(scenario);
  const fault = parseFault('two-faced');
  const stage = new Stage({
    random: createRandom(seed).fork('votes'), members, clients: 2, clientFactory: engine.client,
    memberFactory: (beginning) => (beginning.place === 1 ? makeFaulty(engine.member(beginning), fault, 1, beginning.random, liesOf('raft', members, fault, kvLie)) : engine.member(beginning)),
  });
  stage.note('m1', cut);
  stage.cut(['m0', 'c0'], ['m2', 'c1']);
  // Each client asks its own leader only.
  stage.cut(['c0', 'c1'], ['m1']);
  const terms: unknown[] = [];
  stage.world.watches.push({
    traced: (place, event) => {
      if (event.type !== 'become' || event['role'] !== 'leader') return;
      terms.push(event['term']);
      stage.note(place.name, leads(Number(event['term'])), 'L');
    },
  });
  stage.begin();
  if (terms.length !== 2 || terms[0] !== terms[1]) return { title, text: '', isShown: false };
  stage.ask(0, { op: 'put', key: 'x', value: 'left' });
  stage.ask(1, { op: 'put', key: 'x', value: 'right' });
  const answers = [stage.ask(0, { op: 'get', key: 'x' }, 'left').result, stage.ask(1, { op: 'get', key: 'x' }, 'right').result];
  const lanes = ['c0', 'm0', 'm1', 'm2', 'c1'].map((name) => ({ name, symbol: name === 'm1' ? ':' : '|' }));
  return { title, text: `${spaceTime({ lanes, events: narrate(stage.steps, 'raft', members, words) }, words)}${end}\n`, isShown: answers.join() === 'left,right' };
}
