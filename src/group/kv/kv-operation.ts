import { ByteReader, ByteWriter } from '../byte-codec.ts';

/**
 * kv: a key-value store that can be replicated. The words that clients and members share (kv-operation, kv-result), the state
 * (kv-store on a copy-on-write tree), and the state machine that puts them together. Who orders the operations is not its concern.
 */

/** Longest key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 256;
/** Longest value, appended to or not: with its key and the answer around it, it fits a message with room to spare. */
export const MAX_VALUE_BYTES = 128 * 1024;
/** Longest operation. A cas carries two values: both at their longest don't fit one message. */
export const MAX_KV_OPERATION_BYTES = 192 * 1024;

/** What can be asked of the store. */
export type KvOperation =
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'put'; readonly key: string; readonly value: Uint8Array }
  /** Puts `value` if the key holds exactly `expected`; undefined: if it holds nothing. */
  | { readonly kind: 'cas'; readonly key: string; readonly expected: Uint8Array | undefined; readonly value: Uint8Array }
  /** Behind what is there; nothing there is as good as an empty value. */
  | { readonly kind: 'append'; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: string };

const KIND = { get: 1, put: 2, cas: 3, append: 4, delete: 5 } as const;
const ABSENT = 0;
const PRESENT = 1;

const encoder = new TextEncoder();
/** Strict, or two keys that differ as bytes would be one here. */
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const HALF_A_PAIR = /\p{Surrogate}/u;

/** Throws RangeError for a key or a value that is too long, and for a key that is no Unicode. */
export function encodeKvOperation(operation: KvOperation): Uint8Array {
  const { kind, key } = operation;
  const keyBytes = encoder.encode(key);
  if (keyBytes.length > MAX_KEY_BYTES) throw new RangeError(`a key of ${keyBytes.length} bytes: the most is ${MAX_KEY_BYTES}`);
  if (HALF_A_PAIR.test(key)) throw new RangeError('a key with half a surrogate pair in it');
  const value = kind === 'get' || kind === 'delete' ? undefined : operation.value;
  const expected = kind === 'cas' ? operation.expected : undefined;
  for (const each of [value, expected]) {
    if (each !== undefined && each.length > MAX_VALUE_BYTES) throw new RangeError(`a value of ${each.length} bytes: the most is ${MAX_VALUE_BYTES}`);
  }
  const writer = new ByteWriter(16 + keyBytes.length + (value?.length ?? 0) + (expected?.length ?? 0));
  writer.u8(KIND[kind]).block(keyBytes);
  if (kind === 'cas') {
    writer.u8(expected === undefined ? ABSENT : PRESENT);
    if (expected !== undefined) writer.u32(expected.length).raw(expected);
  }
  if (value !== undefined) writer.raw(value);
  const bytes = writer.finish();
  if (bytes.length > MAX_KV_OPERATION_BYTES) throw new RangeError(`an operation of ${bytes.length} bytes: the most is ${MAX_KV_OPERATION_BYTES}`);
  return bytes;
}

/** Never throws: a text instead says why the bytes are no operation. The result shares memory with `bytes`. */
export function decodeKvOperation(bytes: Uint8Array): KvOperation | string {
  if (bytes.length > MAX_KV_OPERATION_BYTES) return `an operation of ${bytes.length} bytes: the most is ${MAX_KV_OPERATION_BYTES}`;
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  const keyBytes = reader.block(0xffff);
  if (reader.isBroken) return `an operation of ${bytes.length} bytes is cut short`;
  if (keyBytes.length > MAX_KEY_BYTES) return `a key of ${keyBytes.length} bytes: the most is ${MAX_KEY_BYTES}`;
  const key = decodeKey(keyBytes);
  if (key === undefined) return 'a key is not UTF-8';
  const operation = decodeRest(kind, key, reader);
  return typeof operation === 'string' || reader.end() ? operation : `an operation of ${bytes.length} bytes is malformed`;
}

/** Undefined for bytes that are not UTF-8. */
export function decodeKey(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whether the operation can be answered without a place in the order. True for malformed ones that say they are reads. */
export function isKvRead(operation: Uint8Array): boolean {
  return operation[0] === KIND.get;
}

function decodeRest(kind: number, key: string, reader: ByteReader): KvOperation | string {
  switch (kind) {
    case KIND.get:
      return { kind: 'get', key };
    case KIND.delete:
      return { kind: 'delete', key };
    case KIND.put:
    case KIND.append: {
      const value = reader.rest();
      return value.length > MAX_VALUE_BYTES ? tooLong(value) : { kind: kind === KIND.put ? 'put' : 'append', key, value };
    }
    case KIND.cas: {
      const presence = reader.u8();
      if (presence !== ABSENT && presence !== PRESENT) return 'a cas is malformed';
      const expected = presence === PRESENT ? reader.raw(reader.u32()) : undefined;
      const value = reader.rest();
      if (expected !== undefined && expected.length > MAX_VALUE_BYTES) return tooLong(expected);
      return value.length > MAX_VALUE_BYTES ? tooLong(value) : { kind: 'cas', key, expected, value };
    }
    default:
      return `operation kind ${kind} is unknown`;
  }
}

function tooLong(value: Uint8Array): string {
  return `a value of ${value.length} bytes: the most is ${MAX_VALUE_BYTES}`;
}
