import { describe, expect, it } from 'vitest';
import { makeAddress } from '../../src/core/address.ts';
import { EVENT_CONNECTED } from '../../src/tcp/connection.ts';
import { MAX_MSS } from '../../src/wire/codec.ts';
import { CAPABILITY_INTEGRITY } from '../../src/wire/options.ts';
import { expectAbsent, openActive, openPassive, PEERS, streamBytes, Trace, type PeerKind } from './trace.ts';

const KINDS = Object.keys(PEERS) as PeerKind[];

describe('a plain TCP connects to us', () => {
  it.each(KINDS)('with these options: %s; the answer offers only what was offered', (kind) => {
    const t = new Trace({ backlog: 4 });
    t.in('S', PEERS[kind]);
    const synAck = t.out('S.', { seq: 0, ack: 1, len: 0, win: 65_535 });
    expect(synAck.mss).toBe(MAX_MSS);
    expect(synAck.sackOK).toBe(kind === 'sack' || kind === 'all');
    expect(synAck.ts?.[1]).toBe(kind === 'all' ? 1000 : undefined);
    expect(synAck.crc).toBe(false);
    expectAbsent(synAck, 'capabilities', ...(kind === 'all' ? [] : ['wscale' as const]));
    expect(t.endpoint.accept()).toBeUndefined();
    t.in('.', { seq: 1, ack: 1, ...(kind === 'all' ? { ts: 1010 } : {}) });
    // The SYN-ACK's window could not say more than 65,535: the rest is told now.
    if (kind === 'all') t.out('.', { seq: 1, ack: 1, len: 0, win: (2 << 20) / 64 });
    t.nothing();
    const c = t.endpoint.accept()!;
    expect([c.stateName, c.takeEvents() & EVENT_CONNECTED]).toEqual(['ESTABLISHED', EVENT_CONNECTED]);
    t.in('P.', { seq: 1, ack: 1, len: 5, ...(kind === 'all' ? { ts: 1020 } : {}) });
    t.out('.', { seq: 1, ack: 6 });
    expect([...t.read(c)]).toEqual([...streamBytes(0, 5)]);
    t.call(() => c.write(streamBytes(0, 7)));
    const data = t.out('.', { seq: 1, ack: 6, len: 7 });
    expect(data.ts?.[1]).toBe(kind === 'all' ? 1020 : undefined);
  });

  it('scales our window field, but not the SYN-ACK\'s, and reads the peer\'s scaled', () => {
    const { t, c } = openPassive({ peer: 'all', win: 500 });
    // SYN: 500; ACK: 500 × 2^7.
    expect(c.info().sendWindowBytes).toBe(500 * 128);
    t.in('P.', { seq: 1, len: 10, win: 500, ts: 1002 });
    t.wait(50);
    const ack = t.out('.', { ack: 11 });
    // 2 MiB are told in units of 2^6; 2^5 would be one byte short of it.
    expect(ack.win).toBe((2 << 20) / 64 - 1);
  });

  it('takes data and FIN that come with the last ACK of the handshake', () => {
    const t = new Trace({ backlog: 4 });
    t.in('S', { mss: 1460 });
    t.out('S.');
    t.in('FP.', { seq: 1, ack: 1, len: 10 });
    t.out('.', { ack: 12 });
    const c = t.endpoint.accept()!;
    expect([c.stateName, t.read(c).length, c.isReadFinished]).toEqual(['CLOSE-WAIT', 10, true]);
  });

  it('does not acknowledge data that comes with the SYN: it is sent again', () => {
    const t = new Trace({ backlog: 4 });
    t.in('S', { mss: 1460, data: 'early' });
    t.out('S.', { seq: 0, ack: 1 });
    t.in('P.', { seq: 1, ack: 1, data: 'early' });
    t.wait(40);
    t.out('.', { ack: 6 });
    expect(Buffer.from(t.read(t.endpoint.accept()!)).toString()).toBe('early');
  });

  it('lost SYN-ACK loses first bytes: it is sent again, and the peer\'s first bytes count', () => {
    const t = new Trace({ backlog: 4 });
    t.in('S', PEERS.mss);
    t.out('S.', { at: 0 });
    t.run(7500);
    for (const at of [1000, 3000, 5000, 7000]) t.out('S.', { at, seq: 0, ack: 1 });
    t.nothing();
    t.in('P.', { seq: 1, ack: 1, data: 'first' });
    expect(Buffer.from(t.read(t.endpoint.accept()!)).toString()).toBe('first');
  });

  it('duplicate connection on resent SYN: there is one connection, answered again', () => {
    const t = new Trace({ backlog: 4 });
    t.in('S', PEERS.mss);
    t.out('S.', { seq: 0, ack: 1 });
    t.in('S', PEERS.mss);
    t.out('S.', { seq: 0, ack: 1 });
    expect([t.endpoint.connectionCount, t.endpoint.halfOpenCount]).toEqual([1, 1]);
    t.in('.', { seq: 1, ack: 1 });
    expect(t.endpoint.accept()).toBeDefined();
    t.in('S', PEERS.mss);
    t.out('.', { seq: 1, ack: 1 });
    expect([t.endpoint.accept(), t.endpoint.connectionCount]).toEqual([undefined, 1]);
  });

  it.each<[number, number, number]>([[0, 88, 88], [1, 88, 88], [87, 88, 88], [500, 500, 500], [65_535, 1440, 1440]])('an MSS of %i gives segments of at most %i bytes', (mss, smss) => {
    const { t, c } = openPassive({ peer: { mss } });
    expect(c.info().smssBytes).toBe(smss);
    t.call(() => c.write(streamBytes(0, 3000)));
    for (const out of t.takeAll()) expect(out.data.length).toBeLessThanOrEqual(smss);
  });

  it('takes 536 bytes where the peer names no MSS (MUST-15)', () => {
    expect(openPassive({ peer: 'none' }).c.info().smssBytes).toBe(536);
  });

  it('takes a window scale above 14 as 14 (RFC 7323, 2.3)', () => {
    const { c } = openPassive({ peer: { mss: 1460, wscale: 255 }, win: 1000 });
    expect(c.info().sendWindowBytes).toBe(1000 * 2 ** 14);
  });
});

describe('SYN-RECEIVED', () => {
  function halfOpen(): Trace {
    const t = new Trace({ backlog: 4 });
    t.in('S', PEERS.mss);
    t.out('S.');
    return t;
  }

  it.each([[0], [2], [-5]])('answers an ACK of %i with a RST of that number', (ack) => {
    const t = halfOpen();
    t.in('.', { seq: 1, ack });
    t.out('R', { seq: ack });
    expect(t.endpoint.halfOpenCount).toBe(1);
  });

  it('goes back to LISTEN on an exact RST, without a word to the application', () => {
    const t = halfOpen();
    t.in('R', { seq: 1 });
    t.nothing();
    expect([t.endpoint.connectionCount, t.endpoint.nextEventful(), t.endpoint.accept()]).toEqual([0, undefined, undefined]);
    t.in('S', PEERS.mss);
    t.out('S.');
  });

  it('challenges a RST elsewhere in the window and ignores one outside (RFC 5961, 3.2)', () => {
    const t = halfOpen();
    t.in('R', { seq: 100 });
    t.out('.', { seq: 1, ack: 1 });
    t.in('R', { seq: 0 });
    t.in('R', { seq: 65_537 });
    t.nothing();
    expect(t.endpoint.halfOpenCount).toBe(1);
  });

  it('lets a client that restarted in with its new SYN: challenge, its RST, its next SYN', () => {
    const t = halfOpen();
    t.in('S', { ...PEERS.mss, seq: 5000 });
    t.out('.', { seq: 1, ack: 1 });
    t.in('R', { seq: 1 });
    t.in('S', { ...PEERS.mss, seq: 5000 });
    t.out('S.', { ack: 5001 });
  });

  it('does not complete without an ACK', () => {
    const t = halfOpen();
    t.in('', { seq: 1, len: 5 });
    t.in('F', { seq: 1 });
    t.nothing();
    expect(t.endpoint.halfOpenCount).toBe(1);
  });

  it('half-open entries expire after their retries, unseen by the application', () => {
    const t = new Trace({ backlog: 4, config: { synAckRetries: 3 } });
    t.in('S', PEERS.mss);
    t.run(60_000);
    expect(t.takeAll().map((out) => out.at)).toEqual([0, 1000, 3000, 5000]);
    expect([t.endpoint.connectionCount, t.endpoint.halfOpenCount, t.endpoint.nextTimeout()]).toEqual([0, 0, Infinity]);
    expect(t.endpoint.nextEventful()).toBeUndefined();
  });
});

describe('LISTEN and CLOSED (RFC 9293, 3.10.7.1 and 3.10.7.2)', () => {
  it('nobody listens: a SYN is refused with <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>', () => {
    const t = new Trace();
    const from = makeAddress('198.51.100.7', 99);
    t.in('S', { ...PEERS.mss, from });
    const reset = t.out('R.', { ack: 1, to: from });
    expect(reset.text).toContain(`seq ${-1_000_000 >>> 0}`);
    t.in('S', { seq: 100, data: 'abc', from });
    t.out('R.', { ack: 104 });
    expect(t.endpoint.counters.resetsSent).toBe(2);
  });

  it.each([undefined, 4])('a stranger\'s ACK is answered with a RST of its number (backlog %s)', (backlog) => {
    const t = new Trace(backlog === undefined ? {} : { backlog });
    t.in('P.', { seq: 77, ack: 4321, data: 'hello' });
    t.out('R', { seq: 4321 });
    t.in('S.', { seq: 77, ack: 99 });
    t.out('R', { seq: 99 });
    expect(t.endpoint.connectionCount).toBe(0);
  });

  it('never answers a RST', () => {
    for (const t of [new Trace(), new Trace({ backlog: 4 })]) {
      for (const flags of ['R', 'R.', 'RS', 'RS.', 'RF.']) t.in(flags, { seq: 5, ack: 5 });
      t.nothing();
      expect(t.endpoint.connectionCount).toBe(0);
    }
  });

  it('in LISTEN, what has neither SYN nor ACK is dropped', () => {
    const t = new Trace({ backlog: 4 });
    t.in('', { seq: 5 });
    t.in('F', { seq: 5, data: 'x' });
    t.nothing();
    expect(t.endpoint.counters.strangers).toBe(2);
  });

  it('answers at most 64 strangers between two polls', () => {
    const t = new Trace();
    t.batch(() => {
      for (let i = 0; i < 200; i++) t.in('.', { seq: 1, ack: i, from: makeAddress('198.51.100.1', 1000 + i) });
    });
    expect(t.takeAll().length).toBe(64);
    expect(t.endpoint.counters.resetsSuppressed).toBe(136);
  });
});

describe('a SYN flood of 200', () => {
  it('is bounded by the backlog; the connections there are live on, and half-open ones expire', () => {
    const { t, c } = openPassive({ peer: 'mss' });
    for (let i = 0; i < 200; i++) t.in('S', { ...PEERS.mss, from: makeAddress('203.0.113.9', 2000 + i) });
    expect([t.endpoint.halfOpenCount, t.endpoint.connectionCount, t.endpoint.counters.backlogFull]).toEqual([16, 17, 184]);
    expect(t.takeAll().map((out) => out.flags)).toEqual(new Array<string>(16).fill('S.'));
    t.in('P.', { seq: 1, data: 'alive' });
    expect(Buffer.from(t.read(c)).toString()).toBe('alive');
    t.run(60_000);
    expect([t.endpoint.halfOpenCount, t.endpoint.connectionCount]).toEqual([0, 1]);
    // Few and small: nine SYN-ACKs each at most, none longer than the SYN it answers by more than our own MSS option.
    expect(t.takeAll().filter((out) => out.flags === 'S.').length).toBe(16 * 8);
    t.in('S', { ...PEERS.mss, from: makeAddress('203.0.113.9', 5000) });
    t.out('S.');
  });

  it('counts connections that wait for accept() against the backlog, too', () => {
    const t = new Trace({ backlog: 2 });
    for (let i = 0; i < 3; i++) {
      const from = makeAddress('203.0.113.9', 2000 + i);
      t.in('S', { ...PEERS.mss, from });
      if (i < 2) t.in('.', { seq: 1, ack: 1, from });
    }
    expect([t.endpoint.connectionCount, t.endpoint.counters.backlogFull]).toEqual([2, 1]);
    expect(t.endpoint.accept()).toBeDefined();
    t.in('S', { ...PEERS.mss, from: makeAddress('203.0.113.9', 2002) });
    expect(t.endpoint.connectionCount).toBe(3);
  });

  it('is bounded by the table, too', () => {
    const t = new Trace({ backlog: 100, endpoint: { maxConnections: 3 } });
    for (let i = 0; i < 10; i++) t.in('S', { ...PEERS.mss, from: makeAddress('203.0.113.9', 2000 + i) });
    expect([t.endpoint.connectionCount, t.endpoint.counters.tableFull]).toEqual([3, 7]);
  });
});

describe('we connect to a plain TCP', () => {
  it('offers everything we can, once a second, then every two', () => {
    const t = new Trace();
    t.connect();
    const syn = t.out('S', { at: 0, seq: 0, win: 65_535 });
    expect([syn.mss, syn.wscale, syn.sackOK, syn.capabilities, syn.crc]).toEqual([MAX_MSS, 6, true, CAPABILITY_INTEGRITY, true]);
    expect(syn.ts).toEqual([t.lastTsVal, 0]);
    t.run(5500);
    for (const at of [1000, 3000, 5000]) t.out('S', { at, seq: 0 });
  });

  it.each(KINDS)('that answers with these options: %s', (kind) => {
    const { t, c } = openActive({ peer: kind });
    expect([c.stateName, c.takeEvents() & EVENT_CONNECTED]).toEqual(['ESTABLISHED', EVENT_CONNECTED]);
    expect(c.info()).toMatchObject({ integrity: false, sack: kind === 'sack' || kind === 'all', timestamps: kind === 'all' });
    t.call(() => c.write(streamBytes(0, 9)));
    const data = t.out('.', { seq: 1, ack: 1, len: 9 });
    expect([data.crc, data.ts?.[1]]).toEqual([false, kind === 'all' ? 1000 : undefined]);
    t.in('P.', { seq: 1, ack: 10, len: 4, ...(kind === 'all' ? { ts: 1001 } : {}) });
    expect(t.read(c).length).toBe(4);
  });

  it('takes data and FIN that come with the SYN-ACK', () => {
    const t = new Trace();
    const c = t.connect();
    t.out('S');
    t.in('SF.', { ...PEERS.mss, data: 'hi' });
    t.out('.', { seq: 1, ack: 1 + 2 + 1 });
    expect([Buffer.from(t.read(c)).toString(), c.stateName]).toEqual(['hi', 'CLOSE-WAIT']);
  });

  it('ECONNREFUSED at once, by the RST that acknowledges the SYN', () => {
    const t = new Trace();
    const c = t.connect();
    t.out('S');
    t.in('R.', { seq: 0, ack: 1 });
    t.nothing();
    expect([c.error?.code, c.error?.details.established, t.endpoint.connectionCount]).toEqual(['ECONNREFUSED', false, 0]);
  });

  it('ignores a RST that acknowledges something else, or nothing', () => {
    const t = new Trace();
    const c = t.connect();
    t.out('S');
    t.in('R.', { ack: 0 });
    t.in('R.', { ack: 2 });
    t.in('R', {});
    t.nothing();
    expect(c.stateName).toBe('SYN-SENT');
  });

  it.each([0, 2, -1000])('answers an ACK of %i with a RST of that number and goes on', (ack) => {
    const t = new Trace();
    const c = t.connect();
    t.out('S');
    t.in('S.', { ...PEERS.mss, ack });
    t.out('R', { seq: ack });
    t.in('.', { ack });
    t.out('R', { seq: ack });
    expect(c.stateName).toBe('SYN-SENT');
    t.in('.', { ack: 1 });
    t.nothing();
    expect(c.stateName).toBe('SYN-SENT');
  });

  it('ETIMEDOUT at the connect timeout, not established', () => {
    const t = new Trace({ config: { connectTimeoutMs: 5000 } });
    const c = t.connect();
    t.run(4999);
    expect(c.stateName).toBe('SYN-SENT');
    t.run(5000);
    expect([c.error?.code, c.error?.timeout, c.error?.details.established, c.error?.details.lastHeardMs]).toEqual(['ETIMEDOUT', 'connect timeout', false, Infinity]);
    expect([t.endpoint.connectionCount, t.endpoint.nextTimeout()]).toEqual([0, Infinity]);
  });

  it('an ICMP refusal while connecting is a refusal', () => {
    const t = new Trace();
    const c = t.connect();
    t.call((now) => t.endpoint.icmp(c.remote, 'ECONNREFUSED', now));
    expect(c.error?.code).toBe('ECONNREFUSED');
  });

  it('sends what was written, and the FIN, before the handshake was complete', () => {
    const t = new Trace();
    const c = t.connect();
    t.out('S');
    t.call((now) => {
      c.write(Buffer.from('request'));
      c.close(now);
    });
    t.nothing();
    t.in('S.', PEERS.mss);
    t.out('F.', { seq: 1, ack: 1, data: 'request' });
    expect(c.stateName).toBe('FIN-WAIT-1');
  });

  it('says nothing when aborted: the peer knows no connection', () => {
    const t = new Trace();
    const c = t.connect();
    t.out('S');
    t.call((now) => c.abort(now));
    t.nothing();
    expect(t.endpoint.connectionCount).toBe(0);
    t.in('S.', PEERS.mss);
    t.out('R', { seq: 1 });
  });

  it('a repeated SYN-ACK means that our ACK was lost: it is sent again', () => {
    const { t } = openActive();
    t.in('S.', PEERS.mss);
    t.out('.', { seq: 1, ack: 1 });
  });
});

describe('simultaneous open (RFC 9293, figure 8)', () => {
  it('by SYN and SYN-ACK', () => {
    const t = new Trace();
    const c = t.connect();
    t.out('S', { seq: 0 });
    t.in('S', PEERS.all);
    t.out('S.', { seq: 0, ack: 1 });
    expect(c.stateName).toBe('SYN-RECEIVED');
    t.in('S.', { ...PEERS.all, ack: 1 });
    t.out('.', { seq: 1, ack: 1 });
    expect(c.stateName).toBe('ESTABLISHED');
    t.call(() => c.write(Buffer.from('x')));
    t.out('.', { data: 'x' });
  });

  it('by SYN and ACK, when the peer\'s SYN-ACK is lost', () => {
    const t = new Trace();
    const c = t.connect();
    t.out('S');
    t.in('S', PEERS.mss);
    t.out('S.');
    t.in('.', { seq: 1, ack: 1 });
    t.nothing();
    expect(c.stateName).toBe('ESTABLISHED');
  });

  it('a refusal after both SYNs is ECONNREFUSED', () => {
    const t = new Trace();
    const c = t.connect();
    t.out('S');
    t.in('S', PEERS.mss);
    t.out('S.');
    t.in('R', { seq: 1 });
    expect(c.error?.code).toBe('ECONNREFUSED');
  });

  it('still ends at the connect timeout', () => {
    const t = new Trace({ config: { connectTimeoutMs: 5000 } });
    const c = t.connect();
    t.in('S', PEERS.mss);
    t.run(6000);
    expect(c.error?.timeout).toBe('connect timeout');
  });
});

describe('integrity', () => {
  const OFFER = { ...PEERS.mss, capabilities: CAPABILITY_INTEGRITY };

  it('required: a SYN without a CRC is dropped without an answer, and counted', () => {
    const t = new Trace({ backlog: 4, config: { integrity: 'required' } });
    t.in('S', PEERS.all);
    t.in('.', { ack: 5 });
    t.nothing();
    expect(t.endpoint.counters.droppedNoCrc).toBe(2);
  });

  it('required: a SYN-ACK or RST without a CRC is dropped', () => {
    const t = new Trace({ config: { integrity: 'required' } });
    const c = t.connect();
    t.out('S');
    t.in('S.', PEERS.mss);
    t.in('R.', { ack: 1 });
    t.nothing();
    expect(c.stateName).toBe('SYN-SENT');
    t.in('R.', { ack: 1, crc: true });
    expect(c.error?.code).toBe('ECONNREFUSED');
  });

  it('accept: a peer that offered integrity is held to it', () => {
    const t = new Trace({ backlog: 4 });
    t.in('S', OFFER);
    expect(t.out('S.').capabilities).toBe(CAPABILITY_INTEGRITY);
    t.in('.', { seq: 1, ack: 1 });
    expect([t.endpoint.counters.droppedNoCrc, t.endpoint.halfOpenCount]).toEqual([1, 1]);
    t.in('.', { seq: 1, ack: 1, crc: true });
    const c = t.endpoint.accept()!;
    t.in('P.', { seq: 1, data: 'evil' });
    t.in('P.', { seq: 1, data: 'good', crc: true });
    expect(Buffer.from(t.read(c)).toString()).toBe('good');
    t.wait(40);
    expect(t.out('.', { ack: 5 }).crc).toBe(true);
    t.in('R', { seq: 5 });
    expect(c.stateName).toBe('ESTABLISHED');
  });

  it('required means required, also of a peer whose SYN has a CRC but no offer', () => {
    const t = new Trace({ backlog: 4, config: { integrity: 'required' } });
    t.in('S', { ...PEERS.mss, capabilities: 0 });
    for (const out of t.takeAll()) expect(out.crc).toBe(true);
    t.in('.', { seq: 1, ack: 1 });
    expect(t.endpoint.accept()).toBeUndefined();
  });

  it('counts what a flipped bit breaks, and answers nothing', () => {
    const t = new Trace({ backlog: 4 });
    const syn = t.encode('S', OFFER);
    syn[5]! ^= 0x10;
    t.datagram(syn);
    t.nothing();
    expect([t.endpoint.counters.droppedBadCrc, t.endpoint.connectionCount]).toEqual([1, 0]);
  });

  it('protects stateless RSTs, too', () => {
    const t = new Trace({ config: { integrity: 'required' } });
    t.in('.', { ack: 7, crc: true });
    expect(t.out('R', { seq: 7 }).crc).toBe(true);
  });
});
