import { subsets } from './subsets.ts';

export interface QuorumCount {
  readonly n: number;
  readonly k: number;
  /** Honest answers among those waited for, in the worst case. */
  readonly honest: number;
  readonly isMasked: boolean;
  /** Of liars and of the slow. */
  readonly placements: number;
}

/**
 * Counted, not run: no group is started here. Whoever cannot tell the slow from the dead waits for n − k answers only, and k of these may be
 * lies: whom is there to believe? All placements of k liars and of k members that are not waited for. Masked iff the honest outnumber the
 * liars in each: (n − k) − k > k (Malkhi & Reiter 1998).
 */
export function countQuorum(n: number, k: number): QuorumCount {
  let honest = n;
  let isMasked = true;
  let placements = 0;
  for (const lying of subsets(n, k)) {
    for (const slow of subsets(n, k)) {
      const liars = lying.filter((member) => !slow.includes(member)).length;
      honest = Math.min(honest, n - k - liars);
      isMasked &&= n - k - liars > liars;
      placements++;
    }
  }
  return { n, k, honest, isMasked, placements };
}
