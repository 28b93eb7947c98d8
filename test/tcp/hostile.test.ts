import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { makeAddress, type Address } from '../../src/core/address.ts';
import { createRandom, type Random } from '../../src/core/random.ts';
import { ESTABLISHED } from '../../src/tcp/state.ts';
import { encodeInto, MAX_HEADER_BYTES } from '../../src/wire/codec.ts';
import { Segment } from '../../src/wire/segment.ts';
import { Checker, CLIENT, Pair, SERVER } from './pair.ts';
import { PEERS, streamByte, streamBytes, Trace, type In, type PeerKind } from './trace.ts';

/** Random bytes, with a plausible data offset more often than not. */
function noise(random: Random): Uint8Array {
  const bytes = new Uint8Array(random.below(100));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.uint32();
  if (bytes.length > 0 && random.chance(0.7)) bytes[0] = (5 + random.below(11)) << 4;
  return bytes;
}

/** Any flags, any numbers, options as they should be, a right CRC. */
function blind(random: Random): Uint8Array {
  const segment = new Segment();
  segment.seq = random.uint32();
  segment.ack = random.uint32();
  segment.flags = random.below(256);
  segment.window = random.below(65_536);
  segment.hasTimestamps = random.chance(0.5);
  segment.tsVal = random.uint32();
  segment.tsEcr = random.uint32();
  segment.hasCrc = true;
  if ((segment.flags & 2) !== 0) {
    segment.capabilities = random.below(4);
    segment.mss = random.below(2000);
    segment.windowShift = random.below(256);
  } else {
    segment.sackCount = random.below(3);
    for (let i = 0; i < 4; i++) segment.sack[i] = random.uint32();
  }
  segment.payload = new Uint8Array(random.below(60)).fill(0xee);
  segment.payloadEnd = segment.payload.length;
  const target = new Uint8Array(MAX_HEADER_BYTES + segment.payloadLength);
  return target.slice(0, encodeInto(segment, target));
}

/** Option bytes that lie about their kinds and lengths, under a right CRC. */
function lying(random: Random): Uint8Array {
  const bytes = new Uint8Array(52 + random.below(40));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.uint32();
  bytes[0] = 0xf0;
  bytes[1] = bytes[1]! & ~2;
  for (let i = 12; i < 44; i++) if (random.chance(0.5)) bytes[i] = [0, 1, 2, 3, 4, 5, 8, 253][random.below(8)]!;
  bytes.set([253, 8, 0x46, 0x4d, 0, 0, 0, 0], 44);
  Buffer.from(bytes.buffer).writeUInt32BE(crc32(bytes), 48);
  return bytes;
}

describe('200,000 hostile datagrams during a transfer', () => {
  it('no throw, no wrong byte, the transfer completes, drops are counted, memory is bounded', () => {
    const random = createRandom(20);
    let sent = 0;
    let isOpen = false;
    const inject = (pair: Pair): void => {
      for (let i = 0; isOpen && i < 60 && sent < 200_000; i++) {
        sent++;
        const bytes = [noise, blind, blind, lying][random.below(4)]!(random);
        const toServer = random.chance(0.5);
        const peer = toServer ? CLIENT : SERVER;
        const from: Address = random.chance(0.6) ? peer : makeAddress('198.51.100.1', random.below(65_536));
        (toServer ? pair.server : pair.client).receive(from, bytes, pair.now);
        if (random.chance(0.2)) pair.flush();
      }
    };
    const config = { congestion: 'fixed', receiveBufferBytes: 1 << 18 };
    const pair = new Pair({ client: config, server: config, onDelivery: inject, delayMs: 2 });
    const bytes = 6 << 20;
    const s = pair.accept();
    isOpen = true;
    const checker = new Checker();
    let written = 0;
    let most = 0;
    pair.runUntil(() => {
      written += pair.c.write(streamBytes(written, Math.min(bytes, written + 65_536)));
      checker.read(s);
      pair.flush();
      most = Math.max(most, pair.server.connectionCount, pair.client.connectionCount);
      return checker.received === bytes && pair.c.sendQueueBytes === 0;
    }, 600_000);
    expect(sent).toBe(200_000);
    expect([pair.c.stateName, s.stateName]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    // The backlog and the live one.
    expect(most).toBeLessThanOrEqual(512);
    for (const endpoint of [pair.client, pair.server]) {
      const { counters } = endpoint;
      expect(counters.droppedTooShort).toBeGreaterThan(100);
      expect(counters.droppedBadOffset).toBeGreaterThan(100);
      expect(counters.droppedBadOption).toBeGreaterThan(100);
      expect(counters.droppedNoCrc).toBeGreaterThan(100);
      expect(counters.strangers).toBeGreaterThan(100);
    }
    expect(pair.server.counters.backlogFull).toBeGreaterThan(100);
    for (const c of [pair.c, s]) {
      expect(c.counters.challengeAcks).toBeGreaterThan(100);
      expect(c.counters.unacceptable).toBeGreaterThan(100);
    }
  }, 60_000);
});

/** Near misses: numbers about right, in any state, with an application that does anything at any time. */
function torture(seed: number): void {
  const random = createRandom(seed);
  const kinds = Object.keys(PEERS) as PeerKind[];
  const peer = PEERS[kinds[random.below(kinds.length)]!] as In;
  const t = new Trace({
    backlog: 4,
    endpoint: { initialSequence: random.chance(0.3) ? 0xffff_fc00 : 1_000_000 },
    config: {
      receiveBufferBytes: 4096 << random.below(4), sendBufferBytes: 4096 << random.below(4), noDelay: random.chance(0.5),
      congestion: random.chance(0.5) ? 'newreno' : `fixed:${1 + random.below(20)}`, userTimeoutMs: 1000 + random.below(60_000),
      ...(random.chance(0.3) ? { keepAlive: { idleMs: 1000, intervalMs: 500, count: 3 } } : {}),
    },
  });
  let c = random.chance(0.5) ? t.connect() : undefined;
  let written = 0;
  let read = 0;
  // The peer's true stream: what it has sent, and the highest number of ours that it has seen.
  let peerNxt = 1;
  let edge = -Infinity;
  const near = (n: number, spread: number): number => n + random.below(2 * spread + 1) - spread;
  for (let step = 0; step < 150; step++) {
    const what = random.below(12);
    const ack = random.chance(0.7) ? t.sndNxt : near(t.sndNxt, 3000);
    const ts = peer.ts !== undefined && random.chance(0.9) ? { ts: 1000 + step * 10 - (random.chance(0.1) ? 500 : 0) } : {};
    const win = random.chance(0.3) ? 0 : random.below(65_536);
    const isOpen = c !== undefined && c.state >= ESTABLISHED;
    if (what === 0) t.in('S', { ...peer, seq: !isOpen || random.chance(0.7) ? 0 : near(0, 100_000) });
    else if (what === 1) t.in('S.', { ...peer, seq: 0, ack });
    else if (what <= 5) {
      const seq = random.chance(0.5) ? peerNxt : Math.max(1, near(peerNxt, 5000));
      const len = random.below(1500);
      peerNxt = Math.max(peerNxt, seq + (random.chance(0.8) ? len : 0));
      t.in(random.chance(0.03) ? 'F.' : '.', { seq, ack, win, len, ...ts });
    } else if (what <= 8) {
      const sack = Array.from({ length: peer.sackOK === true ? random.below(3) : 0 }, () => {
        const left = near(t.sndNxt, 8000);
        return [left, left + random.below(4000)] as const;
      });
      t.in('.', { seq: random.chance(0.8) ? peerNxt : near(peerNxt, 5), ack, win, sack, ...ts });
    } else if (what === 9 && random.chance(0.1)) t.in(random.chance(0.5) ? 'R' : 'R.', { seq: near(peerNxt, 2), ack });
    else if (what === 10) t.wait(random.below(random.chance(0.1) ? 5000 : 300));
    else if (c !== undefined) {
      const connection = c;
      if (random.chance(0.6)) written += t.call(() => connection.write(streamBytes(written, written + random.below(9000))));
      else if (random.chance(0.05)) t.call((now) => connection.close(now));
      else if (random.chance(0.01)) t.call((now) => connection.abort(now));
      else if (random.chance(0.03)) t.call((now) => connection.release(now));
      else if (random.chance(0.5)) {
        for (const byte of t.read(connection)) if (byte !== streamByte(read++)) expect.fail(`wrong byte at ${read - 1}`);
      }
    }
    if (c === undefined || c.stateName === 'CLOSED') {
      const next = t.endpoint.accept();
      if (next !== undefined && c === undefined) c = next;
    }
    for (const out of t.takeAll()) {
      if (out.flags.includes('R')) continue;
      if (c !== undefined && out.seq + out.data.length > written + 2) expect.fail(`sent beyond what was written: ${out.text}`);
      for (let i = 0; i < out.data.length; i++) if (out.data[i] !== streamByte(out.seq - 1 + i)) expect.fail(`sent a wrong byte: ${out.text}`);
      if (out.flags === 'S' || peer.wscale !== undefined) continue;
      if (out.ack + out.win < edge) expect.fail(`the window moved back: ${out.text}`);
      edge = out.ack + out.win;
    }
    if (c !== undefined) {
      const info = c.info();
      if (!(info.inFlightBytes >= 0 && info.cwndBytes > 0 && info.rtoMs > 0)) expect.fail(JSON.stringify(info));
      // A connection's receive queue never exceeds its buffer.
      if (info.receiveQueueBytes > 65_536) expect.fail(`holds ${info.receiveQueueBytes}`);
    }
    if (c?.stateName === 'CLOSED') break;
  }
  // Left alone, everything ends or rests: nothing spins.
  t.wait(200_000);
}

describe('torture', () => {
  it.each(Array.from({ length: 10 }, (_, i) => i))('150 near misses in each of 100 worlds (decade %i): no assertion falls, no wrong byte goes out', (decade) => {
    for (let seed = decade * 100; seed < decade * 100 + 100; seed++) {
      try {
        torture(seed);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  }, 30_000);
});
