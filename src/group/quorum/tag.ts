import type { ByteReader, ByteWriter } from '../byte-codec.ts';

const MAX_CLIENT_ID_BYTES = 64;

/**
 * When a value was written, in the register's own time (Lynch and Shvartsman 1997: the timestamp of the multi-writer register).
 * No two writes share one: `number` tells the writes of one client apart, which may be under way at once.
 */
export interface Tag {
  readonly counter: number;
  readonly clientId: string;
  /** Of the client's write. */
  readonly number: number;
}

/** Of a key that was never written; smaller than any other. */
export const NO_TAG: Tag = { counter: 0, clientId: '', number: 0 };

/** Negative when `a` is older. */
export function compareTags(a: Tag, b: Tag): number {
  if (a.counter !== b.counter) return a.counter - b.counter;
  if (a.clientId !== b.clientId) return a.clientId < b.clientId ? -1 : 1;
  return a.number - b.number;
}

export function writeTag(writer: ByteWriter, tag: Tag): ByteWriter {
  return writer.u53(tag.counter).text(tag.clientId).u53(tag.number);
}

export function readTag(reader: ByteReader): Tag {
  return { counter: reader.u53(), clientId: reader.text(MAX_CLIENT_ID_BYTES), number: reader.u53() };
}
