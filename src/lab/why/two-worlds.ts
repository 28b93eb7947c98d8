import { createRandom } from '../../core/random.ts';
import { makeFaulty, parseFault } from '../../group/faulty.ts';
import { encodeKvResult, decodeKvResult } from '../../group/kv/kv-result.ts';
import type { ReplyLie } from '../../group/lies.ts';
import { sideBySide, transcriptOf, type Story } from '../../report/space-time.ts';
import { textTable } from '../../report/table.ts';
import { DETECTORS, type DetectorKind } from '../../sim/group/detector-kind.ts';
import type { ReplicaFactory } from '../../sim/group/member-place.ts';
import { unfencedMember } from './arrangements.ts';
import type { Words } from './english.ts';
import type { Exhibit } from './exhibit.ts';
import { Stage, viewClient } from './stage.ts';
import { narrate } from './steps.ts';

/** Experiments with two worlds that look alike to somebody who would have to act differently in them. */

type Trouble = 'crash' | 'cut';

/** k+1 members: one that is dead and one that is cut off, seen by the other; with timeouts, and with a detector that knows. */
export function silence(seed: number, words: Words): Exhibit {
  const { title, worlds, both, header, detectors, conclusion } = words.silence;
  const runs = new Map<string, SilenceRun>();
  for (const detector of DETECTORS) {
    for (const trouble of ['crash', 'cut'] as const) runs.set(`${detector} ${trouble}`, runSilence(seed, detector, trouble, words));
  }
  const [left, right] = [runs.get('timeout crash')!, runs.get('timeout cut')!];
  const rows = DETECTORS.map((detector) => [
    detectors[detector], ...(['crash', 'cut'] as const).map((trouble) => `${runs.get(`${detector} ${trouble}`)!.verdict}, ${words.verdictOf[runs.get(`${detector} ${trouble}`)!.verdict]}`),
  ]);
  const { text, isSame } = compare(left.story, right.story, worlds, 'm0', words);
  return {
    title,
    text: `${text}${both}\n\n${textTable(header, rows)}${conclusion}\n`,
    isShown: isSame && [...runs.values()].map(({ verdict }) => verdict).join('') === 'MWMD',
  };
}

interface SilenceRun {
  readonly verdict: 'M' | 'D' | 'W';
  readonly story: Story;
}

function runSilence(seed: number, detector: DetectorKind, trouble: Trouble, words: Words): SilenceRun {
  const members = 2;
  let stage: Stage | undefined;
  const isDead = (peer: string): boolean => stage?.world.placeOf(peer)?.isUp === false;
  stage = new Stage({
    random: createRandom(seed).fork('silence'), members, clients: 2, clientFactory: viewClient('primary-backup', members),
    memberFactory: (beginning) => unfencedMember({ mode: 'primary-backup', members, isDead: detector === 'perfect' ? isDead : undefined }, beginning),
  });
  stage.begin();
  const { world } = stage;
  const began = world.now;
  world.watches.push({
    traced: (place, event) => {
      if (event.type === 'view' && world.now > began && event['members'] === place.name) stage.note(place.name, words.silence.suspects(place.name === 'm0' ? 'm1' : 'm0'));
    },
  });
  stage.ask(0, { op: 'put', key: 'x', value: 'before' });
  if (trouble === 'crash') {
    stage.crash(1);
  } else {
    stage.note('m1', words.silence.cut);
    stage.cut(['m0', 'c0'], ['m1', 'c1']);
  }
  world.run(world.now + 3000);
  const puts = [stage.ask(0, { op: 'put', key: 'x', value: 'left' })];
  if (trouble === 'cut') puts.push(stage.ask(1, { op: 'put', key: 'x', value: 'right' }));
  const left = stage.ask(0, { op: 'get', key: 'x' });
  const right = trouble === 'cut' ? stage.ask(1, { op: 'get', key: 'x' }) : left;
  const lanes = ['c0', 'm0', 'm1', 'c1'].map((name) => ({ name }));
  const story = { lanes, events: narrate(stage.steps, 'primary-backup', members, words) };
  const isAnswered = puts.some(({ outcome }) => outcome?.kind === 'answered');
  return { story, verdict: !isAnswered ? 'D' : left.result === 'left' && right.result === left.result ? 'M' : 'W' };
}

/** 2k members that vote, k of which lie alike. */
export function liars(seed: number, words: Words): Exhibit {
  const { title, worlds, end } = words.liars;
  const runs = [runLiars(seed, '1', [2, 3], words), runLiars(seed, '2', [0, 1], words)] as const;
  const { text, isSame } = compare(runs[0].story, runs[1].story, worlds, 'c0', words);
  return { title, text: `${text}${end}\n`, isShown: isSame && runs.every(({ isFailed }) => isFailed) };
}

function runLiars(seed: number, truth: string, lying: readonly number[], words: Words): { readonly story: Story; readonly isFailed: boolean } {
  const members = 4;
  const stage = new Stage({ random: createRandom(seed).fork('liars'), members, clients: 2, memberFactory: oneOrTwo(members, lying), clientFactory: viewClient('sequencer', members) });
  stage.begin();
  stage.ask(1, { op: 'put', key: 'x', value: truth });
  const { outcome } = stage.ask(0, { op: 'get', key: 'x' });
  const lanes = ['c1', 'm0', 'm1', 'm2', 'm3', 'c0'].map((name) => ({ name }));
  // What the writer and the members said to each other is not for the reader to see, and not what this is about.
  const events = narrate(stage.steps, 'sequencer', members, words).filter(({ lane, message }) => lane === 'c0' || message?.to === 'c0');
  return { story: { lanes, events }, isFailed: outcome?.kind === 'failed' };
}

/** A sequencer's members, some of which say to clients 2 for 1, and 1 for 2. */
export function oneOrTwo(members: number, lying: readonly number[]): ReplicaFactory {
  return (beginning) => {
    const replica = unfencedMember({ mode: 'sequencer', members }, beginning);
    return lying.includes(beginning.place) ? makeFaulty(replica, parseFault('wrong-value'), beginning.place, beginning.random, { reply: swapOneAndTwo }) : replica;
  };
}

const swapOneAndTwo: ReplyLie = (reply) => {
  const result = reply.status === 'ok' ? decodeKvResult(reply.body) : undefined;
  if (result?.kind !== 'value') return reply;
  const told = new TextDecoder().decode(result.value) === '1' ? '2' : '1';
  return { ...reply, body: encodeKvResult({ kind: 'value', value: new TextEncoder().encode(told) }) };
};

/** Both transcripts, and whether the observer sees the same. */
export function compare(left: Story, right: Story, titles: readonly [string, string], observer: string, words: Words): { readonly text: string; readonly isSame: boolean } {
  const [a, b] = [left, right].map((story) => transcriptOf(story, observer, words)) as [ReturnType<typeof transcriptOf>, ReturnType<typeof transcriptOf>];
  const seen = (lines: typeof a): string => lines.filter(({ isSeen }) => isSeen).map(({ text }) => text).join('\n');
  return { text: sideBySide(a, b, titles, observer, words), isSame: seen(a) === seen(b) };
}
