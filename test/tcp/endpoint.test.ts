import { afterEach, describe, expect, it, vi } from 'vitest';
import { makeAddress } from '../../src/core/address.ts';
import { TimeHeap } from '../../src/core/heap.ts';
import type { TraceEvent } from '../../src/core/trace.ts';
import { EVENT_CONNECTED, EVENT_READABLE } from '../../src/tcp/connection.ts';
import { Endpoint } from '../../src/tcp/endpoint.ts';
import { openPassive, PEER, PEERS, streamBytes, Trace } from './trace.ts';

afterEach(() => vi.restoreAllMocks());

describe('endpoint', () => {
  it('keeps connections of many peers apart, by address and port', () => {
    const t = new Trace({ backlog: 100 });
    for (let i = 0; i < 50; i++) {
      const from = makeAddress(i % 2 === 0 ? '192.0.2.5' : '2001:db8::5', 3000 + (i >> 1));
      t.in('S', { ...PEERS.mss, from });
      expect(t.out('S.', { to: from }).at).toBe(0);
      t.in('P.', { seq: 1, ack: 1, data: `I am ${i}`, from });
      t.out('.', { to: from });
    }
    for (let i = 0; i < 50; i++) {
      const c = t.endpoint.accept()!;
      expect(Buffer.from(t.read(c)).toString()).toBe(`I am ${i}`);
    }
    expect(t.endpoint.connectionCount).toBe(50);
  });

  it('connects and listens on the same socket', () => {
    const t = new Trace({ backlog: 4 });
    const server = makeAddress('198.51.100.1', 80);
    const c = t.connect({}, server);
    t.out('S', { to: server });
    t.in('S', PEERS.mss);
    t.out('S.', { to: PEER });
    t.in('S.', { ...PEERS.mss, ack: 1, from: server });
    t.out('.', { to: server });
    expect([c.stateName, t.endpoint.halfOpenCount]).toEqual(['ESTABLISHED', 1]);
    expect(() => t.connect({}, server)).toThrow(/there is a connection to 198\.51\.100\.1:80 already/);
  });

  it('refuses options out of range, naming them', () => {
    const secret = new Uint8Array(4);
    for (const [name, value] of [['mtuBytes', 100], ['mtuBytes', 65_508], ['sendBufferBytes', 0], ['receiveBufferBytes', 2 ** 31], ['delayedAckMs', 501], ['userTimeoutMs', 0], ['minRtoMs', Number.NaN], ['congestion', 'vegas']] as const) {
      const make = (): unknown => new Endpoint({ secret, config: { [name]: value } }).connect(PEER, 0);
      expect(make, `${name} ${value}`).toThrow(name === 'congestion' ? /no congestion controller/ : name);
    }
    expect(() => new Endpoint({ secret, config: { integrity: 'maybe' as 'accept' } })).toThrow(/integrity/);
    expect(() => new Endpoint({ secret, config: { keepAlive: { idleMs: 0, intervalMs: 1, count: 1 } } })).toThrow(/keepAlive\.idleMs/);
  });

  it('chooses initial sequence numbers by peer, secret and clock (RFC 6528)', () => {
    const iss = (secret: number, port: number, now: number): number => {
      const endpoint = new Endpoint({ secret: Uint8Array.of(secret) });
      endpoint.connect(makeAddress('192.0.2.1', port), now);
      return Buffer.from(endpoint.poll(now)!.bytes).readUInt32BE(4);
    };
    expect(iss(1, 80, 0)).toBe(iss(1, 80, 0));
    expect(new Set([iss(1, 80, 0), iss(2, 80, 0), iss(1, 81, 0)]).size).toBe(3);
    // 4 µs a tick.
    expect((iss(1, 80, 1000) - iss(1, 80, 0)) >>> 0).toBe(250_000);
  });

  it('gives each connection its turn: sixteen segments, then the next', () => {
    const t = new Trace({ backlog: 4, config: { congestion: 'fixed:100' } });
    const peers = [1, 2, 3].map((n) => makeAddress('192.0.2.9', n));
    t.batch(() => {
      for (const from of peers) {
        t.in('S', { ...PEERS.mss, from });
        t.endpoint.poll(t.now);
        t.in('.', { seq: 1, ack: 1, from });
      }
      for (let c = t.endpoint.accept(); c !== undefined; c = t.endpoint.accept()) c.write(streamBytes(0, 60_000));
    });
    const order = t.takeAll().filter((out) => out.data.length > 0).map((out) => out.to.port);
    expect(order.length).toBeGreaterThan(100);
    let run = 1;
    for (let i = 1; i < order.length - 16; i++) {
      run = order[i] === order[i - 1] ? run + 1 : 1;
      if (run > 16) expect.fail(`${run} in a row for ${order[i]}`);
    }
    expect(new Set(order.slice(0, 48)).size).toBe(3);
  });

  it('nextTimeout says at once while there is something to send, and never spins afterwards', () => {
    const { t, c } = openPassive();
    c.write(streamBytes(0, 10));
    expect(t.endpoint.nextTimeout()).toBe(-Infinity);
    t.pump();
    expect(t.endpoint.nextTimeout()).toBeGreaterThan(0);
    t.in('.', { seq: 1, ack: 11 });
    // A moved deadline may be looked at once in vain, not again and again.
    let looks = 0;
    for (; t.endpoint.nextTimeout() < Infinity; looks++) t.runToNext();
    expect(looks).toBeLessThan(4);
  });

  it('tells the application of each connection with news once', () => {
    const t = new Trace({ backlog: 4 });
    t.in('S', PEERS.mss);
    expect(t.endpoint.nextEventful()).toBeUndefined();
    t.in('P.', { seq: 1, ack: 1, len: 10 });
    t.in('P.', { seq: 11, ack: 1, len: 10 });
    const c = t.endpoint.nextEventful()!;
    expect([c.takeEvents(), t.endpoint.nextEventful()]).toEqual([EVENT_CONNECTED | EVENT_READABLE, undefined]);
  });

  it('bounds its deadlines: a keep-alive of two hours and a hundred thousand delayed ACKs leave no heap behind', () => {
    const heaps = new Set<TimeHeap<unknown>>();
    const push = TimeHeap.prototype.push;
    vi.spyOn(TimeHeap.prototype, 'push').mockImplementation(function (this: TimeHeap<unknown>, time: number, item: unknown) {
      heaps.add(this);
      push.call(this, time, item);
    });
    const { t } = openPassive({ config: { keepAlive: { idleMs: 7_200_000, intervalMs: 75_000, count: 9 } } });
    let seq = 1;
    for (let i = 0; i < 5000; i++) {
      t.in('.', { seq, len: 10 });
      seq += 10;
      t.wait(41);
    }
    for (const heap of heaps) expect(heap.length).toBeLessThan(200);
  });

  it('stops listening: half-open and waiting connections are reset, the rest live', () => {
    const t = new Trace({ backlog: 4 });
    const [a, b, other] = [1, 2, 3].map((n) => makeAddress('192.0.2.9', n)) as [typeof PEER, typeof PEER, typeof PEER];
    for (const from of [a, b, other]) t.in('S', { ...PEERS.mss, from });
    for (const from of [a, b]) t.in('.', { seq: 1, ack: 1, from });
    t.takeAll();
    const kept = t.endpoint.accept()!;
    t.call((now) => t.endpoint.stopListening(now));
    expect(t.takeAll().map((out) => [out.flags, out.to.port])).toEqual([['R.', 3], ['R.', 2]]);
    expect([kept.stateName, t.endpoint.connectionCount]).toEqual(['ESTABLISHED', 1]);
    t.in('S', { ...PEERS.mss, from: b });
    t.out('R.', { to: b });
  });

  it('abortAll resets everybody, in one go', () => {
    const { t } = openPassive();
    t.in('S', { ...PEERS.mss, from: makeAddress('192.0.2.9', 1) });
    t.takeAll();
    t.call((now) => t.endpoint.abortAll(now));
    expect(t.takeAll().map((out) => out.flags)).toEqual(['R.', 'R.']);
    expect(t.endpoint.connectionCount).toBe(0);
  });

  it('traces why each segment went and what was dropped', () => {
    const events: TraceEvent[] = [];
    const { t, c } = openPassive({ endpoint: { sink: { emit: (_now, event) => events.push(event) }, name: 'srv' } });
    t.call((now) => {
      c.write(streamBytes(0, 10));
      c.close(now);
    });
    t.datagram(Uint8Array.of(1, 2, 3));
    t.run(1000);
    expect(events.filter((event) => event.type === 'send').map((event) => event['reason']).slice(0, 3)).toEqual(['syn-ack', 'data', 'retransmit']);
    expect(events.find((event) => event.type === 'drop')).toMatchObject({ endpoint: 'srv', reason: 'too-short' });
    expect(events.filter((event) => event.type === 'state').map((event) => event['to'])).toEqual(['SYN-RECEIVED', 'ESTABLISHED', 'FIN-WAIT-1']);
  });

  it('says a RST again, a few times, since nobody acknowledges one', () => {
    const { t, c } = openPassive();
    t.call(() => c.write(Buffer.from('unheard')));
    t.out('P.');
    t.call((now) => c.abort(now));
    t.out('R.', { seq: 1 });
    t.out('R.', { seq: 8 });
    for (const delayMs of [50, 100, 200, 400]) {
      t.wait(delayMs);
      t.out('R.', { seq: 1 });
      t.out('R.', { seq: 8 });
    }
    t.wait(60_000);
    t.nothing();
    expect(t.endpoint.nextTimeout()).toBe(Infinity);
  });

  it('but no more to a peer that has answered with a RST', () => {
    const { t, c } = openPassive();
    t.call((now) => c.abort(now));
    t.out('R.');
    t.in('R', { seq: 1 });
    t.wait(60_000);
    t.nothing();
  });

  it('nor into a new connection from the same address', () => {
    const { t, c } = openPassive();
    t.call((now) => c.abort(now));
    t.out('R.');
    t.in('S', PEERS.mss);
    t.out('S.');
    t.in('.', { seq: 1, ack: 1 });
    t.wait(900);
    t.nothing();
    expect(t.endpoint.connectionCount).toBe(1);
  });

  it('nor to a peer that begins anew, though nobody listens any more', () => {
    const { t, c } = openPassive();
    t.call((now) => c.abort(now));
    t.out('R.');
    t.call((now) => t.endpoint.stopListening(now));
    expect(t.endpoint.isParting).toBe(true);
    t.in('S', PEERS.mss);
    // From no state of ours: RFC 9293, 3.5.2.
    t.out('R.', { ack: 1 });
    expect(t.endpoint.isParting).toBe(false);
    t.wait(900);
    t.nothing();
  });

  it('counts the RSTs that it says again', () => {
    const { t, c } = openPassive();
    t.call((now) => c.abort(now));
    t.wait(900);
    expect(t.endpoint.counters).toMatchObject({ resetsRepeated: 4, resetsSaidOnce: 0 });
  });
});
