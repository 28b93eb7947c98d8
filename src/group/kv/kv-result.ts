import { ByteReader, ByteWriter, decodeText } from '../byte-codec.ts';
import type { Reply } from '../state-machine.ts';

/** What an operation that was applied came to. */
export type KvResult =
  /** get: what is there. */
  | { readonly kind: 'value'; readonly value: Uint8Array }
  /** get: nothing is there. */
  | { readonly kind: 'absent' }
  /** put. */
  | { readonly kind: 'done' }
  /** cas: whether it succeeded; delete: whether anything was there. */
  | { readonly kind: 'truth'; readonly value: boolean }
  /** append: bytes of the value now. */
  | { readonly kind: 'length'; readonly bytes: number };

const KIND = { absent: 0, value: 1, done: 2, no: 3, yes: 4, length: 5 } as const;
const NOTHING = new Uint8Array(0);

/** The body of a Reply. */
export function encodeKvResult(result: KvResult): Uint8Array {
  switch (result.kind) {
    case 'value':
      return new ByteWriter(1 + result.value.length).u8(KIND.value).raw(result.value).finish();
    case 'absent':
    case 'done':
      return Uint8Array.of(KIND[result.kind]);
    case 'truth':
      return Uint8Array.of(result.value ? KIND.yes : KIND.no);
    case 'length':
      return new ByteWriter(9).u8(KIND.length).u53(result.bytes).finish();
  }
}

/** Undefined for a body that is none. Never throws; shares memory with `body`. */
export function decodeKvResult(body: Uint8Array): KvResult | undefined {
  const reader = new ByteReader(body);
  const result = decodeKind(reader.u8(), reader);
  return result !== undefined && reader.end() ? result : undefined;
}

function decodeKind(kind: number, reader: ByteReader): KvResult | undefined {
  switch (kind) {
    case KIND.absent:
      return reader.isBroken ? undefined : { kind: 'absent' };
    case KIND.value:
      return { kind: 'value', value: reader.rest() };
    case KIND.done:
      return { kind: 'done' };
    case KIND.no:
    case KIND.yes:
      return { kind: 'truth', value: kind === KIND.yes };
    case KIND.length:
      return { kind: 'length', bytes: reader.u53() };
    default:
      return undefined;
  }
}

/** The reply to an operation that was applied. Equal at all members, wherever they are in the order: answers are compared. */
export function kvReply(result: KvResult): Reply {
  return { status: 'ok', offset: 0, digest: NOTHING, body: encodeKvResult(result) };
}

/** What a reply says; a text instead: why the operation was not applied. Never throws. */
export function readKvReply(reply: Reply): KvResult | string {
  if (reply.status !== 'ok') return `${reply.status}: ${decodeText(reply.body)}`;
  return decodeKvResult(reply.body) ?? 'the reply is malformed';
}
