import { createRandom } from '../../core/random.ts';
import { makeFaulty, parseFault } from '../../group/faulty.ts';
import { encodeKvResult, decodeKvResult } from '../../group/kv/kv-result.ts';
import type { ReplyLie } from '../../group/lies.ts';
import { sideBySide, spaceTime, transcriptOf, type Story } from '../../report/space-time.ts';
import { textTable } from '../../report/table.ts';
import { DETECTORS, type DetectorKind } from '../../sim/group/detector-kind.ts';
import type { ReplicaFactory } from '../../sim/group/member-place.ts';
import type { Operation } from '../../sim/group/workload.ts';
import { unfencedMember } from './arrangements.ts';
import type { Words } from './english.ts';
import type { Exhibit } from './exhibit.ts';
import { Stage, viewClient } from './stage.ts';
import { narrate } from './steps.ts';

/** Experiments with two worlds that look alike to somebody who would have to act differently in them. */

/** The primary m0 is dead, cut off with its client, or asleep for longer than the timeouts. */
const TROUBLES = ['crash', 'cut', 'pause'] as const;
type Trouble = (typeof TROUBLES)[number];

/** By detector, in the order of the troubles: what theory says. */
const EXPECTED: Readonly<Record<DetectorKind, string>> = { timeout: 'MWW', perfect: 'MDM' };
/** Longer than any timeout here. */
const SILENCE_MS = 3000;
/** How long m0 sleeps on when the first client asks. */
const SLEEP_ON_MS = 1000;

/** k+1 members: one that is dead, and one that is cut off or asleep, seen by the other; with timeouts, and with a detector that knows. */
export function silence(seed: number, words: Words): Exhibit {
  const { title, worlds, both, asleep, woken, header, detectors, conclusion } = words.silence;
  const runsOf = (detector: DetectorKind): SilenceRun[] => TROUBLES.map((trouble) => runSilence(seed, detector, trouble, words));
  const runs = { timeout: runsOf('timeout'), perfect: runsOf('perfect') };
  const [crash, cut, pause] = runs.timeout.map(({ story }) => story) as [Story, Story, Story];
  const { text, isSame } = compare(crash, cut, worlds, 'm1', words);
  // Awake again, m0 tells m1 of itself.
  const isPauseSame = compare(untilAccepted(crash), untilAccepted(pause), worlds, 'm1', words).isSame;
  const rows = DETECTORS.map((detector) => [detectors[detector], ...runs[detector].map(({ verdict }) => `${verdict}, ${words.verdictOf[verdict]}`)]);
  return {
    title,
    text: `${text}${both}\n\n${asleep}\n${spaceTime(pause, words)}${woken}\n\n${textTable(header, rows)}${conclusion}\n`,
    isShown: isSame && isPauseSame && DETECTORS.every((detector) => runs[detector].map(({ verdict }) => verdict).join('') === EXPECTED[detector]),
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
  if (trouble === 'crash') stage.crash(0);
  else stage.note('m0', words.silence[trouble]);
  if (trouble === 'cut') stage.cut(['m0', 'c0'], ['m1', 'c1']);
  if (trouble === 'pause') world.pause(world.members[0]!);
  world.run(world.now + SILENCE_MS);
  if (trouble === 'pause') {
    world.simulator.at(world.now + SLEEP_ON_MS, () => {
      stage.note('m0', words.silence.wakes);
      world.resume(world.members[0]!);
    });
  }
  const puts = [stage.ask(1, { op: 'put', key: 'x', value: 'right' })];
  world.run(world.now + SLEEP_ON_MS);
  if (trouble === 'cut') puts.push(stage.ask(0, { op: 'put', key: 'x', value: 'left' }));
  const get: Operation = { op: 'get', key: 'x' };
  const gets = [stage.ask(1, get, 'before'), ...(trouble === 'cut' ? [stage.ask(0, get)] : [])];
  const lanes = ['c0', 'm0', 'm1', 'c1'].map((name) => ({ name }));
  const story = { lanes, events: narrate(stage.steps, 'primary-backup', members, words) };
  const isAnswered = puts.some(({ outcome }) => outcome?.kind === 'answered');
  const last = trouble === 'cut' ? 'left' : 'right';
  return { story, verdict: !isAnswered ? 'D' : gets.every(({ result }) => result === last) ? 'M' : 'W' };
}

/** Up to the first answer that c1 has. */
function untilAccepted({ lanes, events }: Story): Story {
  return { lanes, events: events.slice(0, events.findIndex(({ lane, message }) => lane === 'c1' && message === undefined) + 1) };
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
