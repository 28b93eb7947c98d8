import { describe, expect, it } from 'vitest';

import { creditWindow } from '../../src/lab/datagram-roles.ts';
import { parseReceiveBufferErrors } from '../../src/lab/environment.ts';
import { defaultPlan, summarizeGoodput, type Contestant, type GoodputPlan, type GoodputRun } from '../../src/lab/goodput.ts';
import { goodputResultTable, goodputRowObject, runObject } from '../../src/lab/goodput-report.ts';
import { textTable } from '../../src/report/table.ts';

const TCP: Contestant = { transport: 'tcp', mtuBytes: 0 };
const DGRAM: Contestant = { transport: 'dgram', mtuBytes: 1452 };
const FIXED: Contestant = { transport: 'failmask', mtuBytes: 1452, congestion: 'fixed' };
const PLAN: GoodputPlan = { contestants: [TCP, DGRAM, FIXED], rounds: 2, warmUpMs: 1, measureMs: 1 };

function run(contestant: Contestant, round: number, bytesPerSecond: number, part: Partial<GoodputRun> = {}): GoodputRun {
  return {
    contestant, round, bytesPerSecond, senderMicros: 4, receiverMicros: 3, senderNanosPerByte: 2, receiverNanosPerByte: 1, retransmissions: 0, receiveBufferErrors: 0,
    ...part,
  };
}

const RUNS = [
  run(TCP, 0, 1000e6, { senderMicros: undefined, receiverMicros: undefined }), run(DGRAM, 0, 200e6), run(FIXED, 0, 100e6),
  run(TCP, 1, 1250e6, { senderMicros: undefined, receiverMicros: undefined }), run(DGRAM, 1, 400e6), run(FIXED, 1, 100e6, { retransmissions: 4 }),
];

describe('summarizeGoodput', () => {
  it('takes ratios within a round', () => {
    const [tcp, dgram, fixed] = summarizeGoodput(PLAN, RUNS);
    expect(fixed).toMatchObject({ toDgram: { low: 0.25, high: 0.5 }, toTcp: { low: 0.08, high: 0.1 }, retransmissions: { high: 4 } });
    expect(dgram).toMatchObject({ toDgram: undefined, toTcp: { low: 0.2, high: 0.32 } });
    expect(tcp).toMatchObject({ toTcp: undefined, senderMicros: undefined });
  });

  it('has no row for what did not run', () => {
    expect(summarizeGoodput(PLAN, [])).toEqual([]);
  });

  it('writes a table without holes', () => {
    const lines = goodputResultTable(summarizeGoodput(PLAN, RUNS), textTable).trimEnd().split('\n');
    expect(lines[2]!.split(/ {2,}/)).toEqual(['node:net (kernel TCP)', '–', '1125 (1000–1250)', '–', '–', '–', '–', '–', '0']);
    expect(lines[4]!.split(/ {2,}/)).toEqual(['failmask fixed', '1452', '100', '0.38 (0.25–0.50)', '0.09 (0.08–0.10)', '4.0', '3.0', '2 (0–4)', '0']);
  });

  it('writes lines of JSON that survive JSON', () => {
    for (const object of [runObject(RUNS[0]!), ...summarizeGoodput(PLAN, RUNS).map(goodputRowObject)]) {
      expect(JSON.parse(JSON.stringify(object))).toEqual(object);
    }
  });

  it('compares with plain dgram of the same size', () => {
    const { contestants } = defaultPlan(3);
    for (const { transport, mtuBytes } of contestants) {
      if (transport === 'failmask') expect(contestants).toContainEqual({ transport: 'dgram', mtuBytes });
    }
  });
});

describe('creditWindow', () => {
  it('never lets more be under way than half of the receive buffer holds', () => {
    for (const size of [100, 1452, 32_768, 65_000]) expect(creditWindow(8 << 20, size) * size).toBeLessThanOrEqual(4 << 20);
  });

  it('is at most 512 and never too small to give credit', () => {
    expect(creditWindow(1 << 30, 1452)).toBe(512);
    expect(creditWindow(4096, 65_000)).toBe(8);
  });
});

describe('parseReceiveBufferErrors', () => {
  it('finds the column by its name', () => {
    expect(parseReceiveBufferErrors('Tcp: RcvbufErrors\nTcp: 9\nUdp: InDatagrams RcvbufErrors X\nUdp: 5 17 3\n')).toBe(17);
  });

  it.each(['', 'Udp: InDatagrams\nUdp: 5\n', 'nonsense'])('knows nothing from %j', (text) => {
    expect(parseReceiveBufferErrors(text)).toBeUndefined();
  });
});
