import { ByteReader, ByteWriter } from '../byte-codec.ts';
import { readEntries, writeEntries } from '../entry-codec.ts';
import type { StoredEntry } from '../storage.ts';

/** What members of a Raft group say to each other; names and fields as in the Raft paper (Ongaro & Ousterhout 2014, figure 2 and 13). */
export type RaftMessage =
  | { readonly kind: 'pre-vote' | 'vote'; readonly term: number; readonly lastIndex: number; readonly lastTerm: number }
  | { readonly kind: 'pre-vote-reply' | 'vote-reply'; readonly term: number; readonly isGranted: boolean }
  | {
      readonly kind: 'append'; readonly term: number; readonly prevIndex: number; readonly prevTerm: number; readonly commitIndex: number;
      /** Comes back in the answer: whoever answers it acknowledged the leader after the round began. */
      readonly round: number;
      /** Where the leader's log ends. */
      readonly lastIndex: number;
      /** What the receiver called itself when the leader heard it last; 0: it has not been heard. */
      readonly life: number; readonly entries: readonly StoredEntry[];
    }
  /** `index`: what matches; or, when not, where the leader should look next: `hintTerm` ends there. `life`: of the sender's process, not 0. */
  | {
      readonly kind: 'append-reply'; readonly term: number; readonly isMatch: boolean; readonly index: number; readonly hintTerm: number;
      readonly round: number; readonly life: number;
    }
  | {
      readonly kind: 'chunk'; readonly term: number; readonly transfer: number; readonly number: number; readonly isLast: boolean;
      readonly index: number; readonly lastTerm: number; readonly meta: Uint8Array; readonly bytes: Uint8Array;
    }
  /** `received`: chunks that are here without a gap. */
  | { readonly kind: 'chunk-reply'; readonly term: number; readonly transfer: number; readonly received: number; readonly isComplete: boolean };

const KINDS = ['pre-vote', 'vote', 'pre-vote-reply', 'vote-reply', 'append', 'append-reply', 'chunk', 'chunk-reply'] as const;
const MAX_META_BYTES = 32 * 1024;

export function encodeRaftMessage(message: RaftMessage): Uint8Array {
  const writer = new ByteWriter(payloadBytes(message) + 96).u8(KINDS.indexOf(message.kind)).u53(message.term);
  switch (message.kind) {
    case 'pre-vote':
    case 'vote':
      return writer.u53(message.lastIndex).u53(message.lastTerm).finish();
    case 'pre-vote-reply':
    case 'vote-reply':
      return writer.u8(message.isGranted ? 1 : 0).finish();
    case 'append':
      writer.u53(message.prevIndex).u53(message.prevTerm).u53(message.commitIndex).u53(message.round).u53(message.lastIndex).u32(message.life);
      return writeEntries(writer, message.entries).finish();
    case 'append-reply':
      return writer.u8(message.isMatch ? 1 : 0).u53(message.index).u53(message.hintTerm).u53(message.round).u32(message.life).finish();
    case 'chunk':
      return writer.u53(message.transfer).u53(message.number).u8(message.isLast ? 1 : 0).u53(message.index).u53(message.lastTerm)
        .block(message.meta).raw(message.bytes).finish();
    case 'chunk-reply':
      return writer.u53(message.transfer).u53(message.received).u8(message.isComplete ? 1 : 0).finish();
  }
}

/** Undefined for bytes that are no message; shares memory with `body`. */
export function decodeRaftMessage(body: Uint8Array): RaftMessage | undefined {
  const reader = new ByteReader(body);
  const kind = KINDS[reader.u8()];
  const message = kind === undefined ? undefined : read(kind, reader.u53(), reader);
  return message !== undefined && reader.end() ? message : undefined;
}

function read(kind: RaftMessage['kind'], term: number, reader: ByteReader): RaftMessage {
  switch (kind) {
    case 'pre-vote':
    case 'vote':
      return { kind, term, lastIndex: reader.u53(), lastTerm: reader.u53() };
    case 'pre-vote-reply':
    case 'vote-reply':
      return { kind, term, isGranted: reader.u8() !== 0 };
    case 'append': {
      const [prevIndex, prevTerm, commitIndex, round, lastIndex] = [reader.u53(), reader.u53(), reader.u53(), reader.u53(), reader.u53()];
      return { kind, term, prevIndex, prevTerm, commitIndex, round, lastIndex, life: reader.u32(), entries: readEntries(prevIndex, reader) };
    }
    case 'append-reply':
      return { kind, term, isMatch: reader.u8() !== 0, index: reader.u53(), hintTerm: reader.u53(), round: reader.u53(), life: reader.u32() };
    case 'chunk':
      return {
        kind, term, transfer: reader.u53(), number: reader.u53(), isLast: reader.u8() !== 0, index: reader.u53(), lastTerm: reader.u53(),
        meta: reader.block(MAX_META_BYTES), bytes: reader.rest(),
      };
    case 'chunk-reply':
      return { kind, term, transfer: reader.u53(), received: reader.u53(), isComplete: reader.u8() !== 0 };
  }
}

function payloadBytes(message: RaftMessage): number {
  if (message.kind === 'chunk') return message.bytes.length + message.meta.length;
  return message.kind === 'append' ? message.entries.reduce((sum, { bytes }) => sum + bytes.length + 12, 0) : 0;
}
