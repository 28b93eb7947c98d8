import { describe, expect, it } from 'vitest';
import { parseProfile } from '../../src/link/profile.ts';
import type { SimResult } from '../../src/sim/result.ts';
import type { Fault } from '../../src/sim/scenario.ts';
import { transferScenario, type TransferOptions } from '../../src/sim/transfer.ts';
import { runScenario } from '../../src/sim/world.ts';

const MIB = 1 << 20;
const MIXED = 'loss 10% duplicate 5% reorder 25% corrupt 2% delay 20ms 10ms';

function transfer(link: string, options: Partial<TransferOptions> = {}): SimResult {
  const profile = parseProfile(link);
  return runScenario(transferScenario({ seed: 1, bytes: 256 * 1024, up: profile, down: profile, ...options }));
}

function expectClean(result: SimResult): void {
  expect(result.violations, `seed ${result.seed}`).toEqual([]);
  for (const { client, server } of result.connections) {
    expect([client.outcome, server?.outcome], `seed ${result.seed}`).toEqual(['clean', 'clean']);
  }
}

describe('a file through a hurting network', () => {
  // What 16 MiB may take is 120 s: an eighth of it has 15 s.
  const cases: readonly (readonly [string, string])[] = [
    ['delay 20ms', 'fixed'], ['loss 5% delay 20ms', 'fixed'], ['loss 20% delay 20ms', 'fixed'], ['loss 40% delay 20ms', 'fixed'], [MIXED, 'fixed'],
    ['delay 20ms', 'newreno'],
  ];
  it.each(cases)('2 MiB, %s, %s: ten seeds, each in time', (link, congestion) => {
    for (let seed = 1; seed <= 10; seed++) {
      const result = transfer(link, { seed, bytes: 2 * MIB, config: { congestion } });
      expectClean(result);
      expect(result.connections[0]!.client.finishedAtMs, `seed ${seed}`).toBeLessThan(15_000);
    }
  });

  it.each([0, 1, 2, 1460, 100_000, 2 * MIB])('across the end of sequence space, %i bytes before it', (before) => {
    const result = transfer('loss 10% delay 10ms', { bytes: 2 * MIB, initialSequence: (2 ** 32 - 1 - before) >>> 0, config: { congestion: 'fixed' } });
    expectClean(result);
    expect(result.coverage['sequence wrap']).toBeGreaterThan(0);
  });
});

describe('the end of a connection at 40 % loss each way, 200 seeds', () => {
  const LINK = 'loss 40% delay 20ms';

  it('a file and its confirmation: no error on either side, whichever leaves first and whatever is lost last', () => {
    let lastAckLost = 0;
    let finLost = 0;
    let serverFirst = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const result = transfer(LINK, { seed, bytes: 3000 });
      expectClean(result);
      lastAckLost += result.coverage['fin again in time-wait'];
      finLost += result.coverage['FIN retransmission'];
      const { client, server } = result.connections[0]!;
      if (server!.finishedAtMs < client.finishedAtMs + 1000) serverFirst++;
    }
    // It did happen.
    expect(lastAckLost).toBeGreaterThan(20);
    expect(finLost).toBeGreaterThan(100);
    expect(serverFirst).toBeGreaterThan(20);
    expect(serverFirst).toBeLessThan(200);
  });

  const ends: readonly (readonly [string, Partial<TransferOptions>])[] = [
    ['the receiver closes first', { client: { closes: 'when-peer-has' }, server: { closes: 'when-written' } }],
    ['both close at once', { server: { closes: 'when-written', writeBytes: 3000, holdMs: 300 }, client: { holdMs: 300 } }],
  ];
  it.each(ends)('%s: everything arrives; one who waits for the ACK of data and FIN may find the other gone', (_name, options) => {
    let resets = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const result = transfer(LINK, { seed, bytes: 3000, ...options });
      expect(result.violations, `seed ${seed}`).toEqual([]);
      const { client, server } = result.connections[0]!;
      expect([client.readBytes, server!.readBytes]).toEqual([server!.writtenBytes, client.writtenBytes]);
      if (!client.isClean || !server!.isClean) resets++;
      // Never both: the one in TIME-WAIT has everything.
      expect(client.isClean || server!.isClean).toBe(true);
    }
    expect(resets).toBeLessThan(30);
  });
});

describe('an idle connection whose peer dies', () => {
  const crash: Fault = { kind: 'crash', atMs: 5000, host: 'server' };
  const idle: Partial<TransferOptions> = { bytes: 1000, faults: [crash], client: { closes: 'when-peer-has' }, server: { holdMs: 1_800_000 } };

  it('is told nothing without keep-alive', () => {
    const result = transfer('delay 20ms', idle);
    expect(result.violations).toEqual([]);
    expect(result.connections[0]!.client.outcome).toBe('left in ESTABLISHED');
    expect(result.coverage['orphan left idle']).toBe(1);
  });

  it('gets ETIMEDOUT with keep-alive, after idle time and all probes', () => {
    const keepAlive = { idleMs: 10_000, intervalMs: 1000, count: 4 };
    const result = transfer('delay 20ms', { ...idle, clientConfig: { keepAlive } });
    expect(result.violations).toEqual([]);
    const { outcome, goneAtMs } = result.connections[0]!.client;
    expect(outcome).toContain('ETIMEDOUT');
    expect(goneAtMs).toBeGreaterThan(14_000);
    expect(goneAtMs).toBeLessThan(15_000);
  });
});

describe('the user timeout', () => {
  it('spares a slow reader, however long it stalls', () => {
    const result = transfer('loss 5% delay 10ms', {
      bytes: MIB, config: { userTimeoutMs: 5000, receiveBufferBytes: 64 * 1024 }, server: { stall: { afterBytes: 100_000, forMs: 30_000 } },
    });
    expectClean(result);
    expect(result.coverage['zero-window probe']).toBeGreaterThan(3);
    expect(result.endedAtMs).toBeGreaterThan(30_000);
  });

  it.each(['up', 'down', 'both'] as const)('outlasts a partition (%s) that is shorter', (direction) => {
    const faults: Fault[] = [{ kind: 'partition', atMs: 200, forMs: 14_000, client: 0, direction }];
    const result = transfer('loss 5% delay 10ms', { bytes: 4 * MIB, config: { userTimeoutMs: 20_000 }, faults });
    expectClean(result);
    expect(result.coverage['outage masked']).toBeGreaterThan(0);
  });

  it.each(['server', 0] as const)('outlasts a pause of %s that is shorter', (host) => {
    const result = transfer('delay 10ms', { bytes: 8 * MIB, config: { userTimeoutMs: 5000 }, faults: [{ kind: 'pause', atMs: 200, forMs: 4500, host }] });
    expectClean(result);
    expect(result.coverage['outage masked']).toBeGreaterThan(0);
  });

  it('ends a connection whose peer was killed, within itself and 5 %', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const result = transfer('loss 5% delay 10ms', { seed, bytes: 64 * MIB, config: { userTimeoutMs: 5000 }, faults: [{ kind: 'crash', atMs: 5000, host: 'server' }] });
      expect(result.violations).toEqual([]);
      const { outcome, goneAtMs } = result.connections[0]!.client;
      expect(outcome).toContain('ETIMEDOUT');
      expect(goneAtMs - 5000).toBeGreaterThan(4800);
      expect(goneAtMs - 5000).toBeLessThan(5250);
    }
  });

  it('is spared by a peer that restarts: ECONNRESET', () => {
    const result = transfer('delay 10ms', { bytes: 64 * MIB, config: { userTimeoutMs: 5000 }, faults: [{ kind: 'crash', atMs: 300, host: 'server', restartAfterMs: 500 }] });
    expect(result.violations).toEqual([]);
    expect(result.connections[0]!.client.outcome).toContain('ECONNRESET');
    expect(result.connections[0]!.client.goneAtMs).toBeLessThan(3000);
  });
});
