/** The middle of some measurements, and how far they reach. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** Throws RangeError for no values, and for values that are not numbers. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('no values to take the median of');
  if (values.some(Number.isNaN)) throw new RangeError('a value is not a number');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, low: sorted[0]!, high: sorted.at(-1)!, count: sorted.length };
}

/** `41.7 (40.2–42.9)`: the median and the range, which is left out where these decimals show none. */
export function formatSpread({ median, low, high }: Omit<Spread, 'count'>, decimals: number): string {
  const [middle, from, to] = [median.toFixed(decimals), low.toFixed(decimals), high.toFixed(decimals)];
  return from === to ? middle : `${middle} (${from}–${to})`;
}
