/** All ways to choose `count` of the numbers 0 … total − 1, in lexicographic order. */
export function* subsets(total: number, count: number, from = 0): Iterable<number[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let first = from; first <= total - count; first++) {
    for (const rest of subsets(total, count - 1, first + 1)) yield [first, ...rest];
  }
}
