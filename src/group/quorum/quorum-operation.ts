import { ByteReader, ByteWriter } from '../byte-codec.ts';
import { decodeKey } from '../kv/kv-operation.ts';
import { readLives, writeLives, type Lives, type Witness } from './lives.ts';
import { NO_TAG, readTag, writeTag, type Tag } from './tag.ts';

/** Longest key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 1024;
/** Longest value: with its key and the answer around it, it fits a message with room to spare. */
export const MAX_VALUE_BYTES = 128 * 1024;

/**
 * What a client asks of one member. All may be repeated: reading changes nothing, and writing keeps the larger tag. write-back: what a read has found
 * at some members, and takes to others.
 */
export type QuorumOperation =
  | { readonly kind: 'read'; readonly key: string }
  | { readonly kind: 'write' | 'write-back'; readonly key: string; readonly tag: Tag; readonly value: Uint8Array };

const KIND = { 'read': 1, 'write': 2, 'write-back': 3 } as const;
const encoder = new TextEncoder();

/** Throws RangeError for a key or a value that is too long. */
export function encodeQuorumOperation(operation: QuorumOperation): Uint8Array {
  const writer = new ByteWriter(operation.kind === 'read' ? operation.key.length + 16 : operation.value.length + operation.key.length + 128);
  writer.u8(KIND[operation.kind]);
  if (operation.kind === 'read') return writeKey(writer, operation.key).finish();
  return writeCell(writer, operation).finish();
}

/** Undefined for bytes that are no operation. Shares memory with `bytes`. */
export function decodeQuorumOperation(bytes: Uint8Array): QuorumOperation | undefined {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  if (kind === KIND.write || kind === KIND['write-back']) {
    const cell = readCell(reader);
    return reader.end() && cell.tag.counter > 0 ? { kind: kind === KIND.write ? 'write' : 'write-back', ...cell } : undefined;
  }
  const key = readKey(reader);
  return reader.end() && kind === KIND.read ? { kind: 'read', key } : undefined;
}

/** A key with its value and tag: on the wire, in the log, in snapshots. */
export interface Cell {
  readonly key: string;
  readonly tag: Tag;
  readonly value: Uint8Array;
}

function writeKey(writer: ByteWriter, key: string): ByteWriter {
  const bytes = encoder.encode(key);
  if (bytes.length > MAX_KEY_BYTES) throw new RangeError(`a key of ${bytes.length} bytes: the most is ${MAX_KEY_BYTES}`);
  return writer.block(bytes);
}

/** Breaks the reader for what is not UTF-8: keys that differ as bytes must not be one. */
function readKey(reader: ByteReader): string {
  const key = decodeKey(reader.block(MAX_KEY_BYTES));
  if (key === undefined) reader.isBroken = true;
  return key ?? '';
}

export function writeCell(writer: ByteWriter, cell: Cell): ByteWriter {
  if (cell.value.length > MAX_VALUE_BYTES) throw new RangeError(`a value of ${cell.value.length} bytes: the most is ${MAX_VALUE_BYTES}`);
  return writeTag(writeKey(writer, cell.key), cell.tag).u32(cell.value.length).raw(cell.value);
}

export function readCell(reader: ByteReader): Cell {
  const key = readKey(reader);
  const tag = readTag(reader);
  const length = reader.u32();
  if (length > MAX_VALUE_BYTES) reader.isBroken = true;
  return { key, tag, value: reader.raw(length) };
}

/** What a member answers, in the body of an `ok` reply. To a write, tag and value are of no interest: NO_TAG and nothing. */
export interface QuorumAnswer extends Witness {
  readonly tag: Tag;
  readonly value: Uint8Array;
}

const NOTHING = new Uint8Array(0);

export function encodeQuorumAnswer(seat: number, lives: Lives, tag: Tag = NO_TAG, value: Uint8Array = NOTHING): Uint8Array {
  return writeTag(writeLives(new ByteWriter(value.length + 256).u8(seat), lives), tag).raw(value).finish();
}

/** Undefined for bytes that are no answer of one among `seats` members. Shares memory with `bytes`. */
export function decodeQuorumAnswer(bytes: Uint8Array, seats: number): QuorumAnswer | undefined {
  const reader = new ByteReader(bytes);
  const seat = reader.u8();
  const lives = readLives(reader);
  const tag = readTag(reader);
  const value = reader.rest();
  return reader.end() && lives.length === seats && seat < seats ? { seat, lives, tag, value } : undefined;
}
