import { describe, expect, it } from 'vitest';
import { AssertionError } from '../../src/core/assert.ts';
import { createRandom } from '../../src/core/random.ts';
import { SendQueue } from '../../src/tcp/send-queue.ts';
import { seqAdd } from '../../src/wire/sequence.ts';
import { streamBytes } from './trace.ts';

const scratch = new Uint8Array(65_536);

describe('send queue', () => {
  it('takes only what fits and says how much', () => {
    const queue = new SendQueue(5000);
    queue.reset(100);
    expect(queue.write(streamBytes(0, 4000), 0, 4000)).toBe(4000);
    expect(queue.write(streamBytes(4000, 8000), 0, 4000)).toBe(1000);
    expect(queue.write(streamBytes(5000, 5001), 0, 1)).toBe(0);
    expect([queue.length, queue.free, queue.end]).toEqual([5000, 0, 5100]);
    expect(Buffer.compare(queue.view(100, 5000, scratch), streamBytes(0, 5000))).toBe(0);
  });

  it('copies: the writer may use its buffer again at once', () => {
    const queue = new SendQueue(5000);
    queue.reset(0);
    const bytes = Uint8Array.of(1, 2, 3);
    queue.write(bytes, 0, 3);
    bytes.fill(9);
    expect([...queue.view(0, 3, scratch)]).toEqual([1, 2, 3]);
  });

  it('keeps every byte in its place through growth, the ring\'s end and the end of sequence space', () => {
    const random = createRandom(4);
    const queue = new SendQueue(100_000);
    let start = 0xffff_f000;
    queue.reset(start);
    let written = 0;
    let released = 0;
    for (let i = 0; i < 3000; i++) {
      const size = random.below(4000);
      written += queue.write(streamBytes(written, written + size), 0, size);
      const held = written - released;
      expect(queue.length).toBe(held);
      const from = random.below(held + 1);
      const length = random.below(Math.min(held - from, 9000) + 1);
      const view = queue.view(seqAdd(start, from), length, scratch);
      if (Buffer.compare(view, streamBytes(released + from, released + from + length)) !== 0) expect.fail(`wrong bytes in step ${i}`);
      expect(queue.available(seqAdd(start, from))).toBe(held - from);
      const release = random.below(Math.min(held, 4500) + 1);
      start = seqAdd(start, release);
      released += release;
      queue.release(start);
    }
    expect(released).toBeGreaterThan(100_000);
  });

  it('asserts that nobody reads or releases what it does not hold', () => {
    const queue = new SendQueue(5000);
    queue.reset(10);
    queue.write(streamBytes(0, 10), 0, 10);
    expect(() => queue.view(9, 1, scratch)).toThrow(AssertionError);
    expect(() => queue.view(15, 6, scratch)).toThrow(AssertionError);
    expect(() => queue.release(21)).toThrow(AssertionError);
    expect(() => queue.reset(0)).toThrow(AssertionError);
  });
});
