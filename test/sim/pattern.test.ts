import { describe, expect, it } from 'vitest';
import { Pattern } from '../../src/sim/pattern.ts';

function bytes(pattern: Pattern, offset: number, length: number): Uint8Array {
  const result = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const view = pattern.view(offset + at, length - at);
    result.set(view, at);
    at += view.length;
  }
  return result;
}

describe('Pattern', () => {
  it('knows its own bytes, also across the end of its block', () => {
    const pattern = new Pattern(1);
    const stream = bytes(pattern, 0, 2_100_000);
    expect(pattern.mismatch(0, stream)).toBe(-1);
    expect(pattern.mismatch(1_000_000, stream.subarray(1_000_000, 1_000_100))).toBe(-1);
  });

  it('finds a changed byte, a shift, a gap, and the bytes of another stream', () => {
    const pattern = new Pattern(1);
    const stream = bytes(pattern, 0, 100_000);
    const changed = stream.slice();
    changed[777]! ^= 1;
    expect(pattern.mismatch(0, changed)).toBe(777);
    for (const shift of [1, 1420, 4096, 65_536]) expect(pattern.mismatch(0, stream.subarray(shift, shift + 1000))).toBeGreaterThanOrEqual(0);
    expect(new Pattern(2).mismatch(0, stream)).toBeGreaterThanOrEqual(0);
  });
});
