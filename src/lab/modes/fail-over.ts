import type { Millis } from '../../core/machine.ts';
import { createRandom } from '../../core/random.ts';
import type { Mode } from '../../group/modes.ts';
import { spreadOf, type Spread } from '../statistics.ts';
import { QuietGroup } from './quiet-group.ts';

/**
 * Who is gone, the one that orders or another, and how. Silent: nothing is heard of it any more, and that is all; so it is here with a process that
 * is killed as with one that is paused, since the transport dies with its process. Reset: its connections say at once that it is gone, as those of
 * kernel TCP would.
 */
export const FAIL_OVERS = ['leader silent', 'another silent', 'leader reset'] as const;
export type FailOver = (typeof FAIL_OVERS)[number];

const CLIENTS = 4;
const THINK_MS = 10;
/** The load runs for so long before, and for up to so much longer: when in a heartbeat's period the crash comes is chance. */
const BEFORE_MS = 200;
const PHASE_MS = 400;
/** Answers after which the group goes on as before. */
const ANSWERS_AFTER = 5 * CLIENTS;
const LIMIT_MS = 30_000;

/**
 * How long no client got an answer around the loss of one member, over several seeds: virtual time, the members' own timeouts, a network of
 * 1 ms a message. Throws Error when a group does not go on.
 */
export function measureFailOver(mode: Mode, members: number, failOver: FailOver, seeds: readonly number[]): Spread {
  return spreadOf(seeds.map((seed) => gapOf(mode, members, failOver, seed)));
}

function gapOf(mode: Mode, members: number, failOver: FailOver, seed: number): Millis {
  const group = new QuietGroup(mode, members, { clients: CLIENTS, seed });
  const { world } = group;
  let lastMs = world.now;
  let gapMs = 0;
  let answers = 0;
  let isOver = false;
  let asked = 0;
  const ask = (client: number): void => {
    if (isOver) return;
    group.submit(client, { op: 'put', key: `k${client}`, value: `v${asked++}` }, (outcome) => {
      if (outcome.kind === 'answered') {
        gapMs = Math.max(gapMs, world.now - lastMs);
        lastMs = world.now;
        answers++;
      }
      world.simulator.at(world.now + THINK_MS, () => ask(client));
    });
  };
  for (let client = 0; client < CLIENTS; client++) ask(client);
  world.run(world.now + BEFORE_MS + PHASE_MS * createRandom(seed).fork('phase').unit());
  gapMs = 0;
  answers = 0;
  const leader = group.leader();
  const victim = failOver === 'another silent' ? world.members.find((place) => place !== leader)! : leader;
  if (failOver === 'leader reset') world.crash(victim, false);
  else world.pause(victim);
  world.run(world.now + LIMIT_MS, () => answers >= ANSWERS_AFTER);
  isOver = true;
  if (answers < ANSWERS_AFTER) throw new Error(`${mode}, ${members} members, seed ${seed}: no answers in ${LIMIT_MS} ms after a crash`);
  return gapMs;
}
