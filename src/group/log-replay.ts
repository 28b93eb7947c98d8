import { LogOutline } from './log-outline.ts';
import { decodeLogRecord, LOG_VERSION, type LogRecord } from './log-record.ts';
import { readRecords, type RecordFile } from './record-file.ts';
import { CorruptLogError, type StoredEntry } from './storage.ts';

/** What the records of a log come to. */
export interface ReplayedLog {
  readonly state: Uint8Array | undefined;
  readonly entries: StoredEntry[];
  readonly outline: LogOutline;
  readonly isSuspect: boolean;
  readonly lengthBytes: number;
  readonly tail: RecordFile['tail'];
}

/**
 * Throws CorruptLogError: for damage in the middle, for a log without its beginning (it got its name when that was complete), for another format,
 * and for records that are whole but contradict each other.
 */
export function replayLog(file: string, bytes: Uint8Array): ReplayedLog {
  const { records, lengthBytes, tail } = readRecords(file, bytes);
  const first = records[0] === undefined ? undefined : decodeLogRecord(records[0].content);
  if (first?.kind !== 'header') throw new CorruptLogError(file, 0, 'the beginning is damaged, or this is no log');
  if (first.version !== LOG_VERSION) throw new CorruptLogError(file, 0, `format version ${first.version}, here ${LOG_VERSION} is known`);
  const outline = new LogOutline();
  let entries: StoredEntry[] = [];
  let state: Uint8Array | undefined;
  let isSafe = false;
  const take = (record: LogRecord): boolean => {
    switch (record.kind) {
      case 'header':
        return false;
      case 'base':
        if (!outline.rebase(record, record.keepsLater)) return false;
        entries = record.keepsLater ? entries.filter(({ index }) => index > record.index) : [];
        return true;
      case 'state':
        state = record.bytes;
        return true;
      case 'entry':
        entries.push(record.entry);
        return outline.append(record.entry.index, record.entry.term);
      case 'truncate':
        if (!outline.truncate(record.index)) return false;
        entries.length = outline.lastIndex - outline.baseIndex;
        return true;
      case 'suspect':
      case 'safe':
        isSafe = record.kind === 'safe';
        return true;
    }
  };
  for (const { offset, content } of records.slice(1)) {
    const record = decodeLogRecord(content);
    if (record === undefined) throw new CorruptLogError(file, offset, 'a record of an unknown kind');
    if (!take(record)) throw new CorruptLogError(file, offset, `a record (${record.kind}) that contradicts those before it`);
  }
  return { state, entries, outline, isSuspect: !isSafe || tail === 'suspect', lengthBytes, tail };
}
