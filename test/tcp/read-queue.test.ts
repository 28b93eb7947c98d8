import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { ReadQueue } from '../../src/tcp/read-queue.ts';
import { streamBytes } from './trace.ts';

describe('read queue', () => {
  it('gives every byte back in order, whatever the sizes', () => {
    const random = createRandom(6);
    const queue = new ReadQueue();
    let pushed = 0;
    let read = 0;
    for (let i = 0; i < 20_000; i++) {
      if (random.chance(0.6)) {
        const size = random.chance(0.5) ? 1 + random.below(20) : random.below(3000);
        queue.push(streamBytes(pushed, pushed + size));
        pushed += size;
      } else {
        const bytes = queue.read();
        expect(bytes === undefined).toBe(pushed === read);
        if (bytes === undefined) continue;
        if (Buffer.compare(bytes, streamBytes(read, read + bytes.length)) !== 0) expect.fail(`wrong bytes in step ${i}`);
        read += bytes.length;
      }
      expect(queue.length).toBe(pushed - read);
    }
    expect(read).toBeGreaterThan(1_000_000);
  });

  it('hands a large chunk out as it is and gathers small ones, 64 KiB at most', () => {
    const queue = new ReadQueue();
    const large = streamBytes(0, 20_000);
    queue.push(large);
    for (let i = 0; i < 100; i++) queue.push(streamBytes(0, 1400));
    expect(queue.read()).toBe(large);
    const gathered = queue.read()!;
    expect(gathered.length).toBeLessThanOrEqual(65_536);
    expect(gathered.length).toBeGreaterThan(60_000);
  });

  it('what was read is the reader\'s: later bytes do not move into it', () => {
    const queue = new ReadQueue();
    queue.push(Uint8Array.of(1, 2, 3));
    const first = queue.read()!;
    queue.push(Uint8Array.of(4, 5, 6));
    expect([...first]).toEqual([1, 2, 3]);
    expect([...queue.read()!]).toEqual([4, 5, 6]);
  });

  it('forgets everything on clear', () => {
    const queue = new ReadQueue();
    queue.push(streamBytes(0, 10));
    queue.push(streamBytes(0, 1000));
    queue.push(streamBytes(0, 10));
    queue.clear();
    expect([queue.length, queue.read()]).toEqual([0, undefined]);
    queue.push(Uint8Array.of(7));
    expect([...queue.read()!]).toEqual([7]);
  });
});
