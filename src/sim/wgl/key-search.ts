import type { HistoryEvent } from '../../group/history.ts';
import { ConfigurationSet } from './configuration-set.ts';
import { effectOf, isSatisfied, stepOf, type Step } from './step.ts';
import { KvStates } from './kv-states.ts';
import { UnknownPool, type Run } from './unknown-pool.ts';
import { WantsLeft } from './wants-left.ts';

/** The order found so far, from its end. */
interface Placed {
  readonly event: HistoryEvent;
  readonly before: Placed | undefined;
}

interface Move {
  readonly known: number;
  readonly run: readonly number[];
  /** Before the known operation. */
  readonly state: number;
}

interface Frame {
  readonly moves: readonly Move[];
  next: number;
  readonly state: number;
  readonly placed: Placed | undefined;
  /** Known operations that got their places on the way here, in order, and unknown ones. */
  readonly lifted: readonly number[];
  readonly used: readonly number[];
}

export interface SearchLimits {
  /** Configurations visited, and steps looked at for operations of unknown outcome. */
  readonly maxVisited: number;
  /** Leaves out what can't succeed because of operations that come much later. Without, the search fails where a reader would see it. */
  readonly looksAhead: boolean;
}

export interface SearchResult {
  readonly outcome: 'linearizable' | 'violation' | 'unfinished';
  readonly visited: number;
  /** The longest order that was found; all of it, if it is linearizable. */
  readonly order: readonly HistoryEvent[];
  /** The first that has no place behind it. */
  readonly blocked: HistoryEvent | undefined;
  /** Other orders that come as far, up to a few, which leave other values behind. */
  readonly otherOrders: readonly (readonly HistoryEvent[])[];
}

const NO_RUN: readonly number[] = [];
const MAX_ORDERS = 6;

/**
 * Looks for an order of one key's operations that a store could have carried out, in which each has its place between its invocation and its
 * end (Wing and Gong 1993, with the memory of Lowe 2017: what led nowhere once is not tried again). Calls and returns are a linked
 * list in order of time; whoever is called before the first return may be next, and leaves the list. Of operations of unknown outcome
 * see UnknownPool. A read, or a failed cas, that fits is placed at once: it hinders nobody.
 */
export class KeySearch {
  readonly #limits: SearchLimits;
  readonly #states: KvStates;
  readonly #steps: readonly Step[];
  readonly #pool: UnknownPool;
  readonly #left: WantsLeft;
  /** Entry 2i + 1 is the call of operation i, 2i + 2 its return, 0 the head of the list. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #words: Int32Array;
  /** By operation: how many are called before it returns. */
  readonly #calledBefore: Int32Array;
  /** By operation: the one before in its process, if it ended at the very time at which this one was invoked; otherwise −1. */
  readonly #follows: Int32Array;
  readonly #rank: Int32Array;
  #count = 0;
  #visited = 0;
  #bestRank = -1;
  #bestCount = -1;
  #best: Placed | undefined;
  #blocked: HistoryEvent | undefined;
  readonly #others = new Map<number, Placed | undefined>();

  /** Operations of one key, none of which is surely not executed. */
  constructor(events: readonly HistoryEvent[], limits: SearchLimits) {
    this.#limits = limits;
    const known = events.filter(({ ok }) => ok === true).sort((a, b) => a.invoke - b.invoke || a.complete! - b.complete!);
    const unknown = events.filter(({ ok, op }) => ok === null && op !== 'get').sort((a, b) => a.invoke - b.invoke);
    const states = new KvStates([...known, ...unknown]);
    this.#states = states;
    const fromAbsent = states.wantsFromAbsent();
    this.#steps = known.map((event) => stepOf(event, states, fromAbsent));
    const n = known.length;
    this.#next = new Int32Array(2 * n + 1);
    this.#previous = new Int32Array(2 * n + 1);
    this.#words = new Int32Array((n + 31) >> 5);
    this.#calledBefore = new Int32Array(n);
    this.#rank = new Int32Array(n);
    this.#link(known);
    const lastOf = new Map<number, number>();
    this.#follows = new Int32Array(n).fill(-1);
    known.forEach(({ process, invoke }, i) => {
      const last = lastOf.get(process) ?? -1;
      if (last >= 0 && known[last]!.complete === invoke) this.#follows[i] = last;
      lastOf.set(process, i);
    });
    const unknownFollows = unknown.map(({ process, invoke }) => {
      const last = lastOf.get(process) ?? -1;
      return last >= 0 && known[last]!.complete === invoke ? last : -1;
    });
    const isFree = (i: number): boolean => unknownFollows[i]! < 0 || this.#isPlaced(unknownFollows[i]!);
    this.#pool = new UnknownPool(unknown, states, fromAbsent, isFree, 16 * limits.maxVisited);
    this.#left = new WantsLeft(states, [...this.#steps, ...this.#pool.steps]);
  }

  run(): SearchResult {
    const configurations = new ConfigurationSet(this.#pool.words.length);
    const frames: Frame[] = [];
    const root = this.#enter(0, undefined, [], NO_RUN, configurations);
    if (root !== undefined) frames.push(root);
    while (frames.length > 0 && this.#count < this.#steps.length) {
      const frame = frames[frames.length - 1]!;
      if (this.#visited > this.#limits.maxVisited || this.#pool.isExhausted) return this.#result('unfinished');
      const move = frame.moves[frame.next++];
      if (move === undefined) {
        frames.pop();
        this.#undo(frame.lifted, frame.used);
        continue;
      }
      const next = this.#make(frame, move, configurations);
      if (next !== undefined) frames.push(next);
    }
    return this.#result(this.#count === this.#steps.length ? 'linearizable' : 'violation');
  }

  #make(frame: Frame, { known, run, state }: Move, configurations: ConfigurationSet): Frame | undefined {
    let placed = frame.placed;
    const taken: Step[] = [];
    for (const i of run) {
      const step = this.#pool.steps[i]!;
      this.#pool.use(i);
      taken.push(step);
      placed = { event: step.event, before: placed };
    }
    const step = this.#steps[known]!;
    taken.push(step);
    for (const each of run) this.#left.take(this.#pool.steps[each]!);
    const lifted: number[] = [];
    this.#lift(known, lifted);
    placed = { event: step.event, before: placed };
    const to = effectOf(step, state, this.#states);
    if (this.#limits.looksAhead && (this.#left.hasLost(frame.state, to, taken) || this.#left.isHopeless(to))) {
      this.#undo(lifted, run);
      return undefined;
    }
    return this.#enter(to, placed, lifted, run, configurations);
  }

  /** Places all that only look and fit. Undefined, and nothing is changed, if the search was here before. */
  #enter(raw: number, before: Placed | undefined, lifted: number[], used: readonly number[], configurations: ConfigurationSet): Frame | undefined {
    let placed = before;
    let entry = this.#next[0]!;
    while (isCall(entry)) {
      const i = operationOf(entry);
      const step = this.#steps[i]!;
      if (step.effect === 'none' && isSatisfied(step, raw, this.#states) && this.#isNext(i)) {
        this.#lift(i, lifted);
        placed = { event: step.event, before: placed };
      }
      entry = this.#next[entry]!;
    }
    this.#visited++;
    if (entry === 0) {
      this.#best = placed;
      return { moves: [], next: 0, state: raw, placed, lifted, used };
    }
    const first = operationOf(entry);
    const state = this.#left.live(raw);
    this.#remember(first, state, placed);
    const from = operationOf(this.#next[0]!) >> 5;
    const to = ((this.#calledBefore[first]! - 1) >> 5) + 1;
    if (!configurations.add(state, this.#words, from, to, this.#pool.words)) {
      this.#undo(lifted, used);
      return undefined;
    }
    return { moves: this.#moves(first, state), next: 0, state, placed, lifted, used };
  }

  #moves(first: number, state: number): Move[] {
    this.#pool.horizon = this.#steps[first]!.event.complete!;
    const moves: Move[] = [];
    const late: Move[] = [];
    for (let entry = this.#next[0]!; isCall(entry); entry = this.#next[entry]!) {
      const known = operationOf(entry);
      if (!this.#isNext(known)) continue;
      const step = this.#steps[known]!;
      const fits = isSatisfied(step, state, this.#states);
      if (fits) moves.push({ known, run: NO_RUN, state });
      if (fits && step.effect !== 'append') continue;
      const after = fits ? effectOf(step, state, this.#states) : undefined;
      for (const run of this.#runs(step, state)) if (effectOf(step, run.state, this.#states) !== after) late.push({ known, run: run.used, state: run.state });
    }
    return late.length === 0 ? moves : moves.concat(late);
  }

  #runs(step: Step, state: number): Run[] {
    if (this.#pool.steps.length === 0) return [];
    if (step.need === 'is') return this.#pool.runsTo(step.needed, state);
    if (step.need === 'is not') return this.#pool.runsAway(state, (each) => this.#left.live(each));
    if (step.effect !== 'append') return [];
    const isHopeless = this.#limits.looksAhead ? (each: number) => this.#left.isHopeless(each) : () => false;
    return this.#pool.runsBefore(step, state, isHopeless, this.#left.isIdle);
  }

  /** How far this is: by the operation that has to be next. */
  #remember(first: number, state: number, placed: Placed | undefined): void {
    const rank = this.#rank[first]!;
    if (rank < this.#bestRank) return;
    if (rank > this.#bestRank) {
      this.#others.clear();
      this.#bestCount = -1;
    }
    this.#bestRank = rank;
    this.#blocked = this.#steps[first]!.event;
    if (this.#count > this.#bestCount) {
      this.#bestCount = this.#count;
      this.#best = placed;
    }
    if (this.#others.size < MAX_ORDERS && !this.#others.has(state)) this.#others.set(state, placed);
  }

  #result(outcome: SearchResult['outcome']): SearchResult {
    return {
      outcome, visited: this.#visited, order: inOrder(this.#best), blocked: outcome === 'linearizable' ? undefined : this.#blocked,
      otherOrders: outcome === 'linearizable' ? [] : [...this.#others.values()].filter((placed) => placed !== this.#best).map(inOrder),
    };
  }

  #isPlaced(i: number): boolean {
    return (this.#words[i >> 5]! & (1 << (i & 31))) !== 0;
  }

  #isNext(i: number): boolean {
    return this.#follows[i]! < 0 || this.#isPlaced(this.#follows[i]!);
  }

  #lift(i: number, lifted: number[]): void {
    // The return first: whoever walks along the list comes past the call, and must find the way on from there.
    for (const entry of [2 * i + 2, 2 * i + 1]) {
      const next = this.#next[entry]!;
      const previous = this.#previous[entry]!;
      this.#next[previous] = next;
      this.#previous[next] = previous;
    }
    this.#words[i >> 5]! |= 1 << (i & 31);
    this.#left.take(this.#steps[i]!);
    this.#count++;
    lifted.push(i);
  }

  #undo(lifted: readonly number[], used: readonly number[]): void {
    for (let k = lifted.length - 1; k >= 0; k--) {
      const i = lifted[k]!;
      for (const entry of [2 * i + 1, 2 * i + 2]) {
        this.#next[this.#previous[entry]!] = entry;
        this.#previous[this.#next[entry]!] = entry;
      }
      this.#words[i >> 5]! &= ~(1 << (i & 31));
      this.#left.giveBack(this.#steps[i]!);
      this.#count--;
    }
    for (const i of used) {
      this.#pool.giveBack(i);
      this.#left.giveBack(this.#pool.steps[i]!);
    }
  }

  /** Calls before returns at the same time: who can't be told apart was there together. */
  #link(known: readonly HistoryEvent[]): void {
    const entries = known.flatMap((_, i) => [2 * i + 1, 2 * i + 2]);
    const timeOf = (entry: number): number => (isCall(entry) ? known[operationOf(entry)]!.invoke : known[operationOf(entry)]!.complete!);
    entries.sort((a, b) => timeOf(a) - timeOf(b) || Number(!isCall(a)) - Number(!isCall(b)) || a - b);
    let previous = 0;
    let called = 0;
    let returned = 0;
    for (const entry of entries) {
      this.#next[previous] = entry;
      this.#previous[entry] = previous;
      previous = entry;
      if (isCall(entry)) called++;
      else {
        this.#calledBefore[operationOf(entry)] = called;
        this.#rank[operationOf(entry)] = returned++;
      }
    }
    this.#next[previous] = 0;
    this.#previous[0] = previous;
  }
}

function isCall(entry: number): boolean {
  return (entry & 1) === 1;
}

function operationOf(entry: number): number {
  return (entry - 1) >> 1;
}

function inOrder(placed: Placed | undefined): HistoryEvent[] {
  const order: HistoryEvent[] = [];
  for (let each = placed; each !== undefined; each = each.before) order.push(each.event);
  return order.reverse();
}
