import type { Address } from '../core/address.ts';
import { toTcpIp, toUdpIp } from '../wire/tcp-ip.ts';
import { unreadableReason } from './dissectable.ts';

/**
 * Captures that Wireshark, tshark and tcptrace open as TCP: pcapng blocks made of our datagrams (draft-ietf-opsawg-pcapng).
 * Byte production only: where the blocks go is the sink's business.
 */
const SECTION_HEADER_BLOCK = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION_BLOCK = 1;
const ENHANCED_PACKET_BLOCK = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const UNKNOWN_SECTION_BYTES = 0xffffffff;
/** Packets start with their IP header. */
const LINKTYPE_RAW = 101;
const OPT_END = 0;
const OPT_COMMENT = 1;
const SHB_USER_APPLICATION = 4;
const IF_TSRESOL = 9;
const EPB_FLAGS = 2;
/** Timestamps count 10^-6 s: a double that holds milliseconds since 1970 is not finer than that. */
const MICROSECOND_RESOLUTION = 6;
const INBOUND = 1;
const OUTBOUND = 2;

/** An option's length has 16 bits; longer comments are cut here. */
const MAX_COMMENT_CHARACTERS = 1000;
const UINT32_RANGE = 2 ** 32;

export interface PacketNotes {
  /** Shown by Wireshark as the packet comment. */
  readonly comment?: string;
  /** Direction at the tap; unknown when absent. */
  readonly outbound?: boolean;
}

/** Takes one whole block. The bytes are the receiver's to keep. */
export type BlockSink = (block: Uint8Array) => void;

/** Writes one pcapng section with one interface. The file headers go to the sink in the constructor. */
export class PcapngWriter {
  readonly #sink: BlockSink;
  #identification = 0;

  /** `application` names the program that wrote the file. */
  constructor(sink: BlockSink, application = 'failmask') {
    this.#sink = sink;
    sink(sectionHeader(application));
    sink(interfaceDescription());
  }

  /**
   * One datagram of ours at `timeMs` (milliseconds since 1970, may be fractional), as a TCP/IP packet. What is no readable segment
   * is written as the UDP packet that it was, with the reason in its comment. False when it fits no packet at all.
   * Throws RangeError when a host is no IP literal.
   */
  datagram(timeMs: number, source: Address, destination: Address, udpPayload: Uint8Array, notes: PacketNotes = {}): boolean {
    const reason = unreadableReason(udpPayload);
    const identification = this.#identification;
    const packet = (reason === undefined ? toTcpIp : toUdpIp)(source, destination, udpPayload, identification);
    if (packet === undefined) return false;
    this.#identification = (identification + 1) & 0xffff;
    this.packet(timeMs, packet, reason === undefined ? notes : { ...notes, comment: joinComments(notes.comment, reason) });
    return true;
  }

  /** One packet that starts with its IP header. */
  packet(timeMs: number, packet: Uint8Array, notes: PacketNotes = {}): void {
    this.#sink(enhancedPacket(timeMs, packet, notes));
  }
}

function joinComments(comment: string | undefined, reason: string): string {
  return comment === undefined ? reason : `${comment}; ${reason}`;
}

function sectionHeader(application: string): Uint8Array {
  const body = new Uint8Array(16);
  const view = new DataView(body.buffer);
  view.setUint32(0, BYTE_ORDER_MAGIC, true);
  view.setUint16(4, 1, true);
  view.setUint16(6, 0, true);
  view.setUint32(8, UNKNOWN_SECTION_BYTES, true);
  view.setUint32(12, UNKNOWN_SECTION_BYTES, true);
  return block(SECTION_HEADER_BLOCK, body, [], [option(SHB_USER_APPLICATION, text(application))]);
}

function interfaceDescription(): Uint8Array {
  const body = new Uint8Array(8);
  // The snapshot length stays 0: no limit.
  new DataView(body.buffer).setUint16(0, LINKTYPE_RAW, true);
  return block(INTERFACE_DESCRIPTION_BLOCK, body, [], [option(IF_TSRESOL, Uint8Array.of(MICROSECOND_RESOLUTION))]);
}

function enhancedPacket(timeMs: number, packet: Uint8Array, { comment, outbound }: PacketNotes): Uint8Array {
  const microseconds = Math.max(0, Math.round(timeMs * 1000));
  const head = new Uint8Array(20);
  const view = new DataView(head.buffer);
  view.setUint32(4, Math.floor(microseconds / UINT32_RANGE), true);
  view.setUint32(8, microseconds % UINT32_RANGE, true);
  view.setUint32(12, packet.length, true);
  view.setUint32(16, packet.length, true);
  const options: Uint8Array[] = [];
  if (comment !== undefined) options.push(option(OPT_COMMENT, text(comment)));
  if (outbound !== undefined) options.push(option(EPB_FLAGS, Uint8Array.of(outbound ? OUTBOUND : INBOUND, 0, 0, 0)));
  return block(ENHANCED_PACKET_BLOCK, head, packet, options);
}

/** type, length, body, data padded to 4, options, length. */
function block(type: number, body: Uint8Array, data: ArrayLike<number>, options: readonly Uint8Array[]): Uint8Array {
  const parts = options.length === 0 ? options : [...options, option(OPT_END, new Uint8Array(0))];
  const optionBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(12 + body.length + padded(data.length) + optionBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, bytes.length, true);
  bytes.set(body, 8);
  bytes.set(data, 8 + body.length);
  let at = 8 + body.length + padded(data.length);
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  view.setUint32(at, bytes.length, true);
  return bytes;
}

function option(code: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + padded(value.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, value.length, true);
  bytes.set(value, 4);
  return bytes;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value.slice(0, MAX_COMMENT_CHARACTERS));
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
