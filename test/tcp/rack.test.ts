import { describe, expect, it } from 'vitest';
import { Rack } from '../../src/tcp/rack.ts';

function rack(minRttMs = 100): Rack {
  const state = new Rack();
  state.begin(0);
  state.onRttSample(minRttMs, 0);
  return state;
}

/** One ACK at `now` that delivers segments [sentMs, end, retransmitted?, ambiguous?]. */
function ack(state: Rack, now: number, ...segments: [number, number, boolean?, boolean?][]): void {
  for (const [sentMs, end, again = false, ambiguous = false] of segments) state.onDelivered(sentMs, end, again, ambiguous, now);
  state.endOfAck(now);
}

describe('RACK state (RFC 8985, 6.2)', () => {
  it('step 2: remembers the most recently sent of what was delivered, by sequence at equal times', () => {
    const state = rack();
    ack(state, 100, [0, 1000], [0, 2000]);
    expect([state.xmitMs, state.endSeq, state.rttMs]).toEqual([0, 2000, 100]);
    ack(state, 130, [20, 5000], [10, 3000]);
    expect([state.xmitMs, state.endSeq, state.rttMs]).toEqual([20, 5000, 110]);
    // An older one delivered later does not take its place.
    ack(state, 140, [15, 4000]);
    expect([state.xmitMs, state.endSeq]).toEqual([20, 5000]);
  });

  it('step 2: does not believe that a retransmission arrived sooner than min_RTT', () => {
    const state = rack(100);
    ack(state, 100, [0, 1000]);
    ack(state, 250, [200, 2000, true]);
    expect(state.xmitMs).toBe(0);
    ack(state, 300, [200, 2000, true]);
    expect([state.xmitMs, state.rttMs]).toEqual([200, 100]);
  });

  it('step 2: nor when the echoed timestamp is older than the retransmission', () => {
    const state = rack(100);
    ack(state, 400, [200, 2000, true, true]);
    expect(state.xmitMs).toBe(-1);
  });

  it('step 3: an original delivered below the forward ACK is reordering; a retransmission is not', () => {
    const state = rack();
    ack(state, 100, [0, 3000]);
    ack(state, 101, [0, 2000, true]);
    expect(state.reorderingSeen).toBe(false);
    ack(state, 102, [0, 1000]);
    expect(state.reorderingSeen).toBe(true);
  });

  it('step 3: works across the end of sequence space', () => {
    const state = new Rack();
    state.begin(0xffff_fff0);
    ack(state, 100, [0, 0x100]);
    expect(state.reorderingSeen).toBe(false);
    ack(state, 101, [0, 0xffff_fff8]);
    expect(state.reorderingSeen).toBe(true);
  });

  it('step 4: the window is min_RTT/4; none in recovery or after three SACKs while nothing was reordered', () => {
    const state = rack(100);
    expect(state.reorderingWindowMs(false, 2, 120)).toBe(25);
    expect(state.reorderingWindowMs(false, 3, 120)).toBe(0);
    expect(state.reorderingWindowMs(true, 0, 120)).toBe(0);
    ack(state, 100, [0, 2000]);
    ack(state, 101, [0, 1000]);
    expect(state.reorderingWindowMs(true, 5, 120)).toBe(25);
  });

  it('step 4: each round with a DSACK widens it by min_RTT/4, up to SRTT', () => {
    const state = rack(100);
    state.reorderingSeen = true;
    state.onDsack(1000);
    state.onDsack(1500);
    expect(state.reorderingWindowMs(false, 0, 1000)).toBe(50);
    state.onUnaMoved(999);
    state.onDsack(2000);
    expect(state.reorderingWindowMs(false, 0, 1000)).toBe(50);
    state.onUnaMoved(1000);
    state.onDsack(2000);
    expect(state.reorderingWindowMs(false, 0, 1000)).toBe(75);
    expect(state.reorderingWindowMs(false, 0, 60)).toBe(60);
  });

  it('widens by quarters of the largest RTT, up to it, in rounds that see three DSACKs: overtakers hide how late the rest is', () => {
    const state = rack(1);
    state.onRttSample(40, 10);
    const round = (end: number, dsacks: number): number => {
      for (let i = 0; i < dsacks; i++) state.onDsack(end);
      state.onUnaMoved(end);
      return state.reorderingWindowMs(false, 0, 20);
    };
    expect(round(1000, 2)).toBe(0.5);
    expect(round(2000, 3)).toBe(10);
    expect(round(3000, 9)).toBe(20);
    expect(round(4000, 2)).toBe(20);
    for (let end = 5000; end < 20_000; end += 1000) round(end, 3);
    expect(round(20_000, 3)).toBe(40);
    for (let i = 0; i < 16; i++) state.onRecoveryExit();
    expect(state.reorderingWindowMs(false, 0, 20)).toBe(0.25);
  });

  it('step 4: sixteen recoveries without a DSACK take it back', () => {
    const state = rack(100);
    state.onDsack(1000);
    for (let i = 0; i < 15; i++) state.onRecoveryExit();
    expect(state.reorderingWindowMs(false, 0, 1000)).toBe(50);
    state.onRecoveryExit();
    expect(state.reorderingWindowMs(false, 0, 1000)).toBe(25);
  });

  it('step 1: min_RTT follows a path that became longer, in time', () => {
    const state = rack(10);
    for (let now = 1000; now < 600_000; now += 1000) state.onRttSample(50, now);
    expect(state.minRttMs).toBe(50);
    state.onRttSample(20, 600_000);
    expect(state.minRttMs).toBe(20);
  });

  it('has no window before the first sample', () => {
    const state = new Rack();
    expect([state.minRttMs, state.reorderingWindowMs(false, 0, 0)]).toEqual([Infinity, 0]);
  });
});
