import { ByteReader, ByteWriter, decodeText, encodeText } from './byte-codec.ts';
import { encodeFrame } from './framing.ts';
import { STATUSES, type Reply } from './state-machine.ts';

/** Messages between clients and members, and among members. One frame holds one message; its first byte is its kind. */

export const PROTOCOL_VERSION = 4;
/** "FMGR": whoever speaks something else is told apart at once. */
const MAGIC = 0x464d4752;

/** Their order is their number on the wire. */
const SENDERS = ['client', 'member'] as const;
const MAX_NAME_BYTES = 64;
const MAX_DIGEST_BYTES = 64;
export const MAX_REASON_BYTES = 512;
const MAX_STATUS_BYTES = 64 * 1024;

/** The first message on a connection, from the side that opened it. */
export interface Hello {
  readonly kind: 'hello';
  readonly version: number;
  readonly clusterId: string;
  /** A client sends requests and hears replies; a member says what its protocol wants said, and hears nothing on this connection. */
  readonly from: (typeof SENDERS)[number];
  /** The client, unique among all that ever spoke to this cluster, or the member's id. */
  readonly senderId: string;
}

/** The answer to a hello that fits. */
export interface Welcome {
  readonly kind: 'welcome';
  readonly version: number;
  readonly clusterId: string;
  /** Another one after each restart without memory. Empty: a balancer, which passes on what members say, each reply under its member's name. */
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
  /** A read that may be answered from what this member has, however old. */
  readonly isStale: boolean;
  /** For the state machine. Empty with serial 0: a session shall be opened, see Sessions. */
  readonly operation: Uint8Array;
}

export interface ReplyMessage {
  readonly kind: 'reply';
  /** Who replies: where answers are voted, each member has one vote. */
  readonly memberId: string;
  readonly clientId: string;
  readonly serial: number;
  readonly reply: Reply;
}

/** What one member's protocol says to another's. */
export interface PeerMessage {
  readonly kind: 'peer';
  readonly body: Uint8Array;
}

/** Asks a member how it is. */
export interface StatusRequest {
  readonly kind: 'status-request';
}

/** A ReplicaStatus in JSON. */
export interface StatusReply {
  readonly kind: 'status';
  readonly json: string;
}

export type Message = Hello | Welcome | Reject | Request | ReplyMessage | PeerMessage | StatusRequest | StatusReply;

/** Bytes that are no message. */
export interface ProtocolError {
  readonly kind: 'protocol-error';
  readonly reason: string;
}

const KIND = { hello: 1, welcome: 2, reject: 3, request: 4, reply: 5, peer: 6, 'status-request': 7, status: 8 } as const;

/** The message in its frame, ready for a stream. Throws RangeError for fields that are too long: the caller's mistake. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new ByteWriter(256 + payloadBytes(message)).u8(KIND[message.kind]);
  switch (message.kind) {
    case 'hello':
      writer.u32(MAGIC).u16(message.version).text(message.clusterId).text(message.senderId).u8(SENDERS.indexOf(message.from));
      break;
    case 'welcome':
      writer.u32(MAGIC).u16(message.version).text(message.clusterId).text(message.memberId);
      break;
    case 'reject':
      writer.text(message.reason);
      break;
    case 'request':
      writer.text(message.clientId).u53(message.serial).u53(message.acknowledged).u8(message.isStale ? 1 : 0).raw(message.operation);
      break;
    case 'reply':
      writer.text(message.memberId).text(message.clientId).u53(message.serial).u8(STATUSES.indexOf(message.reply.status)).u53(message.reply.offset)
        .block(message.reply.digest).raw(message.reply.body);
      break;
    case 'peer':
      writer.raw(message.body);
      break;
    case 'status-request':
      break;
    case 'status':
      writer.raw(encodeText(message.json, MAX_STATUS_BYTES));
      break;
  }
  return encodeFrame(writer.finish());
}

function payloadBytes(message: Message): number {
  if (message.kind === 'request') return message.operation.length;
  if (message.kind === 'reply') return message.reply.body.length;
  return message.kind === 'peer' ? message.body.length : 0;
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
      if (kind === KIND.welcome) {
        if (version !== PROTOCOL_VERSION) reader.rest();
        return { kind: 'welcome', version, clusterId, memberId: id };
      }
      // Other versions may say other things: the version is checked before the rest.
      const from = version === PROTOCOL_VERSION ? SENDERS[reader.u8()] : 'client';
      if (version !== PROTOCOL_VERSION) reader.rest();
      if (from === undefined) return { kind: 'protocol-error', reason: 'a hello comes from neither a client nor a member' };
      return { kind: 'hello', version, clusterId, from, senderId: id };
    }
    case KIND.reject:
      return { kind: 'reject', reason: reader.text(MAX_REASON_BYTES) };
    case KIND.request:
      return { kind: 'request', clientId: reader.text(MAX_NAME_BYTES), serial: reader.u53(), acknowledged: reader.u53(), isStale: reader.u8() !== 0, operation: reader.rest() };
    case KIND.reply: {
      const memberId = reader.text(MAX_NAME_BYTES);
      const clientId = reader.text(MAX_NAME_BYTES);
      const serial = reader.u53();
      const status = STATUSES[reader.u8()];
      const offset = reader.u53();
      const digest = reader.block(MAX_DIGEST_BYTES);
      const body = reader.rest();
      if (status === undefined) return { kind: 'protocol-error', reason: 'a reply has an unknown status' };
      return { kind: 'reply', memberId, clientId, serial, reply: { status, offset, digest, body } };
    }
    case KIND.peer:
      return { kind: 'peer', body: reader.rest() };
    case KIND['status-request']:
      return { kind: 'status-request' };
    case KIND.status:
      return { kind: 'status', json: decodeText(reader.rest()) };
    default:
      return undefined;
  }
}
