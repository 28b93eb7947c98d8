import type { ByteReader, ByteWriter } from '../byte-codec.ts';
import type { Peer, ReplicaId } from '../replica.ts';

/** Who the group consists of, by agreement. The first leads: primary, sequencer, or only the one who leads through a change of view. */
export interface View {
  /** From 1, one more with each change. 0: there is none yet. */
  readonly number: number;
  readonly members: readonly ViewMember[];
}

export interface ViewMember extends Peer {
  /** Number of the view from which on it has been a member without interruption. */
  readonly since: number;
}

export const NO_VIEW: View = { number: 0, members: [] };
export const MAX_VIEW_MEMBERS = 64;
const MAX_TEXT_BYTES = 128;

export function writeView(writer: ByteWriter, { number, members }: View): ByteWriter {
  writer.u53(number).u8(members.length);
  for (const { id, address, since } of members) writer.text(id).text(address).u53(since);
  return writer;
}

/** Check the reader before believing it. */
export function readView(reader: ByteReader): View {
  const number = reader.u53();
  const count = reader.u8();
  if (count > MAX_VIEW_MEMBERS) reader.isBroken = true;
  const members: ViewMember[] = [];
  for (let i = 0; i < count && !reader.isBroken; i++) members.push({ id: reader.text(MAX_TEXT_BYTES), address: reader.text(MAX_TEXT_BYTES), since: reader.u53() });
  return { number, members };
}

/** The view that follows: who stays keeps his `since`, all others begin with it. */
export function nextView(view: View, members: readonly Peer[]): View {
  const number = view.number + 1;
  const sinceOf = (id: ReplicaId): number => view.members.find((member) => member.id === id)?.since ?? number;
  return { number, members: members.map(({ id, address }) => ({ id, address, since: sinceOf(id) })) };
}

export function isIn(view: View, id: ReplicaId): boolean {
  return view.members.some((member) => member.id === id);
}
