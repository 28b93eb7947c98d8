import { describe, expect, test } from 'vitest';

import { makeAddress, type Address } from '../../src/core/address.ts';
import { createRandom, type Random } from '../../src/core/random.ts';
import { dataStart, fromTcpIp, toTcpIp, toUdpIp } from '../../src/wire/tcp-ip.ts';

const PAIRS: readonly [string, Address, Address][] = [
  ['IPv4', makeAddress('127.0.0.1', 40_001), makeAddress('10.20.30.255', 9000)],
  ['IPv6', makeAddress('::1', 65_535), makeAddress('2001:db8::ff:1', 1)],
];

/** A checksum computed another way than in the product: subtracting word by word in one's complement from 0xffff. */
function independentChecksum(...parts: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(parts);
  let left = 0xffff;
  for (let at = 0; at < bytes.length; at += 2) {
    left -= at + 1 < bytes.length ? bytes.readUInt16BE(at) : bytes[at]! * 256;
    if (left < 0) left += 0xffff;
  }
  return left === 0xffff ? 0 : left;
}

/** Checks a packet that starts with an IP header, with offsets written out by hand; returns its transport part. */
function checkPacket(packet: Uint8Array, protocol: number): Buffer {
  const bytes = Buffer.from(packet);
  const isIpv4 = bytes[0] === 0x45;
  const transport = bytes.subarray(isIpv4 ? 20 : 40);
  if (isIpv4) {
    expect(bytes.readUInt16BE(2)).toBe(bytes.length);
    expect(bytes[9]).toBe(protocol);
    expect(independentChecksum(bytes.subarray(0, 20))).toBe(0);
  } else {
    expect(bytes[0]).toBe(0x60);
    expect(bytes.readUInt16BE(4)).toBe(bytes.length - 40);
    expect(bytes[6]).toBe(protocol);
  }
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(transport.length, 0);
  tail[7] = protocol;
  const pseudoHeader = Buffer.concat([isIpv4 ? bytes.subarray(12, 20) : bytes.subarray(8, 40), tail]);
  expect(independentChecksum(pseudoHeader, transport)).toBe(0);
  return transport;
}

function randomSegment(random: Random, dataBytes = random.below(1500)): Uint8Array {
  const words = 5 + random.below(11);
  const segment = Uint8Array.from({ length: words * 4 - 8 + dataBytes }, () => random.below(256));
  segment[0] = (words << 4) | random.below(16);
  return segment;
}

describe.each(PAIRS)('%s', (_name, source, destination) => {
  test('random segments survive the conversion and back, with right checksums', () => {
    const random = createRandom(1);
    for (let round = 0; round < 400; round++) {
      const udpPayload = randomSegment(random);
      const packet = toTcpIp(source, destination, udpPayload, random.uint32());
      expect(packet).toBeDefined();
      checkPacket(packet!, 6);
      const back = fromTcpIp(packet!)!;
      expect(back).toMatchObject({ source, destination });
      expect(Buffer.compare(back.udpPayload, udpPayload)).toBe(0);
    }
  });

  test('every field stands where RFC 9293 puts it', () => {
    const udpPayload = Uint8Array.of(0x60, 0x12, 0xab, 0xcd, 1, 2, 3, 4, 5, 6, 7, 8, 2, 4, 5, 0xb4, 0xff, 0xee);
    const tcp = checkPacket(toTcpIp(source, destination, udpPayload)!, 6);
    expect(tcp.readUInt16BE(0)).toBe(source.port);
    expect(tcp.readUInt16BE(2)).toBe(destination.port);
    expect(tcp.readUInt32BE(4)).toBe(0x01020304);
    expect(tcp.readUInt32BE(8)).toBe(0x05060708);
    expect(tcp[12]).toBe(0x60);
    expect(tcp[13]).toBe(0x12);
    expect(tcp.readUInt16BE(14)).toBe(0xabcd);
    expect(tcp.readUInt16BE(18)).toBe(0);
    expect([...tcp.subarray(20)]).toEqual([2, 4, 5, 0xb4, 0xff, 0xee]);
  });

  test('any bytes become a UDP packet with a right checksum, never zero', () => {
    const random = createRandom(2);
    for (let round = 0; round < 300; round++) {
      const udpPayload = Uint8Array.from({ length: random.below(40) }, () => random.below(256));
      const packet = toUdpIp(source, destination, udpPayload)!;
      const udp = checkPacket(packet, 17);
      expect(udp.readUInt16BE(4)).toBe(udp.length);
      expect(udp.readUInt16BE(6)).not.toBe(0);
      expect([...udp.subarray(8)]).toEqual([...udpPayload]);
    }
    // Make the checksum come out as zero: it is then sent as 0xffff (RFC 768).
    const probe = new Uint8Array(2);
    const checksum = checkPacket(toUdpIp(source, destination, probe)!, 17).readUInt16BE(6);
    const udp = checkPacket(toUdpIp(source, destination, Uint8Array.of(checksum >> 8, checksum & 0xff))!, 17);
    expect(udp.readUInt16BE(6)).toBe(0xffff);
  });

  test('a packet with a flipped bit in its last 60 bytes is refused', () => {
    const random = createRandom(3);
    const packet = toTcpIp(source, destination, randomSegment(random, 30))!;
    for (let at = packet.length - 60; at < packet.length; at++) {
      const broken = packet.slice();
      broken[at]! ^= 1 << random.below(8);
      expect(fromTcpIp(broken), `byte ${at}`).toBeUndefined();
    }
    expect(fromTcpIp(packet)).toBeDefined();
  });
});

test('the largest UDP payload over IPv4, 65,507 bytes, fills exactly one IPv4 packet of 65,535', () => {
  const [, source, destination] = PAIRS[0]!;
  const udpPayload = new Uint8Array(65_507).fill(0xa5);
  udpPayload[0] = 0x50;
  const packet = toTcpIp(source, destination, udpPayload)!;
  expect(packet.length).toBe(65_535);
  checkPacket(packet, 6);
  expect(fromTcpIp(packet)!.udpPayload).toEqual(udpPayload);
  expect(toUdpIp(source, destination, udpPayload)!.length).toBe(65_535);

  const tooLong = new Uint8Array(65_508).fill(0x50);
  expect(toTcpIp(source, destination, tooLong)).toBeUndefined();
  expect(toUdpIp(source, destination, tooLong)).toBeUndefined();
});

test('the largest UDP payload over IPv6 is 65,527 bytes', () => {
  const [, source, destination] = PAIRS[1]!;
  expect(fromTcpIp(toTcpIp(source, destination, new Uint8Array(65_527).fill(0x50))!)!.udpPayload.length).toBe(65_527);
  expect(toTcpIp(source, destination, new Uint8Array(65_528).fill(0x50))).toBeUndefined();
});

test.each([
  ['empty', []],
  ['shorter than the fixed part', new Array<number>(11).fill(0x50)],
  ['data offset below 5', [0x4f, ...new Array<number>(30).fill(0)]],
  ['options beyond the end', [0x60, ...new Array<number>(14).fill(0)]],
])('%s is no segment', (_name, bytes) => {
  const [, source, destination] = PAIRS[0]!;
  expect(toTcpIp(source, destination, Uint8Array.from(bytes))).toBeUndefined();
  expect(dataStart(Uint8Array.from(bytes))).toBeUndefined();
});

test('data starts at offset × 4 − 8', () => {
  expect(dataStart(new Uint8Array(52).fill(0xf0))).toBe(52);
  expect(dataStart(new Uint8Array(12).fill(0x50))).toBe(12);
});

test('IPv4-mapped addresses count as IPv4, and a mixed pair travels as IPv6', () => {
  const segment = new Uint8Array(12).fill(0x50);
  const mapped = makeAddress('::ffff:127.0.0.1', 5);
  const plain = makeAddress('127.0.0.2', 6);
  expect(toTcpIp(mapped, plain, segment)).toEqual(toTcpIp(makeAddress('127.0.0.1', 5), plain, segment));

  const mixed = toTcpIp(makeAddress('::', 5), plain, segment)!;
  expect(mixed.length).toBe(40 + 20);
  checkPacket(mixed, 6);
  expect(fromTcpIp(mixed)).toEqual({ source: makeAddress('::', 5), destination: plain, udpPayload: segment });
});

test('packets from elsewhere that our format cannot carry are refused', () => {
  const [, source, destination] = PAIRS[0]!;
  const packet = toTcpIp(source, destination, new Uint8Array(20).fill(0x50))!;
  const withUrgentPointer = packet.slice();
  withUrgentPointer[20 + 19] = 1;
  // Keep the checksum right: one more in the urgent pointer, one less in the window.
  withUrgentPointer[20 + 15]! -= 1;
  checkPacket(withUrgentPointer, 6);
  expect(fromTcpIp(withUrgentPointer)).toBeUndefined();
  expect(fromTcpIp(toUdpIp(source, destination, new Uint8Array(20).fill(0x50))!)).toBeUndefined();
  for (let length = 0; length < packet.length; length++) expect(fromTcpIp(packet.subarray(0, length))).toBeUndefined();
});

test('random bytes never throw', () => {
  const random = createRandom(4);
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from({ length: random.below(80) }, () => random.below(256));
    if (bytes.length > 0) bytes[0] = random.chance(0.5) ? 0x45 : 0x60;
    expect(fromTcpIp(bytes)).toBeUndefined();
  }
});
