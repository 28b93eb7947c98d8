import { createHash } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { decodeText } from '../../src/group/byte-codec.ts';
import type { FileOperation } from '../../src/group/file-operation.ts';
import { FileStore, type FileStoreLimits } from '../../src/group/file-store.ts';
import { decodeFileEntries, encodeFileStoreOperation, isFileRead, type FileStoreOperation } from '../../src/group/file-store-operation.ts';
import { SnapshotError, type Reply } from '../../src/group/state-machine.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
const LIST = encodeFileStoreOperation({ kind: 'list' });

/** A store with the files that its writes would leave. */
class Bench {
  readonly files = new Map<string, Buffer>();
  readonly store: FileStore;

  constructor(limits: Partial<FileStoreLimits> = {}) {
    this.store = new FileStore({
      limits,
      readContent: (files, offset, length) => files.map((file) => this.files.get(file)).find((content) => content !== undefined)!.subarray(offset, offset + length),
    });
  }

  apply(operation: FileStoreOperation): Reply {
    const reply = this.store.apply(encodeFileStoreOperation(operation));
    this.flush();
    return reply;
  }

  flush(): void {
    for (const write of this.store.takeWrites()) {
      const old = this.files.get(write.file);
      if (write.kind === 'create') this.files.set(write.file, Buffer.alloc(0));
      if (write.kind === 'write') this.files.set(write.file, Buffer.concat([old!.subarray(0, write.offset), write.bytes]));
      if (write.kind === 'rename') this.files.set(write.to, old!);
      if (write.kind === 'rename' || write.kind === 'remove') this.files.delete(write.file);
    }
  }

  of(name: string, operation: FileOperation): Reply {
    return this.apply({ kind: 'file', name, operation });
  }

  open(name: string, transferId = 't'): Reply {
    return this.of(name, { kind: 'open', transferId });
  }

  append(name: string, offset: number, text: string, transferId = 't'): Reply {
    return this.of(name, { kind: 'append', transferId, offset, bytes: bytesOf(text) });
  }

  commit(name: string, text: string, transferId = 't'): Reply {
    return this.of(name, { kind: 'commit', transferId, length: text.length, sha256: sha256(text) });
  }

  takeOver(name: string, from: string, transferId: string, isAnew = false): Reply {
    return this.apply({ kind: 'take-over', name, from, transferId, isAnew });
  }

  get content(): Record<string, string> {
    return Object.fromEntries([...this.files].map(([file, content]) => [file, content.toString()]));
  }
}

describe('a store of files', () => {
  it('keeps files under their names, and says of each where it stands and what its SHA-256 is', () => {
    const bench = new Bench();
    expect(bench.open('a')).toMatchObject({ status: 'ok', offset: 0 });
    expect(bench.open('b', 'u')).toMatchObject({ status: 'ok', offset: 0 });
    expect(bench.append('a', 0, 'hello ')).toMatchObject({ status: 'ok', offset: 6, body: sha256('hello ') });
    expect(bench.append('b', 0, 'other', 'u')).toMatchObject({ status: 'ok', offset: 5 });
    expect(bench.append('a', 6, 'world')).toMatchObject({ status: 'ok', offset: 11, body: sha256('hello world') });
    expect(bench.content).toEqual({ 'files/a.1.part': 'hello world', 'files/b.2.part': 'other' });
    expect(bench.commit('a', 'hello world')).toMatchObject({ status: 'committed', offset: 11, body: sha256('hello world') });
    expect(bench.content).toEqual({ 'files/a': 'hello world', 'files/b.2.part': 'other' });
    expect(decodeFileEntries(bench.store.query(LIST).body)).toEqual([
      { name: 'a', isCommitted: true, length: 11, sha256: sha256('hello world'), transferId: 't' },
      { name: 'b', isCommitted: false, length: 5, sha256: sha256('other'), transferId: 'u' },
    ].map((entry) => ({ ...entry, sha256: Uint8Array.from(entry.sha256) })));
  });

  it('whoever opens a name has it; a second sender is told who, and a committed name is not written again', () => {
    const bench = new Bench();
    bench.open('a');
    bench.append('a', 0, 'hello');
    for (const reply of [bench.open('a', 'u'), bench.append('a', 5, 'x', 'u'), bench.commit('a', 'hello', 'u')]) {
      expect(reply.status).toBe('busy');
      expect(decodeText(reply.body)).toBe('"a" is another sender\'s, 5 bytes so far: t');
    }
    bench.commit('a', 'hello');
    for (const reply of [bench.open('a', 'u'), bench.takeOver('a', 't', 'u', true)]) {
      expect(reply.status).toBe('busy');
      expect(decodeText(reply.body)).toBe('"a" is there already, 5 bytes: a name is written once');
    }
    expect(bench.content).toEqual({ 'files/a': 'hello' });
  });

  it('its holder may ask again, and hears where it stands', () => {
    const bench = new Bench();
    bench.open('a');
    bench.append('a', 0, 'hello');
    expect(bench.open('a')).toMatchObject({ status: 'ok', offset: 5, body: sha256('hello') });
    expect(bench.append('a', 0, 'hello')).toMatchObject({ status: 'gap', offset: 5 });
    bench.commit('a', 'hello');
    expect(bench.open('a')).toMatchObject({ status: 'committed', offset: 5, body: sha256('hello') });
    expect(bench.commit('a', 'hello')).toMatchObject({ status: 'committed' });
    expect(bench.commit('a', 'hellO')).toMatchObject({ status: 'mismatch' });
  });

  it('a name that was given up is taken over by whoever says from whom: as it stands', () => {
    const bench = new Bench();
    bench.open('a');
    bench.append('a', 0, 'hello');
    expect(bench.takeOver('a', 'somebody', 'u').status).toBe('busy');
    expect(bench.takeOver('a', 't', 'u')).toMatchObject({ status: 'ok', offset: 5, body: sha256('hello') });
    // Repeated, and what the first one says late.
    expect(bench.takeOver('a', 't', 'u')).toMatchObject({ status: 'ok', offset: 5 });
    expect(bench.append('a', 5, '!').status).toBe('busy');
    expect(bench.append('a', 5, ' world', 'u').status).toBe('ok');
    expect(bench.commit('a', 'hello world', 'u').status).toBe('committed');
    expect(bench.content).toEqual({ 'files/a': 'hello world' });
    expect(bench.takeOver('b', 't', 'u').status).toBe('refused');
  });

  it('or begun anew; what was there goes when no snapshot needs it any more', () => {
    const bench = new Bench();
    bench.open('a');
    bench.append('a', 0, 'hello');
    const chunks = bench.store.snapshot();
    const abandoned = bench.store.snapshot();
    expect(bench.takeOver('a', 't', 'u', true)).toMatchObject({ status: 'ok', offset: 0 });
    expect(bench.takeOver('a', 't', 'u', true)).toMatchObject({ status: 'ok', offset: 0 });
    bench.append('a', 0, 'other', 'u');
    expect(bench.content).toEqual({ 'files/a.1.part': 'hello', 'files/a.2.part': 'other' });
    const copy = new Bench();
    copy.store.restore(chunks);
    copy.flush();
    expect(copy.content).toEqual({ 'files/a.1.part': 'hello' });
    bench.flush();
    expect(Object.keys(bench.content)).toContain('files/a.1.part');
    (abandoned as Iterator<Uint8Array>).return!();
    bench.flush();
    expect(bench.content).toEqual({ 'files/a.2.part': 'other' });
  });

  it('holds so many files, and so many bytes, and no more', () => {
    const bench = new Bench({ maxFiles: 2, maxBytes: 10 });
    bench.open('a');
    bench.open('b', 'u');
    expect(decodeText(bench.open('c').body)).toBe('the group holds 2 files, and no more');
    expect(bench.append('a', 0, '12345678').status).toBe('ok');
    const reply = bench.append('b', 0, '123', 'u');
    expect([reply.status, decodeText(reply.body)]).toEqual(['refused', 'the group holds 10 bytes of files, and no more']);
    // Thrown away, it takes no room.
    bench.takeOver('a', 't', 'v', true);
    expect(bench.append('b', 0, '123', 'u').status).toBe('ok');
    const copy = new Bench({ maxFiles: 2, maxBytes: 10 });
    copy.store.restore(bench.store.snapshot());
    expect(copy.append('b', 3, '12345678', 'u').status).toBe('refused');
    expect(copy.append('b', 3, '1234567', 'u').status).toBe('ok');
  });

  it.each(['', '.', '..', '.hidden', 'a/b', 'a\\b', 'a\nb', 'a\u0000b', 'a.part', 'x'.repeat(129)])('refuses the name %j', (name) => {
    const bench = new Bench();
    expect(bench.open(name).status).toBe('refused');
    expect(bench.content).toEqual({});
  });

  it('refuses bytes that are no operation', () => {
    const { store } = new Bench();
    const open = encodeFileStoreOperation({ kind: 'file', name: 'a', operation: { kind: 'open', transferId: 't' } });
    for (const bytes of [Uint8Array.of(), Uint8Array.of(9), Uint8Array.of(3, 0), open.subarray(0, 6), Uint8Array.of(2, 0, 1, 97)]) expect(store.apply(bytes).status).toBe('refused');
    expect(store.apply(encodeFileStoreOperation({ kind: 'file', name: 'a', operation: { kind: 'append', transferId: 't', offset: 0, bytes: bytesOf('x') } })).status).toBe('refused');
    expect([isFileRead(LIST), isFileRead(open)]).toEqual([true, false]);
    expect(store.query(open).status).toBe('refused');
  });

  it('a snapshot carries every file with its content, and another goes on from it', () => {
    const bench = new Bench();
    const long = 'x'.repeat(150_000);
    bench.open('long');
    bench.append('long', 0, long.slice(0, 100_000));
    bench.append('long', 100_000, long.slice(100_000));
    bench.commit('long', long);
    bench.open('part', 'u');
    bench.append('part', 0, 'so far', 'u');
    bench.open('empty', 'v');
    const copy = new Bench();
    copy.open('stranger');
    copy.store.restore(bench.store.snapshot());
    copy.flush();
    expect(copy.content).toEqual({ 'files/long': long, 'files/part.2.part': 'so far', 'files/empty.3.part': '' });
    expect(copy.store.digest()).toBe(bench.store.digest());
    for (const each of [bench, copy]) {
      each.append('part', 6, '!', 'u');
      expect(each.commit('part', 'so far!', 'u').status).toBe('committed');
      expect(each.open('late').status).toBe('ok');
    }
    expect(copy.store.digest()).toBe(bench.store.digest());
    expect(copy.content).toEqual(bench.content);
  });

  it('refuses snapshots that are cut short or damaged, and stays as it was', () => {
    const bench = new Bench();
    bench.open('a');
    bench.append('a', 0, 'hello');
    const chunks = [...bench.store.snapshot()].map((chunk) => Uint8Array.from(chunk));
    const other = new Bench();
    other.open('mine');
    const before = other.store.digest();
    const flipped = (i: number): Uint8Array[] => chunks.map((chunk, k) => (k === i ? Uint8Array.from(chunk, (byte, at) => (at === 0 ? byte ^ 1 : byte)) : chunk));
    for (const bad of [[], [...chunks, chunks[1]!], chunks.slice(0, -1), chunks.slice(0, 1), flipped(0), flipped(2), flipped(3)]) expect(() => other.store.restore(bad)).toThrow(SnapshotError);
    expect(other.store.digest()).toBe(before);
    expect(other.content).toEqual({ 'files/mine.1.part': '' });
  });

  it('does not pass a damaged file on', () => {
    const bench = new Bench();
    const long = 'x'.repeat(150_000);
    bench.open('a');
    bench.append('a', 0, long.slice(0, 100_000));
    bench.append('a', 100_000, long.slice(100_000));
    bench.commit('a', long);
    bench.files.get('files/a')![7]! ^= 1;
    expect(() => [...bench.store.snapshot()]).toThrow('files/a is damaged');
  });

  it('digests differ when anything does', () => {
    const digests = [(bench: Bench) => bench, (bench: Bench) => bench.open('a'), (bench: Bench) => bench.open('b'), (bench: Bench) => bench.open('a', 'u')].map((act) => {
      const bench = new Bench();
      act(bench);
      return bench.store.digest();
    });
    expect(new Set(digests).size).toBe(digests.length);
  });
});
