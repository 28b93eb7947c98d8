import { createRandom } from '../../core/random.ts';
import { decodeKvResult } from '../../group/kv/kv-result.ts';
import { KvMachine } from '../../group/kv/kv-machine.ts';
import type { Reply } from '../../group/state-machine.ts';
import { spaceTime, type StoryEvent } from '../../report/space-time.ts';
import { unfencedMember } from './arrangements.ts';
import type { Words } from './english.ts';
import type { Exhibit } from './exhibit.ts';
import { Stage, viewClient } from './stage.ts';
import { outcomeText } from './steps.ts';

/** Nobody fails, and still the members differ. */

const MAX_TRIES = 100;
const REPLICAS = ['m0', 'm1', 'm2'];
const BEGIN_X = 3;
const CLIENTS = [
  { name: 'A', text: 'x := 1', apply: () => 1 },
  { name: 'B', text: 'x := 2x', apply: (x: number) => 2 * x },
] as const;

/**
 * Two clients, three replicas, no failure at all: every channel is reliable and first in, first out, and still the replicas differ, since
 * nobody says whose message comes first.
 */
export function withoutOrder(seed: number, words: Words): Exhibit {
  const { title, begin, is, tries: tryText, end } = words.order;
  const random = createRandom(seed).fork('without order');
  const isSplit = (messages: readonly StoryEvent[]): boolean => REPLICAS.filter((replica) => finalX(messages, replica) === 1).length === 1;
  // What chance gives, until it gives the case that matters.
  const draw = (): StoryEvent[] => CLIENTS.flatMap(({ name, text }) => REPLICAS.map((to): StoryEvent => {
    const receivedAt = Math.round(random.exponential(5) * 10) / 10;
    return { at: 0, lane: name, text, message: { to, receivedAt } };
  }));
  let messages = draw();
  let tries = 1;
  for (; tries < MAX_TRIES && !isSplit(messages); tries++) messages = draw();
  const last = Math.max(...messages.map(({ message }) => message!.receivedAt!));
  const results = REPLICAS.map((lane): StoryEvent => ({ at: last, lane, text: is(finalX(messages, lane)), isWrong: finalX(messages, lane) === 1 }));
  const lanes = ['A', ...REPLICAS, 'B'].map((name) => ({ name }));
  return { title, text: `${begin(BEGIN_X)}\n${spaceTime({ lanes, events: [...messages, ...results] }, words)}${end} ${tryText(tries)}\n`, isShown: isSplit(messages) };
}

function finalX(messages: readonly StoryEvent[], replica: string): number {
  return messages.filter(({ message }) => message!.to === replica).sort((a, b) => a.message!.receivedAt! - b.message!.receivedAt!)
    .reduce((x, { lane }) => CLIENTS.find(({ name }) => name === lane)!.apply(x), BEGIN_X);
}

/** Three honest members in one order, and a service that looks at the clock: they outvote each other. */
export function clockInApply(seed: number, words: Words): Exhibit {
  const { title, text, answer } = words.clock;
  const members = REPLICAS.length;
  let stage: Stage | undefined;
  class ClockMachine extends KvMachine {
    override apply(operation: Uint8Array): Reply {
      const reply = super.apply(operation);
      return reply.status === 'ok' ? { ...reply, offset: Math.round((stage?.world.now ?? 0) * 1000) } : reply;
    }
  }
  stage = new Stage({
    random: createRandom(seed).fork('clock'), members, clients: 1, clientFactory: viewClient('sequencer', members),
    memberFactory: (beginning) => unfencedMember({ mode: 'sequencer', members, machine: () => new ClockMachine() }, beginning),
  });
  stage.begin();
  const began = stage.world.now;
  const { outcome } = stage.ask(0, { op: 'append', key: 'x', value: 'a' });
  const events = stage.steps.flatMap((step): StoryEvent[] => {
    const at = Math.round((step.at - began) * 10) / 10;
    if (step.kind === 'outcome') return [{ at, lane: step.client, text: outcomeText(step, words) }];
    if (step.kind !== 'reply' || step.reply.serial === 0) return [];
    const { body, offset } = step.reply.reply;
    const result = decodeKvResult(body);
    return [{ at, lane: step.member, text: answer(result?.kind === 'length' ? words.bytes(result.bytes) : words.done, Math.round(offset / 100) / 10), message: { to: 'c0', receivedAt: at } }];
  });
  const lanes = ['c0', ...REPLICAS].map((name) => ({ name }));
  return { title, text: `${text}\n${spaceTime({ lanes, events }, words)}`, isShown: outcome?.kind === 'failed' };
}
