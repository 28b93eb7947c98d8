/** One operation on one register. Written values are unique. */
export interface RegisterOperation {
  readonly kind: 'get' | 'put';
  readonly value: string | undefined;
  readonly invoke: number;
  /** Infinity: nobody knows whether it was, or will be, executed. */
  readonly complete: number;
}

/** Whether the operations have an order that a register could have had (Wing and Gong 1993), by trying. */
export function isLinearizable(operations: readonly RegisterOperation[]): boolean {
  const judged = operations.filter(({ kind, complete }) => kind === 'put' || complete !== Infinity);
  if (judged.length > 30) throw new RangeError('too many operations to try');
  const seen = new Set<string>();
  const search = (done: number, value: string | undefined): boolean => {
    const left = judged.filter((_, i) => (done & (1 << i)) === 0);
    if (left.every(({ complete }) => complete === Infinity)) return true;
    const name = `${done} ${value}`;
    if (seen.has(name)) return false;
    seen.add(name);
    const firstEnd = Math.min(...left.map(({ complete }) => complete));
    return judged.some((operation, i) => {
      if ((done & (1 << i)) !== 0 || operation.invoke > firstEnd) return false;
      if (operation.kind === 'get') return operation.value === value && search(done | (1 << i), value);
      return search(done | (1 << i), operation.value);
    });
  };
  return search(0, undefined);
}
