import type { HistoryEvent, HistoryValue } from '../../group/history.ts';
import { appended, byteLength } from '../kv-model.ts';

/** What a key holds when it was never written, as a state. */
export const ABSENT = 0;

/** Wants [from, to), by their numbers. */
export interface WantRange {
  readonly from: number;
  readonly to: number;
}

const NO_WANTS: WantRange = { from: 0, to: 0 };

/**
 * The values that one key can have, as small numbers. Values that nobody asks for, neither in a read nor as the old value of a cas, nor as
 * the beginning of such a value where there are appends, can't be told apart by anything that comes later: they are one state, the dead
 * one; or one for each length, where appends note lengths.
 *
 * A want is a value that some operation surely found. Wants are numbered in the order of their texts, so that those that
 * begin with a text stand side by side; number 0 is "nothing there".
 */
export class KvStates {
  readonly hasAppends: boolean;
  readonly notesLengths: boolean;
  readonly #asked = new Set<HistoryValue>();
  readonly #askedTexts: readonly string[];
  readonly #wantTexts: readonly string[];
  readonly #wantByValue = new Map<HistoryValue, number>();
  readonly #pieces: readonly string[];
  readonly #ids = new Map<HistoryValue, number>([[null, ABSENT]]);
  readonly #deadIds = new Map<number, number>();
  readonly #values: HistoryValue[] = [null];
  readonly #lengths: number[] = [0];
  readonly #isDead: boolean[] = [false];
  readonly #ranges: (WantRange | undefined)[] = [];
  /** By state: what a piece makes of it. */
  readonly #successors: (Map<string, number> | undefined)[] = [];

  constructor(operations: readonly HistoryEvent[]) {
    const appends = operations.filter(({ op }) => op === 'append');
    this.hasAppends = appends.length > 0;
    this.notesLengths = appends.some(({ ok, result }) => ok === true && result !== null);
    this.#pieces = appends.map(({ value }) => String(value));
    const wanted = new Set<HistoryValue>();
    for (const { op, ok, old, result } of operations) {
      if (op === 'get' && ok === true) wanted.add(result);
      if (op === 'cas' && ok === true && result === true) wanted.add(old);
      if (op === 'get' && ok === true) this.#asked.add(result);
      if (op === 'cas') this.#asked.add(old);
    }
    wanted.delete(null);
    this.#askedTexts = [...this.#asked].filter((value) => value !== null).map(String).sort(byText);
    const wants = [...wanted].sort((a, b) => byText(String(a), String(b)));
    this.#wantTexts = wants.map(String);
    this.#wantByValue.set(null, 0);
    wants.forEach((value, i) => this.#wantByValue.set(value, i + 1));
  }

  get wants(): number {
    return this.#wantTexts.length + 1;
  }

  /** The state of a value; dead if nobody asks for it. */
  idOf(value: HistoryValue): number {
    const known = this.#ids.get(value);
    if (known !== undefined) return known;
    const id = this.#isAsked(value) ? this.#add(value, byteLength(value), false) : this.dead(this.notesLengths ? byteLength(value) : 0);
    this.#ids.set(value, id);
    return id;
  }

  /** A value of so many bytes of which nobody asks. */
  dead(bytes: number): number {
    const length = this.notesLengths ? bytes : 0;
    let id = this.#deadIds.get(length);
    if (id === undefined) this.#deadIds.set(length, (id = this.#add('', length, true)));
    return id;
  }

  append(state: number, piece: string): number {
    const successors = (this.#successors[state] ??= new Map<string, number>());
    let id = successors.get(piece);
    if (id !== undefined) return id;
    // More behind what nobody asks for is nothing that anybody asks for.
    id = this.#isDead[state]! ? this.dead(this.#lengths[state]! + byteLength(piece)) : this.idOf(appended(this.#values[state]!, piece));
    successors.set(piece, id);
    return id;
  }

  /** Of a state that is not dead. */
  valueOf(state: number): HistoryValue {
    return this.#values[state]!;
  }

  isDead(state: number): boolean {
    return this.#isDead[state]!;
  }

  /** In bytes; of dead states only where appends note lengths. */
  lengthOf(state: number): number {
    return this.#lengths[state]!;
  }

  /** −1: nobody surely found it. */
  wantOf(value: HistoryValue): number {
    return this.#wantByValue.get(value) ?? -1;
  }

  /** Wants that can still come true without the key being written anew: all that appends can make of it. Rather too many than too few. */
  wantsFrom(state: number): WantRange {
    return (this.#ranges[state] ??= this.#findRange(state));
  }

  /** Wants that can come true once nothing is there: those that begin with a piece that somebody appends. */
  wantsFromAbsent(): number[] {
    const found = [0];
    if (!this.hasAppends) return found;
    this.#wantTexts.forEach((text, i) => {
      if (this.#pieces.some((piece) => text.startsWith(piece))) found.push(i + 1);
    });
    return found;
  }

  /** Whether an append of it can be a part of what somebody asks for. */
  isPartOfAsked(piece: string): boolean {
    return this.#askedTexts.some((text) => text.includes(piece));
  }

  #isAsked(value: HistoryValue): boolean {
    if (this.#asked.has(value)) return true;
    if (!this.hasAppends) return false;
    const text = String(value);
    return this.#askedTexts[lowerBound(this.#askedTexts, text)]?.startsWith(text) === true;
  }

  #add(value: HistoryValue, length: number, isDead: boolean): number {
    this.#values.push(value);
    this.#lengths.push(length);
    this.#isDead.push(isDead);
    return this.#values.length - 1;
  }

  #findRange(state: number): WantRange {
    if (this.#isDead[state]!) return NO_WANTS;
    if (state === ABSENT) return { from: 0, to: this.hasAppends ? this.wants : 1 };
    const text = String(this.#values[state]);
    const from = lowerBound(this.#wantTexts, text);
    let to = from;
    let end = this.#wantTexts.length;
    while (to < end) {
      const middle = (to + end) >> 1;
      const each = this.#wantTexts[middle]!;
      if (this.hasAppends ? each.startsWith(text) : each === text) to = middle + 1;
      else end = middle;
    }
    return { from: from + 1, to: to + 1 };
  }
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Of the first that does not come before `text`. */
function lowerBound(sorted: readonly string[], text: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
