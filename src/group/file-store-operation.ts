import { ByteReader, ByteWriter } from './byte-codec.ts';
import { decodeFileOperation, encodeFileOperation, type FileOperation } from './file-operation.ts';

/** What can be asked of a store of files. */
export type FileStoreOperation =
  /** Of one file; `name` is what it is called. */
  | { readonly kind: 'file'; readonly name: string; readonly operation: FileOperation }
  /**
   * The transfer `from` has been given up, and `transferId` goes on in its place: where it stood, or from the beginning. Only if it is still
   * `from` that holds the name: a repetition that comes late takes nothing from anybody.
   */
  | { readonly kind: 'take-over'; readonly name: string; readonly from: string; readonly transferId: string; readonly isAnew: boolean }
  /** Changes nothing: what files there are. */
  | { readonly kind: 'list' };

/** A line of the answer to `list`. */
export interface FileEntry {
  readonly name: string;
  readonly isCommitted: boolean;
  readonly length: number;
  /** Of what is there. */
  readonly sha256: Uint8Array;
  readonly transferId: string;
}

const KIND = { file: 1, 'take-over': 2, list: 3 } as const;
/** In UTF-8. */
export const MAX_NAME_BYTES = 128;
const MAX_TRANSFER_ID_BYTES = 64;
const SHA256_BYTES = 32;
/** Where members keep files, in the words of DiskOperation: NAME in there, and NAME.<number>.part while it is incomplete. */
export const FILES_FOLDER = 'files/';
export const PART_SUFFIX = '.part';

/** Why this cannot be the name of a file; undefined when it can. One component of a path, as it is shown and typed. */
export function problemOfName(name: string): string | undefined {
  const bytes = new TextEncoder().encode(name).length;
  if (bytes < 1 || bytes > MAX_NAME_BYTES) return `a name of ${bytes} bytes: 1 to ${MAX_NAME_BYTES}`;
  if (name.startsWith('.') || name.endsWith(PART_SUFFIX)) return `"${name}" is no name: none begins with "." or ends with "${PART_SUFFIX}"`;
  if (/[/\\\p{C}]/u.test(name)) return 'a name has no "/", no "\\" and no control character';
  return undefined;
}

export function encodeFileStoreOperation(operation: FileStoreOperation): Uint8Array {
  const inner = operation.kind === 'file' ? encodeFileOperation(operation.operation) : undefined;
  const writer = new ByteWriter(512 + (inner?.length ?? 0)).u8(KIND[operation.kind]);
  if (operation.kind === 'list') return writer.finish();
  writer.text(operation.name);
  if (operation.kind === 'file') writer.raw(inner!);
  else writer.text(operation.from).text(operation.transferId).u8(operation.isAnew ? 1 : 0);
  return writer.finish();
}

/** Undefined for bytes that are no operation. Shares memory with `bytes`. */
export function decodeFileStoreOperation(bytes: Uint8Array): FileStoreOperation | undefined {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  if (kind === KIND.list) return reader.end() ? { kind: 'list' } : undefined;
  const name = reader.text(MAX_NAME_BYTES);
  if (kind === KIND.file) {
    const operation = decodeFileOperation(reader.rest());
    return operation === undefined || reader.isBroken ? undefined : { kind: 'file', name, operation };
  }
  if (kind !== KIND['take-over']) return undefined;
  const operation = { kind: 'take-over', name, from: reader.text(MAX_TRANSFER_ID_BYTES), transferId: reader.text(MAX_TRANSFER_ID_BYTES), isAnew: reader.u8() !== 0 } as const;
  return reader.end() ? operation : undefined;
}

/** The operation changes nothing. */
export function isFileRead(operation: Uint8Array): boolean {
  return operation.length === 1 && operation[0] === KIND.list;
}

export function encodeFileEntries(entries: readonly FileEntry[]): Uint8Array {
  const writer = new ByteWriter(2 + entries.length * 160).u16(entries.length);
  for (const { name, isCommitted, length, sha256, transferId } of entries) writer.text(name).u8(isCommitted ? 1 : 0).u53(length).raw(sha256).text(transferId);
  return writer.finish();
}

/** Undefined for bytes that are no answer to `list`. */
export function decodeFileEntries(bytes: Uint8Array): FileEntry[] | undefined {
  const reader = new ByteReader(bytes);
  const count = reader.u16();
  const entries: FileEntry[] = [];
  for (let i = 0; i < count && !reader.isBroken; i++) {
    entries.push({ name: reader.text(MAX_NAME_BYTES), isCommitted: reader.u8() !== 0, length: reader.u53(), sha256: reader.raw(SHA256_BYTES), transferId: reader.text(MAX_TRANSFER_ID_BYTES) });
  }
  return reader.end() ? entries : undefined;
}
