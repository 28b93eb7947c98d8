import { describe, expect, it } from 'vitest';

import { createRandom } from '../../../src/core/random.ts';
import { decodeText } from '../../../src/group/byte-codec.ts';
import { openStorage } from '../../../src/group/disk-storage.ts';
import { ENTRY_OVERHEAD_BYTES } from '../../../src/group/kv/kv-store.ts';
import type { Request } from '../../../src/group/message.ts';
import { decodeQuorumAnswer, decodeQuorumOperation, encodeQuorumOperation, type QuorumOperation } from '../../../src/group/quorum/quorum-operation.ts';
import { QuorumReplica, type QuorumOptions } from '../../../src/group/quorum/quorum-replica.ts';
import { decodeRecoveryMessage, encodeRecoveryMessage, type RecoveryMessage } from '../../../src/group/quorum/recovery-message.ts';
import { MemoryDisk, QuorumWorld, text } from './quorum-world.ts';

const MEMBERS = [0, 1, 2].map((i) => ({ id: `m${i}`, address: `host:${i}` }));

function request(serial: number, operation: QuorumOperation): Request {
  return { kind: 'request', clientId: 'c0', serial, acknowledged: 0, isStale: false, operation: encodeQuorumOperation(operation) };
}

const write = (key: string, counter: number, value: string): QuorumOperation => ({ kind: 'write', key, tag: { counter, clientId: 'c0', number: 1 }, value: text(value) });

function open(disk: MemoryDisk, isFounding: boolean, seat = 0, options: Pick<QuorumOptions, 'compactBytes' | 'limits'> = {}): QuorumReplica {
  const storage = openStorage((file) => disk.files.get(file));
  return new QuorumReplica({ id: `m${seat}`, seat, members: MEMBERS, isFounding, storage, random: createRandom(1), ...options });
}

function read(replica: QuorumReplica, key: string): string | undefined {
  replica.propose(request(99, { kind: 'read', key }), 0);
  const reply = replica.takeReady()!.replies[0]!.reply;
  return reply.status === 'ok' ? decodeText(decodeQuorumAnswer(reply.body, 3)!.value) : reply.status;
}

describe('a member of the quorum register', () => {
  it('answers a write with the disk, one sync a batch, and a read without', () => {
    const replica = open(new MemoryDisk(), true);
    replica.takeReady();
    replica.propose(request(1, write('k', 1, 'one')), 0);
    replica.propose(request(2, write('l', 1, 'two')), 0);
    const ready = replica.takeReady()!;
    expect(ready.persist.map(({ kind }) => kind)).toEqual(['write', 'sync']);
    expect(ready.replies.map(({ serial, memberId, reply }) => [serial, memberId, reply.status])).toEqual([[1, 'm0', 'ok'], [2, 'm0', 'ok']]);
    replica.propose(request(3, { kind: 'read', key: 'k' }), 0);
    expect(replica.takeReady()).toMatchObject({ persist: [], replies: [{ serial: 3 }] });
    expect(replica.takeReady()).toBeUndefined();
  });

  it('keeps the larger tag, and writes nothing for a repeated or an older one', () => {
    const replica = open(new MemoryDisk(), true);
    replica.propose(request(1, write('k', 5, 'new')), 0);
    replica.takeReady();
    replica.propose(request(2, write('k', 4, 'old')), 0);
    replica.propose(request(3, write('k', 5, 'same')), 0);
    expect(replica.takeReady()).toMatchObject({ persist: [], replies: [{ reply: { status: 'ok' } }, { reply: { status: 'ok' } }] });
    expect(read(replica, 'k')).toBe('new');
    expect(replica.status().counters['staleWrites']).toBe(2);
  });

  it('has everything again after a restart, from log and snapshot, whenever it crashes while it is saving one', () => {
    const disk = new MemoryDisk();
    let replica = open(disk, true, 0, { compactBytes: 64 * 1024 });
    const value = 'v'.repeat(4000);
    let compactions = 0;
    for (let i = 1; i <= 3000; i++) {
      replica.propose(request(i, write(`k${i % 400}`, i, `${i} ${value}`)), 0);
      // A snapshot takes several turns, of 1 MiB each, with writes between them.
      if (i % 20 === 0) disk.carryOut(replica.takeReady()!.persist);
      if (i % 260 !== 0) continue;
      compactions += replica.status().counters['compactions']!;
      const { digest, lastIndex } = replica.status();
      replica = open(disk, false, 0, { compactBytes: 64 * 1024 });
      expect(replica.status()).toMatchObject({ role: 'member', digest, problem: undefined });
      expect(replica.status().lastIndex).toBeLessThanOrEqual(lastIndex);
    }
    expect(compactions).toBeGreaterThan(2);
    expect(read(replica, 'k7')).toBe(`2807 ${value}`);
  });

  it('has room for so many keys and bytes; what it has can be written anew, if it does not grow beyond that', () => {
    const disk = new MemoryDisk();
    const limits = { maxKeys: 2, maxBytes: 2 * (ENTRY_OVERHEAD_BYTES + 1) + 20 };
    let replica = open(disk, true, 0, { limits });
    let counter = 0;
    const put = (key: string, bytes: number): string => {
      replica.propose(request(++counter, write(key, counter, 'v'.repeat(bytes))), 0);
      const ready = replica.takeReady()!;
      disk.carryOut(ready.persist);
      const { status, body } = ready.replies[0]!.reply;
      return status === 'ok' ? status : `${status}: ${decodeText(body)}`;
    };
    expect([put('a', 10), put('b', 10), put('b', 10)]).toEqual(['ok', 'ok', 'ok']);
    expect(put('c', 0)).toBe('busy: the store is full: 2 keys');
    expect(put('a', 11)).toBe(`busy: the store is full: ${limits.maxBytes} of ${limits.maxBytes} bytes`);
    expect([put('b', 5), put('a', 15)]).toEqual(['ok', 'ok']);
    expect(replica.status()).toMatchObject({ lastIndex: 5, counters: { full: 2, keys: 2 } });
    // A member that had more before keeps it, and what comes late is no growth.
    replica = open(disk, false, 0, { limits: { maxKeys: 1, maxBytes: 1 } });
    expect([read(replica, 'a')?.length, read(replica, 'b')?.length]).toEqual([15, 5]);
    expect(put('a', 15)).toBe('ok');
    counter = 0;
    expect(put('a', 99)).toBe('ok');
    expect(read(replica, 'a')?.length).toBe(15);
  });

  it('takes what a read writes back though it is full: whoever had room for it may be in no other majority', () => {
    const disk = new MemoryDisk();
    const replica = open(disk, true, 0, { limits: { maxKeys: 1, maxBytes: 1 } });
    replica.propose(request(1, { ...write('k', 1, 'longer than there is room'), kind: 'write-back' } as QuorumOperation), 0);
    const ready = replica.takeReady()!;
    disk.carryOut(ready.persist);
    expect(ready.replies[0]!.reply.status).toBe('ok');
    expect(read(replica, 'k')).toBe('longer than there is room');
  });

  it('refuses what is no register operation, and the disk of another seat', () => {
    const disk = new MemoryDisk();
    const replica = open(disk, true);
    replica.propose({ ...request(1, write('k', 1, 'v')), operation: text('nonsense') }, 0);
    const ready = replica.takeReady()!;
    expect(ready.replies[0]!.reply.status).toBe('refused');
    disk.carryOut(ready.persist);
    expect(() => open(disk, false, 1)).toThrow('the disk is that of seat 0 of 3, not of seat 1 of 3');
    expect(() => open(new MemoryDisk(), true, 3)).toThrow(RangeError);
  });

  it('promises nothing any more after a failed disk', () => {
    const replica = open(new MemoryDisk(), true);
    replica.takeReady();
    replica.propose(request(1, write('k', 1, 'v')), 0);
    replica.takeReady();
    replica.persistFailed('ENOSPC: no space', 1);
    replica.propose(request(2, { kind: 'read', key: 'k' }), 2);
    const ready = replica.takeReady()!;
    expect(ready.role).toBe('failed');
    expect(ready.replies.map(({ serial, reply }) => [serial, reply.status])).toEqual([[1, 'disk-error'], [2, 'disk-error']]);
    expect(replica.nextTimeout()).toBe(Infinity);
  });

  it('counts and drops bytes from other members that are no message', () => {
    const replica = open(new MemoryDisk(), true);
    const message = encodeRecoveryMessage({ kind: 'fetch', nonce: 1, seat: 1, life: 2, from: 0 });
    for (let length = 0; length < message.length; length++) replica.step('m1', message.subarray(0, length), 0);
    replica.step('m1', encodeRecoveryMessage({ kind: 'inquiry', nonce: 1, seat: 7 }), 0);
    // Nobody else sits in this seat.
    replica.step('m9', encodeRecoveryMessage({ kind: 'inquiry', nonce: 1, seat: 0 }), 0);
    expect(replica.status().counters['malformed']).toBe(message.length + 2);
    expect(replica.peers()).toEqual([]);
  });
});

describe('a member without its memory', () => {
  it.each([['the same name', 'm2'], ['another name', 'm2b']])('answers nothing before it has read what a majority of the others has (%s)', (_, id) => {
    const world = new QuorumWorld(5);
    const client = world.addClient();
    for (let i = 0; i < 40; i++) world.ask(client, `put k${i} ${'v'.repeat(5000)}${i}`);
    world.crash(0);
    world.crash(1);
    world.crash(2);
    world.restartEmpty(2, id);
    const replica = world.replicas[2]!;
    expect(replica.peers().map(({ address }) => address)).toEqual(['host:0', 'host:1', 'host:3', 'host:4']);
    world.run(2000);
    // Two of the others are no majority of five.
    expect(replica.status()).toMatchObject({ role: 'outside' });
    expect(world.ask(client, 'put k0 x', 500)).toBeUndefined();
    world.restart(0);
    world.run(2000);
    expect(replica.status()).toMatchObject({ id, role: 'member', problem: undefined, digest: world.replicas[3]!.status().digest });
    world.run(60_000);
    expect(world.replicas.flatMap((other) => other?.peers() ?? [])).toEqual([]);
  });

  it('a restart in the middle of it begins anew, and the memory is whole afterwards', () => {
    const world = new QuorumWorld(3);
    const client = world.addClient();
    for (let i = 0; i < 100; i++) world.ask(client, `put k${i} ${'v'.repeat(5000)}${i}`);
    world.crash(1);
    world.restartEmpty(1);
    const { digest } = world.replicas[0]!.status();
    for (let i = 0; i < 12; i++) world.step(Infinity);
    expect(world.replicas[1]!.status()).toMatchObject({ role: 'outside' });
    expect(world.replicas[1]!.status().counters['keys']).toBeGreaterThan(0);
    world.crash(1);
    world.restart(1);
    expect(world.replicas[1]!.status()).toMatchObject({ role: 'outside' });
    world.run(1000);
    expect(world.replicas[1]!.status()).toMatchObject({ role: 'member', digest });
    world.crash(1);
    world.restart(1);
    expect(world.replicas[1]!.status()).toMatchObject({ role: 'member', digest });
  });

  it('a disk that may have lost a write is no memory', () => {
    const world = new QuorumWorld(3, 1, 1024 * 1024);
    const client = world.addClient();
    world.ask(client, 'put k one');
    world.run(100);
    world.crash(2);
    const log = world.disks[2]!.files.get('log')!;
    log[log.length - 1]! ^= 1;
    world.restart(2);
    expect(world.replicas[2]!.status().role).toBe('outside');
    world.run(500);
    expect(world.replicas[2]!.status()).toMatchObject({ role: 'member', digest: world.replicas[0]!.status().digest });
    world.crash(2);
    world.restart(2);
    expect(world.replicas[2]!.status().role).toBe('member');
  });

  it('a write that was counted with its life before is written again: by one member alone it would be held by too few', () => {
    const world = new QuorumWorld(3);
    const client = world.addClient({ deadlineMs: 60_000 });
    world.isDropped = (target, { kind }) => kind !== 'read' && target !== 2;
    const ticket = world.clients[client]!.submit(text('put k one'), world.now);
    world.run(50);
    expect(world.replicas[2]!.status().counters['writes']).toBe(1);
    world.crash(2);
    world.isDropped = (_, { kind }) => kind !== 'read';
    world.restartEmpty(2);
    world.run(500);
    expect(world.replicas[2]!.status()).toMatchObject({ role: 'member', term: 2 });
    world.isDropped = (target, { kind }) => kind !== 'read' && target !== 0;
    world.run(10_000);
    expect(world.replicas[0]!.status().counters['writes']).toBeGreaterThan(0);
    expect(world.outcomes[client]!.get(ticket)).toBeUndefined();
    world.isDropped = () => false;
    world.run(10_000);
    expect(world.outcomes[client]!.get(ticket)).toMatchObject({ kind: 'answered' });
  });

  it('tells nobody about others while it has no memory', () => {
    const replica = open(new MemoryDisk(), false);
    replica.step('m1', encodeRecoveryMessage({ kind: 'fetch', nonce: 1, seat: 1, life: 2, from: 0 }), 0);
    expect(replica.takeReady()!.messages).toEqual([]);
    replica.handleTimeout(0);
    expect(replica.takeReady()!.messages.map(({ to, body }) => [to, decodeRecoveryMessage(body, 3)!.kind])).toEqual([['m1', 'inquiry'], ['m2', 'inquiry']]);
    expect(replica.takeReady()).toBeUndefined();
    expect(replica.nextTimeout()).toBe(200);
  });
});

describe('codecs', () => {
  it('operations and recovery messages come back as they were, and damaged ones not at all', () => {
    const operations: QuorumOperation[] = [{ kind: 'read', key: 'ключ' }, write('', 2 ** 53 - 1, 'v')];
    for (const operation of operations) {
      const bytes = encodeQuorumOperation(operation);
      expect(decodeQuorumOperation(bytes)).toEqual(operation);
      for (let length = 0; length < bytes.length; length++) expect(decodeQuorumOperation(bytes.subarray(0, length))).toBeUndefined();
    }
    const messages: RecoveryMessage[] = [
      { kind: 'inquiry', nonce: 5, seat: 1 }, { kind: 'fetch', nonce: 5, seat: 1, life: 3, from: 17 }, { kind: 'lives', nonce: 5, seat: 2, lives: [1, 2, 3] },
      { kind: 'chunk', nonce: 5, seat: 2, lives: [1, 2, 3], run: 9, from: 1, next: 4, isLast: true, cells: Uint8Array.of(1, 2) },
    ];
    for (const message of messages) expect(decodeRecoveryMessage(encodeRecoveryMessage(message), 3)).toEqual(message);
    expect(decodeRecoveryMessage(encodeRecoveryMessage(messages[2]!), 5)).toBeUndefined();
    expect(() => encodeQuorumOperation(write('k', 1, 'v'.repeat(128 * 1024 + 1)))).toThrow(RangeError);
  });
});
