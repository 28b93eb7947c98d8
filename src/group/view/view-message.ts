import { ByteReader, ByteWriter } from '../byte-codec.ts';
import { readEntries, writeEntries } from '../entry-codec.ts';
import type { StoredEntry } from '../storage.ts';

/** An agreed timestamp: Lamport's clock, and the member whose clock it was, by its place in the view (Birman & Joseph 1987). */
export interface Stamp {
  readonly clock: number;
  readonly seat: number;
}

/** Names a message of the agreed order: who began it in which view, and its number among his. */
export interface MessageId {
  readonly view: number;
  readonly seat: number;
  readonly number: number;
}

/** What a member holds of a message that is not delivered. */
export interface PendingMessage {
  readonly id: MessageId;
  readonly stamp: Stamp;
  /** The stamp is the final one. */
  readonly isFinal: boolean;
  readonly bytes: Uint8Array;
}

interface Entries {
  readonly view: number;
  readonly prevIndex: number;
  readonly prevTerm: number;
  readonly stableIndex: number;
  /** Where the sender's log ends. */
  readonly lastIndex: number;
  readonly round: number;
  readonly entries: readonly StoredEntry[];
}

/** What members of a view say to each other. `view` is its number; what belongs to another view is not looked at. */
export type ViewMessage =
  /** I live, and hear all but those. My log ends there, on disk; I know that so much is stable. In the agreed order, that is all that there is to say. */
  | {
      readonly kind: 'alive'; readonly view: number; readonly lastIndex: number; readonly stableIndex: number; readonly isRunning: boolean;
      readonly suspected: readonly string[];
    }
  /** To the leader, in a new view: what I have. */
  | { readonly kind: 'report'; readonly view: number; readonly lastIndex: number; readonly lastTerm: number; readonly clock: number; readonly pending: readonly PendingMessage[] }
  /** From the leader to the one whose log is longest: send me yours from here on. */
  | { readonly kind: 'fetch'; readonly view: number; readonly from: number }
  /** The answer to a fetch: entries that follow `prevIndex`. */
  | ({ readonly kind: 'suffix' } & Entries)
  /** What a leader orders. */
  | ({ readonly kind: 'order' } & Entries)
  /** To the leader: so much is on my disk; `round` is the last of the leader's that I have heard. */
  | { readonly kind: 'ack'; readonly view: number; readonly index: number; readonly round: number }
  /** From the leader, when all have the same log: the view begins to work. */
  | { readonly kind: 'start'; readonly view: number; readonly index: number; readonly clock: number }
  /** A client's request that the leader may not have got. */
  | { readonly kind: 'forward'; readonly view: number; readonly bytes: Uint8Array }
  /** Agreed order: a new message; the stamp that I would give it; the largest stamp. Whoever acknowledges its place in the log has got that. */
  | { readonly kind: 'submit'; readonly view: number; readonly id: MessageId; readonly bytes: Uint8Array }
  | { readonly kind: 'propose'; readonly view: number; readonly id: MessageId; readonly stamp: Stamp }
  | { readonly kind: 'final'; readonly view: number; readonly id: MessageId; readonly stamp: Stamp }
  /** From outside the view to its members: let me in. */
  | { readonly kind: 'join'; readonly view: number; readonly address: string; readonly lastIndex: number; readonly lastTerm: number }
  | {
      readonly kind: 'chunk'; readonly view: number; readonly transfer: number; readonly number: number; readonly isLast: boolean;
      readonly index: number; readonly term: number; readonly bytes: Uint8Array;
    }
  | { readonly kind: 'chunk-reply'; readonly view: number; readonly transfer: number; readonly received: number; readonly isComplete: boolean };

const KINDS = [
  'alive', 'report', 'fetch', 'suffix', 'order', 'ack', 'start', 'forward', 'submit', 'propose', 'final', 'join', 'chunk', 'chunk-reply',
] as const;
const MAX_PENDING = 4096;
const MAX_TEXT_BYTES = 128;

export function encodeViewMessage(message: ViewMessage): Uint8Array {
  const writer = new ByteWriter(256).u8(KINDS.indexOf(message.kind)).u53(message.view);
  switch (message.kind) {
    case 'alive':
      writer.u53(message.lastIndex).u53(message.stableIndex).u8(message.isRunning ? 1 : 0).u8(message.suspected.length);
      for (const id of message.suspected) writer.text(id);
      break;
    case 'report':
      writer.u53(message.lastIndex).u53(message.lastTerm).u53(message.clock).u16(message.pending.length);
      for (const { id, stamp, isFinal, bytes } of message.pending) writeStamp(writeId(writer, id), stamp).u8(isFinal ? 1 : 0).u32(bytes.length).raw(bytes);
      break;
    case 'fetch':
      writer.u53(message.from);
      break;
    case 'suffix':
    case 'order':
      writer.u53(message.prevIndex).u53(message.prevTerm).u53(message.stableIndex).u53(message.lastIndex).u53(message.round);
      writeEntries(writer, message.entries);
      break;
    case 'ack':
      writer.u53(message.index).u53(message.round);
      break;
    case 'start':
      writer.u53(message.index).u53(message.clock);
      break;
    case 'forward':
      writer.raw(message.bytes);
      break;
    case 'submit':
      writeId(writer, message.id).raw(message.bytes);
      break;
    case 'propose':
    case 'final':
      writeStamp(writeId(writer, message.id), message.stamp);
      break;
    case 'join':
      writer.text(message.address).u53(message.lastIndex).u53(message.lastTerm);
      break;
    case 'chunk':
      writer.u53(message.transfer).u53(message.number).u8(message.isLast ? 1 : 0).u53(message.index).u53(message.term).raw(message.bytes);
      break;
    case 'chunk-reply':
      writer.u53(message.transfer).u53(message.received).u8(message.isComplete ? 1 : 0);
      break;
  }
  return writer.finish();
}

/** Undefined for bytes that are no message; shares memory with `body`. */
export function decodeViewMessage(body: Uint8Array): ViewMessage | undefined {
  const reader = new ByteReader(body);
  const kind = KINDS[reader.u8()];
  const message = kind === undefined ? undefined : read(kind, reader.u53(), reader);
  return message !== undefined && reader.end() ? message : undefined;
}

function read(kind: ViewMessage['kind'], view: number, reader: ByteReader): ViewMessage {
  switch (kind) {
    case 'alive':
      return { kind, view, lastIndex: reader.u53(), stableIndex: reader.u53(), isRunning: reader.u8() !== 0, suspected: readNames(reader) };
    case 'report':
      return { kind, view, lastIndex: reader.u53(), lastTerm: reader.u53(), clock: reader.u53(), pending: readPending(reader) };
    case 'fetch':
      return { kind, view, from: reader.u53() };
    case 'suffix':
    case 'order': {
      const [prevIndex, prevTerm, stableIndex, lastIndex, round] = [reader.u53(), reader.u53(), reader.u53(), reader.u53(), reader.u53()];
      return { kind, view, prevIndex, prevTerm, stableIndex, lastIndex, round, entries: readEntries(prevIndex, reader) };
    }
    case 'ack':
      return { kind, view, index: reader.u53(), round: reader.u53() };
    case 'start':
      return { kind, view, index: reader.u53(), clock: reader.u53() };
    case 'forward':
      return { kind, view, bytes: reader.rest() };
    case 'submit':
      return { kind, view, id: readId(reader), bytes: reader.rest() };
    case 'propose':
    case 'final':
      return { kind, view, id: readId(reader), stamp: readStamp(reader) };
    case 'join':
      return { kind, view, address: reader.text(MAX_TEXT_BYTES), lastIndex: reader.u53(), lastTerm: reader.u53() };
    case 'chunk':
      return {
        kind, view, transfer: reader.u53(), number: reader.u53(), isLast: reader.u8() !== 0, index: reader.u53(), term: reader.u53(), bytes: reader.rest(),
      };
    case 'chunk-reply':
      return { kind, view, transfer: reader.u53(), received: reader.u53(), isComplete: reader.u8() !== 0 };
  }
}

function writeId(writer: ByteWriter, { view, seat, number }: MessageId): ByteWriter {
  return writer.u53(view).u8(seat).u53(number);
}

function readId(reader: ByteReader): MessageId {
  return { view: reader.u53(), seat: reader.u8(), number: reader.u53() };
}

function writeStamp(writer: ByteWriter, { clock, seat }: Stamp): ByteWriter {
  return writer.u53(clock).u8(seat);
}

function readStamp(reader: ByteReader): Stamp {
  return { clock: reader.u53(), seat: reader.u8() };
}

function readNames(reader: ByteReader): string[] {
  const names: string[] = [];
  for (let left = reader.u8(); left > 0 && !reader.isBroken; left--) names.push(reader.text(MAX_TEXT_BYTES));
  return names;
}

function readPending(reader: ByteReader): PendingMessage[] {
  const pending: PendingMessage[] = [];
  const count = reader.u16();
  if (count > MAX_PENDING) reader.isBroken = true;
  for (let i = 0; i < count && !reader.isBroken; i++) {
    pending.push({ id: readId(reader), stamp: readStamp(reader), isFinal: reader.u8() !== 0, bytes: reader.raw(reader.u32()) });
  }
  return pending;
}

export function compareStamps(a: Stamp, b: Stamp): number {
  return a.clock - b.clock || a.seat - b.seat;
}
