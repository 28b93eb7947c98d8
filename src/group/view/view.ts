import type { ByteReader, ByteWriter } from '../byte-codec.ts';
import type { Peer, ReplicaId } from '../replica.ts';

/** Who the group consists of, by agreement. The first leads: primary, sequencer, or only the one who leads through a change of view. */
export interface View {
  /** From 1, one more with each change. 0: there is none yet. */
  readonly number: number;
  readonly members: readonly ViewMember[];
  /** Members that people have let go, the last ones last: they are not let in again. An id is one life, so none of them is needed again. */
  readonly released: readonly ReplicaId[];
}

export interface ViewMember extends Peer {
  /** Number of the view from which on it has been a member without interruption. */
  readonly since: number;
}

export const NO_VIEW: View = { number: 0, members: [], released: [] };
export const MAX_VIEW_MEMBERS = 64;
/** Who was let go before these has ended long ago. */
export const MAX_RELEASED = 64;
const MAX_TEXT_BYTES = 128;

export function writeView(writer: ByteWriter, { number, members, released }: View): ByteWriter {
  writer.u53(number).u8(members.length);
  for (const { id, address, since } of members) writer.text(id).text(address).u53(since);
  writer.u8(released.length);
  for (const id of released) writer.text(id);
  return writer;
}

/** Check the reader before believing it. */
export function readView(reader: ByteReader): View {
  const number = reader.u53();
  const count = readCount(reader, MAX_VIEW_MEMBERS);
  const members: ViewMember[] = [];
  for (let i = 0; i < count && !reader.isBroken; i++) members.push({ id: reader.text(MAX_TEXT_BYTES), address: reader.text(MAX_TEXT_BYTES), since: reader.u53() });
  const releasedCount = readCount(reader, MAX_RELEASED);
  const released: ReplicaId[] = [];
  for (let i = 0; i < releasedCount && !reader.isBroken; i++) released.push(reader.text(MAX_TEXT_BYTES));
  return { number, members, released };
}

function readCount(reader: ByteReader, most: number): number {
  const count = reader.u8();
  if (count > most) reader.isBroken = true;
  return count;
}

/** The view that follows: who stays keeps his `since`, all others begin with it. `released`: whom people have let go since. */
export function nextView(view: View, members: readonly Peer[], released: Iterable<ReplicaId> = []): View {
  const number = view.number + 1;
  const sinceOf = (id: ReplicaId): number => view.members.find((member) => member.id === id)?.since ?? number;
  return { number, members: members.map(({ id, address }) => ({ id, address, since: sinceOf(id) })), released: [...new Set([...view.released, ...released])].slice(-MAX_RELEASED) };
}

export function isIn(view: View, id: ReplicaId): boolean {
  return view.members.some((member) => member.id === id);
}
