import { ByteReader, ByteWriter } from './byte-codec.ts';
import type { Request } from './message.ts';
import { readMembership, writeMembership, type Membership } from './raft/membership.ts';

/** What a place in the log of Raft or of a view can hold. */
export type LogCommand =
  /** The first entry of a Raft leader: it commits with it what earlier leaders left (Raft paper, section 8). */
  | { readonly kind: 'no-op' }
  | { readonly kind: 'request'; readonly request: Request }
  | { readonly kind: 'membership'; readonly members: Membership };

const KIND = { 'no-op': 0, request: 1, membership: 2 } as const;
const MAX_NAME_BYTES = 64;

export function encodeCommand(command: LogCommand): Uint8Array {
  const writer = new ByteWriter(command.kind === 'request' ? command.request.operation.length + 96 : 64).u8(KIND[command.kind]);
  if (command.kind === 'request') {
    const { clientId, serial, acknowledged, operation } = command.request;
    writer.text(clientId).u53(serial).u53(acknowledged).raw(operation);
  } else if (command.kind === 'membership') {
    writeMembership(writer, command.members);
  }
  return writer.finish();
}

/** Undefined for bytes that are no command. */
export function decodeCommand(bytes: Uint8Array): LogCommand | undefined {
  const reader = new ByteReader(bytes);
  const command = read(reader);
  return command !== undefined && reader.end() ? command : undefined;
}

function read(reader: ByteReader): LogCommand | undefined {
  switch (reader.u8()) {
    case KIND['no-op']:
      return { kind: 'no-op' };
    case KIND.request:
      return {
        kind: 'request',
        request: { kind: 'request', clientId: reader.text(MAX_NAME_BYTES), serial: reader.u53(), acknowledged: reader.u53(), isStale: false, operation: reader.rest() },
      };
    case KIND.membership:
      return { kind: 'membership', members: readMembership(reader) };
    default:
      return undefined;
  }
}
