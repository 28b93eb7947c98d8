import { describe, expect, it } from 'vitest';

import { decodeText } from '../../src/group/byte-codec.ts';
import { encodeFileOperation, type FileOperation } from '../../src/group/file-operation.ts';
import { FileSink } from '../../src/group/file-sink.ts';
import type { Request } from '../../src/group/message.ts';
import { WriteAllReplica } from '../../src/group/write-all.ts';

function make(): { sink: FileSink; replica: WriteAllReplica } {
  const sink = new FileSink({ readContent: () => new Uint8Array(0) });
  return { sink, replica: new WriteAllReplica('m1', sink) };
}

function request(serial: number, operation: FileOperation): Request {
  return { kind: 'request', clientId: 'c', serial, acknowledged: 0, isStale: false, operation: encodeFileOperation(operation) };
}

const open: FileOperation = { kind: 'open', transferId: 't' };
const append = (offset: number, ...bytes: number[]): FileOperation => ({ kind: 'append', transferId: 't', offset, bytes: Uint8Array.from(bytes) });

describe('the write-all replica', () => {
  it('gives writes and replies in the order of the requests, writes with the replies that depend on them', () => {
    const { replica } = make();
    replica.propose(request(1, open), 0);
    replica.propose(request(2, append(0, 1, 2)), 0);
    const ready = replica.takeReady()!;
    expect(ready.persist.map(({ kind }) => kind)).toEqual(['create', 'write']);
    expect(ready.replies.map(({ serial, reply }) => [serial, reply.status, reply.offset])).toEqual([[1, 'ok', 0], [2, 'ok', 2]]);
    expect(ready.committed.map(({ index, serial }) => [index, serial])).toEqual([[1, 1], [2, 2]]);
    expect(ready.role).toBe('member');
    expect(replica.takeReady()).toBeUndefined();
  });

  it('answers a duplicate from the cache and does not apply it twice', () => {
    const { replica, sink } = make();
    replica.propose(request(1, open), 0);
    replica.propose(request(2, append(0, 1, 2)), 0);
    const first = replica.takeReady()!;
    replica.propose(request(2, append(0, 1, 2)), 5);
    const again = replica.takeReady()!;
    expect(again.replies).toEqual([first.replies[1]]);
    expect(again.persist).toEqual([]);
    expect(again.committed).toEqual([]);
    expect(sink.length).toBe(2);
  });

  it('after a failed disk it promises nothing any more: neither what was under way nor what comes', () => {
    const { replica } = make();
    replica.propose(request(1, open), 0);
    replica.takeReady();
    replica.propose(request(2, append(0, 1)), 0);
    replica.takeReady();
    replica.propose(request(3, append(1, 2)), 0);
    replica.persistFailed('ENOSPC: no space', 1);
    const ready = replica.takeReady()!;
    expect(ready.role).toBe('failed');
    expect(ready.persist).toEqual([]);
    expect(ready.replies.map(({ serial, reply }) => [serial, reply.status])).toEqual([[2, 'disk-error'], [3, 'disk-error']]);
    expect(decodeText(ready.replies[0]!.reply.body)).toBe('ENOSPC: no space');
    replica.propose(request(1, open), 2);
    expect(replica.takeReady()!.replies[0]!.reply.status).toBe('disk-error');
  });

  it('has no use for messages from other members, and counts them', () => {
    const { replica } = make();
    replica.step('m2', new Uint8Array(1), 0);
    expect(replica.strayMessages).toBe(1);
    expect(replica.takeReady()).toBeUndefined();
    expect(replica.nextTimeout()).toBe(Infinity);
  });
});
