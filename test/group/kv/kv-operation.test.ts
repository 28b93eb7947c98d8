import { describe, expect, it } from 'vitest';

import { createRandom } from '../../../src/core/random.ts';
import {
  decodeKvOperation, encodeKvOperation, isKvRead, MAX_KEY_BYTES, MAX_KV_OPERATION_BYTES, MAX_VALUE_BYTES, type KvOperation,
} from '../../../src/group/kv/kv-operation.ts';
import { decodeKvResult, encodeKvResult, kvReply, readKvReply, type KvResult } from '../../../src/group/kv/kv-result.ts';
import { MAX_MESSAGE_BYTES } from '../../../src/group/framing.ts';
import { encodeMessage } from '../../../src/group/message.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const OPERATIONS: readonly KvOperation[] = [
  { kind: 'get', key: 'k' },
  { kind: 'get', key: '' },
  { kind: 'get', key: '\ufeffä😀\u0000' },
  { kind: 'put', key: 'k', value: bytes('v') },
  { kind: 'put', key: 'k', value: bytes('') },
  { kind: 'put', key: 'k'.repeat(MAX_KEY_BYTES), value: new Uint8Array(MAX_VALUE_BYTES).fill(7) },
  { kind: 'cas', key: 'k', expected: bytes('u'), value: bytes('v') },
  { kind: 'cas', key: 'k', expected: bytes(''), value: bytes('v') },
  { kind: 'cas', key: 'k', expected: undefined, value: bytes('v') },
  { kind: 'append', key: 'k', value: bytes('more') },
  { kind: 'delete', key: 'k' },
];

describe('operations of the store', () => {
  it.each(OPERATIONS)('go into bytes and come back: $kind', (operation) => {
    const encoded = encodeKvOperation(operation);
    expect(decodeKvOperation(encoded)).toEqual(operation);
    expect(isKvRead(encoded)).toBe(operation.kind === 'get');
  });

  it('fit a message, the longest too', () => {
    const longest = encodeKvOperation({ kind: 'cas', key: 'k', expected: new Uint8Array(MAX_KV_OPERATION_BYTES - MAX_VALUE_BYTES - 9), value: new Uint8Array(MAX_VALUE_BYTES) });
    expect(longest.length).toBe(MAX_KV_OPERATION_BYTES);
    expect(encodeMessage({ kind: 'request', clientId: 'c'.repeat(64), serial: 1, acknowledged: 0, isStale: false, operation: longest }).length).toBeLessThan(MAX_MESSAGE_BYTES);
    expect(typeof decodeKvOperation(longest)).toBe('object');
  });

  it('are refused by the encoder when they are too long, or no Unicode', () => {
    expect(() => encodeKvOperation({ kind: 'get', key: 'ä'.repeat(129) })).toThrow('a key of 258 bytes: the most is 256');
    expect(() => encodeKvOperation({ kind: 'get', key: '\ud800' })).toThrow('half a surrogate pair');
    expect(() => encodeKvOperation({ kind: 'put', key: 'k', value: new Uint8Array(MAX_VALUE_BYTES + 1) })).toThrow(RangeError);
    expect(() => encodeKvOperation({ kind: 'cas', key: 'k', expected: new Uint8Array(MAX_VALUE_BYTES), value: new Uint8Array(MAX_VALUE_BYTES) })).toThrow('an operation of');
  });

  it.each([
    ['nothing', [], 'an operation of 0 bytes is cut short'],
    ['an unknown kind', [9, 0, 1, 107], 'operation kind 9 is unknown'],
    ['half a key', [1, 0, 2, 107], 'an operation of 4 bytes is cut short'],
    ['more than a get', [1, 0, 1, 107, 1], 'an operation of 5 bytes is malformed'],
    ['more than a delete', [5, 0, 1, 107, 1], 'an operation of 5 bytes is malformed'],
    ['a key that is no UTF-8', [1, 0, 1, 0xff], 'a key is not UTF-8'],
    ['a cas without a word on what is expected', [3, 0, 1, 107], 'an operation of 4 bytes is malformed'],
    ['a cas that expects half a value', [3, 0, 1, 107, 1, 0, 0, 0, 9, 1], 'an operation of 10 bytes is malformed'],
    ['a cas that expects nonsense', [3, 0, 1, 107, 2], 'a cas is malformed'],
  ])('tells what is wrong with %s', (_, wrong, reason) => {
    expect(decodeKvOperation(Uint8Array.from(wrong))).toBe(reason);
  });

  it('are refused by the decoder when they are too long', () => {
    const put = encodeKvOperation({ kind: 'put', key: 'k', value: new Uint8Array(MAX_VALUE_BYTES) });
    const longer = new Uint8Array(put.length + 1);
    longer.set(put);
    expect(decodeKvOperation(longer)).toBe(`a value of ${MAX_VALUE_BYTES + 1} bytes: the most is ${MAX_VALUE_BYTES}`);
    expect(decodeKvOperation(new Uint8Array(MAX_KV_OPERATION_BYTES + 1))).toContain('an operation of');
    const key = new Uint8Array(3 + 257).fill(107);
    key.set([1, 1, 1]);
    expect(decodeKvOperation(key)).toBe('a key of 257 bytes: the most is 256');
  });

  it('never throws for foreign bytes', () => {
    const random = createRandom(3);
    for (let i = 0; i < 20_000; i++) {
      const foreign = Uint8Array.from({ length: random.below(24) }, (_, at) => (at < 4 ? random.below(7) : random.below(256)));
      decodeKvOperation(foreign);
      decodeKvResult(foreign);
    }
  });
});

const RESULTS: readonly KvResult[] = [
  { kind: 'value', value: bytes('v') }, { kind: 'value', value: bytes('') }, { kind: 'absent' }, { kind: 'done' }, { kind: 'truth', value: true },
  { kind: 'truth', value: false }, { kind: 'length', bytes: 131_072 },
];

describe('results of the store', () => {
  it.each(RESULTS)('go into bytes and come back: $kind', (result) => {
    expect(decodeKvResult(encodeKvResult(result))).toEqual(result);
    expect(readKvReply(kvReply(result))).toEqual(result);
  });

  it.each([[[]], [[9]], [[0, 1]], [[2, 1]], [[3, 1]], [[5, 1]], [[5, 255, 255, 255, 255, 255, 255, 255, 255]]])('%j is none', (wrong) => {
    expect(decodeKvResult(Uint8Array.from(wrong))).toBeUndefined();
    expect(readKvReply({ status: 'ok', offset: 0, digest: bytes(''), body: Uint8Array.from(wrong) })).toBe('the reply is malformed');
  });

  it('reads why something was not applied', () => {
    expect(readKvReply({ status: 'busy', offset: 0, digest: bytes(''), body: bytes('the store is full') })).toBe('busy: the store is full');
  });
});
