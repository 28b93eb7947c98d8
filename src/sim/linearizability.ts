import { assert } from '../core/assert.ts';
import { byKey, eventProblem, processProblem, type HistoryEvent } from '../group/history.ts';
import { replay, type KeyState } from './kv-model.ts';
import { KeySearch, type SearchResult } from './wgl/key-search.ts';
import { describeOperation, showValue } from './wgl/operation-text.ts';

/** How a history is judged. */
export type LinearizabilityVerdict = Linearizable | LinearizabilityViolation | NotDecided;

export interface Linearizable {
  readonly kind: 'linearizable';
  /** Of known outcome. */
  readonly operations: number;
  /** Those with an operation of known outcome. */
  readonly keys: number;
  /** Places in the search. */
  readonly visited: number;
}

export interface LinearizabilityViolation {
  readonly kind: 'violation';
  readonly key: string;
  /** The operations of this key that were invoked before `blocked` had ended, in the order of their invocations: they alone can't be explained. */
  readonly evidence: readonly HistoryEvent[];
  /** The most that can be put in an order before the search can't go on, in that order. */
  readonly prefix: readonly HistoryEvent[];
  /** The first operation that has no place, neither behind `prefix` nor in any other order. */
  readonly blocked: HistoryEvent;
  /** `blocked`, and what was under way with it and has no place in `prefix`: nothing of that can come next. */
  readonly stuck: readonly HistoryEvent[];
  /** What the key holds after `prefix`. */
  readonly state: KeyState;
  /** What the key can hold when it would be the turn of `blocked`: up to a few values. */
  readonly values: readonly KeyState[];
  /** One line. */
  readonly explanation: string;
  readonly visited: number;
}

export interface NotDecided {
  /**
   * not-judged: nothing that could have gone wrong, and no evidence is no good evidence. unfinished: the search was given up for some key, and
   * no other was found wrong; never taken for good. invalid: the recorder's mistake, such as a process that does two things at a time.
   */
  readonly kind: 'not-judged' | 'unfinished' | 'invalid';
  readonly reason: string;
  readonly visited: number;
}

export interface LinearizabilityOptions {
  /** Places in the search, for each key. Default 1,000,000; as many take some 100 MB. */
  readonly maxVisited?: number;
}

const DEFAULT_MAX_VISITED = 1_000_000;
const MAX_VALUES_SHOWN = 3;
/** For the second search, which is there for the reader only. */
const MAX_VISITED_TO_EXPLAIN = 200_000;

/**
 * Whether all that clients saw could have come from one server that does one thing after the other, each between its asking and its
 * answer (Herlihy & Wing 1990). Keys do not influence each other, so each is judged for itself; at the beginning none holds anything. An
 * operation of unknown outcome may take effect at any time after it was asked for, or never; what was surely not executed is left out.
 * Of several keys that are wrong, the one that went wrong first is reported.
 */
export function checkLinearizability(events: readonly HistoryEvent[], { maxVisited = DEFAULT_MAX_VISITED }: LinearizabilityOptions = {}): LinearizabilityVerdict {
  const problem = findProblem(events);
  if (problem !== undefined) return { kind: 'invalid', reason: problem, visited: 0 };
  const operations = events.filter(({ ok }) => ok === true).length;
  if (operations === 0) return { kind: 'not-judged', reason: events.length === 0 ? 'the history is empty' : 'no operation was answered', visited: 0 };
  let keys = 0;
  let visited = 0;
  let violation: LinearizabilityViolation | undefined;
  const unfinished: string[] = [];
  for (const [key, own] of byKey(events.filter(({ ok }) => ok !== false))) {
    if (!own.some(({ ok }) => ok === true)) continue;
    keys++;
    const result = new KeySearch(own, { maxVisited, looksAhead: true }).run();
    visited += result.visited;
    if (result.outcome === 'unfinished') unfinished.push(key);
    if (result.outcome !== 'violation') continue;
    const found = violationOf(key, own, result, maxVisited);
    if (violation === undefined || found.blocked.complete! < violation.blocked.complete!) violation = found;
  }
  if (violation !== undefined) return { ...violation, visited };
  if (unfinished.length > 0) {
    const others = unfinished.length === 1 ? '' : ` and ${unfinished.length - 1} more`;
    return { kind: 'unfinished', reason: `more than ${maxVisited} places in the search for key ${showValue(unfinished[0]!)}${others}`, visited };
  }
  return { kind: 'linearizable', operations, keys, visited };
}

/** Why this is no history; undefined if it is one. */
function findProblem(events: readonly HistoryEvent[]): string | undefined {
  for (const event of events) {
    const problem = eventProblem(event);
    if (problem !== undefined) return `process ${event.process}, ${event.op} of key ${showValue(event.key)}: ${problem}`;
  }
  const problem = processProblem(events);
  if (problem === undefined) return undefined;
  const event = events[problem.event]!;
  return `${describeOperation(event)} of key ${showValue(event.key)}, invoked at ${event.invoke} ns: ${problem.reason}`;
}

/**
 * A search that looks ahead fails early, at a write that would hide what a later read found. For a reader it is repeated without, if
 * that ends within the bound: then it goes wrong at the read.
 */
function violationOf(key: string, events: readonly HistoryEvent[], hasty: SearchResult, maxVisited: number): LinearizabilityViolation {
  const slow = new KeySearch(events, { maxVisited: Math.min(maxVisited, MAX_VISITED_TO_EXPLAIN), looksAhead: false }).run();
  assert(slow.outcome !== 'linearizable', 'two searches of one history contradict each other');
  const { order, otherOrders, blocked } = slow.outcome === 'violation' ? slow : hasty;
  assert(blocked !== undefined, 'a search that failed, and nothing in its way');
  const evidence = events.filter(({ invoke }) => invoke <= blocked.complete!).sort((a, b) => a.invoke - b.invoke);
  const placed = new Set(order);
  const stuck = evidence.filter((event) => event !== blocked && !placed.has(event) && event.ok === true);
  const state = replay(order);
  const values = [...new Set([state, ...otherOrders.map(replay)])];
  return {
    kind: 'violation', key, evidence, prefix: order, blocked, stuck: [blocked, ...stuck], state, values,
    explanation: explain(key, evidence, blocked, values), visited: 0,
  };
}

function explain(key: string, evidence: readonly HistoryEvent[], blocked: HistoryEvent, values: readonly KeyState[]): string {
  const what = `key ${showValue(key)}, process ${blocked.process}, ${describeOperation(blocked)}`;
  const { op, result } = blocked;
  if (op === 'get' && result !== null && !isWritten(evidence, result)) return `${what}: nobody had written that`;
  const shown = values.slice(0, MAX_VALUES_SHOWN).map(showValue).join(', ');
  return `${what}: the key can hold only ${values.length === 1 ? '' : 'one of '}${shown}${values.length > MAX_VALUES_SHOWN ? ' …' : ''} there`;
}

/** Whether the value may come from somebody; with appends, from several. */
function isWritten(evidence: readonly HistoryEvent[], found: KeyState): boolean {
  return evidence.some(({ op, value }) => (op === 'append' ? String(found).includes(String(value)) : value !== null && value === found));
}
