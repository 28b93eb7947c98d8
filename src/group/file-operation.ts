import { ByteReader, ByteWriter } from './byte-codec.ts';

/** What can be asked of a file sink. `transferId` ties the operations of one file together. */
export type FileOperation =
  | { readonly kind: 'open'; readonly transferId: string }
  /** `offset` is the number of bytes before these. */
  | { readonly kind: 'append'; readonly transferId: string; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'commit'; readonly transferId: string; readonly length: number; readonly sha256: Uint8Array };

const KIND = { open: 1, append: 2, commit: 3 } as const;
const MAX_TRANSFER_ID_BYTES = 64;
const SHA256_BYTES = 32;

/** Largest payload of one append: with its headers it fits a message with room to spare. */
export const MAX_APPEND_BYTES = 128 * 1024;

export function encodeFileOperation(operation: FileOperation): Uint8Array {
  const writer = new ByteWriter(operation.kind === 'append' ? operation.bytes.length + 96 : 128);
  writer.u8(KIND[operation.kind]).text(operation.transferId);
  if (operation.kind === 'append') writer.u53(operation.offset).raw(operation.bytes);
  if (operation.kind === 'commit') writer.u53(operation.length).raw(operation.sha256);
  return writer.finish();
}

/** Undefined for bytes that are no operation. Shares memory with `bytes`. */
export function decodeFileOperation(bytes: Uint8Array): FileOperation | undefined {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  const transferId = reader.text(MAX_TRANSFER_ID_BYTES);
  let operation: FileOperation;
  if (kind === KIND.open) operation = { kind: 'open', transferId };
  else if (kind === KIND.append) operation = { kind: 'append', transferId, offset: reader.u53(), bytes: reader.rest() };
  else if (kind === KIND.commit) operation = { kind: 'commit', transferId, length: reader.u53(), sha256: reader.raw(SHA256_BYTES) };
  else return undefined;
  if (operation.kind === 'append' && operation.bytes.length > MAX_APPEND_BYTES) return undefined;
  return reader.end() ? operation : undefined;
}
