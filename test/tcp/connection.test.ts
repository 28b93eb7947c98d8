import { describe, expect, it } from 'vitest';
import { EVENT_CLOSED, EVENT_END, EVENT_FINISHED } from '../../src/tcp/connection.ts';
import { openActive, openPassive, PEERS, streamBytes, type In, type Opened } from './trace.ts';

const PEER_OPTIONS: In = { mss: 1000, sackOK: true };
const ROLES = [['it connected to us', openPassive], ['we connected to it', openActive]] as const;

function write(o: Opened, bytes: number): void {
  o.t.call(() => o.c.write(streamBytes(0, bytes)));
}

describe.each(ROLES)('closing, where %s', (_role, openAs) => {
  const open = (peer: In = PEER_OPTIONS): Opened => openAs({ peer, rttMs: 100 });

  it('we first: FIN-WAIT-1, FIN-WAIT-2, half-closed we still receive, TIME-WAIT, gone', () => {
    const o = open();
    o.t.call((now) => o.c.close(now));
    o.t.out('F.', { seq: 1, ack: 1 });
    expect(o.c.stateName).toBe('FIN-WAIT-1');
    o.t.in('.', { seq: 1, ack: 2 });
    expect([o.c.stateName, o.c.takeEvents() & EVENT_FINISHED]).toEqual(['FIN-WAIT-2', EVENT_FINISHED]);
    for (let i = 0; i < 5; i++) o.t.in('P.', { seq: 1 + 100 * i, ack: 2, len: 100 });
    o.t.wait(60_000);
    o.t.takeAll();
    expect([o.t.read(o.c).length, o.c.stateName]).toEqual([500, 'FIN-WAIT-2']);
    expect(o.c.write(streamBytes(0, 1))).toBe(0);
    o.t.in('F.', { seq: 501, ack: 2 });
    o.t.out('.', { seq: 2, ack: 502 });
    expect([o.c.stateName, o.c.takeEvents() & (EVENT_END | EVENT_CLOSED)]).toEqual(['TIME-WAIT', EVENT_END | EVENT_CLOSED]);
    const timeWaitMs = 4 * o.c.info().rtoMs;
    expect(timeWaitMs).toBeGreaterThan(1000);
    o.t.wait(timeWaitMs - 1);
    expect(o.t.endpoint.connectionCount).toBe(1);
    o.t.wait(1);
    expect([o.t.endpoint.connectionCount, o.c.error]).toEqual([0, undefined]);
    o.t.nothing();
  });

  it('the peer first: CLOSE-WAIT, half-closed we still send, LAST-ACK, gone', () => {
    const o = open();
    o.t.in('F.', { seq: 1 });
    o.t.out('.', { seq: 1, ack: 2 });
    expect([o.c.stateName, o.c.isReadFinished]).toEqual(['CLOSE-WAIT', true]);
    write(o, 2500);
    expect(o.t.takeAll().map((out) => out.data.length)).toEqual([1000, 1000, 500]);
    o.t.in('.', { seq: 2, ack: 2501 });
    o.t.call((now) => o.c.close(now));
    o.t.out('F.', { seq: 2501, ack: 2 });
    expect(o.c.stateName).toBe('LAST-ACK');
    o.t.in('.', { seq: 2, ack: 2502 });
    expect([o.c.stateName, o.c.error, o.t.endpoint.connectionCount]).toEqual(['CLOSED', undefined, 0]);
  });

  it('both at once: CLOSING, then TIME-WAIT by the ACK of our FIN', () => {
    const o = open();
    o.t.call((now) => o.c.close(now));
    o.t.out('F.', { seq: 1 });
    o.t.in('F.', { seq: 1, ack: 1 });
    o.t.out('.', { seq: 2, ack: 2 });
    expect(o.c.stateName).toBe('CLOSING');
    o.t.in('.', { seq: 2, ack: 2 });
    expect(o.c.stateName).toBe('TIME-WAIT');
  });

  it('both at once, the peer\'s FIN acknowledging ours: straight to TIME-WAIT', () => {
    const o = open();
    o.t.call((now) => o.c.close(now));
    o.t.out('F.');
    o.t.in('F.', { seq: 1, ack: 2 });
    o.t.out('.', { ack: 2 });
    expect(o.c.stateName).toBe('TIME-WAIT');
  });

  it('both at once, and the ACK lost: the FIN is sent again until it is acknowledged', () => {
    const o = open();
    o.t.call((now) => o.c.close(now));
    o.t.in('F.', { seq: 1, ack: 1 });
    o.t.wait(3000);
    expect(o.t.takeAll().filter((out) => out.flags === 'F.' && out.seq === 1).length).toBeGreaterThan(2);
    // The peer's own FIN once more, then its answer to ours.
    o.t.in('F.', { seq: 1, ack: 1 });
    o.t.out('.', { ack: 2 });
    o.t.in('.', { seq: 2, ack: 2 });
    expect(o.c.stateName).toBe('TIME-WAIT');
  });

  it('RST in each closing state', () => {
    // After our FIN only: data of the peer may be missing, that is an error.
    const waiting = open();
    waiting.t.call((now) => waiting.c.close(now));
    waiting.t.in('R', { seq: 1 });
    expect(waiting.c.error?.code).toBe('ECONNRESET');
    // Everything is delivered both ways: a success.
    for (const first of ['we', 'peer']) {
      const o = open();
      if (first === 'we') o.t.call((now) => o.c.close(now));
      o.t.in('F.', { seq: 1, ack: 1 });
      o.t.call((now) => o.c.close(now));
      expect(o.c.stateName).toBe(first === 'we' ? 'CLOSING' : 'LAST-ACK');
      o.t.in('R', { seq: 2 });
      expect([o.c.stateName, o.c.error, o.c.takeEvents() & EVENT_FINISHED]).toEqual(['CLOSED', undefined, EVENT_FINISHED]);
    }
    // In CLOSE-WAIT we may still have something to say.
    const half = open();
    half.t.in('F.', { seq: 1 });
    half.t.in('R', { seq: 2 });
    expect(half.c.error?.code).toBe('ECONNRESET');
  });

  it('text after the peer\'s FIN is not delivered, only acknowledged', () => {
    const o = open();
    o.t.in('F.', { seq: 1, len: 10 });
    o.t.out('.', { ack: 12 });
    o.t.in('P.', { seq: 12, len: 10 });
    o.t.out('.', { ack: 12 });
    o.t.in('P.', { seq: 1, len: 100 });
    expect(o.t.takeAll().every((out) => out.ack === 12)).toBe(true);
    expect(o.t.read(o.c).length).toBe(10);
  });

  it('abort: a RST for a peer that misses something and one for a peer that has all, and nothing more', () => {
    const o = open();
    write(o, 100);
    o.t.takeAll();
    o.t.call((now) => o.c.abort(now));
    // The peer takes only its exact next number (RFC 5961, 3.2), and this process may be gone before a challenge comes back.
    o.t.out('R.', { seq: 1, ack: 1 });
    o.t.out('R.', { seq: 101, ack: 1 });
    expect([o.c.error?.code, o.c.stateName, o.t.endpoint.connectionCount]).toEqual(['ECONNABORTED', 'CLOSED', 0]);
    expect(o.c.write(streamBytes(0, 1))).toBe(0);
    o.t.call((now) => {
      o.c.abort(now);
      o.c.close(now);
    });
    o.t.nothing();
    // What comes late meets nobody.
    o.t.in('.', { seq: 1, ack: 50 });
    o.t.out('R', { seq: 50 });
  });

  it('close twice is close once', () => {
    const o = open();
    o.t.call((now) => {
      o.c.close(now);
      o.c.close(now);
    });
    o.t.out('F.', { seq: 1 });
    o.t.nothing();
  });
});

describe('TIME-WAIT', () => {
  function timeWait(peer: In = PEER_OPTIONS): Opened {
    const o = openPassive({ peer, config: { timeWaitMs: 4000 } });
    o.t.call((now) => o.c.close(now));
    o.t.in('F.', { seq: 1, ack: 2, ...(peer.ts === undefined ? {} : { ts: 2000 }) });
    o.t.takeAll();
    expect(o.c.stateName).toBe('TIME-WAIT');
    return o;
  }

  it('answers a retransmitted FIN and starts anew', () => {
    const o = timeWait();
    o.t.wait(3000);
    o.t.in('F.', { seq: 1, ack: 2 });
    o.t.out('.', { seq: 2, ack: 2 });
    o.t.wait(3999);
    expect(o.c.stateName).toBe('TIME-WAIT');
    o.t.wait(1);
    expect(o.c.stateName).toBe('CLOSED');
  });

  it('is not cut short by a RST (RFC 1337)', () => {
    const o = timeWait();
    o.t.in('R', { seq: 2 });
    expect(o.c.stateName).toBe('TIME-WAIT');
  });

  it('sends nothing of its own, whatever arrives', () => {
    const o = timeWait();
    o.t.in('P.', { seq: 1, ack: 2, len: 10 });
    o.t.out('.', { seq: 2, ack: 2 });
    o.t.in('.', { seq: 2, ack: 2 });
    o.t.run(4000);
    o.t.nothing();
  });

  it('gives way to a new SYN with a higher number (RFC 9293, 3.10.7.4)', () => {
    const o = timeWait();
    o.t.in('S', { ...PEER_OPTIONS, seq: 50_000 });
    o.t.out('S.', { ack: 50_001 });
    expect([o.c.stateName, o.t.endpoint.connectionCount]).toEqual(['CLOSED', 1]);
    o.t.in('.', { seq: 50_001, ack: 1 });
    expect(o.t.endpoint.accept()?.stateName).toBe('ESTABLISHED');
  });

  it('challenges an old SYN', () => {
    const o = timeWait();
    o.t.in('S', { ...PEER_OPTIONS, seq: -50_000 });
    o.t.out('.', { seq: 2, ack: 2 });
    expect(o.c.stateName).toBe('TIME-WAIT');
  });

  it('a SYN with a newer timestamp is new whatever its number, one with an older is old (RFC 6191)', () => {
    const fresh = timeWait(PEERS.all);
    fresh.t.in('S', { ...PEERS.all, seq: -50_000, ts: 2001 });
    fresh.t.out('S.', { ack: -49_999 });
    const stale = timeWait(PEERS.all);
    stale.t.in('S', { ...PEERS.all, seq: 50_000, ts: 1500 });
    stale.t.out('.', { ack: 2 });
    expect(stale.c.stateName).toBe('TIME-WAIT');
  });

  it('a late segment of the old incarnation does not disturb the new one', () => {
    const o = timeWait();
    o.t.in('S', { ...PEER_OPTIONS, seq: 50_000 });
    o.t.out('S.');
    o.t.in('.', { seq: 50_001, ack: 1 });
    const c = o.t.endpoint.accept()!;
    o.t.in('P.', { seq: 1, ack: 2, len: 10 });
    o.t.in('F.', { seq: 1, ack: 2 });
    expect([c.stateName, c.read()]).toEqual(['ESTABLISHED', undefined]);
  });
});

describe('released by its application', () => {
  function open(): Opened {
    return openPassive({ peer: PEER_OPTIONS, rttMs: 100 });
  }

  it('still delivers what was written, then a FIN, and ends with the peer\'s', () => {
    const o = open();
    o.t.call((now) => {
      o.c.write(streamBytes(0, 1500));
      o.c.release(now);
    });
    expect(o.t.takeAll().map((out) => [out.flags, out.data.length])).toEqual([['.', 1000], ['F.', 500]]);
    o.t.in('F.', { seq: 1, ack: 1502 });
    o.t.out('.', { ack: 2 });
    o.t.wait(60_000);
    expect([o.t.endpoint.connectionCount, o.c.error]).toEqual([0, undefined]);
  });

  it('answers new data of the peer with a RST: nobody will read it (RFC 2525, 2.17)', () => {
    const o = open();
    o.t.call((now) => o.c.release(now));
    o.t.out('F.');
    o.t.in('P.', { seq: 1, ack: 2, len: 10 });
    expect(o.t.takeAll().map((out) => out.flags)).toEqual(['R.']);
    expect(o.t.endpoint.connectionCount).toBe(0);
  });

  it('resets at once when there is unread data', () => {
    const o = open();
    o.t.in('P.', { seq: 1, len: 10 });
    o.t.takeAll();
    o.t.call((now) => o.c.release(now));
    o.t.out('R.', { seq: 1 });
  });

  it('does not wait for ever at a closed window, though the peer answers every probe (RFC 6429)', () => {
    const o = open();
    o.t.call((now) => {
      o.c.write(streamBytes(0, 1500));
      o.c.release(now);
    });
    for (let second = 0; second < 120 && o.t.endpoint.connectionCount > 0; second++) {
      if (o.t.takeAll().length > 0) o.t.in('.', { seq: 1, ack: 1, win: 0 });
      o.t.wait(1000);
    }
    expect([o.t.endpoint.connectionCount, o.c.error?.code]).toEqual([0, 'ETIMEDOUT']);
  });

  it('waits for the peer\'s FIN no longer than a minute', () => {
    const o = open();
    o.t.call((now) => o.c.release(now));
    o.t.in('.', { seq: 1, ack: 2 });
    o.t.takeAll();
    o.t.wait(59_999);
    expect(o.t.endpoint.connectionCount).toBe(1);
    o.t.wait(1);
    expect(o.t.endpoint.connectionCount).toBe(0);
    o.t.nothing();
  });
});

describe('info', () => {
  it('is a snapshot: later events do not change it', () => {
    const o = openPassive({ peer: PEER_OPTIONS });
    const before = o.c.info();
    write(o, 100);
    expect(before.counters.bytesSent).toBe(0);
    expect(o.c.info()).toMatchObject({ state: 'ESTABLISHED', congestion: 'newreno', inFlightBytes: 100, sendQueueBytes: 100, smssBytes: 1000 });
  });
});
