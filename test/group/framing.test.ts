import { describe, expect, it } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import { encodeFrame, FrameReader, MAX_MESSAGE_BYTES } from '../../src/group/framing.ts';

describe('framing', () => {
  it('cuts messages out of a stream, however it comes in pieces', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = createRandom(seed);
      const messages = Array.from({ length: 20 }, () => new Uint8Array(1 + random.below(300)).map(() => random.below(256)));
      const stream = new Uint8Array(Buffer.concat(messages.map(encodeFrame)));
      const reader = new FrameReader();
      const read: Uint8Array[] = [];
      for (let at = 0; at < stream.length;) {
        const piece = stream.slice(at, at + 1 + random.below(400));
        at += piece.length;
        read.push(...reader.push(piece));
        // What was handed over is not to change with the buffer it came in.
        piece.fill(0);
      }
      expect(read).toEqual(messages);
      expect(reader.isInsideMessage).toBe(false);
      expect(reader.error).toBeUndefined();
    }
  });

  it('knows that a stream ended inside a message', () => {
    const reader = new FrameReader();
    reader.push(encodeFrame(new Uint8Array(10)).subarray(0, 9));
    expect(reader.isInsideMessage).toBe(true);
  });

  it.each([[[0, 0, 0, 0]], [[255, 255, 255, 255]], [[0, 4, 0, 1]]])('refuses the length %j, and everything after it', (header) => {
    const reader = new FrameReader();
    const good = encodeFrame(Uint8Array.of(7));
    expect(reader.push(new Uint8Array([...good, ...header, ...good]))).toEqual([Uint8Array.of(7)]);
    expect(reader.error).toMatch(/a message of \d+ bytes/);
    expect(reader.push(good)).toEqual([]);
  });

  it('takes the longest message and refuses to send a longer one', () => {
    const reader = new FrameReader();
    expect(reader.push(encodeFrame(new Uint8Array(MAX_MESSAGE_BYTES)))[0]).toHaveLength(MAX_MESSAGE_BYTES);
    expect(() => encodeFrame(new Uint8Array(MAX_MESSAGE_BYTES + 1))).toThrow(RangeError);
    expect(() => encodeFrame(new Uint8Array(0))).toThrow(RangeError);
  });
});
