import { describe, expect, it } from 'vitest';
import { parseProfile } from '../../src/link/profile.ts';
import { Outages } from '../../src/sim/outages.ts';
import type { Fault } from '../../src/sim/scenario.ts';
import { transferScenario } from '../../src/sim/transfer.ts';

function outages(...faults: Fault[]): Outages {
  const link = parseProfile('');
  return new Outages(transferScenario({ seed: 1, bytes: 1, up: link, down: link, faults }), 0);
}

describe('Outages', () => {
  it('counts what lies within the span, overlaps once', () => {
    const both = outages(
      { kind: 'partition', atMs: 1000, forMs: 1000, client: 0, direction: 'up' },
      { kind: 'pause', atMs: 1500, forMs: 1000, host: 'server' },
    );
    expect(both.within(0, 5000)).toBe(1500);
    expect(both.within(1200, 1800)).toBe(600);
    expect(both.within(2400, 9000)).toBe(100);
    expect(both.within(3000, 9000)).toBe(0);
  });

  it('a crash lasts until the restart, or for good', () => {
    expect(outages({ kind: 'crash', atMs: 100, host: 'server' }).within(0, 1e6)).toBe(1e6 - 100);
    expect(outages({ kind: 'crash', atMs: 100, host: 0, restartAfterMs: 400 }).within(0, 1e6)).toBe(400);
  });

  it('what befalls another client, or only slows the link, is none', () => {
    expect(outages(
      { kind: 'partition', atMs: 0, forMs: 1000, client: 1, direction: 'both' },
      { kind: 'crash', atMs: 0, host: 1 },
      { kind: 'profile', atMs: 0, client: 0, direction: 'up', change: {} },
    ).within(0, 1e6)).toBe(0);
  });
});
