import { ByteReader, ByteWriter } from './byte-codec.ts';
import type { StoredEntry } from './storage.ts';

/** Change it whenever older programs would misread what is written. */
export const LOG_VERSION = 2;
/** "FMLG". */
const MAGIC = 0x464d4c47;

/** What a record of the log says. They are read in order, and each changes what the ones before it have said. */
export type LogRecord =
  /** The first one, and only there. */
  | { readonly kind: 'header'; readonly version: number }
  /**
   * A snapshot up to `index`, which has `term`, has become durable: entries up to it are gone. `keepsLater` false: it replaced a log
   * that was not its own past, and all entries are gone.
   */
  | { readonly kind: 'base'; readonly index: number; readonly term: number; readonly keepsLater: boolean }
  | { readonly kind: 'state'; readonly bytes: Uint8Array }
  | { readonly kind: 'entry'; readonly entry: StoredEntry }
  /** Entries from `index` on are gone. */
  | { readonly kind: 'truncate'; readonly index: number }
  /** What was promised may be gone. So it is from the beginning of every log: one that was cut down to its beginning says so. */
  | { readonly kind: 'suspect' }
  /** Nothing that was promised is gone, up to here. */
  | { readonly kind: 'safe' };

const KIND = { header: 1, base: 2, state: 3, entry: 4, truncate: 5, suspect: 6, safe: 7 } as const;

export function encodeLogRecord(record: LogRecord): Uint8Array {
  const writer = new ByteWriter(recordBytes(record)).u8(KIND[record.kind]);
  switch (record.kind) {
    case 'header':
      return writer.u32(MAGIC).u16(record.version).finish();
    case 'base':
      return writer.u53(record.index).u53(record.term).u8(record.keepsLater ? 1 : 0).finish();
    case 'state':
      return writer.raw(record.bytes).finish();
    case 'entry':
      return writer.u53(record.entry.index).u53(record.entry.term).raw(record.entry.bytes).finish();
    case 'truncate':
      return writer.u53(record.index).finish();
    case 'suspect':
    case 'safe':
      return writer.finish();
  }
}

function recordBytes(record: LogRecord): number {
  if (record.kind === 'entry') return 17 + record.entry.bytes.length;
  return record.kind === 'state' ? 1 + record.bytes.length : 18;
}

/** Undefined when it makes no sense. Copies what it holds, so that the file's bytes can be forgotten. */
export function decodeLogRecord(content: Uint8Array): LogRecord | undefined {
  const reader = new ByteReader(content);
  const record = decodeBody(reader.u8(), reader);
  return reader.end() ? record : undefined;
}

function decodeBody(kind: number, reader: ByteReader): LogRecord | undefined {
  switch (kind) {
    case KIND.header:
      if (reader.u32() !== MAGIC) return undefined;
      return { kind: 'header', version: reader.u16() };
    case KIND.base:
      return { kind: 'base', index: reader.u53(), term: reader.u53(), keepsLater: reader.u8() !== 0 };
    case KIND.state:
      return { kind: 'state', bytes: reader.rest().slice() };
    case KIND.entry:
      return { kind: 'entry', entry: { index: reader.u53(), term: reader.u53(), bytes: reader.rest().slice() } };
    case KIND.truncate:
      return { kind: 'truncate', index: reader.u53() };
    case KIND.suspect:
      return { kind: 'suspect' };
    case KIND.safe:
      return { kind: 'safe' };
    default:
      return undefined;
  }
}
