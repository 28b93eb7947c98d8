import { createRandom } from '../../core/random.ts';
import { spaceTime } from '../../report/space-time.ts';
import type { Operation } from '../../sim/group/workload.ts';
import { KV_WORDS } from '../../sim/group/kv-words.ts';
import type { Words } from './english.ts';
import type { Exhibit } from './exhibit.ts';
import { Stage, viewClient } from './stage.ts';
import { narrate, type Step } from './steps.ts';
import { UnorderedReplica } from './unordered-replica.ts';

const MAX_TRIES = 200;
const MEMBERS = 3;
/** Until everything has arrived everywhere. */
const SETTLED_MS = 100;
/** In binary digits, so that a digit more doubles: three; one, and twice as much, in either order. */
const BEGIN_X = '11';
const AT_ONCE: readonly Operation[] = [{ op: 'put', key: 'x', value: '1' }, { op: 'append', key: 'x', value: '0' }];
const READ: Operation = { op: 'get', key: 'x' };

/**
 * Two clients, three replicas, no failure at all: every channel is reliable and first in, first out, and still the replicas differ, since
 * nobody says whose message comes first. Real stores, real clients; chance is tried until two are against one.
 */
export function withoutOrder(seed: number, words: Words): Exhibit {
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const exhibit = runWithoutOrder(seed + attempt, attempt + 1, words);
    if (exhibit.isShown) return exhibit;
  }
  return { title: words.order.title, text: '', isShown: false };
}

function runWithoutOrder(seed: number, tries: number, words: Words): Exhibit {
  const { title, begin, end, tries: tryText } = words.order;
  const arrivals = new Map<string, number>();
  const stage: Stage = new Stage({
    random: createRandom(seed).fork('without order'), members: MEMBERS, clients: AT_ONCE.length, clientFactory: viewClient('sequencer', MEMBERS),
    memberFactory: ({ self }) => new UnorderedReplica(self.id, ({ clientId, serial }) => arrivals.set(`${self.id} ${clientId} ${serial}`, stage.world.now)),
  });
  const { world, steps } = stage;
  stage.begin();
  // One after the other, so that the sessions of both are the same everywhere.
  for (const [client, key] of ['x', 'y'].entries()) {
    stage.ask(client, { op: 'put', key, value: BEGIN_X });
    world.run(world.now + SETTLED_MS);
  }
  steps.length = 0;
  for (const [client, operation] of AT_ONCE.entries()) world.clients[client]!.submit(KV_WORDS.write(operation));
  world.run(world.now + SETTLED_MS);
  // What they are answered is not what this is about.
  const sent = steps.flatMap((step): Step[] => {
    return step.kind === 'request' ? [{ ...step, arrivesAt: arrivals.get(`${step.member} ${step.request.clientId} ${step.request.serial}`)! }] : [];
  });
  steps.length = 0;
  stage.ask(0, READ);
  world.run(world.now + SETTLED_MS);
  const answers = steps.flatMap((step) => (step.kind === 'reply' ? [KV_WORDS.result(READ, step.reply.reply)] : []));
  const lanes = ['c0', 'm0', 'm1', 'm2', 'c1'].map((name) => ({ name }));
  const events = narrate([...sent, ...steps], 'sequencer', MEMBERS, words);
  return { title, text: `${begin}\n${spaceTime({ lanes, events }, words)}${end} ${tryText(tries)}\n`, isShown: answers.sort().join() === '1,10,10' };
}
