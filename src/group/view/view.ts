import type { ByteReader, ByteWriter } from '../byte-codec.ts';
import type { Peer, ReplicaId } from '../replica.ts';

/** Who the group consists of, by agreement. The first leads: primary, sequencer, or only the one who leads through a change of view. */
export interface View {
  /** From 1, one more with each change. 0: there is none yet. */
  readonly number: number;
  readonly members: readonly Peer[];
}

export const NO_VIEW: View = { number: 0, members: [] };
export const MAX_VIEW_MEMBERS = 64;
const MAX_TEXT_BYTES = 128;

export function writeView(writer: ByteWriter, { number, members }: View): ByteWriter {
  writer.u53(number).u8(members.length);
  for (const { id, address } of members) writer.text(id).text(address);
  return writer;
}

/** Check the reader before believing it. */
export function readView(reader: ByteReader): View {
  const number = reader.u53();
  const count = reader.u8();
  if (count > MAX_VIEW_MEMBERS) reader.isBroken = true;
  const members: Peer[] = [];
  for (let i = 0; i < count && !reader.isBroken; i++) members.push({ id: reader.text(MAX_TEXT_BYTES), address: reader.text(MAX_TEXT_BYTES) });
  return { number, members };
}

export function isIn(view: View, id: ReplicaId): boolean {
  return view.members.some((member) => member.id === id);
}
