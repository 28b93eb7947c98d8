import { describe, expect, it } from 'vitest';
import { EVENT_FINISHED, EVENT_WRITABLE } from '../../src/tcp/connection.ts';
import { openPassive, PEERS, streamBytes, type In, type Opened } from './trace.ts';

const PLAIN: In = { mss: 1000 };
const SACK: In = { mss: 1000, sackOK: true };

function open(peer: In = SACK, options: Parameters<typeof openPassive>[0] = {}): Opened {
  return openPassive({ peer, rttMs: 100, ...options });
}

function write(o: Opened, bytes: number): void {
  const at = o.c.counters.bytesAcked + o.c.sendQueueBytes;
  o.t.call(() => o.c.write(streamBytes(at, at + bytes)));
  o.t.takeAll();
}

describe('round-trip samples', () => {
  it('the handshake gives the first one: SRTT = R, RTO = 3 R', () => {
    expect(open().c.info()).toMatchObject({ srttMs: 100, rttvarMs: 50, rtoMs: 300, minRttMs: 100 });
  });

  it('Karn: the ACK of a retransmission is no sample without timestamps', () => {
    const o = open(PLAIN);
    write(o, 1000);
    o.t.run(400);
    o.t.out('.', { at: 400, seq: 1 });
    o.t.wait(10);
    o.t.in('.', { seq: 1, ack: 1001 });
    // Neither 310 nor 10, and the back-off stays until a valid sample (RFC 6298, 5.7).
    expect(o.c.info()).toMatchObject({ srttMs: 100, rtoMs: 600 });
    write(o, 1000);
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 2001 });
    expect(o.c.info()).toMatchObject({ srttMs: 100, rtoMs: 250 });
  });

  it('Karn: nor is what came before the retransmission and waited behind it', () => {
    const o = open(PLAIN);
    write(o, 2000);
    o.t.run(400);
    o.t.out('.', { at: 400, seq: 1 });
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 2001 });
    expect(o.c.info()).toMatchObject({ srttMs: 100, rttvarMs: 50 });
  });

  it('timestamps tell which copy was acknowledged: RTO backoff never reset', () => {
    const o = openPassive({ peer: PEERS.all, rttMs: 100 });
    o.t.call(() => o.c.write(streamBytes(0, 1000)));
    o.t.out('.');
    o.t.wait(2000);
    expect(o.c.info().rtoMs).toBeGreaterThan(1000);
    expect(o.c.counters.timeouts).toBeGreaterThan(1);
    o.t.wait(100);
    const before = o.t.takeAll().at(-1)!;
    const rttMs = o.t.now - before.at;
    o.t.in('.', { seq: 1, ack: 1001, ts: 3000 });
    const { srttMs, rttvarMs, rtoMs } = o.c.info();
    expect(srttMs).toBeCloseTo((7 / 8) * 100 + rttMs / 8, 0);
    expect(rtoMs).toBe(srttMs + 4 * rttvarMs);
  });

  it('an echo that is nonsense sets no timer', () => {
    const o = openPassive({ peer: PEERS.all, rttMs: 100 });
    const { srttMs } = o.c.info();
    o.t.call(() => o.c.write(streamBytes(0, 1000)));
    o.t.wait(600);
    for (const echo of [o.t.lastTsVal + 100_000, o.t.lastTsVal - 10_000_000, 0]) {
      o.t.in('.', { seq: 1, ack: 1001, ts: [2000, echo >>> 0] });
    }
    expect(o.c.info().srttMs).toBe(srttMs);
  });

  it('takes the sample from the oldest segment of an ACK: a delayed ACK is part of the round trip', () => {
    const o = open();
    write(o, 1000);
    o.t.wait(30);
    write(o, 1000);
    o.t.wait(90);
    o.t.in('.', { seq: 1, ack: 2001 });
    expect(o.c.info().srttMs).toBe(100 * 7 / 8 + 120 / 8);
  });
});

describe('SACK blocks that lie', () => {
  it.each<[string, In['sack']]>([
    ['beyond what was sent', [[3001, 9001]]],
    ['empty', [[2001, 2001]]],
    ['backwards', [[3001, 2001]]],
    ['half of the sequence space', [[1001, 1001 + 2 ** 31 - 1]]],
    ['before the beginning', [[-5000, -4000]]],
    ['four of them', [[-10, -5], [5000, 4000], [10_001, 10_002], [2 ** 30, 2 ** 30 + 1]]],
  ])('%s: nothing is taken for delivered, nothing breaks', (_name, sack) => {
    const o = open();
    write(o, 3000);
    o.t.in('.', { seq: 1, ack: 1, sack: sack! });
    expect(o.c.info().inFlightBytes).toBe(3000);
    o.t.takeAll();
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 3001 });
    expect(o.c.sendQueueBytes).toBe(0);
  });

  it('blocks are ignored where SACK was not negotiated', () => {
    const o = open(PLAIN);
    write(o, 5000);
    for (let i = 0; i < 5; i++) o.t.in('.', { seq: 1, ack: 1 + 0 * i, win: 60_000 - i, sack: [[1001, 5001]] });
    expect(o.c.info().inFlightBytes).toBe(5000);
    o.t.nothing();
  });

  it('a SACK of the very first byte is not an acknowledgement: the bytes stay', () => {
    const o = open();
    write(o, 2000);
    o.t.in('.', { seq: 1, ack: 1, sack: [[1, 2001]] });
    expect(o.c.sendQueueBytes).toBe(2000);
    o.t.wait(3000);
    expect(o.t.takeAll().some((out) => out.seq === 1 && out.data.length === 1000)).toBe(true);
  });

  it('a block that names the same bytes twice counts them once', () => {
    const o = open();
    write(o, 4000);
    o.t.in('.', { seq: 1, ack: 1, sack: [[2001, 3001], [2001, 3001], [2001, 4001]] });
    expect(o.c.info().inFlightBytes).toBe(2000);
  });

  it('a thousand random blocks each ACK: the window stays sane and the transfer ends', () => {
    const o = open(SACK, { config: { congestion: 'fixed:50' } });
    write(o, 40_000);
    for (let i = 0; i < 1000; i++) {
      const left = (i * 7919) % 45_000;
      o.t.in('.', { seq: 1, ack: 1, sack: [[left, left + (i * 104_729) % 9000], [(i * 31) % 40_000, (i * 17) % 40_000]] });
      const { inFlightBytes } = o.c.info();
      if (!(inFlightBytes >= 0 && inFlightBytes <= 40_000)) expect.fail(`in flight ${inFlightBytes}`);
    }
    o.t.takeAll();
    o.t.in('.', { seq: 1, ack: 40_001 });
    expect([o.c.sendQueueBytes, o.c.info().inFlightBytes]).toEqual([0, 0]);
  });
});

describe('acknowledgements', () => {
  it('an ACK in the middle of a segment: the rest is sent again from there', () => {
    const o = open(PLAIN);
    write(o, 2000);
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 501 });
    expect(o.c.sendQueueBytes).toBe(1500);
    o.t.run(3000);
    expect(o.t.takeAll()[0]).toMatchObject({ seq: 501 });
  });

  it('tells a waiting writer of room once, and the end when the FIN is acknowledged', () => {
    const o = open(SACK, { config: { sendBufferBytes: 4096 } });
    expect(o.t.call(() => o.c.write(new Uint8Array(5000)))).toBe(4096);
    o.t.takeAll();
    o.c.takeEvents();
    o.t.in('.', { seq: 1, ack: 1001 });
    expect(o.c.takeEvents()).toBe(EVENT_WRITABLE);
    o.t.in('.', { seq: 1, ack: 2001 });
    expect(o.c.takeEvents()).toBe(0);
    o.t.call((now) => o.c.close(now));
    o.t.in('.', { seq: 1, ack: 4097 });
    expect(o.c.takeEvents()).toBe(0);
    o.t.in('.', { seq: 1, ack: 4098 });
    expect(o.c.takeEvents() & EVENT_FINISHED).toBe(EVENT_FINISHED);
  });

  it('an old ACK, overtaken on the way, moves neither edge back', () => {
    const o = open();
    write(o, 3000);
    o.t.in('.', { seq: 1, ack: 3001, win: 30_000 });
    o.t.in('.', { seq: 1, ack: 1001, win: 65_535 });
    expect(o.c.info()).toMatchObject({ sendWindowBytes: 30_000, sendQueueBytes: 0 });
  });

  it('a million ACKs of the same number cost nothing but time: no retransmission without SACK beyond the first', () => {
    const o = open(PLAIN);
    write(o, 5000);
    o.t.batch(() => {
      for (let i = 0; i < 20_000; i++) o.t.in('.', { seq: 1, ack: 1 });
    });
    expect(o.t.takeAll().filter((out) => out.data.length > 0).length).toBe(1);
  });
});
