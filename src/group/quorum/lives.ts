import type { ByteReader, ByteWriter } from '../byte-codec.ts';

/** Seats of a quorum group at most. */
export const MAX_SEATS = 31;

/**
 * How many lives the member in each seat has begun, as far as somebody knows: a crash vector (Michael, Ports, Sharma and Szekeres,
 * "Recovering Shared Objects Without Stable Storage", 2017). A life is a member with its disk; the first one is 1.
 *
 * Why it is needed: a write that was acknowledged by a member's life before it lost its disk, and by others only after
 * the next life had read what they had, would be counted as held by a majority and be held by less.
 */
export type Lives = readonly number[];

/** An answer that was given by one life, with what it knew of the others then. */
export interface Witness {
  readonly seat: number;
  readonly lives: Lives;
}

export function firstLives(seats: number): Lives {
  return new Array<number>(seats).fill(1);
}

export function mergeLives(a: Lives, b: Lives): Lives {
  return a.map((life, seat) => Math.max(life, b[seat] ?? 0));
}

export function equalLives(a: Lives, b: Lives): boolean {
  return a.length === b.length && a.every((life, seat) => life === b[seat]);
}

/** Those that none of the others knows to be outlived: only they count together towards a quorum. */
export function withoutOutlived<T extends Witness>(witnesses: Iterable<T>): T[] {
  const all = [...witnesses];
  return all.filter(({ seat, lives }) => all.every((other) => other.lives[seat]! <= lives[seat]!));
}

export function writeLives(writer: ByteWriter, lives: Lives): ByteWriter {
  writer.u8(lives.length);
  for (const life of lives) writer.u32(life);
  return writer;
}

/** Breaks the reader unless there are between 1 and MAX_SEATS. */
export function readLives(reader: ByteReader): Lives {
  const seats = reader.u8();
  if (seats < 1 || seats > MAX_SEATS) reader.isBroken = true;
  const lives: number[] = [];
  for (let seat = 0; seat < seats && !reader.isBroken; seat++) lives.push(reader.u32());
  return lives;
}
