interface Entry<T> {
  readonly time: number;
  readonly order: number;
  readonly item: T;
}

/** A binary min-heap on (time, insertion order): equal times come out in the order they went in, so a run is deterministic. */
export class TimeHeap<T> {
  readonly #entries: Entry<T>[] = [];
  #order = 0;

  get length(): number {
    return this.#entries.length;
  }

  push(time: number, item: T): void {
    const entries = this.#entries;
    const entry = { time, order: this.#order++, item };
    let i = entries.length;
    entries.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, entries[parent]!)) break;
      entries[i] = entries[parent]!;
      i = parent;
    }
    entries[i] = entry;
  }

  /** Time of the earliest entry; Infinity when empty. */
  nextTime(): number {
    return this.#entries.length === 0 ? Infinity : this.#entries[0]!.time;
  }

  pop(): T | undefined {
    const entries = this.#entries;
    const top = entries[0];
    const last = entries.pop();
    if (top === undefined || last === undefined) return undefined;
    if (entries.length > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= entries.length) break;
        if (child + 1 < entries.length && before(entries[child + 1]!, entries[child]!)) child++;
        if (!before(entries[child]!, last)) break;
        entries[i] = entries[child]!;
        i = child;
      }
      entries[i] = last;
    }
    return top.item;
  }
}

function before<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
