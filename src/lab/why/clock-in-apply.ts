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

const REPLICAS = ['m0', 'm1', 'm2'];

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
