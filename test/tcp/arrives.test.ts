import { describe, expect, it } from 'vitest';
import { afterQuickAcks, openActive, openPassive, PEERS, streamBytes, type Opened, type OpenOptions, type PeerKind } from './trace.ts';

const KINDS = Object.keys(PEERS) as PeerKind[];
const ROLES: readonly [string, (options?: OpenOptions) => Opened][] = [['it connected to us', openPassive], ['we connected to it', openActive]];
const CASES = ROLES.flatMap(([role, open]) => KINDS.map((kind) => [role, kind, open] as const));

/** Times of a peer that offered timestamps; nothing for another. */
function ts(kind: PeerKind, value: number): { ts: number } | Record<string, never> {
  return kind === 'all' ? { ts: value } : {};
}

describe.each(CASES)('a plain TCP peer (%s; options: %s)', (_role, kind, open) => {
  it('out of order: a duplicate ACK at once, SACK if offered, and everything in order in the end', () => {
    const { t, c } = open({ peer: kind });
    const sacks = kind === 'sack' || kind === 'all';
    t.in('.', { seq: 101, len: 100, ...ts(kind, 1010) });
    t.out('.', { ack: 1, sack: sacks ? [[101, 201]] : [] });
    t.in('.', { seq: 301, len: 100, ...ts(kind, 1011) });
    t.out('.', { ack: 1, sack: sacks ? [[301, 401], [101, 201]] : [] });
    t.in('.', { seq: 201, len: 100, ...ts(kind, 1012) });
    t.out('.', { ack: 1, sack: sacks ? [[101, 401]] : [] });
    expect(c.read()).toBeUndefined();
    t.in('P.', { seq: 1, len: 100, ...ts(kind, 1013) });
    t.out('.', { ack: 401, sack: [] });
    expect(t.read(c)).toEqual(Buffer.from(streamBytes(0, 400)));
    t.nothing();
  });

  it('overlapping: the first copy of every byte counts', () => {
    const { t, c } = open({ peer: kind });
    t.in('.', { seq: 51, data: new Uint8Array(50).fill(1), ...ts(kind, 1010) });
    t.in('.', { seq: 31, data: new Uint8Array(100).fill(2), ...ts(kind, 1010) });
    t.in('.', { seq: 1, data: new Uint8Array(60).fill(3), ...ts(kind, 1010) });
    const bytes = t.read(c);
    expect([bytes.length, bytes[29], bytes[30], bytes[49], bytes[50], bytes[99], bytes[100], bytes[129]]).toEqual([130, 3, 2, 2, 1, 1, 2, 2]);
    expect(t.takeAll().at(-1)!.ack).toBe(131);
  });

  it('below the window: acknowledged again, delivered once', () => {
    const { t, c } = open({ peer: kind });
    t.in('P.', { seq: 1, len: 100, ...ts(kind, 1010) });
    t.wait(50);
    t.out('.', { ack: 101 });
    t.in('P.', { seq: 1, len: 100, ...ts(kind, 1010) });
    const again = t.out('.', { ack: 101 });
    expect(again.sack).toEqual(kind === 'sack' || kind === 'all' ? [[1, 101]] : []);
    t.in('P.', { seq: 51, len: 100, ...ts(kind, 1011) });
    expect(t.read(c)).toEqual(Buffer.from(streamBytes(0, 150)));
    expect([c.counters.duplicatesReceived, c.counters.unacceptable]).toEqual([1, 1]);
  });

  it('beyond the window: answered with an ACK, never kept', () => {
    const { t, c } = open({ peer: kind, config: { receiveBufferBytes: 8192 } });
    for (const seq of [8193, 100_000, 2 ** 31 - 10]) {
      t.in('P.', { seq, len: 10, ...ts(kind, 1010) });
      t.out('.', { ack: 1, sack: [] });
    }
    expect(c.counters.unacceptable).toBe(3);
    // What reaches over the edge is cut there.
    t.in('.', { seq: 8001, len: 1000, ...ts(kind, 1010) });
    expect(t.takeAll().at(-1)!.ack).toBe(1);
    for (let seq = 1; seq < 8001; seq += 1000) t.in('.', { seq, len: 1000, ...ts(kind, 1010) });
    expect(t.takeAll().at(-1)).toMatchObject({ ack: 8193, win: 0 });
    expect(t.read(c)).toEqual(Buffer.from(streamBytes(0, 8192)));
  });

  it('FIN ahead of a hole: the end comes when the hole is filled, once', () => {
    const { t, c } = open({ peer: kind });
    t.in('F.', { seq: 11, len: 10, ...ts(kind, 1010) });
    t.out('.', { ack: 1 });
    expect([c.stateName, c.isReadFinished]).toEqual(['ESTABLISHED', false]);
    t.in('.', { seq: 1, len: 10, ...ts(kind, 1010) });
    t.out('.', { ack: 22 });
    expect([c.stateName, t.read(c).length, c.isReadFinished]).toEqual(['CLOSE-WAIT', 20, true]);
    t.in('F.', { seq: 11, len: 10, ...ts(kind, 1010) });
    t.out('.', { ack: 22 });
    expect([c.read(), c.stateName]).toEqual([undefined, 'CLOSE-WAIT']);
  });

  it('RST: exact resets, in the window is challenged, outside is ignored (RFC 5961, 3.2)', () => {
    const { t, c } = open({ peer: kind });
    t.in('R', { seq: 0 });
    t.in('R.', { seq: 70_000_000 });
    t.nothing();
    t.in('R', { seq: 2 });
    t.out('.', { seq: 1, ack: 1, len: 0 });
    t.in('R', { seq: 65_535 });
    t.out('.', { seq: 1, ack: 1 });
    expect([c.stateName, c.counters.challengeAcks]).toEqual(['ESTABLISHED', 2]);
    t.in('R', { seq: 1 });
    t.nothing();
    expect([c.error?.code, c.stateName, t.endpoint.connectionCount]).toEqual(['ECONNRESET', 'CLOSED', 0]);
  });

  it('SYN in ESTABLISHED: a challenge ACK, whatever its number (RFC 5961, 4.2)', () => {
    const { t, c } = open({ peer: kind });
    for (const seq of [0, 1, 500, -70_000, 2 ** 30]) {
      t.in('S', { ...PEERS[kind], seq });
      t.out('.', { seq: 1, ack: 1 });
      t.in('S.', { ...PEERS[kind], seq });
      t.out('.', { seq: 1, ack: 1 });
    }
    expect([c.stateName, c.counters.challengeAcks]).toEqual(['ESTABLISHED', 10]);
  });

  it('ACK of data never sent: answered and dropped, text and all', () => {
    const { t, c } = open({ peer: kind });
    t.in('P.', { seq: 1, ack: 2, len: 10, ...ts(kind, 1010) });
    t.out('.', { seq: 1, ack: 1 });
    expect([c.read(), c.counters.challengeAcks]).toEqual([undefined, 1]);
  });

  it('ACK too old: beyond the largest window below SND.UNA it is challenged, within it is fine (RFC 5961, 5.2)', () => {
    const { t, c } = open({ peer: kind, win: 500 });
    const largest = c.info().sendWindowBytes;
    t.in('P.', { seq: 1, ack: 1 - largest, win: 500, len: 10, ...ts(kind, 1010) });
    expect(t.read(c).length).toBe(10);
    t.wait(50);
    t.takeAll();
    const floor = c.info().sendWindowBytes;
    t.in('P.', { seq: 11, ack: -floor - 65_536 * 128, win: 500, len: 10, ...ts(kind, 1011) });
    t.out('.', { ack: 11 });
    expect([c.read(), c.counters.challengeAcks]).toEqual([undefined, 1]);
  });

  it('a segment without ACK is dropped', () => {
    const { t, c } = open({ peer: kind });
    t.in('P', { seq: 1, len: 10 });
    t.in('F', { seq: 1 });
    t.nothing();
    expect([c.read(), c.stateName]).toEqual([undefined, 'ESTABLISHED']);
  });

  it('keep-alive probes, with and without the garbage octet, are answered', () => {
    const { t, c } = open({ peer: kind });
    t.in('.', { seq: 0, ...ts(kind, 1010) });
    t.out('.', { seq: 1, ack: 1 });
    t.in('.', { seq: 0, data: 'x', ...ts(kind, 1010) });
    t.out('.', { seq: 1, ack: 1 });
    expect(c.read()).toBeUndefined();
  });

  it('SegmentSmack: 20,000 one-byte segments out of order hold bounded memory, and the stream goes on', () => {
    const { t, c } = open({ peer: kind, config: { receiveBufferBytes: 65_536 } });
    for (let round = 0; round < 200; round++) {
      t.batch(() => {
        for (let i = 0; i < 100; i++) t.in('.', { seq: 3 + 2 * ((round * 100 + i) % 20_000), len: 1, ...ts(kind, 1010) });
      });
      t.takeAll();
    }
    expect(c.counters.outOfOrder).toBe(20_000);
    expect(c.counters.reassemblyRefused).toBeGreaterThanOrEqual(20_000 - 256 - 65_536 / 512);
    for (let seq = 1; seq < 50_000; seq += 1000) t.in('.', { seq, len: 1000, ...ts(kind, 1010) });
    expect(t.read(c)).toEqual(Buffer.from(streamBytes(0, 50_000)));
  });
});

describe('segment acceptance', () => {
  it('rate-limits ACKs that anybody can provoke: a hundred a second (RFC 5961, 7)', () => {
    const { t, c } = openPassive();
    for (let i = 0; i < 500; i++) t.in('R', { seq: 2 + i });
    expect([t.takeAll().length, c.counters.challengeAcks, c.counters.ackRateLimited]).toEqual([100, 500, 400]);
    t.wait(500);
    for (let i = 0; i < 500; i++) t.in('S', { seq: 2 + i });
    expect(t.takeAll().length).toBe(50);
  });

  it('a FIN at a wrong place does not hide the real one', () => {
    // Beyond the real end.
    const beyond = openPassive();
    beyond.t.in('F.', { seq: 5000 });
    beyond.t.in('F.', { seq: 1, len: 100 });
    expect([beyond.t.read(beyond.c).length, beyond.c.stateName]).toEqual([100, 'CLOSE-WAIT']);
    // Before it: the peer goes on sending, so that was no end.
    const before = openPassive();
    before.t.in('F.', { seq: 50 });
    before.t.in('.', { seq: 1, len: 100 });
    before.t.in('F.', { seq: 101, len: 100 });
    expect([before.t.read(before.c).length, before.c.stateName]).toEqual([200, 'CLOSE-WAIT']);
  });

  it('at a closed window only an ACK of the exact number is looked at; data is answered', () => {
    const { t, c } = openPassive({ config: { receiveBufferBytes: 4096 } });
    for (let seq = 1; seq < 4097; seq += 1024) t.in('.', { seq, len: 1024 });
    expect(t.takeAll().at(-1)).toMatchObject({ ack: 4097, win: 0 });
    t.call(() => c.write(streamBytes(0, 100)));
    t.out('.', { seq: 1, len: 100 });
    t.in('.', { seq: 4097, len: 1, ack: 101 });
    t.out('.', { ack: 4097, win: 0 });
    expect([c.sendQueueBytes, c.info().receiveQueueBytes]).toEqual([0, 4096]);
    t.in('R', { seq: 4098 });
    t.nothing();
    t.in('R', { seq: 4097 });
    expect(c.error?.code).toBe('ECONNRESET');
  });

  it('silly window: the edge never moves by less than a segment, and never back', () => {
    const { t, c } = openPassive({ config: { receiveBufferBytes: 8192 }, peer: 'none' });
    let edge = 1 + 8192;
    let seq = 1;
    const windows: number[] = [];
    for (let i = 0; i < 300; i++) {
      const room = edge - seq;
      const len = Math.min(room, 100);
      if (len > 0) t.in('.', { seq, len });
      seq += len;
      // The reader is slow: one chunk at a time, now and then.
      if (i % 7 === 0) t.call(() => c.read());
      t.wait(50);
      for (const out of t.takeAll()) {
        const newEdge = out.ack + out.win;
        if (newEdge < edge) expect.fail(`the edge moved back from ${edge} to ${newEdge}`);
        if (newEdge > edge && newEdge - edge < 536) expect.fail(`the edge moved by ${newEdge - edge} only`);
        edge = newEdge;
        windows.push(out.win);
      }
    }
    expect(windows.length).toBeGreaterThan(20);
  });

  it('window update never announced: a reader that makes room says so at once', () => {
    const { t, c } = openPassive({ config: { receiveBufferBytes: 8192 } });
    for (let seq = 1; seq < 8193; seq += 1024) t.in('.', { seq, len: 1024 });
    expect(t.takeAll().at(-1)).toMatchObject({ ack: 8193, win: 0 });
    t.read(c);
    t.out('.', { ack: 8193, win: 8192 });
    t.nothing();
  });
});

describe('timestamps (RFC 7323)', () => {
  it('PAWS: an older timestamp is answered and dropped, data, FIN and all', () => {
    const { t, c } = openPassive({ peer: 'all' });
    t.in('P.', { seq: 1, len: 10, ts: 5000 });
    t.wait(40);
    t.out('.', { ack: 11 });
    t.in('FP.', { seq: 11, len: 10, ts: 4999 });
    t.out('.', { ack: 11 });
    expect([c.counters.pawsDropped, t.read(c).length, c.stateName]).toEqual([1, 10, 'ESTABLISHED']);
    t.in('P.', { seq: 11, len: 10, ts: 5000 });
    expect(t.read(c).length).toBe(10);
  });

  it('PAWS: works when the timestamp clock wraps', () => {
    const { t, c } = openPassive({ peer: { ...PEERS.all, ts: 0xffff_fff0 } });
    // The helper's ACK of 1001 is 1017 ms later on that clock.
    t.in('P.', { seq: 1, len: 10, ts: 5000 });
    t.in('P.', { seq: 11, len: 10, ts: 0xffff_ffff });
    expect([t.read(c).length, c.counters.pawsDropped]).toEqual([10, 1]);
  });

  it('PAWS: a RST is not held to it, and after 24 idle days nothing is (5.5)', () => {
    const { t, c } = openPassive({ peer: 'all', config: { userTimeoutMs: 1e12 } });
    t.in('P.', { seq: 1, len: 10, ts: 5000 });
    t.wait(25 * 24 * 3600 * 1000);
    t.in('P.', { seq: 11, len: 10, ts: 4000 });
    expect(t.read(c).length).toBe(20);
    t.in('R', { seq: 21, ts: 1 });
    expect(c.error?.code).toBe('ECONNRESET');
  });

  it('TS-less ACK dropped: a segment without the option still counts', () => {
    const { t, c } = openPassive({ peer: 'all' });
    t.call(() => c.write(streamBytes(0, 100)));
    t.out('.', { len: 100 });
    t.in('P.', { seq: 1, ack: 101, len: 10 });
    expect([c.sendQueueBytes, t.read(c).length]).toEqual([0, 10]);
  });

  it('echoes the timestamp of the segment that moved the left edge, not of one ahead of a hole (4.3)', () => {
    const { t } = openPassive({ peer: 'all' });
    t.in('.', { seq: 101, len: 100, ts: 2000 });
    expect(t.out('.', { ack: 1 }).ts?.[1]).toBe(1001);
    t.in('.', { seq: 1, len: 100, ts: 2005 });
    expect(t.out('.', { ack: 201 }).ts?.[1]).toBe(2005);
  });

  it('echoes the earlier of two segments that one ACK covers: the delay is part of the RTT (4.3)', () => {
    const { t } = afterQuickAcks(openPassive({ peer: 'all' }), 2000);
    t.in('.', { seq: 17, len: 1000, ts: 2010 });
    t.in('.', { seq: 1017, len: 1000, ts: 2020 });
    expect(t.takeAll().map((out) => out.ts?.[1])).toEqual([2010]);
  });

  it('stands on every segment once negotiated, and never otherwise', () => {
    const { t, c } = openPassive({ peer: 'all' });
    t.in('.', { seq: 1, len: 10, ts: 1100 });
    t.call((now) => {
      c.write(streamBytes(0, 10));
      c.close(now);
    });
    t.wait(5000);
    for (const out of t.takeAll()) expect(out.ts, out.text).toBeDefined();
    const plain = openPassive({ peer: 'sack' });
    plain.t.in('.', { seq: 1, len: 10, ts: 1100 });
    plain.t.wait(50);
    expect(plain.t.out('.').ts).toBeUndefined();
  });
});

describe('delayed ACK (RFC 9293, 3.8.6.3; RFC 5681, 4.2)', () => {
  it('waits 40 ms for one segment', () => {
    const { t } = afterQuickAcks(openPassive());
    t.in('.', { seq: 17, len: 1000 });
    t.wait(39);
    t.nothing();
    t.wait(1);
    t.out('.', { ack: 1017 });
    t.wait(10_000);
    t.nothing();
  });

  it.each([1440, 1000, 536])('acknowledges every second full-sized segment of %i bytes', (len) => {
    const { t } = afterQuickAcks(openPassive());
    let seq = 17;
    for (let i = 0; i < 20; i++) {
      t.in('.', { seq, len });
      seq += len;
      if (i % 2 === 0) t.nothing();
      else t.out('.', { ack: seq });
    }
  });

  it('also where we send larger segments than the peer does', () => {
    const { t } = afterQuickAcks(openPassive({ config: { mtuBytes: 65_507 }, peer: { mss: 65_495 } }));
    t.in('.', { seq: 17, len: 1440 });
    t.nothing();
    t.in('.', { seq: 1457, len: 1440 });
    t.out('.', { ack: 2897 });
  });

  it('rides on data', () => {
    const { t, c } = afterQuickAcks(openPassive());
    t.in('P.', { seq: 17, len: 10 });
    t.nothing();
    t.call(() => c.write(streamBytes(0, 10)));
    t.out('.', { seq: 1, ack: 27, len: 10 });
    t.in('.', { seq: 27, ack: 11 });
    t.wait(1000);
    t.nothing();
  });

  it('is off for sixteen segments after a hole: the sender\'s window is small then', () => {
    const { t } = afterQuickAcks(openPassive());
    t.in('.', { seq: 27, len: 10 });
    t.in('.', { seq: 17, len: 10 });
    t.takeAll();
    for (let i = 0; i < 16; i++) {
      t.in('.', { seq: 37 + i, len: 1 });
      t.out('.', { ack: 38 + i });
    }
    t.in('.', { seq: 53, len: 1 });
    t.nothing();
  });

  it('a peer without SACK gets a duplicate ACK for every segment behind a hole, even in one batch', () => {
    const { t } = openPassive();
    t.batch(() => {
      for (let i = 1; i <= 4; i++) t.in('.', { seq: 1 + 1000 * i, len: 1000 });
    });
    expect(t.takeAll().map((out) => out.ack)).toEqual([1, 1, 1, 1]);
    t.in('.', { seq: 1, len: 1000 });
    t.out('.', { ack: 5001 });
    t.nothing();
  });

  it('a peer with SACK gets every range told in one batch', () => {
    const { t } = openPassive({ peer: 'all' });
    t.batch(() => {
      for (let i = 1; i <= 6; i++) t.in('.', { seq: 1 + 2000 * i, len: 1000, ts: 1010 });
    });
    const told = new Set(t.takeAll().flatMap((out) => out.sack.map(([left]) => left)));
    expect([...told].sort((a, b) => a - b)).toEqual([2001, 4001, 6001, 8001, 10_001, 12_001]);
  });
});
