import type { ByteReader, ByteWriter } from './byte-codec.ts';
import type { StoredEntry } from './storage.ts';

/** Of one message. */
const MAX_ENTRIES = 4096;

/** Entries in a message that says what they follow: their indices need not be said. */
export function writeEntries(writer: ByteWriter, entries: readonly StoredEntry[]): ByteWriter {
  writer.u16(entries.length);
  for (const { term, bytes } of entries) writer.u53(term).u32(bytes.length).raw(bytes);
  return writer;
}

/** Check the reader before believing it. Shares memory with the message. */
export function readEntries(prevIndex: number, reader: ByteReader): StoredEntry[] {
  const entries: StoredEntry[] = [];
  const count = reader.u16();
  if (count > MAX_ENTRIES) reader.isBroken = true;
  for (let i = 0; i < count && !reader.isBroken; i++) entries.push({ index: prevIndex + 1 + i, term: reader.u53(), bytes: reader.raw(reader.u32()) });
  return entries;
}
