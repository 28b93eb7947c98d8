import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

import { makeAddress } from '../../src/core/address.ts';
import { PcapngWriter } from '../../src/report/pcap.ts';
import { toTcpIp } from '../../src/wire/tcp-ip.ts';

const client = makeAddress('127.0.0.1', 50_001);
const server = makeAddress('127.0.0.1', 9000);

interface Block {
  type: number;
  body: Buffer;
}

/** Splits a little-endian pcapng file into blocks and checks both lengths of each. */
function readBlocks(file: Buffer): Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < file.length; ) {
    const length = file.readUInt32LE(at + 4);
    expect(length % 4).toBe(0);
    expect(file.readUInt32LE(at + length - 4)).toBe(length);
    blocks.push({ type: file.readUInt32LE(at), body: file.subarray(at + 8, at + length - 4) });
    at += length;
  }
  return blocks;
}

function readOptions(bytes: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const code = bytes.readUInt16LE(at);
    const length = bytes.readUInt16LE(at + 2);
    if (code === 0) break;
    options.set(code, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + ((length + 3) & ~3);
  }
  return options;
}

function capture(write: (writer: PcapngWriter) => void): Buffer {
  const blocks: Uint8Array[] = [];
  write(new PcapngWriter((block) => blocks.push(block)));
  return Buffer.concat(blocks);
}

interface SegmentShape {
  seq: number;
  ack: number;
  flags: number;
  options?: readonly number[];
  data?: Uint8Array;
}

function segment({ seq, ack, flags, options = [], data = new Uint8Array(0) }: SegmentShape): Uint8Array {
  const bytes = Buffer.alloc(12 + options.length + data.length);
  bytes[0] = ((20 + options.length) / 4) << 4;
  bytes[1] = flags;
  bytes.writeUInt16BE(0x2000, 2);
  bytes.writeUInt32BE(seq, 4);
  bytes.writeUInt32BE(ack, 8);
  bytes.set(options, 12);
  bytes.set(data, 12 + options.length);
  return bytes;
}

test('the file starts with a section and one raw-IP interface with microseconds', () => {
  const [section, description, ...rest] = readBlocks(capture(() => {}));
  expect(rest).toEqual([]);
  expect(section!.type).toBe(0x0a0d0d0a);
  expect(section!.body.readUInt32LE(0)).toBe(0x1a2b3c4d);
  expect(section!.body.readUInt16LE(4)).toBe(1);
  expect(readOptions(section!.body.subarray(16)).get(4)!.toString()).toBe('failmask');
  expect(description!.type).toBe(1);
  expect(description!.body.readUInt16LE(0)).toBe(101);
  expect([...readOptions(description!.body.subarray(8)).get(9)!]).toEqual([6]);
});

test('a segment becomes a packet block: time, TCP/IP bytes, comment, direction', () => {
  const bytes = segment({ seq: 1, ack: 0, flags: 2, data: Uint8Array.of(1, 2, 3) });
  const timeMs = 1_760_000_000_123.25;
  const packetBlock = readBlocks(capture((writer) => expect(writer.datagram(timeMs, client, server, bytes, { comment: 'dropped: é', outbound: true })).toBe(true)))[2]!;
  expect(packetBlock.type).toBe(6);
  const { body } = packetBlock;
  expect(body.readUInt32LE(0)).toBe(0);
  expect(body.readUInt32LE(4) * 2 ** 32 + body.readUInt32LE(8)).toBe(1_760_000_000_123_250);
  const expected = toTcpIp(client, server, bytes)!;
  expect(body.readUInt32LE(12)).toBe(expected.length);
  expect(body.readUInt32LE(16)).toBe(expected.length);
  expect(Buffer.compare(body.subarray(20, 20 + expected.length), expected)).toBe(0);
  const options = readOptions(body.subarray(20 + ((expected.length + 3) & ~3)));
  expect(options.get(1)!.toString()).toBe('dropped: é');
  expect(options.get(2)!.readUInt32LE(0)).toBe(2);
});

test('without notes there are no options; inbound is 1; long comments are cut', () => {
  const bytes = segment({ seq: 1, ack: 0, flags: 2 });
  const [, , plain, inbound] = readBlocks(
    capture((writer) => {
      writer.datagram(0, client, server, bytes);
      writer.datagram(-5, client, server, bytes, { outbound: false, comment: 'x'.repeat(100_000) });
    }),
  );
  expect(plain!.body.length).toBe(20 + 40);
  const options = readOptions(inbound!.body.subarray(20 + 40));
  expect(options.get(2)!.readUInt32LE(0)).toBe(1);
  expect(options.get(1)!.length).toBe(1000);
});

test('each packet has its own IPv4 identification', () => {
  const bytes = segment({ seq: 1, ack: 0, flags: 2 });
  const [, , first, second] = readBlocks(
    capture((writer) => {
      writer.datagram(0, client, server, bytes);
      writer.datagram(1, client, server, bytes);
    }),
  );
  expect(second!.body.readUInt16BE(20 + 4) - first!.body.readUInt16BE(20 + 4)).toBe(1);
});

test('what is no segment is written as UDP, with the reason behind the comment', () => {
  const [, , packetBlock] = readBlocks(capture((writer) => expect(writer.datagram(0, client, server, Uint8Array.of(1, 2, 3), { comment: 'corrupted' })).toBe(true)));
  expect(packetBlock!.body[20 + 9]).toBe(17);
  expect(packetBlock!.body.readUInt32LE(12)).toBe(20 + 8 + 3);
  expect(readOptions(packetBlock!.body.subarray(20 + 32)).get(1)!.toString()).toMatch(/^corrupted; not a TCP segment/);
});

test('a datagram that fits no packet is refused and leaves no block', () => {
  const file = capture((writer) => expect(writer.datagram(0, client, server, new Uint8Array(65_508).fill(0x50))).toBe(false));
  expect(readBlocks(file).length).toBe(2);
});

describe.skipIf(spawnSync('tshark', ['--version']).error !== undefined)('tshark', () => {
  const folder = mkdtempSync(join(tmpdir(), 'failmask-pcap-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function tshark(file: Buffer, args: readonly string[]): string {
    const path = join(folder, 'capture.pcapng');
    writeFileSync(path, file);
    const checks = ['tcp.check_checksum:TRUE', 'ip.check_checksum:TRUE', 'udp.check_checksum:TRUE'].flatMap((preference) => ['-o', preference]);
    return execFileSync('tshark', ['-n', '-r', path, ...checks, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  }

  test.each([
    ['IPv4', '127.0.0.1'],
    ['IPv6', '::1'],
  ])('reads a conversation over %s as TCP: options, retransmission, garbage beside it', (_name, host) => {
    const a = makeAddress(host, 50_001);
    const b = makeAddress(host, 9000);
    const timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    const data = new Uint8Array(100).fill(0x41);
    const file = capture((writer) => {
      let time = 1_760_000_000_000;
      const at = (from: typeof a, bytes: Uint8Array, comment?: string): void => {
        writer.datagram((time += 10), from, from === a ? b : a, bytes, { outbound: from === a, ...(comment === undefined ? {} : { comment }) });
      };
      at(a, segment({ seq: 1000, ack: 0, flags: 0x02, options: [2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, ...timestamps.slice(2)] }));
      at(b, segment({ seq: 5000, ack: 1001, flags: 0x12, options: [2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, ...timestamps.slice(2)] }));
      at(a, segment({ seq: 1001, ack: 5001, flags: 0x10, options: timestamps }));
      at(a, segment({ seq: 1001, ack: 5001, flags: 0x18, options: timestamps, data }), 'dropped by the proxy');
      at(a, segment({ seq: 1101, ack: 5001, flags: 0x18, options: timestamps, data }));
      at(b, segment({ seq: 5001, ack: 1001, flags: 0x10, options: [...timestamps, 1, 1, 5, 10, 0, 0, 0x04, 0x4d, 0, 0, 0x04, 0xb1] }));
      at(a, Uint8Array.of(0xff, 0xff, 0xff));
      at(a, segment({ seq: 1001, ack: 5001, flags: 0x18, options: [5, 4, 0, 0], data }));
      time += 300;
      at(a, segment({ seq: 1001, ack: 5001, flags: 0x18, options: timestamps, data }));
      at(b, segment({ seq: 5001, ack: 1201, flags: 0x11, options: timestamps }));
      at(a, segment({ seq: 1201, ack: 5002, flags: 0x11, options: timestamps }));
    });
    const lines = tshark(file, ['-T', 'fields', '-e', '_ws.col.Protocol', '-e', 'frame.comment', '-e', 'tcp.analysis.retransmission', '-e', '_ws.malformed', '-e', '_ws.expert.group', '-e', 'tcp.options.mss_val'])
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
    expect(lines.map(([protocol]) => protocol)).toEqual(['TCP', 'TCP', 'TCP', 'TCP', 'TCP', 'TCP', 'UDP', 'UDP', 'TCP', 'TCP', 'TCP']);
    expect(lines.map(([, , retransmission]) => retransmission)).toEqual(['', '', '', '', '', '', '', '', '1', '', '']);
    expect(lines[0]![5]).toBe('1460');
    expect(lines[3]![1]).toBe('dropped by the proxy');
    expect(lines[7]![1]).toMatch(/option 5 cannot have 4 bytes/);

    const details = tshark(file, ['-V']);
    expect(details).not.toMatch(/malformed/i);
    expect(details.match(/Checksum Status: (Good|Bad|Unverified)/g)!.every((status) => status.endsWith('Good'))).toBe(true);
    expect(details).toMatch(/Checksum Status: Good/);
  });
});
