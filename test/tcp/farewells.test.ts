import { describe, expect, it } from 'vitest';
import { makeAddress } from '../../src/core/address.ts';
import { Farewells, type Reset } from '../../src/tcp/farewells.ts';
import { RST } from '../../src/wire/segment.ts';

function reset(port: number, seq = 1): Reset {
  return { to: makeAddress('192.0.2.1', port), seq, ack: 0, flags: RST, hasCrc: true };
}

/** Everything that is to be said now. */
function said(farewells: Farewells): Reset[] {
  const resets: Reset[] = [];
  for (let next = farewells.poll(); next !== undefined; next = farewells.poll()) resets.push(next);
  return resets;
}

describe('farewells', () => {
  it('are said after 50, 100, 200 and 400 ms, and then never again', () => {
    const farewells = new Farewells();
    const pair = [reset(1, 5), reset(1, 9)];
    for (const one of pair) expect(farewells.add(one, 1000)).toBe(true);
    const times: number[] = [];
    while (farewells.nextTimeout() < Infinity) {
      const now = farewells.nextTimeout();
      times.push(now - 1000);
      farewells.handleTimeout(now - 0.1);
      expect(said(farewells)).toEqual([]);
      farewells.handleTimeout(now);
      expect(farewells.nextTimeout()).toBe(-Infinity);
      expect(farewells.length).toBe(1);
      expect(said(farewells)).toEqual(pair);
    }
    expect(times).toEqual([50, 150, 350, 750]);
    expect(farewells.length).toBe(0);
  });

  it('are for 256 peers and two RSTs each', () => {
    const farewells = new Farewells();
    const added = Array.from({ length: 300 }, (_, i) => [farewells.add(reset(i + 1), 0), farewells.add(reset(i + 1, 2), 0), farewells.add(reset(i + 1, 3), 0)]);
    expect(added.map(String)).toEqual(added.map((_, i) => (i < 256 ? 'true,true,false' : 'false,false,false')));
    farewells.handleTimeout(50);
    expect(said(farewells).length).toBe(512);
  });

  it('do not pile up while nobody can send', () => {
    const farewells = new Farewells();
    farewells.add(reset(1), 0);
    for (const now of [50, 150, 350, 750]) farewells.handleTimeout(now);
    expect([said(farewells).length, farewells.length, farewells.nextTimeout()]).toEqual([1, 0, Infinity]);
  });

  it('end with delete(), also for what waits to be said', () => {
    const farewells = new Farewells();
    farewells.add(reset(1), 0);
    farewells.add(reset(2), 10);
    farewells.delete('192.0.2.7:1');
    farewells.handleTimeout(50);
    farewells.delete(reset(1).to.key);
    expect([said(farewells), farewells.length, farewells.nextTimeout()]).toEqual([[], 1, 60]);
    farewells.delete(reset(2).to.key);
    expect([farewells.length, farewells.nextTimeout()]).toEqual([0, Infinity]);
    farewells.add(reset(1), 100);
    farewells.handleTimeout(150);
    expect(said(farewells)).toEqual([reset(1)]);
  });
});
