import { describe, expect, it } from 'vitest';

import type { Request } from '../../src/group/message.ts';
import { MAX_CACHED_REPLIES, MAX_SESSIONS, Sessions } from '../../src/group/sessions.ts';
import { SnapshotError, type Reply } from '../../src/group/state-machine.ts';

function request(serial: number, clientId = 'c', acknowledged = 0): Request {
  return { kind: 'request', clientId, serial, acknowledged, isStale: false, operation: new Uint8Array(0) };
}

function reply(offset: number): Reply {
  return { status: 'ok', offset, digest: Uint8Array.of(1), body: Uint8Array.of(2, 3) };
}

describe('sessions', () => {
  it('answers a repeated serial from the cache, and lets a new one be applied', () => {
    const sessions = new Sessions('implicit', 64);
    expect(sessions.find(request(1))).toBeUndefined();
    sessions.record(request(1), reply(10));
    expect(sessions.find(request(1))).toEqual(reply(10));
    expect(sessions.find(request(2))).toBeUndefined();
    expect(sessions.find(request(1, 'another'))).toBeUndefined();
  });

  it('forgets what the client has, and then says that it has', () => {
    const sessions = new Sessions('implicit', 64);
    for (let serial = 1; serial <= 5; serial++) sessions.record(request(serial, 'c', serial === 5 ? 3 : 0), reply(serial));
    expect(sessions.find(request(3))).toMatchObject({ status: 'expired' });
    expect(sessions.find(request(4))).toEqual(reply(4));
  });

  it('is bounded in replies and in clients, and never applies twice for it', () => {
    const sessions = new Sessions('implicit', 64);
    for (let serial = 1; serial <= MAX_CACHED_REPLIES + 1; serial++) sessions.record(request(serial), reply(serial));
    expect(sessions.find(request(1))).toMatchObject({ status: 'expired' });
    expect(sessions.find(request(2))).toEqual(reply(2));
    for (let i = 1; i < MAX_SESSIONS; i++) sessions.record(request(1, `client ${i}`), reply(1));
    expect(sessions.find(request(1, 'one too many'))).toMatchObject({ status: 'busy' });
    expect(sessions.find(request(1, 'client 1'))).toEqual(reply(1));
  });

  it('travels in snapshots', () => {
    const sessions = new Sessions('implicit', 64);
    sessions.record(request(1, 'a'), reply(1));
    sessions.record(request(7, 'b'), reply(2));
    const restored = new Sessions('implicit', 64);
    restored.restore(sessions.snapshot());
    expect(restored.find(request(1, 'a'))).toEqual(reply(1));
    expect(restored.find(request(7, 'b'))).toEqual(reply(2));
    expect(restored.find(request(8, 'b'))).toBeUndefined();
  });

  it('refuses a damaged snapshot and stays as it was', () => {
    const sessions = new Sessions('implicit', 64);
    sessions.record(request(1, 'a'), reply(1));
    const chunks = [...sessions.snapshot()];
    const restored = new Sessions('implicit', 64);
    restored.record(request(4, 'old'), reply(4));
    expect(() => restored.restore([chunks[0]!.subarray(0, 20)])).toThrow(SnapshotError);
    expect(restored.find(request(4, 'old'))).toEqual(reply(4));
  });
});
