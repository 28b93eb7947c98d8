import { ByteReader, ByteWriter } from '../byte-codec.ts';
import { readLives, writeLives, type Lives, type Witness } from './lives.ts';

/** What a member without its memory asks of the others, and what they answer. Members say nothing else to each other. */
export type RecoveryMessage = Inquiry | Fetch | LivesAnswer | ChunkAnswer;

/** How many lives are known of the seat? */
export interface Inquiry {
  readonly kind: 'inquiry';
  readonly nonce: number;
  readonly seat: number;
}

/** From now on, know that the seat has begun this life; and what are the cells from number `from` on? */
export interface Fetch {
  readonly kind: 'fetch';
  readonly nonce: number;
  readonly seat: number;
  readonly life: number;
  readonly from: number;
}

/** `seat` and `lives` are of the member that answers. */
export interface LivesAnswer extends Witness {
  readonly kind: 'lives';
  readonly nonce: number;
}

export interface ChunkAnswer extends Witness {
  readonly kind: 'chunk';
  readonly nonce: number;
  /** Drawn at each start of the member that answers: its cells may have other numbers after a restart. */
  readonly run: number;
  readonly from: number;
  readonly next: number;
  /** There are no cells after `next`. */
  readonly isLast: boolean;
  /** See RegisterStore.chunk(). */
  readonly cells: Uint8Array;
}

const KIND = { inquiry: 1, fetch: 2, lives: 3, chunk: 4 } as const;

export function encodeRecoveryMessage(message: RecoveryMessage): Uint8Array {
  const writer = new ByteWriter(message.kind === 'chunk' ? message.cells.length + 256 : 256);
  writer.u8(KIND[message.kind]).u53(message.nonce).u8(message.seat);
  if (message.kind === 'fetch') writer.u32(message.life).u53(message.from);
  if (message.kind === 'lives' || message.kind === 'chunk') writeLives(writer, message.lives);
  if (message.kind === 'chunk') writer.u32(message.run).u53(message.from).u53(message.next).u8(message.isLast ? 1 : 0).raw(message.cells);
  return writer.finish();
}

/** Undefined for bytes that are no message among `seats` members. Shares memory with `bytes`. */
export function decodeRecoveryMessage(bytes: Uint8Array, seats: number): RecoveryMessage | undefined {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  const nonce = reader.u53();
  const seat = reader.u8();
  const lives: Lives = kind === KIND.lives || kind === KIND.chunk ? readLives(reader) : [];
  let message: RecoveryMessage;
  if (kind === KIND.inquiry) message = { kind: 'inquiry', nonce, seat };
  else if (kind === KIND.fetch) message = { kind: 'fetch', nonce, seat, life: reader.u32(), from: reader.u53() };
  else if (kind === KIND.lives) message = { kind: 'lives', nonce, seat, lives };
  else if (kind === KIND.chunk) {
    message = { kind: 'chunk', nonce, seat, lives, run: reader.u32(), from: reader.u53(), next: reader.u53(), isLast: reader.u8() === 1, cells: reader.rest() };
  } else return undefined;
  return reader.end() && seat < seats && (lives.length === 0 || lives.length === seats) ? message : undefined;
}
