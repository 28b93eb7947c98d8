import { describe, expect, it } from 'vitest';
import { openActive, openPassive, PEERS, streamBytes, type In, type Opened, type Out } from './trace.ts';

const PLAIN: In = { mss: 1000 };
const SACK: In = { mss: 1000, sackOK: true };

function open(peer: In = PLAIN, options: Parameters<typeof openPassive>[0] = {}): Opened {
  return openPassive({ peer, rttMs: 100, ...options });
}

function write(o: Opened, bytes: number): void {
  const at = o.c.counters.bytesAcked + o.c.sendQueueBytes;
  o.t.call(() => o.c.write(streamBytes(at, at + bytes)));
}

function shape(outs: Out[]): [number, number][] {
  return outs.map((out) => [out.seq, out.data.length]);
}

describe('new data', () => {
  it('ten segments at first (RFC 6928), then two for each segment acknowledged in slow start', () => {
    const o = open();
    write(o, 40_000);
    expect(shape(o.t.takeAll())).toEqual(Array.from({ length: 10 }, (_, i) => [1 + 1000 * i, 1000]));
    o.t.in('.', { seq: 1, ack: 2001 });
    expect(shape(o.t.takeAll())).toEqual([[10_001, 1000], [11_001, 1000], [12_001, 1000], [13_001, 1000]]);
  });

  it('carries the bytes that were written, and PSH where they end', () => {
    const o = open();
    write(o, 2500);
    const outs = o.t.takeAll();
    expect(Buffer.concat(outs.map((out) => out.data))).toEqual(Buffer.from(streamBytes(0, 2500)));
    expect(outs.map((out) => out.text.startsWith('P.'))).toEqual([false, false, true]);
  });

  it('never sends beyond the peer\'s window', () => {
    const o = open(PLAIN, { win: 2500 });
    write(o, 10_000);
    expect(shape(o.t.takeAll())).toEqual([[1, 1000], [1001, 1000]]);
    o.t.in('.', { seq: 1, ack: 2001, win: 2500 });
    expect(shape(o.t.takeAll())).toEqual([[2001, 1000], [3001, 1000]]);
  });

  it('keeps what it sent within a datagram, whatever the peer could take', () => {
    for (const mtuBytes of [548, 1452, 9000]) {
      const o = openActive({ peer: { ...PEERS.all, mss: 65_495 }, config: { mtuBytes } });
      write(o, 20_000);
      for (const out of o.t.takeAll()) expect(out.data.length).toBeLessThanOrEqual(mtuBytes - 12 - 12);
      expect(o.c.info().smssBytes).toBe(mtuBytes - 24);
    }
  });

  it('makes room for SACK blocks only where they fit: a full data segment carries none', () => {
    const o = open(SACK);
    o.t.in('.', { seq: 1001, len: 10 });
    o.t.out('.', { sack: [[1001, 1011]] });
    write(o, 1000);
    const data = o.t.out('.', { len: 1000 });
    expect(12 + 4 + 8 * data.sack.length + 1000).toBeLessThanOrEqual(1452);
  });

  it('goes on across the end of sequence space', () => {
    const o = openPassive({ peer: SACK, endpoint: { initialSequence: 0xffff_f000 } });
    write(o, 10_000);
    const outs = o.t.takeAll();
    expect(outs.reduce((sum, out) => sum + out.data.length, 0)).toBe(10_000);
    o.t.in('.', { seq: 1, ack: o.t.sndNxt });
    expect(o.c.sendQueueBytes).toBe(0);
  });
});

describe('Nagle, as Minshall has it (RFC 9293, 3.7.4)', () => {
  it('one small segment at a time; what comes meanwhile goes together', () => {
    const o = open();
    write(o, 10);
    o.t.out('.', { seq: 1, len: 10 });
    write(o, 10);
    write(o, 10);
    o.t.nothing();
    o.t.in('.', { seq: 1, ack: 11 });
    o.t.out('.', { seq: 11, len: 20 });
  });

  it('full segments do not wait, and a small one may follow them', () => {
    const o = open();
    write(o, 2500);
    expect(shape(o.t.takeAll())).toEqual([[1, 1000], [1001, 1000], [2001, 500]]);
    write(o, 2600);
    expect(shape(o.t.takeAll())).toEqual([[2501, 1000], [3501, 1000]]);
    o.t.in('.', { seq: 1, ack: 2501 });
    expect(shape(o.t.takeAll())).toEqual([[4501, 600]]);
  });

  it('off (noDelay): every write goes at once', () => {
    const o = open(PLAIN, { config: { noDelay: true } });
    for (let i = 0; i < 5; i++) write(o, 10);
    expect(shape(o.t.takeAll())).toEqual([[1, 10], [11, 10], [21, 10], [31, 10], [41, 10]]);
  });

  it('a FIN does not wait behind a small segment', () => {
    const o = open();
    write(o, 10);
    o.t.out('.', { seq: 1, len: 10 });
    write(o, 10);
    o.t.call((now) => o.c.close(now));
    o.t.out('F.', { seq: 11, len: 10 });
  });
});

describe('silly window syndrome, the sender\'s side (RFC 9293, 3.8.6.2.1)', () => {
  it('does not use a sliver of window, until the override timer', () => {
    const o = open(PLAIN, { win: 4000 });
    write(o, 10_000);
    o.t.takeAll();
    o.t.in('.', { seq: 1, ack: 4001, win: 50 });
    o.t.nothing();
    const { rtoMs } = o.c.info();
    o.t.wait(rtoMs - 1);
    o.t.nothing();
    o.t.wait(1);
    o.t.out('.', { seq: 4001, len: 50 });
  });

  it('uses half of the largest window it has seen', () => {
    const o = open(PLAIN, { win: 1600 });
    write(o, 10_000);
    expect(shape(o.t.takeAll())).toEqual([[1, 1000]]);
    o.t.in('.', { seq: 1, ack: 1001, win: 800 });
    expect(shape(o.t.takeAll())).toEqual([[1001, 800]]);
  });

  it('SWS too strict: a peer whose whole window is less than a segment is served at once', () => {
    const o = open(PLAIN, { win: 300 });
    write(o, 1200);
    let una = 1;
    for (let i = 0; i < 4; i++) {
      o.t.out('.', { at: 100, seq: una, len: 300 });
      o.t.nothing();
      una += 300;
      o.t.in('.', { seq: 1, ack: una, win: 300 });
    }
    expect(o.c.sendQueueBytes).toBe(0);
  });
});

describe('congestion window', () => {
  it('larger buffer lowers throughput: a larger receive window never means fewer segments', () => {
    const sent: number[] = [];
    for (const win of [3000, 10_000, 30_000, 65_535]) {
      const o = open(PLAIN, { win });
      for (let round = 0; round < 6; round++) {
        write(o, 100_000);
        o.t.takeAll();
        o.t.wait(100);
        o.t.in('.', { seq: 1, ack: o.t.sndNxt, win });
      }
      sent.push(o.t.sndNxt);
    }
    expect(sent).toEqual([...sent].sort((a, b) => a - b));
  });

  it('starts anew after silence longer than an RTO, also when only ACKs were sent meanwhile (RFC 5681, 4.1)', () => {
    const o = open();
    for (let round = 0; round < 5; round++) {
      write(o, 60_000);
      o.t.takeAll();
      o.t.wait(100);
      o.t.in('.', { seq: 1, ack: o.t.sndNxt });
    }
    while (o.c.sendQueueBytes > 0) o.t.in('.', { seq: 1, ack: o.t.sndNxt });
    o.t.takeAll();
    expect(o.c.info().cwndBytes).toBeGreaterThan(30_000);
    for (let i = 0; i < 100; i++) {
      o.t.in('.', { seq: 1 + 10 * i, len: 10 });
      o.t.wait(100);
    }
    o.t.takeAll();
    write(o, 60_000);
    expect(o.t.takeAll().length).toBe(10);
  });
});

describe('FIN', () => {
  it('rides on the last data and is sent again with it', () => {
    const o = open(SACK);
    o.t.call((now) => {
      o.c.write(streamBytes(0, 1500));
      o.c.close(now);
    });
    expect(o.t.takeAll().map((out) => [out.flags, out.seq, out.data.length])).toEqual([['.', 1, 1000], ['F.', 1001, 500]]);
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 1001 });
    o.t.wait(1000);
    expect(o.t.takeAll()[0]).toMatchObject({ flags: 'F.', seq: 1001 });
    o.t.in('.', { seq: 1, ack: 1502 });
    expect(o.c.stateName).toBe('FIN-WAIT-2');
  });

  it('alone after the data has gone', () => {
    const o = open(SACK);
    write(o, 500);
    o.t.takeAll();
    o.t.call((now) => o.c.close(now));
    o.t.out('F.', { seq: 501, len: 0 });
    o.t.in('.', { seq: 1, ack: 501 });
    o.t.wait(3000);
    const again = o.t.takeAll();
    expect(again.length).toBeGreaterThan(1);
    for (const out of again) expect([out.flags, out.seq, out.data.length]).toEqual(['F.', 501, 0]);
    o.t.in('.', { seq: 1, ack: 502 });
    expect(o.c.stateName).toBe('FIN-WAIT-2');
  });

  it('a full window leaves no room for it: it waits', () => {
    const o = open(SACK, { win: 1000 });
    write(o, 1000);
    o.t.call((now) => o.c.close(now));
    o.t.takeAll();
    o.t.in('.', { seq: 1, ack: 1001, win: 1000 });
    o.t.out('F.', { seq: 1001, len: 0 });
  });
});
