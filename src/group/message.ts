import { ByteReader, ByteWriter } from './byte-codec.ts';
import { encodeFrame } from './framing.ts';
import { STATUSES, type Reply } from './state-machine.ts';

/** Messages between clients and members, and among members. One frame holds one message; its first byte is its kind. */

export const PROTOCOL_VERSION = 1;
/** "FMGR": whoever speaks something else is told apart at once. */
const MAGIC = 0x464d4752;

const MAX_NAME_BYTES = 64;
const MAX_DIGEST_BYTES = 64;
export const MAX_REASON_BYTES = 512;

/** The first message on a connection, from the side that opened it. */
export interface Hello {
  readonly kind: 'hello';
  readonly version: number;
  readonly clusterId: string;
  /** The client, unique among all that ever spoke to this cluster. */
  readonly senderId: string;
}

/** The answer to a hello that fits. */
export interface Welcome {
  readonly kind: 'welcome';
  readonly version: number;
  readonly clusterId: string;
  /** Another one after each restart without memory. */
  readonly memberId: string;
}

/** The answer to a hello that does not fit, or to bytes that are no message; the connection ends. */
export interface Reject {
  readonly kind: 'reject';
  readonly reason: string;
}

export interface Request {
  readonly kind: 'request';
  readonly clientId: string;
  /** Counts this client's requests from 1; the same serial is the same request. */
  readonly serial: number;
  /** The client has the replies up to this serial: they need not be kept. */
  readonly acknowledged: number;
  /** For the state machine. */
  readonly operation: Uint8Array;
}

export interface ReplyMessage {
  readonly kind: 'reply';
  readonly clientId: string;
  readonly serial: number;
  readonly reply: Reply;
}

export type Message = Hello | Welcome | Reject | Request | ReplyMessage;

/** Bytes that are no message. */
export interface ProtocolError {
  readonly kind: 'protocol-error';
  readonly reason: string;
}

const KIND = { hello: 1, welcome: 2, reject: 3, request: 4, reply: 5 } as const;

/** The message in its frame, ready for a stream. Throws RangeError for fields that are too long: the caller's mistake. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new ByteWriter(message.kind === 'request' ? message.operation.length + 128 : 256).u8(KIND[message.kind]);
  switch (message.kind) {
    case 'hello':
      writer.u32(MAGIC).u16(message.version).text(message.clusterId).text(message.senderId);
      break;
    case 'welcome':
      writer.u32(MAGIC).u16(message.version).text(message.clusterId).text(message.memberId);
      break;
    case 'reject':
      writer.text(message.reason);
      break;
    case 'request':
      writer.text(message.clientId).u53(message.serial).u53(message.acknowledged).raw(message.operation);
      break;
    case 'reply':
      writer.text(message.clientId).u53(message.serial).u8(STATUSES.indexOf(message.reply.status)).u53(message.reply.offset)
        .block(message.reply.digest).raw(message.reply.body);
      break;
  }
  return encodeFrame(writer.finish());
}

/** Reads what a frame holds. Never throws; the result shares memory with `bytes`. */
export function decodeMessage(bytes: Uint8Array): Message | ProtocolError {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  const message = decodeBody(kind, reader);
  if (message === undefined) return { kind: 'protocol-error', reason: `message kind ${kind} is unknown` };
  if (message.kind === 'protocol-error') return message;
  return reader.end() ? message : { kind: 'protocol-error', reason: `a ${message.kind} of ${bytes.length} bytes is malformed` };
}

function decodeBody(kind: number, reader: ByteReader): Message | ProtocolError | undefined {
  switch (kind) {
    case KIND.hello:
    case KIND.welcome: {
      if (reader.u32() !== MAGIC) return { kind: 'protocol-error', reason: 'the peer does not speak the group protocol' };
      const version = reader.u16();
      const clusterId = reader.text(MAX_NAME_BYTES);
      const id = reader.text(MAX_NAME_BYTES);
      // Later versions may say more: the version is checked before the rest.
      if (version !== PROTOCOL_VERSION) reader.rest();
      return kind === KIND.hello ? { kind: 'hello', version, clusterId, senderId: id } : { kind: 'welcome', version, clusterId, memberId: id };
    }
    case KIND.reject:
      return { kind: 'reject', reason: reader.text(MAX_REASON_BYTES) };
    case KIND.request:
      return { kind: 'request', clientId: reader.text(MAX_NAME_BYTES), serial: reader.u53(), acknowledged: reader.u53(), operation: reader.rest() };
    case KIND.reply: {
      const clientId = reader.text(MAX_NAME_BYTES);
      const serial = reader.u53();
      const status = STATUSES[reader.u8()];
      const offset = reader.u53();
      const digest = reader.block(MAX_DIGEST_BYTES);
      const body = reader.rest();
      if (status === undefined) return { kind: 'protocol-error', reason: 'a reply has an unknown status' };
      return { kind: 'reply', clientId, serial, reply: { status, offset, digest, body } };
    }
    default:
      return undefined;
  }
}
