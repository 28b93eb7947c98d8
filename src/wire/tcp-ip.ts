import { makeAddress, type Address } from '../core/address.ts';
import { addWords, foldChecksum } from './checksum.ts';
import { formatIpAddress, parseIpAddress, toIpv6Bytes } from './ip-address.ts';

/**
 * Loss-free conversion between our datagrams (draft-cheshire-tcp-over-udp-00) and plain TCP/IP packets. The 12 fixed bytes plus the
 * 8 of the UDP header are the 20 of a TCP header, so a packet has the same length in both forms: whatever fits into one UDP
 * datagram fits into one TCP/IP packet.
 */
const UDP_HEADER_BYTES = 8;
const TCP_HEADER_BYTES = 20;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
/** The fixed part of a segment in a datagram: offset, flags, window, sequence and acknowledgment numbers. */
const FIXED_BYTES = 12;
const MAX_IPV4_BYTES = 0xffff;
/** The payload length of an IPv6 header does not count the header itself (RFC 8200, section 3). */
const MAX_IPV6_PAYLOAD_BYTES = 0xffff;

const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
const HOP_LIMIT = 64;
const DONT_FRAGMENT = 0x40;

/** What `fromTcpIp` finds in a packet. */
export interface Datagram {
  readonly source: Address;
  readonly destination: Address;
  readonly udpPayload: Uint8Array;
}

/** First byte after the options of the segment in `udpPayload`; undefined when the bytes are no segment. */
export function dataStart(udpPayload: Uint8Array): number | undefined {
  if (udpPayload.length < FIXED_BYTES) return undefined;
  const start = (udpPayload[0]! >> 4) * 4 - UDP_HEADER_BYTES;
  return start < FIXED_BYTES || start > udpPayload.length ? undefined : start;
}

/**
 * The plain TCP/IP packet of a segment: IPv4 when both addresses are IPv4 (mapped ones too), else IPv6. The urgent pointer is zero.
 * Undefined when `udpPayload` is no segment (too short, a data offset below 5 or beyond the end) or too long for one packet.
 * `identification` is the 16-bit field of the IPv4 header. Throws RangeError when a host is no IP literal.
 */
export function toTcpIp(source: Address, destination: Address, udpPayload: Uint8Array, identification = 0): Uint8Array | undefined {
  if (dataStart(udpPayload) === undefined) return undefined;
  const built = buildIp(source, destination, PROTOCOL_TCP, udpPayload.length + UDP_HEADER_BYTES, identification);
  if (built === undefined) return undefined;
  const { packet, start, pseudoSum } = built;
  setUint16(packet, start, source.port);
  setUint16(packet, start + 2, destination.port);
  packet.set(udpPayload.subarray(4, FIXED_BYTES), start + 4);
  packet.set(udpPayload.subarray(0, 4), start + 12);
  packet.set(udpPayload.subarray(FIXED_BYTES), start + TCP_HEADER_BYTES);
  setUint16(packet, start + 16, foldChecksum(addWords(pseudoSum, packet, start, packet.length)));
  return packet;
}

/** The UDP/IP packet of any datagram, with its checksum; undefined when it is too long for one packet. Throws as `toTcpIp` does. */
export function toUdpIp(source: Address, destination: Address, udpPayload: Uint8Array, identification = 0): Uint8Array | undefined {
  const built = buildIp(source, destination, PROTOCOL_UDP, udpPayload.length + UDP_HEADER_BYTES, identification);
  if (built === undefined) return undefined;
  const { packet, start, pseudoSum } = built;
  setUint16(packet, start, source.port);
  setUint16(packet, start + 2, destination.port);
  setUint16(packet, start + 4, udpPayload.length + UDP_HEADER_BYTES);
  packet.set(udpPayload, start + UDP_HEADER_BYTES);
  // Zero means "no checksum" in UDP, so its other form is sent (RFC 768).
  setUint16(packet, start + 6, foldChecksum(addWords(pseudoSum, packet, start, packet.length)) || 0xffff);
  return packet;
}

/**
 * The inverse of `toTcpIp`. Undefined when `packet` is no whole, unfragmented TCP packet with right checksums, or has an urgent pointer,
 * which our format cannot carry. IPv4 options are skipped; IPv6 extension headers are not understood.
 */
export function fromTcpIp(packet: Uint8Array): Datagram | undefined {
  const version = packet.length === 0 ? 0 : packet[0]! >> 4;
  const start = version === 4 ? tcpStartInIpv4(packet) : version === 6 ? tcpStartInIpv6(packet) : undefined;
  if (start === undefined || packet.length < start + TCP_HEADER_BYTES) return undefined;
  const source = version === 4 ? packet.subarray(12, 16) : packet.subarray(8, 24);
  const destination = version === 4 ? packet.subarray(16, 20) : packet.subarray(24, 40);
  const sum = pseudoHeaderSum(source, destination, PROTOCOL_TCP, packet.length - start);
  if (foldChecksum(addWords(sum, packet, start, packet.length)) !== 0) return undefined;
  if (getUint16(packet, start + 18) !== 0) return undefined;
  const udpPayload = new Uint8Array(packet.length - start - UDP_HEADER_BYTES);
  udpPayload.set(packet.subarray(start + 12, start + 16));
  udpPayload.set(packet.subarray(start + 4, start + 12), 4);
  udpPayload.set(packet.subarray(start + TCP_HEADER_BYTES), FIXED_BYTES);
  if (dataStart(udpPayload) === undefined) return undefined;
  return {
    source: makeAddress(formatIpAddress(source), getUint16(packet, start)),
    destination: makeAddress(formatIpAddress(destination), getUint16(packet, start + 2)),
    udpPayload,
  };
}

interface BuiltIp {
  readonly packet: Uint8Array;
  /** First byte after the IP header. */
  readonly start: number;
  readonly pseudoSum: number;
}

function buildIp(source: Address, destination: Address, protocol: number, length: number, identification: number): BuiltIp | undefined {
  const from = parseIpAddress(source.host);
  const to = parseIpAddress(destination.host);
  const isIpv4 = from.length === 4 && to.length === 4;
  if (length > (isIpv4 ? MAX_IPV4_BYTES - IPV4_HEADER_BYTES : MAX_IPV6_PAYLOAD_BYTES)) return undefined;
  const packet = isIpv4 ? ipv4Packet(from, to, protocol, length, identification) : ipv6Packet(from, to, protocol, length);
  return { packet, start: packet.length - length, pseudoSum: pseudoHeaderSum(from, to, protocol, length) };
}

function ipv4Packet(from: Uint8Array, to: Uint8Array, protocol: number, length: number, identification: number): Uint8Array {
  const packet = new Uint8Array(IPV4_HEADER_BYTES + length);
  packet[0] = 0x45;
  setUint16(packet, 2, packet.length);
  setUint16(packet, 4, identification & 0xffff);
  packet[6] = DONT_FRAGMENT;
  packet[8] = HOP_LIMIT;
  packet[9] = protocol;
  packet.set(from, 12);
  packet.set(to, 16);
  setUint16(packet, 10, foldChecksum(addWords(0, packet, 0, IPV4_HEADER_BYTES)));
  return packet;
}

function ipv6Packet(from: Uint8Array, to: Uint8Array, protocol: number, length: number): Uint8Array {
  const packet = new Uint8Array(IPV6_HEADER_BYTES + length);
  packet[0] = 0x60;
  setUint16(packet, 4, length);
  packet[6] = protocol;
  packet[7] = HOP_LIMIT;
  packet.set(toIpv6Bytes(from), 8);
  packet.set(toIpv6Bytes(to), 24);
  return packet;
}

/** RFC 9293, section 3.1, and RFC 8200, section 8.1. */
function pseudoHeaderSum(from: Uint8Array, to: Uint8Array, protocol: number, length: number): number {
  const isIpv4 = from.length === 4 && to.length === 4;
  const source = isIpv4 ? from : toIpv6Bytes(from);
  const destination = isIpv4 ? to : toIpv6Bytes(to);
  return addWords(addWords(protocol + length, source, 0, source.length), destination, 0, destination.length);
}

function tcpStartInIpv4(packet: Uint8Array): number | undefined {
  const headerBytes = (packet[0]! & 0x0f) * 4;
  if (headerBytes < IPV4_HEADER_BYTES || packet.length < headerBytes) return undefined;
  if (getUint16(packet, 2) !== packet.length || packet[9] !== PROTOCOL_TCP) return undefined;
  const isFragment = (getUint16(packet, 6) & 0x3fff) !== 0;
  if (isFragment || foldChecksum(addWords(0, packet, 0, headerBytes)) !== 0) return undefined;
  return headerBytes;
}

function tcpStartInIpv6(packet: Uint8Array): number | undefined {
  if (packet.length < IPV6_HEADER_BYTES || packet[6] !== PROTOCOL_TCP) return undefined;
  return getUint16(packet, 4) === packet.length - IPV6_HEADER_BYTES ? IPV6_HEADER_BYTES : undefined;
}

function getUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function setUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 0xff;
}
