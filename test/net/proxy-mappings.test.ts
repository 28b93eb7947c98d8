import { afterEach, describe, expect, it } from 'vitest';
import { makeAddress } from '../../src/core/address.ts';
import { MappingTable } from '../../src/net/proxy-mappings.ts';

const tables: MappingTable[] = [];

afterEach(() => {
  for (const table of tables.splice(0)) table.close();
});

function makeTable(maxMappings: number, idleTimeoutMs = 180_000): MappingTable {
  const table = new MappingTable({
    target: makeAddress('127.0.0.1', 9), family: 4, maxMappings, idleTimeoutMs, onDatagram: () => {}, onError: () => {},
  });
  tables.push(table);
  return table;
}

describe('MappingTable', () => {
  it('gives a client the same mapping each time', () => {
    const table = makeTable(10);
    const a = table.find('127.0.0.1', 1000, 0);
    const b = table.find('127.0.0.1', 1001, 0);
    expect(a?.client.key).toBe('127.0.0.1|1000');
    expect(table.find('127.0.0.1', 1000, 5000)).toBe(a);
    expect(table.find('127.0.0.1', 1001, 5000)).toBe(b);
    expect(table.find('127.0.0.2', 1001, 5000)).not.toBe(b);
    expect(table.counters.created).toBe(3);
  });

  it('gives up the least recently used one, if idle for 10 s, and else refuses the new client', () => {
    const table = makeTable(2);
    const a = table.find('127.0.0.1', 1000, 0);
    const b = table.find('127.0.0.1', 1001, 1);
    table.find('127.0.0.1', 1000, 5000);
    expect(table.find('127.0.0.1', 1002, 10_000)).toBeUndefined();
    expect(table.find('127.0.0.1', 1002, 10_001)).toBeDefined();
    expect([a?.isOpen, b?.isOpen]).toEqual([true, false]);
    expect(table.size).toBe(2);
    expect(table.counters).toMatchObject({ created: 3, evicted: 1, refused: 1 });
  });

  it('expires what was idle for the timeout, not sooner, and announces when', () => {
    const table = makeTable(10, 180_000);
    expect(table.nextTimeout()).toBe(Infinity);
    table.find('127.0.0.1', 1000, 0);
    table.find('127.0.0.1', 1001, 0);
    table.find('127.0.0.1', 1000, 100_000);
    table.expire(180_000);
    expect(table.size).toBe(2);
    const expiry = table.nextTimeout();
    expect(expiry).toBeLessThanOrEqual(181_000);
    table.expire(expiry);
    expect(table.size).toBe(1);
    expect(table.nextTimeout()).toBe(281_000);
    expect(table.counters.expired).toBe(1);
  });

  it('cannot answer port 0', () => {
    const table = makeTable(10);
    expect(table.find('127.0.0.1', 0, 0)).toBeUndefined();
    expect(table.counters.refused).toBe(1);
  });
});
