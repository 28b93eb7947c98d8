import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { makeAddress } from '../../src/core/address.ts';
import { openPcap } from '../../src/net/pcap-file.ts';

const client = makeAddress('127.0.0.1', 50_001);
const server = makeAddress('127.0.0.1', 9000);
const segment = new Uint8Array(1452).fill(0x50);
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'failmask-pcap-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Packet blocks of a capture; throws when the file does not end with a whole block. */
function countPackets(file: Buffer): number {
  let packets = 0;
  let at = 0;
  while (at < file.length) {
    if (file.readUInt32LE(at) === 6) packets++;
    at += file.readUInt32LE(at + 4);
  }
  expect(at).toBe(file.length);
  return packets;
}

test('packets are in the file in order, after any number of flushes', () => {
  const path = join(folder, 'a.pcapng');
  const errors: string[] = [];
  const pcap = openPcap(path, (message) => errors.push(message));
  for (let n = 0; n < 1000; n++) pcap.packet(n, client, server, segment, { outbound: n % 2 === 0, comment: `packet ${n}` });
  pcap.packet(0, client, server, new Uint8Array(65_507).fill(0x50));
  const early = readFileSync(path);
  expect(early.length).toBeGreaterThan(1_000_000);
  countPackets(early);
  pcap.close();
  pcap.close();
  const file = readFileSync(path);
  expect(countPackets(file)).toBe(1001);
  expect(file.indexOf('packet 7')).toBeLessThan(file.indexOf('packet 999'));
  expect(pcap).toMatchObject({ packets: 1001, dropped: 0 });
  expect(errors).toEqual([]);
});

test('what fits no packet, and what comes after close, is counted as dropped', () => {
  const path = join(folder, 'a.pcapng');
  const pcap = openPcap(path, () => {});
  pcap.packet(0, client, server, new Uint8Array(65_508).fill(0x50));
  pcap.packet(0, client, server, segment);
  pcap.close();
  pcap.packet(0, client, server, segment);
  expect(pcap).toMatchObject({ packets: 1, dropped: 2 });
  expect(countPackets(readFileSync(path))).toBe(1);
});

test('an existing file is emptied; a path that cannot be opened throws', () => {
  const path = join(folder, 'a.pcapng');
  for (let round = 0; round < 2; round++) {
    const pcap = openPcap(path, () => {});
    pcap.packet(0, client, server, segment);
    pcap.close();
  }
  expect(countPackets(readFileSync(path))).toBe(1);
  expect(() => openPcap(join(folder, 'missing', 'a.pcapng'), () => {})).toThrow(/ENOENT/);
});

test.skipIf(!existsSync('/dev/full'))('a full disk is reported once, and packets are dropped from then on', () => {
  const errors: string[] = [];
  const pcap = openPcap('/dev/full', (message) => errors.push(message));
  for (let n = 0; n < 1000; n++) pcap.packet(n, client, server, segment);
  pcap.close();
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(/^capture \/dev\/full ends here: ENOSPC/);
  expect(pcap).toMatchObject({ packets: 0, dropped: 1000 });
});

test.skipIf(process.platform === 'win32')('a FIFO whose reader is slow or gone never blocks: packets are dropped and counted', () => {
  const path = join(folder, 'fifo');
  execFileSync('mkfifo', [path]);
  expect(() => openPcap(path, () => {})).toThrow(/ENXIO/);

  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const errors: string[] = [];
  const pcap = openPcap(path, (message) => errors.push(message));
  for (let n = 0; n < 1000; n++) pcap.packet(n, client, server, segment);
  expect(pcap.dropped).toBeGreaterThan(100);
  expect(pcap.packets).toBeGreaterThan(100);
  expect(errors).toEqual([]);
  const head = Buffer.alloc(4);
  readSync(reader, head);
  expect(head.readUInt32LE(0)).toBe(0x0a0d0d0a);
  closeSync(reader);
  pcap.packet(0, client, server, segment);
  pcap.close();
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(/EPIPE/);
  expect(pcap.packets + pcap.dropped).toBe(1001);
});
