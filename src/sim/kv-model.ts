import type { HistoryEvent, HistoryValue } from '../group/history.ts';

/** One key of the store as a single server would keep it; null: nothing there. */
export type KeyState = HistoryValue;

const encoder = new TextEncoder();

/**
 * What the operation makes of the state, if it could have given the result that was seen; undefined if it could not. An operation whose
 * outcome is unknown may have had any result. This is the definition; the search has a faster one (wgl/step.ts).
 */
export function stepKey(state: KeyState, { op, value, old, result, ok }: HistoryEvent): KeyState | undefined {
  const isKnown = ok === true;
  switch (op) {
    case 'get':
      return !isKnown || result === state ? state : undefined;
    case 'put':
      return value;
    case 'cas': {
      const succeeds = state === old;
      if (isKnown && result !== succeeds) return undefined;
      return succeeds ? value : state;
    }
    case 'append': {
      const next = appended(state, value);
      return isKnown && result !== null && result !== byteLength(next) ? undefined : next;
    }
    case 'del':
      return isKnown && result !== null && result !== (state !== null) ? undefined : null;
  }
}

/** What an append makes of a value. */
export function appended(state: KeyState, piece: HistoryValue): string {
  return `${state ?? ''}${piece}`;
}

/** As the store counts it: bytes of UTF-8. */
export function byteLength(state: KeyState): number {
  return state === null ? 0 : encoder.encode(String(state)).length;
}

/** What a key holds after operations one after the other, which are known to fit. Nothing was there before. */
export function replay(events: Iterable<HistoryEvent>): KeyState {
  let state: KeyState = null;
  for (const event of events) {
    const next = stepKey(state, event);
    if (next === undefined) throw new RangeError(`${event.op} does not fit`);
    state = next;
  }
  return state;
}
