import type { ByteReader, ByteWriter } from '../byte-codec.ts';
import type { Peer, ReplicaId } from '../replica.ts';

export interface RaftMember extends Peer {
  /** False: a learner, who gets the log and has no vote. */
  readonly isVoter: boolean;
}

/** Who the group consists of from some place in the log on. */
export type Membership = readonly RaftMember[];

export const MAX_MEMBERS = 64;
const MAX_TEXT_BYTES = 128;

export function writeMembership(writer: ByteWriter, members: Membership): void {
  writer.u8(members.length);
  for (const { id, address, isVoter } of members) writer.text(id).text(address).u8(isVoter ? 1 : 0);
}

/** Check the reader before believing it. */
export function readMembership(reader: ByteReader): Membership {
  const members: RaftMember[] = [];
  const count = reader.u8();
  if (count > MAX_MEMBERS) reader.isBroken = true;
  for (let i = 0; i < count && !reader.isBroken; i++) members.push({ id: reader.text(MAX_TEXT_BYTES), address: reader.text(MAX_TEXT_BYTES), isVoter: reader.u8() !== 0 });
  return members;
}

/** Memberships by the place in the log at which each begins: the last one counts, committed or not (Ongaro 2014, section 4.1). */
export class MembershipHistory {
  #history: { readonly index: number; readonly members: Membership }[];

  constructor(index: number, members: Membership) {
    this.#history = [{ index, members }];
  }

  get current(): Membership {
    return this.#history.at(-1)!.members;
  }

  /** Where the current one begins. */
  get index(): number {
    return this.#history.at(-1)!.index;
  }

  at(index: number): Membership {
    let found = this.#history[0]!;
    for (const entry of this.#history) if (entry.index <= index) found = entry;
    return found.members;
  }

  append(index: number, members: Membership): void {
    this.#history.push({ index, members });
  }

  /** Entries from `index` on are gone. */
  truncate(index: number): void {
    while (this.#history.length > 1 && this.index >= index) this.#history.pop();
  }

  /** What was before `index` is in a snapshot. */
  compact(index: number): void {
    while (this.#history.length > 1 && this.#history[1]!.index <= index) this.#history.shift();
  }

  reset(index: number, members: Membership): void {
    this.#history = [{ index, members }];
  }
}

export function votersOf(members: Membership): ReplicaId[] {
  return members.filter(({ isVoter }) => isVoter).map(({ id }) => id);
}

/** ⌊n/2⌋ + 1 of the voters are in `those`. */
export function isQuorum(members: Membership, those: (id: ReplicaId) => boolean): boolean {
  const voters = votersOf(members);
  return voters.length > 0 && voters.filter(those).length > voters.length / 2;
}
