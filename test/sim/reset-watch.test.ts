import { describe, expect, it } from 'vitest';
import type { Millis } from '../../src/core/machine.ts';
import { Flow } from '../../src/sim/flow.ts';
import { ResetWatch } from '../../src/sim/reset-watch.ts';
import { ACK, RST, Segment, SYN } from '../../src/wire/segment.ts';

describe('an abort', () => {
  const NOBODY = 'aborted a connection that stood, and told nobody';
  const TOO_FEW = expect.stringMatching(/sent RSTs only \d times in 1000 ms/);
  const cases: readonly (readonly [string, readonly Millis[], unknown])[] = [
    ['said thrice within a second', [100, 150, 250], undefined],
    ['not said', [], NOBODY],
    ['said before only', [50], NOBODY],
    ['said at one instant only', [100, 100, 100], TOO_FEW],
    ['said twice', [100, 150], TOO_FEW],
    ['said again too late', [100, 150, 1101], TOO_FEW],
  ];
  it.each(cases)('%s', (_name, times, verdict) => {
    const watch = new ResetWatch();
    for (const time of times.filter((time) => time < 100)) watch.onSend(time);
    watch.onAbort(100);
    for (const time of times.filter((time) => time >= 100)) watch.onSend(time);
    expect(watch.refuteAbort()).toEqual(verdict);
  });

  it('need not be said again to a peer that knows, but has to be said', () => {
    const watch = new ResetWatch();
    watch.onAbort(100);
    watch.excuse();
    expect(watch.refuteAbort()).toBe(NOBODY);
    watch.onSend(100);
    expect(watch.refuteAbort()).toBeUndefined();
  });

  it('is the only reason to say anything', () => {
    expect(new ResetWatch().refuteAbort()).toBeUndefined();
  });
});

describe('a RST that has to be taken', () => {
  const ISS = 1000;
  const IRS = 5000;

  function segmentOf(flags: number, seq: number, ack: number, length = 0, hasCrc = true): Segment {
    return Object.assign(new Segment(), { flags, seq, ack, window: 8192, payload: new Uint8Array(length), payloadEnd: length, hasCrc });
  }

  /** Established, 10 bytes received. */
  function received(state = 'ESTABLISHED'): Flow {
    const flow = new Flow({ receiveBufferBytes: 8192, maxBackoffMs: 2000, requiresIntegrity: true, minRttMs: 0 }, false, () => {});
    flow.onSend(segmentOf(SYN, ISS, 0), 0);
    flow.onReceive(segmentOf(SYN | ACK, IRS, ISS + 1), 1);
    flow.onSend(segmentOf(ACK, ISS + 1, IRS + 1), 1);
    flow.onReceive(segmentOf(ACK, IRS + 1, ISS + 1, 10), 2);
    flow.state = state;
    return flow;
  }

  it('has the number that the host has acknowledged last', () => {
    const flow = received();
    flow.onSend(segmentOf(ACK, ISS + 1, IRS + 11), 3);
    flow.onReceive(segmentOf(RST | ACK, IRS + 11, ISS + 1), 4);
    expect(flow.resets.takenAtMs).toBe(4);
  });

  const others: readonly (readonly [string, string, boolean, number, boolean])[] = [
    ['another number', 'ESTABLISHED', true, 12, true],
    ['a number that the host may not have come to', 'ESTABLISHED', false, 11, true],
    ['no CRC', 'ESTABLISHED', true, 11, false],
    ['come in TIME-WAIT', 'TIME-WAIT', true, 11, true],
    ['come in SYN-RECEIVED', 'SYN-RECEIVED', true, 11, true],
  ];
  it.each(others)('is none that has %s', (_name, state, isAcknowledged, offset, hasCrc) => {
    const flow = received(state);
    if (isAcknowledged) flow.onSend(segmentOf(ACK, ISS + 1, IRS + 11), 3);
    flow.onReceive(segmentOf(RST | ACK, IRS + offset, ISS + 1, 0, hasCrc), 4);
    expect(flow.resets.takenAtMs).toBe(Infinity);
  });
});
