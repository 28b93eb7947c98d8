/**
 * wire: bytes ⇄ Segment. Sequence arithmetic, the header and option codecs, the integrity check, and the loss-free
 * conversion to plain TCP/IP packets. It decides nothing about when or why a segment is sent.
 *
 * Sequence numbers are unsigned 32-bit integers held as Number; all arithmetic is modulo 2^32 and every comparison
 * goes through this file (RFC 9293, section 3.4).
 */
export type Seq = number;

/** a + n, modulo 2^32. `n` may be negative. */
export function seqAdd(a: Seq, n: number): Seq {
  return (a + n) >>> 0;
}

/** Signed distance from b to a, in [-2^31, 2^31): how far a is after b. */
export function seqDiff(a: Seq, b: Seq): number {
  return (a - b) | 0;
}

export function seqLt(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) < 0;
}

export function seqLe(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) <= 0;
}

export function seqGt(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) > 0;
}

export function seqGe(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) >= 0;
}

export function seqMax(a: Seq, b: Seq): Seq {
  return seqGe(a, b) ? a : b;
}

/** start ≤ a < start + size; size in [0, 2^31]. */
export function seqInWindow(a: Seq, start: Seq, size: number): boolean {
  return ((a - start) >>> 0) < size;
}
