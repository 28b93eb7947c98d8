import type { HistoryEvent } from '../group/history.ts';
import { stepKey, type KeyState } from './kv-model.ts';

/** How a history is judged. */
export type LinearizabilityVerdict =
  | { readonly kind: 'linearizable'; readonly operations: number; readonly keys: number; readonly visited: number }
  | {
      readonly kind: 'violation';
      readonly key: string;
      /** The most that can be put in an order, in that order. */
      readonly prefix: readonly HistoryEvent[];
      /** Nothing that was under way then can come next; the first of them had ended before any other began to wait. */
      readonly stuck: readonly HistoryEvent[];
      /** What the key holds after the prefix. */
      readonly state: KeyState;
      readonly explanation: string;
    }
  /** Nothing that could have gone wrong: no evidence is no good evidence. */
  | { readonly kind: 'not-judged'; readonly reason: string }
  | { readonly kind: 'invalid'; readonly reason: string }
  /** The search was given up. Never taken for good. */
  | { readonly kind: 'unfinished'; readonly key: string; readonly reason: string };

export interface LinearizabilityOptions {
  /** Places in the search, for each key. */
  readonly maxVisited?: number;
}

const DEFAULT_MAX_VISITED = 2_000_000;

/**
 * Whether all that clients saw could have come from one server that does one thing after the other, each between its asking and its
 * answer (Herlihy & Wing 1990). Keys do not influence each other, so each is judged for itself. The search is that of Wing & Gong
 * (1993) with Lowe's memory (2017): what was tried with the same operations done and the same state is not tried again.
 */
export function checkLinearizability(events: readonly HistoryEvent[], options: LinearizabilityOptions = {}): LinearizabilityVerdict {
  const invalid = findOverlap(events);
  if (invalid !== undefined) return { kind: 'invalid', reason: invalid };
  // What surely did not happen constrains nothing; a read without an answer neither.
  const relevant = events.filter(({ ok, op }) => ok !== false && !(op === 'get' && ok === null));
  if (!relevant.some(({ ok }) => ok === true)) return { kind: 'not-judged', reason: events.length === 0 ? 'the history is empty' : 'no operation was answered' };
  const byKey = new Map<string, HistoryEvent[]>();
  for (const event of relevant) {
    const own = byKey.get(event.key);
    if (own === undefined) byKey.set(event.key, [event]);
    else own.push(event);
  }
  let visited = 0;
  let unfinished: LinearizabilityVerdict | undefined;
  for (const [key, own] of byKey) {
    const search = new KeySearch(own, options.maxVisited ?? DEFAULT_MAX_VISITED);
    const isFound = search.run();
    visited += search.visited;
    if (isFound === undefined) unfinished ??= { kind: 'unfinished', key, reason: `more than ${search.visited} places in the search` };
    else if (!isFound) return search.violation(key);
  }
  return unfinished ?? { kind: 'linearizable', operations: relevant.length, keys: byKey.size, visited };
}

/** One of its client's operations began before the last had ended: the recorder's mistake. */
function findOverlap(events: readonly HistoryEvent[]): string | undefined {
  const byProcess = new Map<number, HistoryEvent[]>();
  for (const event of events) {
    if (event.complete !== null && event.complete < event.invoke) return `process ${event.process} was answered before it asked`;
    const own = byProcess.get(event.process);
    if (own === undefined) byProcess.set(event.process, [event]);
    else own.push(event);
  }
  for (const [process, own] of byProcess) {
    own.sort((a, b) => a.invoke - b.invoke);
    for (let i = 1; i < own.length; i++) {
      const { complete } = own[i - 1]!;
      if (complete === null) return `process ${process} went on after an unknown outcome`;
      if (complete > own[i]!.invoke) return `process ${process} had two operations under way at ${own[i]!.invoke} ns`;
    }
  }
  return undefined;
}

/** A node of the list of all calls and returns in the order of time. */
interface Node {
  readonly operation: number;
  readonly isCall: boolean;
  previous: Node | undefined;
  next: Node | undefined;
  /** Of a call whose operation was answered. */
  return: Node | undefined;
}

interface Step {
  readonly node: Node;
  readonly stateBefore: KeyState;
  /** Where to look on, if this step was wrong: what was a candidate then and comes later in the order of trying. */
  readonly later: readonly Node[];
}

/** The search for one key. */
class KeySearch {
  readonly #events: readonly HistoryEvent[];
  readonly #maxVisited: number;
  readonly #head: Node = { operation: -1, isCall: true, previous: undefined, next: undefined, return: undefined };
  readonly #done: Uint32Array;
  readonly #memory = new Set<string>();
  #steps: Step[] = [];
  #state: KeyState = null;
  /** Answered operations that have no place yet. */
  #missing = 0;
  visited = 0;
  #best: { readonly steps: readonly number[]; readonly stuck: readonly number[]; readonly state: KeyState } | undefined;

  constructor(events: readonly HistoryEvent[], maxVisited: number) {
    this.#events = events;
    this.#maxVisited = maxVisited;
    this.#done = new Uint32Array(Math.ceil(events.length / 32));
    this.#link();
  }

  /** Undefined: given up. */
  run(): boolean | undefined {
    let candidates: readonly Node[] = this.#candidates();
    for (;;) {
      if (this.#missing === 0) return true;
      const taken = this.#take(candidates);
      if (taken !== undefined) {
        if (++this.visited > this.#maxVisited) return undefined;
        candidates = this.#candidates();
        continue;
      }
      this.#note();
      const step = this.#steps.pop();
      if (step === undefined) return false;
      this.#undo(step);
      candidates = step.later;
    }
  }

  violation(key: string): LinearizabilityVerdict {
    const { steps, stuck, state } = this.#best!;
    const events = stuck.map((i) => this.#events[i]!);
    const first = events.find(({ ok }) => ok === true) ?? events[0]!;
    const seen = first.op === 'get' ? `read ${show(first.result)}` : `${first.op}${first.op === 'cas' ? ` from ${show(first.old)}` : ''} gave ${show(first.result)}`;
    return {
      kind: 'violation', key, prefix: steps.map((i) => this.#events[i]!), stuck: events, state,
      explanation: `key ${key}: process ${first.process} ${seen}, but after every order of the ${steps.length} operations that can come before it the key holds something else (${show(state)} after the longest)`,
    };
  }

  #link(): void {
    const moments: { at: number; isCall: boolean; operation: number }[] = [];
    this.#events.forEach(({ invoke, complete }, operation) => {
      moments.push({ at: invoke, isCall: true, operation });
      if (complete !== null) moments.push({ at: complete, isCall: false, operation });
    });
    // At one instant, calls come first: then both orders are possible.
    moments.sort((a, b) => a.at - b.at || Number(b.isCall) - Number(a.isCall));
    const calls = new Map<number, Node>();
    let last = this.#head;
    for (const { isCall, operation } of moments) {
      const node: Node = { operation, isCall, previous: last, next: undefined, return: undefined };
      last.next = node;
      last = node;
      if (isCall) calls.set(operation, node);
      else {
        calls.get(operation)!.return = node;
        this.#missing++;
      }
    }
  }

  /** Operations that had been asked for when the first of those without a place was answered. Answered ones first: most unknown ones never happened. */
  #candidates(): Node[] {
    const known: Node[] = [];
    const unknown: Node[] = [];
    for (let node = this.#head.next; node !== undefined && node.isCall; node = node.next) (node.return === undefined ? unknown : known).push(node);
    return [...known, ...unknown];
  }

  /** Gives the next place to the first candidate that can have it. */
  #take(candidates: readonly Node[]): Node | undefined {
    for (let i = 0; i < candidates.length; i++) {
      const node = candidates[i]!;
      const next = stepKey(this.#state, this.#events[node.operation]!);
      // An unknown operation that would change nothing here may as well not have happened yet.
      if (next === undefined || (node.return === undefined && next === this.#state)) continue;
      this.#mark(node.operation);
      const key = `${this.#done.join(',')}|${next === null ? '' : `=${next}`}`;
      if (this.#memory.has(key)) {
        this.#unmark(node.operation);
        continue;
      }
      this.#memory.add(key);
      this.#steps.push({ node, stateBefore: this.#state, later: candidates.slice(i + 1) });
      this.#state = next;
      this.#lift(node);
      return node;
    }
    return undefined;
  }

  #undo({ node, stateBefore }: Step): void {
    this.#state = stateBefore;
    this.#unmark(node.operation);
    // In the opposite order of lifting.
    if (node.return !== undefined) {
      restore(node.return);
      this.#missing++;
    }
    restore(node);
  }

  #lift(node: Node): void {
    remove(node);
    if (node.return === undefined) return;
    remove(node.return);
    this.#missing--;
  }

  #note(): void {
    if (this.#best !== undefined && this.#best.steps.length >= this.#steps.length) return;
    this.#best = { steps: this.#steps.map(({ node }) => node.operation), stuck: this.#candidates().map(({ operation }) => operation), state: this.#state };
  }

  #mark(operation: number): void {
    this.#done[operation >>> 5]! |= 1 << (operation & 31);
  }

  #unmark(operation: number): void {
    this.#done[operation >>> 5]! &= ~(1 << (operation & 31));
  }
}

function remove(node: Node): void {
  node.previous!.next = node.next;
  if (node.next !== undefined) node.next.previous = node.previous;
}

function restore(node: Node): void {
  node.previous!.next = node;
  if (node.next !== undefined) node.next.previous = node;
}

function show(value: unknown): string {
  const text = value === null ? 'nothing' : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 37)}…` : text;
}
