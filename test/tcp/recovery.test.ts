import { describe, expect, it } from 'vitest';
import { openActive, openPassive, streamBytes, type In, type Opened } from './trace.ts';

/** Segments of 1,000 bytes, SACK, no timestamps, a round trip of 100 ms measured in the handshake: now is 100. */
const SACK_PEER: In = { mss: 1000, sackOK: true };
const PLAIN_PEER: In = { mss: 1000 };

function open(peer: In = SACK_PEER, config: Parameters<typeof openPassive>[0] = {}): Opened {
  return openPassive({ peer, rttMs: 100, ...config });
}

function write(o: Opened, bytes: number): void {
  const at = o.c.counters.bytesAcked + o.c.sendQueueBytes;
  o.t.call(() => o.c.write(streamBytes(at, at + bytes)));
}

/** Sequence numbers of the data that was sent since the last look. */
function sentSeqs(o: Opened): number[] {
  return o.t.takeAll().filter((out) => out.data.length > 0).map((out) => out.seq);
}

describe('RACK-TLP: the example of RFC 8985, section 3.4', () => {
  it('event by event', () => {
    const o = open();
    const { t, c } = o;
    // 1. P0 to P3 are sent; P1 to P3 are dropped.
    write(o, 4000);
    for (const seq of [1, 1001, 2001, 3001]) t.out('.', { at: 100, seq, len: 1000 });
    // 2. P0 is acknowledged.
    t.wait(100);
    t.in('.', { seq: 1, ack: 1001 });
    t.nothing();
    // 3. Two RTTs later the probe sends P3 again.
    t.run(399);
    t.nothing();
    t.run(400);
    t.out('.', { at: 400, seq: 3001, len: 1000 });
    expect(c.counters.lossProbes).toBe(1);
    // 4, 5. SACK of P3: P1 and P2 are lost and sent again.
    t.run(500);
    t.in('.', { seq: 1, ack: 1001, sack: [[3001, 4001]] });
    t.out('.', { at: 500, seq: 1001, len: 1000 });
    t.out('.', { at: 500, seq: 2001, len: 1000 });
    t.nothing();
    expect(c.counters.fastRecoveries).toBe(1);
    // 6, 7. P2 arrived, so the retransmission of P1 was lost: it is sent once more, at once.
    t.run(600);
    t.in('.', { seq: 1, ack: 1001, sack: [[2001, 4001]] });
    t.out('.', { at: 600, seq: 1001, len: 1000 });
    t.nothing();
    // 8.
    t.run(700);
    t.in('.', { seq: 1, ack: 4001 });
    t.wait(10_000);
    t.nothing();
    expect(c.counters).toMatchObject({ retransmissions: 4, timeouts: 0, fastRecoveries: 1, bytesAcked: 4000 });
  });
});

describe('RACK (RFC 8985, section 6)', () => {
  it('three SACKed segments end the patience: the hole is sent again at once', () => {
    const o = open();
    write(o, 5000);
    o.t.takeAll();
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 1, sack: [[1001, 2001]] });
    o.t.in('.', { seq: 1, ack: 1, sack: [[1001, 3001]] });
    o.t.nothing();
    o.t.in('.', { seq: 1, ack: 1, sack: [[1001, 4001]] });
    o.t.out('.', { at: 200, seq: 1, len: 1000 });
  });

  it('fewer SACKs: it waits a quarter of min_RTT first, then the reordering timer fires', () => {
    const o = open();
    write(o, 3000);
    o.t.takeAll();
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 1, sack: [[2001, 3001]] });
    o.t.run(224);
    o.t.nothing();
    o.t.run(225);
    o.t.out('.', { at: 225, seq: 1, len: 1000 });
    o.t.out('.', { at: 225, seq: 1001, len: 1000 });
    expect(o.c.counters).toMatchObject({ fastRecoveries: 1, timeouts: 0, lossProbes: 0 });
  });

  it('reordering within the window costs nothing', () => {
    const o = open();
    write(o, 3000);
    o.t.takeAll();
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 1, sack: [[1001, 3001]] });
    o.t.wait(20);
    o.t.in('.', { seq: 1, ack: 3001 });
    o.t.wait(5000);
    o.t.nothing();
    expect([o.c.counters.retransmissions, o.c.counters.fastRecoveries]).toEqual([0, 0]);
  });

  it('once reordering was seen, three SACKs are no proof any more', () => {
    const o = open();
    write(o, 2000);
    o.t.takeAll();
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 1, sack: [[1001, 2001]] });
    o.t.in('.', { seq: 1, ack: 2001 });
    write(o, 5000);
    o.t.takeAll();
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 2001, sack: [[3001, 7001]] });
    o.t.nothing();
    o.t.wait(25);
    o.t.out('.', { at: 325, seq: 2001 });
  });

  it('each round with a DSACK makes it more patient (step 4)', () => {
    const o = open(SACK_PEER, { config: { congestion: 'fixed:50' } });
    let una = 1;
    const waits: number[] = [];
    for (let round = 0; round < 3; round++) {
      write(o, 3000);
      o.t.takeAll();
      o.t.wait(100);
      const at = o.t.now;
      o.t.in('.', { seq: 1, ack: una, sack: [[una + 1000, una + 3000]] });
      o.t.wait(99);
      const [again] = o.t.takeAll();
      waits.push(again!.at - at);
      // The original arrived after all, and so did its copy.
      o.t.in('.', { seq: 1, ack: una + 3000 });
      o.t.in('.', { seq: 1, ack: una + 3000, sack: [[una, una + 1000]] });
      una += 3000;
    }
    // The first round had no reordering yet; each DSACK adds min_RTT/4.
    expect(waits).toEqual([25, 50, 75]);
    expect(o.c.counters.duplicatesReported).toBe(3);
  });

  it('a lost retransmission is found again and again, without an RTO', () => {
    const o = open(SACK_PEER, { config: { congestion: 'fixed:50' } });
    write(o, 10_000);
    o.t.takeAll();
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 1, sack: [[1001, 5001]] });
    expect(sentSeqs(o)).toEqual([1]);
    let sacked = 5001;
    for (let round = 0; round < 4; round++) {
      write(o, 1000);
      sentSeqs(o);
      o.t.wait(100);
      // What was sent after the retransmission arrives, it does not.
      sacked = o.t.sndNxt;
      o.t.in('.', { seq: 1, ack: 1, sack: [[1001, sacked]] });
      expect(sentSeqs(o)[0], `round ${round}`).toBe(1);
    }
    expect(o.c.counters.timeouts).toBe(0);
  });

  it('halves the window once an episode', () => {
    const o = open();
    write(o, 10_000);
    o.t.takeAll();
    o.t.wait(100);
    for (const right of [4001, 5001, 6001, 7001]) o.t.in('.', { seq: 1, ack: 1, sack: [[1001, right]] });
    expect(o.c.info()).toMatchObject({ ssthreshBytes: 5000, cwndBytes: 5000 });
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 10_001 });
    expect(o.c.info()).toMatchObject({ ssthreshBytes: 5000, inFlightBytes: 0 });
    expect(o.c.counters.fastRecoveries).toBe(1);
  });
});

describe('TLP (RFC 8985, section 7)', () => {
  it('waits 2 SRTT, and for a delayed ACK when one segment is in flight, but never past the RTO', () => {
    const o = open();
    write(o, 2000);
    o.t.takeAll();
    o.t.wait(99);
    o.t.in('.', { seq: 1, ack: 1001 });
    // SRTT 99.875, RTTVAR 37.75: one in flight, so 2 SRTT + 200 > RTO 250.875: it takes the RTO's place.
    o.t.run(600);
    const sent = o.t.takeAll();
    expect(sent.map((out) => out.seq)).toEqual([1001]);
    expect(sent[0]!.at).toBeCloseTo(199 + 250.875, 6);
    expect(o.c.counters).toMatchObject({ lossProbes: 1, timeouts: 0 });
  });

  it('sends new data rather than old where the window allows', () => {
    const o = open(SACK_PEER, { config: { congestion: 'fixed:2' } });
    write(o, 5000);
    expect(sentSeqs(o)).toEqual([1, 1001]);
    o.t.run(100 + 200);
    expect(sentSeqs(o)).toEqual([2001]);
    expect(o.c.counters).toMatchObject({ lossProbes: 1, retransmissions: 0 });
  });

  it('sends one probe at a time, then leaves it to the RTO', () => {
    const o = open();
    write(o, 3000);
    o.t.takeAll();
    o.t.run(590);
    expect(sentSeqs(o)).toEqual([2001]);
    expect(o.c.counters).toMatchObject({ lossProbes: 1, timeouts: 0 });
    // RTO 300 after the probe at 300.
    o.t.run(600);
    expect(sentSeqs(o)).toEqual([1]);
    expect(o.c.counters).toMatchObject({ lossProbes: 1, timeouts: 1 });
  });

  it('needs an RTT sample between two probes (7.3)', () => {
    const o = open();
    write(o, 1000);
    o.t.takeAll();
    o.t.run(500);
    expect([sentSeqs(o), o.c.counters.lossProbes]).toEqual([[1], 1]);
    // The ACK of a segment that was sent twice is no sample.
    o.t.in('.', { seq: 1, ack: 1001 });
    write(o, 1000);
    o.t.takeAll();
    o.t.wait(2000);
    expect(o.c.counters.lossProbes).toBe(1);
    expect(o.c.counters.timeouts).toBeGreaterThan(0);
  });

  it.each(['lost', 'DSACK', 'duplicate ACK'])('a probe that repaired a loss halves the window; one that proves needless does not (7.4.2): %s', (proof) => {
    const o = open();
    write(o, 10_000);
    o.t.takeAll();
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 9001 });
    o.t.wait(300);
    expect(sentSeqs(o)).toEqual([9001]);
    const before = o.c.info().cwndBytes;
    if (proof !== 'lost') {
      // The original had arrived after all; the probe is answered as a duplicate, with nothing outstanding any more.
      o.t.in('.', { seq: 1, ack: 10_001 });
      o.t.in('.', { seq: 1, ack: 10_001, ...(proof === 'DSACK' ? { sack: [[9001, 10_001]] } : {}) });
    }
    write(o, 8000);
    o.t.takeAll();
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 13_001 });
    const { cwndBytes, ssthreshBytes } = o.c.info();
    if (proof === 'lost') expect([ssthreshBytes < before, ssthreshBytes >= 4000]).toEqual([true, true]);
    else expect(cwndBytes).toBeGreaterThanOrEqual(before);
  });

  it('is not for a peer without SACK', () => {
    const o = open(PLAIN_PEER);
    write(o, 3000);
    o.t.takeAll();
    o.t.run(399);
    o.t.nothing();
    o.t.run(400);
    expect(sentSeqs(o)).toEqual([1]);
    expect(o.c.counters).toMatchObject({ lossProbes: 0, timeouts: 1 });
  });
});

describe('RTO recovery (RFC 6298; RFC 8985, 6.3)', () => {
  it('a timeout halves the window, not what was SACKed behind the hole in the meantime', () => {
    const o = open();
    write(o, 100_000);
    let right = 10_001;
    o.t.takeAll();
    for (let round = 0; round < 4; round++) {
      o.t.wait(50);
      o.t.in('.', { seq: 1, ack: 1, sack: [[1001, right]] });
      const sent = o.t.takeAll();
      right = Math.max(right, ...sent.map((out) => out.seq + out.data.length));
    }
    const { cwndBytes } = o.c.info();
    expect(right).toBeGreaterThan(1 + 3 * cwndBytes);
    for (let ms = 0; ms < 5000 && o.c.counters.timeouts === 0; ms += 10) o.t.wait(10);
    expect(o.c.info().ssthreshBytes).toBeLessThanOrEqual(Math.max(cwndBytes / 2, 2000));
  });

  it('slow start counts every ACK of a batch that one poll follows, not only the first', () => {
    const o = open();
    write(o, 100_000);
    o.t.takeAll();
    o.t.wait(50);
    o.t.batch(() => {
      for (let ack = 2001; ack <= 10_001; ack += 2000) o.t.in('.', { seq: 1, ack });
    });
    expect([o.c.info().cwndBytes, o.t.takeAll().length]).toEqual([20_000, 20]);
  });

  it('RTO burst of a full window: one segment is sent again, not the flight', () => {
    const o = open();
    write(o, 10_000);
    o.t.takeAll();
    o.t.run(300);
    expect(sentSeqs(o)).toEqual([9001]);
    o.t.run(600);
    expect(sentSeqs(o)).toEqual([1]);
    // The window is one segment; it grows by one with each ACK, whatever that covers (RFC 3465: L = 1 after an RTO).
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 1001 });
    expect(sentSeqs(o)).toEqual([1001, 2001]);
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 3001 });
    expect(sentSeqs(o)).toEqual([3001, 4001, 5001]);
  });

  it('section 3.5: only the head counts as lost, what was sent just now does not', () => {
    const o = open(SACK_PEER, { config: { noDelay: true } });
    write(o, 1000);
    o.t.takeAll();
    o.t.wait(390);
    // Probe at 400 (as late as the RTO), RTO 300 later.
    o.t.takeAll();
    o.t.run(690);
    write(o, 2000);
    o.t.takeAll();
    o.t.run(700);
    expect(sentSeqs(o)).toEqual([1]);
    expect(o.c.counters.timeouts).toBe(1);
    o.t.wait(50);
    o.t.in('.', { seq: 1, ack: 1001 });
    o.t.in('.', { seq: 1, ack: 3001 });
    expect(sentSeqs(o)).toEqual([]);
    expect(o.c.counters.retransmissions).toBe(2);
  });

  it.each([['SACK', SACK_PEER], ['no SACK', PLAIN_PEER]])('retransmit resends whole buffer: after an RTO each segment goes once more, not twice (%s)', (_name, peer) => {
    const o = open(peer);
    write(o, 10_000);
    o.t.takeAll();
    // Everything was lost. The peer acknowledges each retransmission 100 ms after it.
    const arrivals: { at: number; end: number }[] = [];
    let next = 1;
    const held = new Set<number>();
    for (let step = 0; step < 200 && next < 10_001; step++) {
      for (const out of o.t.takeAll()) arrivals.push({ at: out.at + 100, end: out.seq + 1000 });
      arrivals.sort((a, b) => a.at - b.at);
      const timeout = o.t.endpoint.nextTimeout();
      const arrival = arrivals[0];
      if (arrival === undefined || arrival.at > timeout) {
        o.t.runToNext();
        continue;
      }
      arrivals.shift();
      o.t.run(arrival.at);
      held.add(arrival.end);
      while (held.has(next + 1000)) next += 1000;
      const beyond = [...held].filter((end) => end > next + 1000);
      o.t.in('.', { seq: 1, ack: next, ...(peer === SACK_PEER && beyond.length > 0 ? { sack: beyond.slice(-3).map((end) => [end - 1000, end] as const) } : {}) });
    }
    expect(next).toBe(10_001);
    expect(o.c.counters.retransmissions).toBe(10);
  });

  it('new data does not postpone it: a writer on a dead path still gets its retransmissions', () => {
    const o = open(SACK_PEER, { config: { noDelay: true, congestion: 'fixed:50' } });
    for (let i = 0; i < 30; i++) {
      write(o, 100);
      o.t.wait(50);
    }
    // The probe at 400 at the latest, then RTOs at 700 and, doubled, 1300.
    expect(o.t.takeAll().filter((out) => out.seq === 1).map((out) => out.at)).toEqual([100, 700, 1300]);
    expect(o.c.counters).toMatchObject({ lossProbes: 1, timeouts: 2 });
  });

  it('the peer threw away what it had SACKed: it is sent again (RFC 2018, section 8)', () => {
    const o = open();
    write(o, 3000);
    o.t.takeAll();
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 1, sack: [[1001, 3001]] });
    o.t.wait(30);
    expect(sentSeqs(o)).toEqual([1]);
    // The hole is filled, but the ACK does not go over what was SACKed.
    o.t.wait(70);
    o.t.in('.', { seq: 1, ack: 1001 });
    o.t.wait(1000);
    const again = sentSeqs(o);
    expect(again[0]).toBe(1001);
    o.t.in('.', { seq: 1, ack: 2001 });
    expect([...again, ...sentSeqs(o)]).toContain(2001);
    o.t.in('.', { seq: 1, ack: 3001 });
    expect(o.c.sendQueueBytes).toBe(0);
  });

  it('stuck retransmitting: an ACK of everything ends it, whatever was marked lost', () => {
    for (const peer of [SACK_PEER, PLAIN_PEER]) {
      const o = open(peer);
      write(o, 10_000);
      o.t.run(5000);
      o.t.in('.', { seq: 1, ack: 10_001 });
      o.t.takeAll();
      o.t.wait(100_000);
      o.t.nothing();
      write(o, 1000);
      expect(sentSeqs(o)).toEqual([10_001]);
    }
  });

  it('leaves recovery by the ACK of everything that was outstanding, and grows again', () => {
    const o = open();
    write(o, 10_000);
    o.t.takeAll();
    o.t.run(601);
    o.t.takeAll();
    o.t.in('.', { seq: 1, ack: 10_001 });
    const { ssthreshBytes } = o.c.info();
    expect(ssthreshBytes).toBe(5000);
    let una = 10_001;
    for (let round = 0; round < 12; round++) {
      write(o, 20_000);
      o.t.takeAll();
      o.t.wait(100);
      una = o.t.sndNxt;
      o.t.in('.', { seq: 1, ack: una });
    }
    expect(o.c.info().cwndBytes).toBeGreaterThan(6000);
    expect(o.c.counters.timeouts).toBe(1);
  });
});

describe('a peer without SACK (RFC 5681, 3.2; RFC 6582)', () => {
  it('two duplicate ACKs are reordering, the third is loss', () => {
    const o = open(PLAIN_PEER);
    write(o, 10_000);
    o.t.takeAll();
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 1 });
    o.t.in('.', { seq: 1, ack: 1 });
    o.t.nothing();
    o.t.in('.', { seq: 1, ack: 1 });
    o.t.out('.', { at: 200, seq: 1, len: 1000 });
    o.t.nothing();
    expect(o.c.info()).toMatchObject({ ssthreshBytes: 5000 });
  });

  it('limited transmit: the first two duplicate ACKs let new segments out (RFC 3042)', () => {
    const o = open(PLAIN_PEER);
    write(o, 20_000);
    o.t.takeAll();
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 1 });
    expect(sentSeqs(o)).toEqual([10_001]);
    o.t.in('.', { seq: 1, ack: 1 });
    expect(sentSeqs(o)).toEqual([11_001]);
  });

  it('a partial ACK tells of the next hole: it is sent again at once, one reduction for all', () => {
    const o = open(PLAIN_PEER);
    write(o, 10_000);
    o.t.takeAll();
    o.t.wait(100);
    for (let i = 0; i < 8; i++) o.t.in('.', { seq: 1, ack: 1 });
    expect(sentSeqs(o)).toEqual([1]);
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 4001 });
    expect(sentSeqs(o)).toEqual([4001]);
    o.t.wait(100);
    o.t.in('.', { seq: 1, ack: 10_001 });
    expect(o.c.counters).toMatchObject({ fastRecoveries: 1, timeouts: 0, retransmissions: 2 });
    expect(o.c.info().ssthreshBytes).toBe(5000);
  });

  it('what is no duplicate ACK: with data, with another window, with nothing outstanding', () => {
    const o = open(PLAIN_PEER);
    for (let i = 0; i < 5; i++) o.t.in('.', { seq: 1, ack: 1 });
    write(o, 5000);
    o.t.takeAll();
    for (let i = 0; i < 5; i++) o.t.in('.', { seq: 1 + i, ack: 1, len: 1 });
    for (let i = 0; i < 5; i++) o.t.in('.', { seq: 6, ack: 1, win: 60_000 - i });
    expect(sentSeqs(o)).toEqual([]);
    expect(o.c.counters.fastRecoveries).toBe(0);
  });
});

describe('both roles recover', () => {
  it.each([['passive', openPassive], ['active', openActive]])('%s: one lost segment of ten costs one retransmission', (_role, openAs) => {
    const o = openAs({ peer: SACK_PEER, rttMs: 50 });
    write(o, 10_000);
    o.t.takeAll();
    o.t.wait(50);
    o.t.in('.', { seq: 1, ack: 3001, sack: [[4001, 10_001]] });
    expect(sentSeqs(o)).toEqual([3001]);
    o.t.wait(50);
    o.t.in('.', { seq: 1, ack: 10_001 });
    o.t.wait(5000);
    expect(o.c.counters).toMatchObject({ retransmissions: 1, timeouts: 0, lossProbes: 0, bytesAcked: 10_000 });
  });
});
