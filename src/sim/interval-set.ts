/** A set of integers as disjoint half-open intervals, in order. What one side of a stream has really received. */
export class IntervalSet {
  /** left, right, left, right …, strictly ascending. */
  readonly #edges: number[] = [];

  /** Number of intervals. */
  get count(): number {
    return this.#edges.length / 2;
  }

  /** Whether all of [left, right) is in the set. An empty range is. */
  covers(left: number, right: number): boolean {
    if (left >= right) return true;
    const i = this.#firstEndingAfter(left);
    return i < this.#edges.length && this.#edges[i]! <= left && right <= this.#edges[i + 1]!;
  }

  /** End of the interval that holds `from`; `from` itself when none does. */
  endOfRun(from: number): number {
    const i = this.#firstEndingAfter(from);
    return i < this.#edges.length && this.#edges[i]! <= from ? this.#edges[i + 1]! : from;
  }

  /** Adds [left, right). Tells `onOverlap` of every part that was in the set already. */
  add(left: number, right: number, onOverlap?: (left: number, right: number) => void): void {
    if (left >= right) return;
    const edges = this.#edges;
    let i = this.#firstEndingAfter(left - 1);
    if (i >= edges.length || edges[i]! > right) {
      edges.splice(i, 0, left, right);
      return;
    }
    const first = i;
    const newLeft = Math.min(left, edges[i]!);
    let newRight = right;
    while (i < edges.length && edges[i]! <= right) {
      const overlapLeft = Math.max(left, edges[i]!);
      const overlapRight = Math.min(right, edges[i + 1]!);
      if (onOverlap !== undefined && overlapLeft < overlapRight) onOverlap(overlapLeft, overlapRight);
      newRight = Math.max(newRight, edges[i + 1]!);
      i += 2;
    }
    edges.splice(first, i - first, newLeft, newRight);
  }

  /** Index of the left edge of the first interval whose end lies beyond `value`. */
  #firstEndingAfter(value: number): number {
    let low = 0;
    let high = this.#edges.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#edges[2 * middle + 1]! <= value) low = middle + 1;
      else high = middle;
    }
    return 2 * low;
  }
}
