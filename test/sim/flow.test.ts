import { describe, expect, it } from 'vitest';
import { Flow } from '../../src/sim/flow.ts';
import { ACK, FIN, Segment, SYN } from '../../src/wire/segment.ts';

const ISS = 1000;
const IRS = 5000;

/** A flow whose handshake is over, and what its watchers report. */
class Watched {
  readonly reports: string[] = [];
  readonly flow = new Flow(
    { receiveBufferBytes: 8192, maxBackoffMs: 2000, requiresIntegrity: false, minRttMs: 20 }, false,
    (checker, message) => this.reports.push(`${checker}: ${message}`),
  );
  now = 0;

  constructor() {
    this.out(SYN, 0, 0, { window: 8192, sackPermitted: true });
    this.in(SYN | ACK, 0, 1, { window: 4000, sackPermitted: true });
    this.out(ACK, 1, 1, { window: 8192 });
  }

  /** The host sends, numbers relative to the initial ones. */
  out(flags: number, seq: number, ack: number, rest: Partial<Segment> = {}, length = 0): void {
    this.flow.onSend(segmentOf(flags, ISS + seq, IRS + ack, rest, length), this.now);
  }

  in(flags: number, seq: number, ack: number, rest: Partial<Segment> = {}, length = 0): void {
    this.flow.onReceive(segmentOf(flags, IRS + seq, ISS + ack, { window: 4000, ...rest }, length), this.now);
  }
}

function segmentOf(flags: number, seq: number, ack: number, rest: Partial<Segment>, length: number): Segment {
  const segment = new Segment();
  const { sackCount, sack, ...plain } = rest;
  Object.assign(segment, { flags, seq, ack, payload: new Uint8Array(length), payloadEnd: length, ...plain });
  if (sack !== undefined) segment.sack.set([...sack].map((number) => IRS + number));
  if (sackCount !== undefined) segment.sackCount = sackCount;
  return segment;
}

const WINDOW = { window: 8192 };

describe('Flow reports', () => {
  it('nothing for an ordinary exchange', () => {
    const w = new Watched();
    w.flow.onWritten(100);
    w.flow.onClose();
    w.out(ACK | FIN, 1, 1, WINDOW, 100);
    w.in(ACK, 1, 102, {}, 50);
    w.out(ACK, 102, 51, { window: 8142 });
    expect(w.reports).toEqual([]);
  });

  const cases: readonly (readonly [string, string, (w: Watched) => void])[] = [
    ['an ACK of what has not come', 'ack', (w) => w.out(ACK, 1, 2, WINDOW)],
    ['an ACK that goes back', 'ack', (w) => {
      w.in(ACK, 1, 1, {}, 10);
      w.out(ACK, 1, 11, WINDOW);
      w.out(ACK, 1, 1, WINDOW);
    }],
    ['a SACK block of what has not come', 'sack', (w) => w.out(ACK, 1, 1, { ...WINDOW, sackCount: 1, sack: Uint32Array.of(100, 200) })],
    ['a D-SACK of what came once', 'sack', (w) => {
      w.in(ACK, 1, 1, {}, 10);
      w.out(ACK, 1, 11, { window: 8182, sackCount: 1, sack: Uint32Array.of(1, 11) });
    }],
    ['a right edge that goes back', 'window', (w) => w.out(ACK, 1, 1, { window: 8000 })],
    ['a window beyond the buffer', 'window', (w) => w.out(ACK, 1, 1, { window: 8193 })],
    ['text beyond the peer\'s window', 'window', (w) => {
      w.flow.onWritten(5000);
      w.out(ACK, 1, 1, WINDOW, 4002);
    }],
    ['bytes that nobody wrote', 'stream', (w) => w.out(ACK, 1, 1, WINDOW, 1)],
    ['a gap', 'sequence', (w) => {
      w.flow.onWritten(100);
      w.out(ACK, 50, 1, WINDOW, 10);
    }],
    ['a retransmission with other bytes', 'retransmission', (w) => {
      w.flow.onWritten(100);
      w.out(ACK, 1, 1, WINDOW, 100);
      w.out(ACK, 1, 1, { ...WINDOW, payload: new Uint8Array(100).fill(1) }, 100);
    }],
    ['a FIN before close()', 'fin', (w) => w.out(ACK | FIN, 1, 1, WINDOW)],
    ['a FIN before the last byte', 'fin', (w) => {
      w.flow.onWritten(100);
      w.flow.onClose();
      w.out(ACK | FIN, 1, 1, WINDOW, 99);
    }],
    ['text after the FIN', 'fin', (w) => {
      w.flow.onClose();
      w.out(ACK | FIN, 1, 1, WINDOW);
      w.out(ACK, 1, 1, WINDOW, 5);
    }],
    ['a timestamp that goes back', 'timestamp', (w) => {
      w.out(ACK, 1, 1, { ...WINDOW, hasTimestamps: true, tsVal: 10 });
      w.out(ACK, 1, 1, { ...WINDOW, hasTimestamps: true, tsVal: 9 });
    }],
    ['a round trip that cannot be', 'rtt', (w) => w.flow.onRtt(5)],
    ['retransmissions that do not back off', 'backoff', (w) => {
      w.flow.onWritten(100);
      for (let i = 0; i < 5; i++, w.now += 200) w.out(ACK, 1, 1, WINDOW, 100);
    }],
    ['an RTO for a loss that was certain', 'rack', (w) => {
      w.flow.onWritten(300);
      w.flow.onRtt(20);
      w.out(ACK, 1, 1, WINDOW, 100);
      w.now = 10;
      w.out(ACK, 101, 1, WINDOW, 100);
      w.now = 30;
      w.in(ACK, 1, 1, { sackCount: 1, sack: Uint32Array.of(ISS + 101 - IRS, ISS + 201 - IRS) });
      w.now = 200;
      w.flow.onTimeout(w.now, 10_000);
    }],
    ['a segment after the end', 'close', (w) => {
      w.flow.isGone = true;
      w.out(ACK, 1, 1, WINDOW);
    }],
  ];
  it.each(cases)('%s', (_name, checker, act) => {
    const w = new Watched();
    act(w);
    expect(w.reports.map((report) => report.split(':')[0])).toContain(checker);
  });

  it('no missing back-off where the peer was heard in between', () => {
    const w = new Watched();
    w.flow.onWritten(100);
    for (let i = 0; i < 8; i++, w.now += 200) {
      w.out(ACK, 1, 1, WINDOW, 100);
      if (i % 2 === 0) w.in(ACK, 1, 1);
    }
    expect(w.reports).toEqual([]);
  });
});
