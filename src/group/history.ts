/**
 * What clients saw of a replicated service, as JSON lines, one operation a line: the evidence by which a run is judged. All times
 * are nanoseconds since the start of the run, on one clock. A retried request is one operation.
 */

export const HISTORY_OPS = ['get', 'put', 'cas', 'append', 'del'] as const;
export type HistoryOp = (typeof HISTORY_OPS)[number];

/** null: absent, or nothing to say. */
export type HistoryValue = string | number | boolean | null;

export interface HistoryEvent {
  /** One client that does one thing after the other. A client whose operation ended unknown goes on under another number. */
  readonly process: number;
  readonly op: HistoryOp;
  readonly key: string;
  /** put, cas: what is to be there. append: a string to be put behind what is there. get, del: null. */
  readonly value: HistoryValue;
  /** cas: what must be there for it to succeed; null: nothing must be there. All others: null. */
  readonly old: HistoryValue;
  /**
   * Where `ok` is true: get: what was there, or null; cas: whether it succeeded (one that did not is ok all the same); append: the length
   * in bytes afterwards, or null if it was not noted; del: whether anything was there, or null if it was not noted; put: null.
   * Otherwise null.
   */
  readonly result: HistoryValue;
  readonly invoke: number;
  /** null: the outcome is unknown. Not before `invoke`. */
  readonly complete: number | null;
  /** true: done. false: surely not executed, now or later. null, exactly when `complete` is: it may have been, or may yet be. */
  readonly ok: boolean | null;
}

/** Lines that are no history. */
export class HistoryError extends Error {
  override readonly name = 'HistoryError';
  /** From 1. */
  readonly line: number;

  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`);
    this.line = line;
  }
}

const FIELDS = ['process', 'op', 'key', 'value', 'old', 'result', 'invoke', 'complete', 'ok'] as const;
/** These may be left out where they are null. */
const OPTIONAL_FIELDS: readonly string[] = ['value', 'old', 'result'];

/** One line, without its end. Throws RangeError for an event that breaks a rule: the recorder's mistake. */
export function encodeHistoryEvent(event: HistoryEvent): string {
  const problem = eventProblem(event);
  if (problem !== undefined) throw new RangeError(problem);
  const { process, op, key, value, old, result, invoke, complete, ok } = event;
  return JSON.stringify({ process, op, key, value, old, result, invoke, complete, ok });
}

/** Throws HistoryError for a line that is no event; `line` is its number, from 1. */
export function parseHistoryEvent(text: string, line: number): HistoryEvent {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new HistoryError(line, 'not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new HistoryError(line, 'not an object');
  for (const name of Object.keys(parsed)) {
    if (!(FIELDS as readonly string[]).includes(name)) throw new HistoryError(line, `a field ${JSON.stringify(name)} that no event has`);
  }
  for (const name of FIELDS) if (!Object.hasOwn(parsed, name) && !OPTIONAL_FIELDS.includes(name)) throw new HistoryError(line, `no field "${name}"`);
  const event = { value: null, old: null, result: null, ...parsed } as unknown as HistoryEvent;
  const problem = eventProblem(event);
  if (problem !== undefined) throw new HistoryError(line, problem);
  return event;
}

/** A whole file, whose lines may stand in any order; empty lines are passed over. Throws HistoryError. */
export function parseHistory(text: string): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  const lines: number[] = [];
  text.split('\n').forEach((line, i) => {
    if (line.trim() === '') return;
    events.push(parseHistoryEvent(line, i + 1));
    lines.push(i + 1);
  });
  const problem = processProblem(events);
  if (problem !== undefined) throw new HistoryError(lines[problem.event]!, problem.reason);
  return events;
}

/** Why the event cannot be; undefined if it can. */
export function eventProblem(event: HistoryEvent): string | undefined {
  const { process, op, key, invoke, complete, ok } = event;
  if (!isCount(process)) return `"process" is ${show(process)}, no whole number from 0`;
  if (!HISTORY_OPS.includes(op)) return `"op" is ${show(op)}, none of ${HISTORY_OPS.join(', ')}`;
  if (typeof key !== 'string') return `"key" is ${show(key)}, no string`;
  if (!isCount(invoke)) return `"invoke" is ${show(invoke)}, no whole number of nanoseconds`;
  if (complete !== null && !isCount(complete)) return `"complete" is ${show(complete)}, neither a whole number of nanoseconds nor null`;
  if (ok !== null && typeof ok !== 'boolean') return `"ok" is ${show(ok)}, neither true, false nor null`;
  if ((complete === null) !== (ok === null)) return '"complete" and "ok" are null together, for an unknown outcome, or neither is';
  if (complete !== null && complete < invoke) return 'it completes before it is invoked';
  return valueProblem(event);
}

function valueProblem({ op, value, old, result, ok }: HistoryEvent): string | undefined {
  for (const [name, each] of [['value', value], ['old', old], ['result', result]] as const) if (!isValue(each)) return `"${name}" is ${show(each)}, no plain value`;
  const writes = op === 'put' || op === 'cas' || op === 'append';
  if (writes !== (value !== null)) return writes ? `a ${op} without a value` : `a ${op} with a value`;
  if (op === 'append' && typeof value !== 'string') return 'an append of what is no string';
  if (op !== 'cas' && old !== null) return `a ${op} with an old value`;
  if (ok !== true) return result === null ? undefined : 'a result of what was not surely done';
  if (op === 'put' && result !== null) return 'a put with a result';
  if (op === 'cas' && typeof result !== 'boolean') return 'a cas whose result is neither true nor false';
  if (op === 'del' && result !== null && typeof result !== 'boolean') return 'a del whose result is neither true nor false';
  if (op === 'append' && result !== null && !isCount(result)) return 'an append whose result is no length';
  return undefined;
}

/**
 * A process does one thing after the other, and nothing after an unknown outcome: what it did first may still be under way then. Says
 * which event breaks that, by its place in `events`.
 */
export function processProblem(events: readonly HistoryEvent[]): { readonly event: number; readonly reason: string } | undefined {
  const order = events.map((_, i) => i).sort((a, b) => events[a]!.invoke - events[b]!.invoke || finishOf(events[a]!) - finishOf(events[b]!));
  const busyUntil = new Map<number, number>();
  for (const i of order) {
    const { process, invoke } = events[i]!;
    const until = busyUntil.get(process) ?? 0;
    if (until === Infinity) return { event: i, reason: `process ${process} goes on after an unknown outcome` };
    if (invoke < until) return { event: i, reason: `process ${process} begins before it has ended what it did` };
    busyUntil.set(process, finishOf(events[i]!));
  }
  return undefined;
}

function finishOf(event: HistoryEvent): number {
  return event.complete ?? Infinity;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isValue(value: unknown): value is HistoryValue {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value));
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

/** Of each key, in the order in which they came. */
export function byKey(history: readonly HistoryEvent[]): Map<string, HistoryEvent[]> {
  const keys = new Map<string, HistoryEvent[]>();
  for (const event of history) {
    const events = keys.get(event.key);
    if (events === undefined) keys.set(event.key, [event]);
    else events.push(event);
  }
  return keys;
}
