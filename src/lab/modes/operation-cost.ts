import type { Mode } from '../../group/modes.ts';
import type { Operation } from '../../sim/group/workload.ts';
import { spreadOf } from '../statistics.ts';
import { QuietGroup, Traffic } from './quiet-group.ts';

/** What one operation costs a group that has nothing else to do. */
export interface OperationCost {
  /** Of the client and of the members, requests and replies included. */
  readonly messages: number;
  /** Messages that had to wait for each other, from the request to the answer that is believed. Two are a round trip. */
  readonly delays: number;
  /** At all members together. */
  readonly syncs: number;
}

const WARM_UP = 5;
/** Odd, so that the median is a run. */
const MEASURED = 31;
/** Between operations: what follows from one comes before the next. */
const PAUSE_DELAYS = 10;

/**
 * The median of some operations, one at a time, counted in the simulator. Heartbeats fall into a few of them, so the median has none.
 * Throws Error if an operation gets no answer.
 */
export function measureOperation(mode: Mode, members: number, op: 'put' | 'get', seed: number): OperationCost {
  const group = new QuietGroup(mode, members, { clients: 1, seed });
  const costs: OperationCost[] = [];
  for (let i = 0; i < WARM_UP; i++) measureOne(group, { op: 'put', key: 'x', value: `warm ${i}` });
  for (let i = 0; i < MEASURED; i++) costs.push(measureOne(group, op === 'put' ? { op, key: 'x', value: `v${i}` } : { op, key: 'x' }));
  const median = (of: (cost: OperationCost) => number): number => spreadOf(costs.map(of)).median;
  return { messages: median(({ messages }) => messages), delays: median(({ delays }) => delays), syncs: median(({ syncs }) => syncs) };
}

function measureOne(group: QuietGroup, operation: Operation): OperationCost {
  const { world, delayMs } = group;
  group.traffic = new Traffic();
  const sinceMs = world.now;
  let endedMs: number | undefined;
  group.submit(0, operation, (outcome) => {
    if (outcome.kind === 'answered') endedMs = world.now;
  });
  world.run(sinceMs + 1000 * delayMs, () => endedMs !== undefined);
  if (endedMs === undefined) throw new Error(`a ${operation.op} got no answer from a group without faults`);
  world.run(world.now + PAUSE_DELAYS * delayMs);
  const { messages, syncs } = group.traffic;
  return { messages, delays: Math.round((endedMs - sinceMs) / delayMs), syncs };
}
