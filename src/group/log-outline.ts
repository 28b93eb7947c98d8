/** An entry's place: two logs that agree in it agree in everything before it (Raft's log matching property). */
export interface LogPlace {
  readonly index: number;
  readonly term: number;
}

/**
 * What a log holds without the entries themselves: from where to where, and the terms, which are few. Calls that make no sense
 * return false and change nothing.
 */
export class LogOutline {
  /** Where each term begins. The first one is the base: the entry before the first. */
  #runs: { readonly from: number; readonly term: number }[] = [{ from: 0, term: 0 }];
  #lastIndex = 0;

  /** The log begins after it. */
  get baseIndex(): number {
    return this.#runs[0]!.from;
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  append(index: number, term: number): boolean {
    if (index !== this.#lastIndex + 1) return false;
    if (this.#runs.at(-1)!.term !== term) this.#runs.push({ from: index, term });
    this.#lastIndex = index;
    return true;
  }

  /** Entries from `index` on are gone. */
  truncate(index: number): boolean {
    if (index <= this.baseIndex || index > this.#lastIndex + 1) return false;
    while (this.#runs.at(-1)!.from >= index) this.#runs.pop();
    this.#lastIndex = index - 1;
    return true;
  }

  /** The log begins after `base`, and goes on with what it had there, or with nothing. */
  rebase(base: LogPlace, keepsLater: boolean): boolean {
    if (base.index < this.baseIndex) return false;
    const later = keepsLater && base.index <= this.#lastIndex ? this.#runs.filter(({ from }) => from > base.index) : [];
    if (!keepsLater || base.index > this.#lastIndex) this.#lastIndex = base.index;
    this.#runs = [{ from: base.index, term: base.term }, ...later];
    return true;
  }

  /** The entry, or the base, is there, and of this term. */
  holds({ index, term }: LogPlace): boolean {
    if (index < this.baseIndex || index > this.#lastIndex) return false;
    let run = this.#runs.length - 1;
    while (this.#runs[run]!.from > index) run--;
    return this.#runs[run]!.term === term;
  }
}
