import { crc32 } from 'node:zlib';

import { CorruptLogError } from './storage.ts';

/** Length, CRC-32 of the content, CRC-32 of the head itself: four bytes each, big-endian. */
export const RECORD_HEAD_BYTES = 12;
/** A content has at least one byte: so a stretch of zeros is never a record. */
const MIN_RECORD_BYTES = RECORD_HEAD_BYTES + 1;
const MAX_CONTENT_BYTES = 0xffff_ffff;

/** A file that gets its name when it is complete. */
export interface FileNames {
  /** While it is incomplete. */
  readonly part: string;
  /** Once it is on disk as a whole. */
  readonly file: string;
}

export interface FoundRecord {
  readonly offset: number;
  /** Shares memory with the file. */
  readonly content: Uint8Array;
}

export interface RecordFile {
  readonly records: readonly FoundRecord[];
  /** Of the good records: where the next one goes. */
  readonly lengthBytes: number;
  /**
   * What follows them. `torn`: a write that a crash interrupted; nobody was told that it was on disk. `suspect`: it was complete once, or may
   * have been, so what it promised may be gone.
   */
  readonly tail: 'clean' | 'torn' | 'suspect';
}

/** Records in one piece, to be written at `offset` of their file. Throws RangeError for a content that is empty or of 4 GiB. */
export function encodeRecords(contents: readonly Uint8Array[], offset: number): Uint8Array {
  let length = 0;
  for (const content of contents) {
    if (content.length === 0 || content.length > MAX_CONTENT_BYTES) throw new RangeError(`a record cannot hold ${content.length} bytes`);
    length += RECORD_HEAD_BYTES + content.length;
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let position = 0;
  for (const content of contents) {
    const contentCrc = crc32(content);
    view.setUint32(position, content.length);
    view.setUint32(position + 4, contentCrc);
    view.setUint32(position + 8, headCrc(offset + position, content.length, contentCrc));
    bytes.set(content, position + RECORD_HEAD_BYTES);
    position += RECORD_HEAD_BYTES + content.length;
  }
  return bytes;
}

/**
 * Reads a file of records to its end, or to the first place where there is no good record, and says what that place is:
 *
 * - The head is good and the file ends before the content does, or fewer bytes are left than any record has, or nothing but zeros:
 *   `torn`. A crash leaves any prefix of what was not synced, however many records that were; zeros are a file that had grown
 *   before its data came.
 * - Otherwise it is damage, since no prefix of a write looks so. When a good record follows anywhere, the damage lies in the
 *   middle: throws CorruptLogError. When none does, it was the last one: `suspect`.
 *
 * The head has a CRC of its own because a length that cannot be believed makes a damaged record look like a torn one (longer than the
 * file) and hides where the next one begins. That CRC covers the record's place in the file, too: a record that lies at
 * another place (written astray, or a value that is itself such a file) is none, and that makes the search for one that
 * follows, byte by byte, say something. The search is cheap: a length that does not fit the file is no head.
 *
 * Limits. A synced end that is gone altogether, cut off or zeroed, looks torn: no file can tell by itself. Where a power
 * failure keeps a later block of one unsynced write and loses an earlier one, that looks like damage in the middle: refused, though
 * nothing that was promised is gone. Two CRCs of 32 bits are passed by one damage in 2^32, not by any single bit.
 */
export function readRecords(file: string, bytes: Uint8Array): RecordFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const records: FoundRecord[] = [];
  let position = 0;
  const end = (tail: RecordFile['tail']): RecordFile => ({ records, lengthBytes: position, tail });
  for (;;) {
    const left = bytes.length - position;
    if (left === 0) return end('clean');
    if (left < MIN_RECORD_BYTES) return end('torn');
    const length = readHead(view, position);
    if (length !== undefined && length > left - RECORD_HEAD_BYTES) return end('torn');
    const content = length === undefined ? undefined : readContent(bytes, view, position, length);
    if (content === undefined) break;
    records.push({ offset: position, content });
    position += RECORD_HEAD_BYTES + content.length;
  }
  if (isZero(bytes, position)) return end('torn');
  const next = findRecord(bytes, view, position + 1);
  if (next !== undefined) throw new CorruptLogError(file, position, `a damaged record, and a good one after it at ${next}`);
  return end('suspect');
}

/** The content's length; undefined when there is no good head. */
function readHead(view: DataView, position: number): number | undefined {
  const length = view.getUint32(position);
  if (length === 0) return undefined;
  return view.getUint32(position + 8) === headCrc(position, length, view.getUint32(position + 4)) ? length : undefined;
}

/** Behind a good head; undefined when it is not what was written. */
function readContent(bytes: Uint8Array, view: DataView, position: number, length: number): Uint8Array | undefined {
  const content = bytes.subarray(position + RECORD_HEAD_BYTES, position + RECORD_HEAD_BYTES + length);
  return crc32(content) === view.getUint32(position + 4) ? content : undefined;
}

/** Offset of the first good and complete record that begins at `from` or later. */
function findRecord(bytes: Uint8Array, view: DataView, from: number): number | undefined {
  for (let position = from; position <= bytes.length - MIN_RECORD_BYTES; position++) {
    // Also keeps the search linear: hardly a place gets further than this line.
    if (view.getUint32(position) > bytes.length - position - RECORD_HEAD_BYTES) continue;
    const length = readHead(view, position);
    if (length !== undefined && readContent(bytes, view, position, length) !== undefined) return position;
  }
  return undefined;
}

const head = new DataView(new ArrayBuffer(16));
const headBytes = new Uint8Array(head.buffer);

function headCrc(offset: number, length: number, contentCrc: number): number {
  head.setUint32(0, Math.floor(offset / 2 ** 32));
  head.setUint32(4, offset % 2 ** 32);
  head.setUint32(8, length);
  head.setUint32(12, contentCrc);
  return crc32(headBytes);
}

function isZero(bytes: Uint8Array, from: number): boolean {
  for (let i = from; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}
