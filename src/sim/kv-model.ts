import type { HistoryEvent } from '../group/history.ts';

/** One key of the store as a single server would keep it: a text, or nothing. */
export type KeyState = string | null;

const encoder = new TextEncoder();

/**
 * What the operation makes of the state, if it could have given the result that was seen; undefined if it could not. An operation whose
 * outcome is unknown may have had any result.
 */
export function stepKey(state: KeyState, { op, value, old, result, ok }: HistoryEvent): KeyState | undefined {
  const isKnown = ok === true;
  switch (op) {
    case 'get':
      return !isKnown || result === state ? state : undefined;
    case 'put':
      return String(value);
    case 'cas': {
      const succeeds = state === (old === null ? null : String(old));
      if (isKnown && result !== succeeds) return undefined;
      return succeeds ? String(value) : state;
    }
    case 'append': {
      const next = (state ?? '') + String(value);
      return isKnown && result !== null && result !== encoder.encode(next).length ? undefined : next;
    }
    case 'del':
      return isKnown && result !== null && result !== (state !== null) ? undefined : null;
  }
}
