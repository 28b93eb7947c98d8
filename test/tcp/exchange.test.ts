import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { Checker, Pair, type PairOptions } from './pair.ts';
import { streamBytes } from './trace.ts';

/** The client sends `bytes` to the server; returns when the server has them all. */
function transfer(pair: Pair, bytes: number, limitMs = 600_000): void {
  const s = pair.accept();
  const checker = new Checker();
  let written = 0;
  pair.runUntil(() => {
    if (written < bytes) {
      const end = Math.min(bytes, written + 65_536);
      written += pair.c.write(streamBytes(written, end));
      pair.flush();
    }
    checker.read(s);
    pair.flush();
    return checker.received === bytes && pair.c.sendQueueBytes === 0;
  }, limitMs);
}

const LOSSY = (seed: number, probability: number): NonNullable<PairOptions['drop']> => {
  const random = createRandom(seed);
  return () => random.chance(probability);
};

describe('two endpoints of ours', () => {
  it('agree on integrity, SACK, timestamps and window scaling', () => {
    const pair = new Pair();
    const s = pair.accept();
    for (const c of [pair.c, s]) expect(c.info()).toMatchObject({ integrity: true, sack: true, timestamps: true, smssBytes: 1420 });
    expect(pair.c.info().sendWindowBytes).toBe(65_535);
    pair.run(1000);
    expect(pair.c.info().sendWindowBytes).toBeGreaterThan(1_000_000);
  });

  it.each([0, 0.05, 0.2])('carry a megabyte over loss of %d each way', (probability) => {
    const pair = new Pair({ client: { congestion: 'fixed' }, server: { congestion: 'fixed' }, drop: LOSSY(3, probability) });
    transfer(pair, 1 << 20);
    expect(pair.c.error).toBeUndefined();
    if (probability === 0) expect(pair.c.counters).toMatchObject({ retransmissions: 0, timeouts: 0, lossProbes: 0 });
  });

  it('carry a megabyte across the end of sequence space, with loss', () => {
    transfer(new Pair({ initialSequence: 0xffff_8000, client: { congestion: 'fixed' }, drop: LOSSY(5, 0.1) }), 1 << 20);
  });

  it.each([548, 9000, 65_507])('carry a megabyte with an MTU of %i on one side and 1,452 on the other', (mtuBytes) => {
    const pair = new Pair({ client: { mtuBytes }, server: { mtuBytes: 1452 } });
    transfer(pair, 1 << 20, 20_000);
    const back = new Pair({ client: { mtuBytes: 1452 }, server: { mtuBytes } });
    transfer(back, 1 << 20, 20_000);
    // 40 ms of delayed ACK for every window would take far longer.
    expect(back.now).toBeLessThan(1000);
  });

  it('both windows closed and both still sending: ACKs get through, nobody dies', () => {
    const small = { sendBufferBytes: 65_536, receiveBufferBytes: 8192, userTimeoutMs: 10_000 };
    const pair = new Pair({ client: small, server: small });
    const s = pair.accept();
    pair.c.write(streamBytes(0, 60_000));
    s.write(streamBytes(0, 60_000));
    pair.flush();
    pair.run(60_000);
    expect([pair.c.stateName, s.stateName]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    // The client's reader wakes up first: the server's data must flow although the client is stuck in probing.
    const [atClient, atServer] = [new Checker(), new Checker()];
    pair.runUntil(() => {
      atClient.read(pair.c);
      pair.flush();
      return atClient.received === 60_000;
    }, 120_000);
    expect(s.sendQueueBytes).toBeLessThan(8192);
    pair.runUntil(() => {
      atServer.read(s);
      pair.flush();
      return atServer.received === 60_000 && s.sendQueueBytes + pair.c.sendQueueBytes === 0;
    }, 240_000);
  });

  it('a slow reader stops the sender, and lives longer than the user timeout', () => {
    const pair = new Pair({ client: { userTimeoutMs: 2000, sendBufferBytes: 100_000 }, server: { receiveBufferBytes: 20_000 } });
    const s = pair.accept();
    let written = 0;
    for (let i = 0; i < 20; i++) {
      written += pair.c.write(streamBytes(written, written + 50_000));
      pair.flush();
      pair.run(pair.now + 500);
    }
    expect(written).toBe(120_000);
    expect(pair.c.stateName).toBe('ESTABLISHED');
    const checker = new Checker();
    pair.runUntil(() => {
      checker.read(s);
      pair.flush();
      return checker.received === written;
    }, 60_000);
  });

  it.each([1, 2, 3, 4, 5])('close in order at 40 %% loss each way, both sides without an error (seed %i)', (seed) => {
    const pair = new Pair({ drop: LOSSY(seed, 0.4) });
    const s = pair.accept();
    pair.c.write(streamBytes(0, 10_000));
    pair.c.close(pair.now);
    pair.flush();
    const checker = new Checker();
    pair.runUntil(() => {
      checker.read(s);
      if (s.isReadFinished) s.close(pair.now);
      pair.flush();
      return pair.client.connectionCount === 0 && pair.server.connectionCount === 0;
    }, 300_000);
    expect([checker.received, pair.c.error, s.error]).toEqual([10_000, undefined, undefined]);
  });
});
