import { describe, expect, it } from 'vitest';

import type { Request } from '../../src/group/message.ts';
import { Service } from '../../src/group/service.ts';
import { sessionClientId } from '../../src/group/sessions.ts';
import { SnapshotError, type Reply } from '../../src/group/state-machine.ts';
import { ListMachine } from './list-machine.ts';

/** Answers with much, so that a session's cached replies are more than a message holds. */
class LoudMachine extends ListMachine {
  override apply(operation: Uint8Array): Reply {
    return { ...super.apply(operation), body: new Uint8Array(60_000).fill(operation.length) };
  }
}

function request(clientId: string, serial: number, text: string): Request {
  return { kind: 'request', clientId, serial, acknowledged: 0, isStale: false, operation: new TextEncoder().encode(text) };
}

describe('a service', () => {
  it('carries its sessions in a snapshot, in chunks that fit a message, whatever they hold', () => {
    const service = new Service(new LoudMachine());
    service.apply(1, request('opener', 0, ''));
    const client = sessionClientId(1);
    const replies = Array.from({ length: 9 }, (_, i) => service.apply(2 + i, request(client, 1 + i, `+${i}`)));
    const chunks = [...service.snapshot()];
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(64 * 1024);
    const machine = new LoudMachine();
    const other = new Service(machine);
    other.restore(chunks);
    expect([other.appliedIndex, other.digest()]).toEqual([10, service.digest()]);
    // What was answered is answered again, and not done again.
    expect(other.apply(11, request(client, 9, '+8'))).toEqual(replies[8]);
    expect(machine.items.length).toBe(9);
  });

  it('refuses a snapshot that is cut short anywhere', () => {
    const service = new Service(new LoudMachine());
    service.apply(1, request('opener', 0, ''));
    for (let i = 0; i < 3; i++) service.apply(2 + i, request(sessionClientId(1), 1 + i, `+${i}`));
    const chunks = [...service.snapshot()];
    for (let length = 0; length < chunks.length; length++) expect(() => new Service(new LoudMachine()).restore(chunks.slice(0, length))).toThrow(SnapshotError);
  });
});
