import { describe, expect, it } from 'vitest';
import { openPassive, PEERS, streamBytes, Trace } from '../tcp/trace.ts';

/** Bugs that simulator seeds came upon, each shrunk to the few segments that show it. */
describe('found by the simulator', () => {
  it('an ACK with news and an older sequence number brings its window along', () => {
    const { t, c } = openPassive({ config: { mtuBytes: 1012, noDelay: true } });
    t.in('.', { seq: 101, ack: 1, win: 2000 });
    t.call(() => c.write(streamBytes(0, 5000)));
    t.out('.', { seq: 1, len: 1000 });
    t.out('.', { seq: 1001, len: 1000 });
    t.takeAll();
    // A retransmission: below what came before, but its acknowledgement is new. The right edge stays at 2001.
    t.in('.', { seq: 1, ack: 1001, win: 1000, len: 100 });
    expect(t.takeAll().filter((out) => out.seq + out.data.length > 2001)).toEqual([]);
  });

  it('a pure ACK that stands at the right edge of a full window is looked at', () => {
    const { t, c } = openPassive({ peer: 'sack', config: { receiveBufferBytes: 4096 } });
    t.call(() => c.write(streamBytes(0, 1000)));
    t.out('.', { seq: 1, len: 1000 });
    // The window is full but for its first segment: the peer's next number is the edge.
    t.in('.', { seq: 1001, ack: 1, len: 3096 });
    t.takeAll();
    t.in('.', { seq: 4097, ack: 1001 });
    expect(c.info().sendQueueBytes).toBe(0);
  });

  it('the wait for a retransmission whose original had arrived is no round trip', () => {
    // The ACK was lost, the retransmission a duplicate: the peer echoes the first copy's timestamp and says so by D-SACK.
    // Taken for a round trip, it feeds on itself: a longer RTO makes longer waits, up to one as long as the user timeout.
    const { t, c } = openPassive({ peer: 'all', rttMs: 20 });
    t.call(() => c.write(streamBytes(0, 1000)));
    const first = t.out('.', { seq: 1, len: 1000 }).ts![0];
    const rtoMs = c.info().rtoMs;
    t.wait(5000);
    expect(t.takeAll().length).toBeGreaterThan(2);
    t.in('.', { seq: 1, ack: 1001, ts: [9000, first], sack: [[1, 1001]] });
    expect(c.info().sendQueueBytes).toBe(0);
    t.call(() => c.write(streamBytes(1000, 2000)));
    const second = t.out('.', { seq: 1001, len: 1000 }).ts![0];
    t.wait(20);
    t.in('.', { seq: 1, ack: 2001, ts: [9020, second] });
    expect(c.info().rtoMs).toBeLessThanOrEqual(rtoMs);
  });

  it('an octet that probes a closed window does not push later ACKs out of the peer\'s window', () => {
    const { t, c } = openPassive({ peer: 'all', config: { receiveBufferBytes: 4096 } });
    t.in('.', { seq: 1, ack: 1, win: 0, ts: 1002 });
    t.call(() => c.write(streamBytes(0, 1000)));
    t.wait(5000);
    expect(t.takeAll().every((out) => out.seq === 1 && out.data.length === 1)).toBe(true);
    // Number 1 is what the peer expects, and at a closed window the only one it accepts: also of an ACK, also of a RST.
    t.in('.', { seq: 1, ack: 1, win: 0, ts: 1003, len: 4096 });
    t.wait(50);
    t.out('.', { seq: 1, ack: 4097, len: 0 });
    t.call((now) => c.abort(now));
    t.out('R.', { seq: 1 });
  });

  it('one long outage does not put the RTO beyond the user timeout', () => {
    // A peer that was paused for 50 s answers everything at once. If the next flight is lost, there must be time to say it again.
    const { t, c } = openPassive({ peer: 'all', rttMs: 20 });
    t.call(() => c.write(streamBytes(0, 1000)));
    const tsVal = t.out('.', { seq: 1, len: 1000 }).ts![0];
    t.wait(50_000);
    t.in('.', { seq: 1, ack: 1001, ts: [60_000, tsVal] });
    t.takeAll();
    t.call(() => c.write(streamBytes(1000, 2000)));
    t.wait(55_000);
    expect(t.takeAll().length).toBeGreaterThan(3);
    expect(c.stateName).toBe('ESTABLISHED');
  });

  it('old data in TIME-WAIT tells that the peer still waits, as a FIN does', () => {
    const { t, c } = openPassive({ config: { timeWaitMs: 1000 } });
    t.in('.', { seq: 1, ack: 1, len: 100 });
    t.read(c);
    t.call((now) => c.close(now));
    t.in('F.', { seq: 101, ack: 2, len: 100 });
    expect(c.stateName).toBe('TIME-WAIT');
    t.wait(900);
    t.takeAll();
    // Its FIN is in a later segment than the one it sends again first.
    t.in('.', { seq: 1, ack: 2, len: 100 });
    t.out('.', { ack: 202 });
    t.wait(900);
    expect(c.stateName).toBe('TIME-WAIT');
    t.wait(200);
    expect(c.stateName).toBe('CLOSED');
  });

  it('a SYN that comes again brings its timestamp along', () => {
    // Else the peer takes the time since its first SYN, lost answers and all, for a round trip.
    const t = new Trace({ backlog: 1 });
    t.in('S', PEERS.all);
    expect(t.out('S.').ts![1]).toBe(1000);
    t.wait(500);
    t.in('S', { ...PEERS.all, ts: 3000 });
    expect(t.out('S.').ts![1]).toBe(3000);
  });

  it('a handshake that took several SYNs is no round trip', () => {
    const t = new Trace();
    const c = t.connect();
    const first = t.out('S').ts![0];
    t.wait(9000);
    expect(t.takeAll().length).toBeGreaterThan(3);
    t.in('S.', { ...PEERS.all, ts: [7000, first] });
    // RFC 6298 (5.7): without a sample, data starts with 3 s.
    expect(c.info().rtoMs).toBe(3000);
  });

  it('an ACK below the window is still an ACK', () => {
    // Both sides have taken the octet with which the other probed a closed window, so each ACK stands one below what the
    // other expects. If neither looks at them, both time out, with an ACK for every ACK in between.
    const { t, c } = openPassive({ peer: 'all' });
    t.in('.', { seq: 1, ack: 1, len: 1, ts: 1002 });
    t.call(() => c.write(streamBytes(0, 1000)));
    t.takeAll();
    t.in('.', { seq: 1, ack: 1001, ts: 1003 });
    expect(c.info().sendQueueBytes).toBe(0);
  });
});
