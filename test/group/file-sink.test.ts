import { createHash } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { decodeText } from '../../src/group/byte-codec.ts';
import type { DiskOperation } from '../../src/group/disk.ts';
import { encodeFileOperation, MAX_APPEND_BYTES, type FileOperation } from '../../src/group/file-operation.ts';
import { FileSink } from '../../src/group/file-sink.ts';
import type { Request } from '../../src/group/message.ts';
import { Service } from '../../src/group/service.ts';
import { sessionClientId } from '../../src/group/sessions.ts';
import { SnapshotError, type Reply } from '../../src/group/state-machine.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
const hex = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A sink with the content that its writes would leave on disk. */
class Bench {
  content = Buffer.alloc(0);
  writes: DiskOperation[] = [];
  readonly sink = new FileSink({ readContent: (_files, offset, length) => this.content.subarray(offset, offset + length) });

  apply(operation: FileOperation): Reply {
    const reply = this.sink.apply(encodeFileOperation(operation));
    this.flush();
    return reply;
  }

  flush(): void {
    for (const write of this.sink.takeWrites()) {
      this.writes.push(write);
      if (write.kind === 'create') this.content = Buffer.alloc(0);
      if (write.kind === 'write') this.content = Buffer.concat([this.content.subarray(0, write.offset), write.bytes]);
    }
  }

  open(): Reply {
    return this.apply({ kind: 'open', transferId: 't' });
  }

  append(offset: number, text: string, transferId = 't'): Reply {
    return this.apply({ kind: 'append', transferId, offset, bytes: bytesOf(text) });
  }

  commit(text: string, length = text.length, transferId = 't'): Reply {
    return this.apply({ kind: 'commit', transferId, length, sha256: sha256(text) });
  }
}

describe('the file sink', () => {
  it('takes a file in order and commits it: create, writes, sync, rename', () => {
    const bench = new Bench();
    expect(bench.open()).toMatchObject({ status: 'ok', offset: 0 });
    expect(bench.append(0, 'hello ')).toMatchObject({ status: 'ok', offset: 6, digest: sha256('hello ') });
    expect(bench.append(6, 'world')).toMatchObject({ status: 'ok', offset: 11 });
    expect(bench.sink.digest()).toBe(hex('hello world'));
    expect(bench.commit('hello world')).toMatchObject({ status: 'committed', offset: 11, digest: sha256('hello world') });
    expect(bench.writes.map(({ kind }) => kind)).toEqual(['create', 'write', 'write', 'sync', 'rename']);
    expect(bench.content.toString()).toBe('hello world');
  });

  it.each([[7, 'a gap'], [5, 'an overlap'], [0, 'the beginning again']])('refuses bytes at %i (%s) and stays as it was', (offset) => {
    const bench = new Bench();
    bench.open();
    bench.append(0, 'hello ');
    const reply = bench.append(offset, 'world');
    expect(reply).toMatchObject({ status: 'gap', offset: 6, digest: sha256('hello ') });
    expect(decodeText(reply.body)).toBe(`bytes at ${offset} do not follow the 6 that are here`);
    expect(bench.content.toString()).toBe('hello ');
    expect(bench.append(6, 'world').status).toBe('ok');
  });

  it('does not commit with another length or another digest', () => {
    const bench = new Bench();
    bench.open();
    bench.append(0, 'hello');
    expect(bench.commit('hello', 6).status).toBe('mismatch');
    expect(bench.commit('hellO').status).toBe('mismatch');
    expect(bench.sink.isCommitted).toBe(false);
    expect(bench.writes.map(({ kind }) => kind)).toEqual(['create', 'write']);
    expect(bench.commit('hello').status).toBe('committed');
  });

  it('refuses what comes before it is open, after it is committed, or from another transfer', () => {
    const bench = new Bench();
    expect(bench.append(0, 'x').status).toBe('refused');
    expect(bench.commit('').status).toBe('refused');
    bench.open();
    expect(bench.open().status).toBe('busy');
    expect(bench.append(0, 'x', 'other').status).toBe('busy');
    expect(bench.commit('', 0, 'other').status).toBe('busy');
    expect(bench.commit('').status).toBe('committed');
    expect(bench.append(0, 'x').status).toBe('refused');
    expect(bench.open().status).toBe('busy');
  });

  it('refuses bytes that are no operation', () => {
    const { sink } = new Bench();
    for (const bytes of [[], [9], [1], [2, 0, 1, 116], [3, 0, 1, 116, 0]]) expect(sink.apply(Uint8Array.from(bytes)).status).toBe('refused');
    const long = encodeFileOperation({ kind: 'append', transferId: 't', offset: 0, bytes: new Uint8Array(MAX_APPEND_BYTES + 1) });
    expect(sink.apply(long).status).toBe('refused');
  });

  it('gives a snapshot from which another goes on to the same digest', () => {
    const text = 'x'.repeat(150_000);
    const bench = new Bench();
    bench.open();
    bench.append(0, text.slice(0, 100_000));
    bench.append(100_000, text.slice(100_000));
    const other = new Bench();
    other.sink.restore(bench.sink.snapshot());
    other.flush();
    expect(other.sink.digest()).toBe(bench.sink.digest());
    expect(other.content.equals(bench.content)).toBe(true);
    for (const each of [bench, other]) {
      expect(each.append(150_000, 'end').status).toBe('ok');
      expect(each.commit(`${text}end`).status).toBe('committed');
    }
  });

  it('refuses snapshots that are empty, short, damaged or of another version, and stays as it was', () => {
    const bench = new Bench();
    bench.open();
    bench.append(0, 'hello');
    const chunks = [...bench.sink.snapshot()].map((chunk) => Uint8Array.from(chunk));
    const damaged = [chunks[0]!, Uint8Array.from(chunks[1]!, (byte, i) => (i === 2 ? byte ^ 1 : byte))];
    const versioned = [Uint8Array.from(chunks[0]!, (byte, i) => (i === 0 ? 99 : byte)), chunks[1]!];
    const other = new Bench();
    for (const bad of [[], [chunks[0]!], damaged, versioned, [chunks[0]!.subarray(0, 3)]]) expect(() => other.sink.restore(bad)).toThrow(SnapshotError);
    expect(other.sink.isOpen).toBe(false);
    expect(other.sink.takeWrites()).toEqual([]);
  });

  it('gives the state of the time of the call, whatever is applied before the chunks are taken', () => {
    const bench = new Bench();
    bench.open();
    bench.append(0, 'hello ');
    const chunks = bench.sink.snapshot();
    bench.append(6, 'world');
    bench.commit('hello world');
    const other = new Bench();
    other.sink.restore(chunks);
    other.flush();
    expect(other.sink.digest()).toBe(hex('hello '));
    expect(other.sink.isCommitted).toBe(false);
    expect(other.append(6, 'again').status).toBe('ok');
  });

  it('gives snapshots of what is not on disk yet', () => {
    const bench = new Bench();
    const apply = (operation: FileOperation): Reply => bench.sink.apply(encodeFileOperation(operation));
    const text = 'abcdefgh'.repeat(20_000);
    const part = (from: number, to: number): FileOperation => ({ kind: 'append', transferId: 't', offset: from, bytes: bytesOf(text.slice(from, to)) });
    apply({ kind: 'open', transferId: 't' });
    apply(part(0, 70_000));
    bench.flush();
    apply(part(70_000, 140_000));
    // Handed out, and nobody has said that it is written.
    bench.sink.takeWrites();
    apply(part(140_000, 150_000));
    const asked: number[] = [];
    bench.content = Buffer.from(text.slice(0, 70_000));
    const { content } = bench;
    Object.defineProperty(bench, 'content', { get: () => ({ subarray: (from: number, to: number) => { asked.push(to); return content.subarray(from, to); } }) });
    const other = new Bench();
    other.sink.restore(bench.sink.snapshot());
    expect(other.sink.digest()).toBe(hex(text.slice(0, 150_000)));
    expect(Math.max(...asked)).toBe(70_000);
    // Nor is what a restored one has to write.
    const third = new Bench();
    third.sink.restore(other.sink.snapshot());
    expect(third.sink.digest()).toBe(hex(text.slice(0, 150_000)));
  });

  it('refuses a second sender clearly, and says who holds it and how far he is', () => {
    const bench = new Bench();
    bench.open();
    bench.append(0, 'hello');
    const second = bench.apply({ kind: 'open', transferId: 'u' });
    expect(second.status).toBe('busy');
    expect(decodeText(second.body)).toBe('another transfer holds this member: t, 5 bytes');
    expect(decodeText(bench.open().body)).toBe('this transfer holds this member: t, 5 bytes');
    bench.commit('hello');
    expect(decodeText(bench.apply({ kind: 'open', transferId: 'u' }).body)).toBe('another transfer has filled this member: t, 5 bytes');
    expect(decodeText(bench.append(0, 'x', 'u').body)).toBe('another transfer has filled this member: t, 5 bytes');
  });

  it('tells a sender that goes on elsewhere where the file stands, and does nothing twice', () => {
    const bench = new Bench();
    bench.open();
    bench.append(0, 'hello ');
    expect(bench.append(0, '')).toMatchObject({ status: 'gap', offset: 6 });
    expect(bench.append(6, '')).toMatchObject({ status: 'ok', offset: 6 });
    bench.append(6, 'world');
    expect(bench.append(6, 'world')).toMatchObject({ status: 'gap', offset: 11 });
    expect(bench.commit('hello world').status).toBe('committed');
    const { length } = bench.writes;
    expect(bench.commit('hello world')).toMatchObject({ status: 'committed', offset: 11 });
    expect(bench.commit('hello there').status).toBe('mismatch');
    expect(bench.writes).toHaveLength(length);
    expect(bench.content.toString()).toBe('hello world');
  });

  it('writes the same file again when it is given the same operations after a restart', () => {
    const first = new Bench();
    const play = (bench: Bench): void => {
      bench.open();
      bench.append(0, 'hello ');
      bench.append(6, 'world');
    };
    play(first);
    // What an earlier life had left is longer than what comes now.
    const second = new Bench();
    second.content = Buffer.from('leftovers of a life before, and more of them');
    play(second);
    expect(second.writes).toEqual(first.writes);
    expect(second.content.toString()).toBe('hello world');
    expect(second.commit('hello world').status).toBe('committed');
  });

  it('goes on at another member under the same serials, and no byte is lost or doubled', () => {
    const [first, second] = [new Bench(), new Bench()];
    const [one, other] = [new Service(first.sink), new Service(second.sink)];
    const request = (serial: number, operation: FileOperation): Request => ({
      kind: 'request', clientId: sessionClientId(1), serial, acknowledged: 0, isStale: false, operation: encodeFileOperation(operation),
    });
    one.apply(1, { kind: 'request', clientId: 'c', serial: 0, acknowledged: 0, isStale: false, operation: new Uint8Array(0) });
    const requests = [
      request(1, { kind: 'open', transferId: 't' }),
      request(2, { kind: 'append', transferId: 't', offset: 0, bytes: bytesOf('hello ') }),
      request(3, { kind: 'append', transferId: 't', offset: 6, bytes: bytesOf('world') }),
      request(4, { kind: 'commit', transferId: 't', length: 11, sha256: sha256('hello world') }),
    ];
    const replies = requests.slice(0, 2).map((each, i) => one.apply(2 + i, each));
    first.flush();
    other.restore(one.snapshot());
    // The first member is gone with its replies; all that was not answered is asked again.
    expect(requests.map((each, i) => other.apply(4 + i, each).status)).toEqual(['ok', 'ok', 'ok', 'committed']);
    expect(other.apply(8, requests[1]!)).toMatchObject({ status: 'ok', offset: replies[1]!.offset });
    expect(other.apply(9, requests[3]!).status).toBe('committed');
    second.flush();
    expect(second.content.toString()).toBe('hello world');
  });
});
