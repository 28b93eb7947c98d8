import { describe, expect, it } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import { FRAME_HEADER_BYTES } from '../../src/group/framing.ts';
import { decodeMessage, encodeMessage, PROTOCOL_VERSION, type Message } from '../../src/group/message.ts';
import { STATUSES } from '../../src/group/state-machine.ts';

const MESSAGES: readonly Message[] = [
  { kind: 'hello', version: PROTOCOL_VERSION, clusterId: 'blue', from: 'client', senderId: 'client-é' },
  { kind: 'welcome', version: PROTOCOL_VERSION, clusterId: 'blue', memberId: 'm1' },
  { kind: 'reject', reason: 'another cluster' },
  { kind: 'request', clientId: 'c', serial: 2 ** 52 + 1, acknowledged: 7, isStale: false, operation: Uint8Array.of(1, 2, 3) },
  { kind: 'request', clientId: 'c', serial: 1, acknowledged: 0, isStale: false, operation: new Uint8Array(0) },
  ...STATUSES.map((status) => ({
    kind: 'reply' as const, memberId: 'm1', clientId: 'c', serial: 9,
    reply: { status, offset: Number.MAX_SAFE_INTEGER, digest: new Uint8Array(32).fill(5), body: Uint8Array.of(65) },
  })),
];

const unframed = (message: Message): Uint8Array => encodeMessage(message).slice(FRAME_HEADER_BYTES);

describe('messages', () => {
  it.each(MESSAGES.map((message) => [message.kind, message] as const))('a %s survives the wire', (_kind, message) => {
    expect(decodeMessage(unframed(message))).toEqual(message);
  });

  it('cut short anywhere, they are a protocol error or a shorter open end, never an exception', () => {
    for (const message of MESSAGES) {
      const bytes = unframed(message);
      for (let length = 0; length < bytes.length; length++) {
        const decoded = decodeMessage(bytes.subarray(0, length));
        const hasOpenEnd = decoded.kind === 'request' || decoded.kind === 'reply';
        if (!hasOpenEnd) expect(decoded.kind, `${message.kind} cut at ${length}`).toBe('protocol-error');
      }
    }
  });

  it('any bytes at all are read without an exception', () => {
    const random = createRandom(1);
    for (let i = 0; i < 20_000; i++) {
      const bytes = new Uint8Array(random.below(80)).map(() => random.below(256));
      if (bytes.length > 0 && random.chance(0.8)) bytes[0] = random.below(8);
      expect(() => decodeMessage(bytes)).not.toThrow();
    }
  });

  it('says what is wrong', () => {
    const reasonOf = (bytes: Uint8Array): string => {
      const decoded = decodeMessage(bytes);
      return decoded.kind === 'protocol-error' ? decoded.reason : '';
    };
    expect(reasonOf(Uint8Array.of(99))).toBe('message kind 99 is unknown');
    expect(reasonOf(Uint8Array.of(1, 71, 69, 84, 32))).toContain('does not speak the group protocol');
    expect(reasonOf(new Uint8Array([...unframed(MESSAGES[0]!), 0]))).toContain('malformed');
  });

  it('refuses a number that no double holds', () => {
    const bytes = unframed({ kind: 'request', clientId: 'c', serial: 1, acknowledged: 0, isStale: false, operation: new Uint8Array(0) });
    bytes.fill(255, 4, 12);
    expect(decodeMessage(bytes).kind).toBe('protocol-error');
  });

  it('reads the hello of a later version far enough to refuse it', () => {
    const hello = unframed({ kind: 'hello', version: PROTOCOL_VERSION + 1, clusterId: 'blue', from: 'client', senderId: 'c' });
    expect(decodeMessage(new Uint8Array([...hello, 1, 2, 3]))).toMatchObject({ kind: 'hello', version: PROTOCOL_VERSION + 1 });
  });
});
