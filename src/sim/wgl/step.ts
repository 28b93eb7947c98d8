import type { HistoryEvent, HistoryValue } from '../../group/history.ts';
import { ABSENT, type KvStates } from './kv-states.ts';

/** What an operation's outcome says of the state it met: nothing, exactly this, anything but this. */
export type Need = 'any' | 'is' | 'is not';

/** One operation of a key as a step of the sequential store: it needs a state, and leaves one behind. */
export interface Step {
  readonly event: HistoryEvent;
  readonly need: Need;
  /** The state that `need` speaks of. */
  readonly needed: number;
  readonly effect: 'none' | 'set' | 'append';
  /** For `set`. */
  readonly target: number;
  /** For `append`. */
  readonly piece: string;
  /** Length afterwards in bytes, if the append noted it; otherwise −1. */
  readonly length: number;
  /** The want that it is; −1: none. */
  readonly want: number;
  /** Wants that writing the key anew in this way may bring about. */
  readonly produces: readonly number[];
}

const NONE: readonly number[] = [];

/** `fromAbsent`: states.wantsFromAbsent(). An operation of unknown outcome is seen as one that succeeds. */
export function stepOf(event: HistoryEvent, states: KvStates, fromAbsent: readonly number[]): Step {
  const { op, value, old, result, ok } = event;
  const base = { event, need: 'any', needed: ABSENT, effect: 'none', target: ABSENT, piece: '', length: -1, want: -1, produces: NONE } as const;
  switch (op) {
    case 'get':
      return { ...base, need: 'is', needed: states.idOf(result), want: states.wantOf(result) };
    case 'put':
      return { ...base, effect: 'set', target: states.idOf(value), produces: wantsIn(states, value) };
    case 'cas':
      if (ok === true && result !== true) return { ...base, need: 'is not', needed: states.idOf(old) };
      return { ...base, need: 'is', needed: states.idOf(old), effect: 'set', target: states.idOf(value), want: ok === true ? states.wantOf(old) : -1, produces: wantsIn(states, value) };
    case 'append':
      return { ...base, effect: 'append', piece: String(value), length: ok === true && typeof result === 'number' ? result : -1 };
    case 'del':
      if (ok === true && result === false) return { ...base, need: 'is', want: 0 };
      return { ...base, need: ok === true && result === true ? 'is not' : 'any', effect: 'set', produces: fromAbsent };
  }
}

function wantsIn(states: KvStates, value: HistoryValue): readonly number[] {
  const { from, to } = states.wantsFrom(states.idOf(value));
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Whether what the operation found can be found in this state. */
export function isSatisfied(step: Step, state: number, states: KvStates): boolean {
  if (step.need === 'is') return state === step.needed;
  if (step.need === 'is not') return state !== step.needed;
  return step.length < 0 || states.lengthOf(states.append(state, step.piece)) === step.length;
}

export function effectOf(step: Step, state: number, states: KvStates): number {
  if (step.effect === 'set') return step.target;
  return step.effect === 'append' ? states.append(state, step.piece) : state;
}
