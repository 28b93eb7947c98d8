import { describe, expect, it } from 'vitest';
import { EVENT_CLOSED, EVENT_FINISHED } from '../../src/tcp/connection.ts';
import { openActive, openPassive, streamBytes, Trace, type In, type Opened } from './trace.ts';

const PLAIN: In = { mss: 1000 };

function open(options: Parameters<typeof openPassive>[0] = {}): Opened {
  return openPassive({ peer: PLAIN, rttMs: 100, ...options });
}

function write(o: Opened, bytes: number): void {
  const at = o.c.counters.bytesAcked + o.c.sendQueueBytes;
  o.t.call(() => o.c.write(streamBytes(at, at + bytes)));
}

describe('retransmission timeout', () => {
  it('doubles up to 2 s, then stays there (a departure from RFC 6298, 5.5)', () => {
    const o = open();
    write(o, 1000);
    o.t.run(10_000);
    expect(o.t.takeAll().map((out) => out.at)).toEqual([100, 400, 1000, 2200, 4200, 6200, 8200]);
  });

  it('doubles up to the cap that is configured', () => {
    const o = open({ config: { maxBackoffMs: 60_000, userTimeoutMs: 600_000 } });
    write(o, 1000);
    o.t.run(200_000);
    expect(o.t.takeAll().map((out) => out.at)).toEqual([100, 400, 1000, 2200, 4600, 9400, 19_000, 38_200, 76_600, 136_600, 196_600]);
  });

  it('starts at 3 s where the SYN-ACK had to be sent again and nothing was measured (RFC 6298, 5.7)', () => {
    const t = new Trace({ backlog: 1 });
    t.in('S', PLAIN);
    t.run(1500);
    t.in('.', { seq: 1, ack: 1 });
    t.takeAll();
    const c = t.endpoint.accept()!;
    expect(c.info().rtoMs).toBe(3000);
    t.call(() => c.write(streamBytes(0, 10)));
    t.run(8000);
    // Above the cap of 2 s, and never cut by it.
    expect(t.takeAll().map((out) => out.at)).toEqual([1500, 4500, 7500]);
  });

  it('runs from the last ACK with news (RFC 6298, 5.3)', () => {
    const o = open();
    write(o, 3000);
    o.t.takeAll();
    o.t.run(350);
    o.t.in('.', { seq: 1, ack: 1001 });
    const { rtoMs } = o.c.info();
    o.t.run(350 + rtoMs - 1);
    o.t.nothing();
    o.t.run(350 + rtoMs);
    o.t.out('.', { seq: 1001 });
  });

  it('is off when nothing is outstanding (5.2)', () => {
    const o = open();
    write(o, 1000);
    o.t.in('.', { seq: 1, ack: 1001 });
    expect(o.t.endpoint.connections().next().value).toBe(o.c);
    o.t.takeAll();
    o.t.run(1e9);
    o.t.nothing();
  });

  it('resend before the minimum timeout: not even on a path of a tenth of a millisecond', () => {
    const o = open({ rttMs: 0.1 });
    write(o, 1000);
    o.t.takeAll();
    o.t.wait(199);
    o.t.nothing();
    o.t.wait(2);
    o.t.out('.', { seq: 1 });
  });

  it('resend before the minimum timeout: not by a timer that ran while the window was closed', () => {
    const o = open({ win: 0 });
    write(o, 1000);
    // The persist timer was set for 400; the window opens just before.
    o.t.run(399);
    o.t.in('.', { seq: 1, ack: 1, win: 60_000 });
    o.t.out('.', { at: 399, seq: 1, len: 1000 });
    o.t.run(399 + 299);
    o.t.nothing();
    o.t.run(399 + 300);
    o.t.out('.', { seq: 1 });
  });

  it('an early or repeated call of handleTimeout changes nothing', () => {
    const o = open();
    write(o, 1000);
    o.t.takeAll();
    for (let i = 0; i < 10; i++) o.t.call((now) => o.t.endpoint.handleTimeout(now));
    o.t.nothing();
    o.t.run(400);
    for (let i = 0; i < 10; i++) o.t.call((now) => o.t.endpoint.handleTimeout(now));
    expect(o.t.takeAll().length).toBe(1);
  });
});

describe('zero window (RFC 9293, 3.8.6.1)', () => {
  it('is probed with one octet after an RTO, backing off up to the cap, for as long as the peer answers', () => {
    const o = open({ win: 0, config: { userTimeoutMs: 5000 } });
    write(o, 3000);
    const at: number[] = [];
    while (o.t.now < 60_000) {
      o.t.runToNext();
      for (const out of o.t.takeAll()) {
        expect(out).toMatchObject({ seq: 1 });
        expect(out.data.length).toBe(1);
        at.push(out.at);
        o.t.in('.', { seq: 1, ack: 1, win: 0 });
      }
    }
    expect(at.slice(0, 5)).toEqual([400, 1000, 2200, 4200, 6200]);
    expect(o.c.stateName).toBe('ESTABLISHED');
    expect(o.c.counters.windowProbes).toBe(at.length);
  });

  it('ends at the user timeout when nobody answers the probes', () => {
    const o = open({ win: 0, config: { userTimeoutMs: 5000 } });
    write(o, 3000);
    o.t.run(5399);
    expect(o.c.stateName).toBe('ESTABLISHED');
    o.t.run(5400);
    expect([o.c.error?.code, o.c.error?.timeout]).toEqual(['ETIMEDOUT', 'user timeout']);
  });

  it('re-opens after the probe\'s octet was thrown away: it goes first, at once', () => {
    const o = open({ win: 0 });
    write(o, 3000);
    o.t.run(400);
    o.t.out('.', { seq: 1, len: 1 });
    o.t.in('.', { seq: 1, ack: 1, win: 0 });
    o.t.run(900);
    o.t.in('.', { seq: 1, ack: 1, win: 60_000 });
    o.t.out('.', { at: 900, seq: 1, len: 1 });
    o.t.out('.', { at: 900, seq: 2, len: 1000 });
    o.t.out('.', { at: 900, seq: 1002, len: 1000 });
    o.t.nothing();
    o.t.in('.', { seq: 1, ack: 2002, win: 60_000 });
    o.t.out('.', { seq: 2002, len: 999 });
    o.t.in('.', { seq: 1, ack: 3001, win: 60_000 });
    expect(o.c.sendQueueBytes).toBe(0);
    o.t.wait(10_000);
    o.t.nothing();
  });

  it('re-opens after the probe\'s octet was taken: what follows goes at once, the octet does not', () => {
    const o = open({ win: 0 });
    write(o, 3000);
    o.t.run(400);
    o.t.out('.', { seq: 1, len: 1 });
    o.t.in('.', { seq: 1, ack: 2, win: 0 });
    o.t.wait(50);
    o.t.in('.', { seq: 1, ack: 2, win: 60_000 });
    expect(o.t.takeAll().map((out) => [out.seq, out.data.length])).toEqual([[2, 1000], [1002, 1000], [2002, 999]]);
  });

  it('an octet taken by each probe moves on, one by one', () => {
    const o = open({ win: 0 });
    write(o, 3000);
    for (let i = 0; i < 5; i++) {
      while (o.t.sent.length === 0) o.t.runToNext();
      o.t.out('.', { seq: 1 + i, len: 1 });
      o.t.in('.', { seq: 1, ack: 2 + i, win: 0 });
    }
    expect(o.c.counters.bytesAcked).toBe(5);
  });

  it('a window that closes with data in flight: the head is the probe', () => {
    const o = open();
    write(o, 3000);
    o.t.takeAll();
    o.t.in('.', { seq: 1, ack: 1001, win: 0 });
    o.t.run(5000);
    const probes = o.t.takeAll();
    expect(probes.length).toBeGreaterThan(2);
    for (const probe of probes) expect(probe.seq).toBe(1001);
    expect(o.c.counters.timeouts).toBe(0);
    o.t.in('.', { seq: 1, ack: 1001, win: 60_000 });
    o.t.in('.', { seq: 1, ack: 3001, win: 60_000 });
    o.t.takeAll();
    o.t.wait(20_000);
    o.t.nothing();
  });

  it('stuck ESTABLISHED on close with zero window: data and FIN go when it opens, and the FIN alone is a probe', () => {
    const o = open({ win: 0 });
    write(o, 500);
    o.t.call((now) => o.c.close(now));
    expect(o.c.stateName).toBe('FIN-WAIT-1');
    o.t.run(400);
    o.t.out('.', { seq: 1, len: 1 });
    o.t.in('.', { seq: 1, ack: 2, win: 60_000 });
    o.t.out('F.', { seq: 2, len: 499 });
    o.t.in('.', { seq: 1, ack: 502 });
    expect(o.c.stateName).toBe('FIN-WAIT-2');

    const empty = open({ win: 0 });
    empty.t.call((now) => empty.c.close(now));
    empty.t.nothing();
    empty.t.run(400);
    empty.t.out('F.', { seq: 1, len: 0 });
    empty.t.in('.', { seq: 1, ack: 2, win: 0 });
    expect(empty.c.stateName).toBe('FIN-WAIT-2');
  });

  it('acknowledges the peer\'s data while a probe is outstanding, with a number that the peer can accept', () => {
    const o = open({ win: 0 });
    write(o, 3000);
    o.t.run(400);
    o.t.out('.', { seq: 1, len: 1 });
    // Its window is closed: anything but the number it expects would be dropped unread.
    o.t.in('.', { seq: 1, ack: 1, win: 0, len: 1000 });
    o.t.out('.', { seq: 1, ack: 1001, len: 0 });
  });

  it('a RST of ours at a closed window has a number that the peer can accept, too', () => {
    const o = open({ win: 0 });
    write(o, 3000);
    o.t.run(400);
    o.t.takeAll();
    o.t.call((now) => o.c.abort(now));
    o.t.out('R.', { seq: 1 });
  });
});

describe('user timeout (RFC 9293, 3.8.3; RFC 5482)', () => {
  it('counts from the last progress, and is exact: its own deadline', () => {
    const o = open({ config: { userTimeoutMs: 5000 } });
    write(o, 3000);
    o.t.run(4000);
    o.t.in('.', { seq: 1, ack: 1001 });
    o.t.run(8999);
    expect(o.c.stateName).toBe('ESTABLISHED');
    o.t.run(9000);
    expect(o.c.stateName).toBe('CLOSED');
    expect(o.c.error).toMatchObject({ code: 'ETIMEDOUT', timeout: 'user timeout' });
    expect(o.c.error!.details).toMatchObject({ established: true, bytesAcked: 1000, bytesInFlight: 2000, bytesUnsent: 0, lastHeardMs: 5000 });
    expect(o.t.endpoint.connectionCount).toBe(0);
  });

  it('an ACK without progress does not reset it', () => {
    const o = open({ config: { userTimeoutMs: 5000 } });
    write(o, 3000);
    for (let i = 0; i < 20; i++) {
      o.t.wait(300);
      o.t.in('.', { seq: 1, ack: 1 });
    }
    expect(o.c.error?.timeout).toBe('user timeout');
  });

  it('does not touch an idle connection', () => {
    const o = open({ config: { userTimeoutMs: 1000 } });
    o.t.run(1e8);
    expect(o.c.stateName).toBe('ESTABLISHED');
  });

  it('everything delivered both ways and only the ACK of our FIN missing: that is a success', () => {
    const o = open({ config: { userTimeoutMs: 5000 } });
    o.t.in('F.', { seq: 1 });
    o.t.call((now) => o.c.close(now));
    o.c.takeEvents();
    o.t.run(6000);
    expect([o.c.stateName, o.c.error, o.c.takeEvents()]).toEqual(['CLOSED', undefined, EVENT_FINISHED | EVENT_CLOSED]);
    const unacked = open({ config: { userTimeoutMs: 5000 } });
    unacked.t.in('F.', { seq: 1 });
    write(unacked, 10);
    unacked.t.call((now) => unacked.c.close(now));
    unacked.t.run(6000);
    expect(unacked.c.error?.code).toBe('ETIMEDOUT');
  });

  it('an ICMP error is a hint in the details, never the reason (RFC 5927)', () => {
    const o = open({ config: { userTimeoutMs: 5000 } });
    write(o, 10);
    o.t.call((now) => o.t.endpoint.icmp(o.c.remote, 'ECONNREFUSED', now));
    expect(o.c.stateName).toBe('ESTABLISHED');
    o.t.run(6000);
    expect([o.c.error?.code, o.c.error?.details.icmp]).toEqual(['ETIMEDOUT', 'ECONNREFUSED']);
  });
});

describe('keep-alive (RFC 9293, 3.8.4; RFC 1122, 4.2.3.6)', () => {
  const keepAlive = { idleMs: 10_000, intervalMs: 1000, count: 3 };

  it('is off by default', () => {
    const o = open();
    o.t.run(1e9);
    o.t.nothing();
  });

  it.each([['passive', openPassive], ['active', openActive]])('%s: probes below the window, then ETIMEDOUT', (_role, openAs) => {
    const o = openAs({ peer: PLAIN, config: { keepAlive } });
    o.t.run(60_000);
    for (const at of [10_000, 11_000, 12_000]) o.t.out('.', { at, seq: 0, ack: 1, len: 0 });
    o.t.nothing();
    expect(o.c.error).toMatchObject({ code: 'ETIMEDOUT', timeout: 'keep-alive' });
    expect(o.c.error!.details.lastHeardMs).toBe(13_000);
    expect(o.c.counters.keepAliveProbes).toBe(3);
  });

  it('an answer ends it, and so does any other segment', () => {
    const o = open({ config: { keepAlive } });
    o.t.run(100 + 10_000);
    o.t.out('.', { seq: 0 });
    o.t.in('.', { seq: 1, ack: 1 });
    o.t.run(20_099);
    o.t.nothing();
    o.t.in('.', { seq: 1, ack: 1, len: 10 });
    o.t.run(30_098);
    expect(o.t.takeAll().map((out) => out.seq)).toEqual([1]);
    o.t.run(30_099);
    o.t.out('.', { seq: 0 });
    expect(o.c.stateName).toBe('ESTABLISHED');
  });

  it('leaves data in flight to the user timeout', () => {
    const o = open({ config: { keepAlive, userTimeoutMs: 60_000 } });
    write(o, 10);
    o.t.run(59_000);
    expect([o.c.stateName, o.c.counters.keepAliveProbes]).toEqual(['ESTABLISHED', 0]);
  });

  it('can be turned on and off', () => {
    const o = open();
    o.t.call((now) => o.c.setKeepAlive(keepAlive, now));
    o.t.run(10_100);
    o.t.out('.', { seq: 0 });
    o.t.call((now) => o.c.setKeepAlive(undefined, now));
    o.t.run(1e6);
    o.t.nothing();
    expect(o.c.stateName).toBe('ESTABLISHED');
  });
});
