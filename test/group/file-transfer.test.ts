import { describe, expect, it } from 'vitest';

import type { OperationOutcome } from '../../src/group/client.ts';
import type { FileOperation } from '../../src/group/file-operation.ts';
import { FileStore } from '../../src/group/file-store.ts';
import { encodeFileStoreOperation } from '../../src/group/file-store-operation.ts';
import { FileTransfer, type FileTransferOptions } from '../../src/group/file-transfer.ts';
import type { Reply } from '../../src/group/state-machine.ts';
import { APPEND_BYTES, randomBytes, sha256 } from './file-world.ts';

const PATIENCE_MS = 1000;
const SOURCE = randomBytes(5 * APPEND_BYTES + 100, 3);

type Asked = NonNullable<ReturnType<FileTransfer['next']>>;

/** A transfer, and a store that does what it is asked when the test says so. */
class Bench {
  readonly store: FileStore;
  readonly transfer: FileTransfer;
  now = 0;

  constructor(options: Partial<FileTransferOptions> = {}, store = new FileStore({ readContent: () => new Uint8Array(0) })) {
    this.store = store;
    this.transfer = new FileTransfer({ name: 'a', transferId: 't', window: 2, appendBytes: APPEND_BYTES, patienceMs: PATIENCE_MS, ...options });
  }

  /** What is asked now. */
  asked(): Asked[] {
    const all: Asked[] = [];
    for (let next = this.transfer.next(this.now); next !== undefined; next = this.transfer.next(this.now)) all.push(next);
    return all;
  }

  execute({ operation }: Asked): Reply {
    return this.store.apply(operation);
  }

  answer(asked: Asked, reply: Reply = this.execute(asked)): void {
    this.settle(asked, { ticket: 0, kind: 'answered', reply });
  }

  fail(asked: Asked, reason = 'the session has expired'): void {
    this.settle(asked, { ticket: 0, kind: 'failed', outcome: 'unknown', reason, isLate: true });
  }

  settle({ number }: Asked, outcome: OperationOutcome): void {
    this.transfer.settle(number, outcome, this.now);
  }

  /** Answers everything until nothing is asked any more, and gives it the source. */
  finish(source: Uint8Array): void {
    let position = 0;
    let isEnded = false;
    for (;;) {
      if (position < source.length) position += this.transfer.write(source.subarray(position));
      if (position === source.length && !isEnded && this.transfer.outcome === undefined) {
        isEnded = true;
        this.transfer.end();
      }
      const all = this.asked();
      if (all.length === 0) return;
      for (const asked of all) this.answer(asked);
    }
  }
}

const DONE = { kind: 'committed', bytes: SOURCE.length, sha256: sha256(SOURCE) };

/** Open, and so many appends on their way. */
function begun(options: Partial<FileTransferOptions> = {}): { bench: Bench; flying: Asked[] } {
  const bench = new Bench(options);
  bench.answer(bench.asked()[0]!);
  expect(bench.transfer.write(SOURCE)).toBeGreaterThan(2 * APPEND_BYTES);
  const flying = bench.asked();
  expect(flying).toHaveLength(2);
  return { bench, flying };
}

/** A sender `t` has sent so much of a file `a`, and is gone. */
function storeWith(content: Uint8Array): FileStore {
  const store = new FileStore({ readContent: () => new Uint8Array(0) });
  const of = (operation: FileOperation): Reply => store.apply(encodeFileStoreOperation({ kind: 'file', name: 'a', operation }));
  of({ kind: 'open', transferId: 't' });
  for (let offset = 0; offset < content.length; offset += APPEND_BYTES) of({ kind: 'append', transferId: 't', offset, bytes: content.subarray(offset, offset + APPEND_BYTES) });
  return store;
}

/** Goes on where the source was left. */
function finish(bench: Bench): void {
  bench.finish(SOURCE.subarray(bench.transfer.bytes));
}

describe('a file on its way to a group', () => {
  it('is opened, appended and committed; an empty one, too', () => {
    const bench = new Bench();
    bench.finish(SOURCE);
    expect(bench.transfer.outcome).toEqual(DONE);
    expect(bench.transfer.resumptions).toBe(0);
    const empty = new Bench();
    empty.finish(new Uint8Array(0));
    expect(empty.transfer.outcome).toMatchObject({ kind: 'committed', bytes: 0 });
  });

  it('takes no more from the source than it may keep', () => {
    const { bench, flying } = begun();
    const taken = bench.transfer.bytes;
    expect(taken).toBe(4 * APPEND_BYTES);
    expect(bench.transfer.write(SOURCE.subarray(taken))).toBe(0);
    bench.answer(flying[0]!);
    expect(bench.transfer.confirmedBytes).toBe(APPEND_BYTES);
    expect(bench.transfer.write(SOURCE.subarray(taken))).toBe(APPEND_BYTES);
  });

  it('does not wait for a source that is slow', () => {
    const bench = new Bench();
    bench.answer(bench.asked()[0]!);
    bench.transfer.write(SOURCE.subarray(0, 10));
    const [first] = bench.asked();
    bench.transfer.write(SOURCE.subarray(10, 20));
    expect(bench.asked()).toEqual([]);
    bench.answer(first!);
    expect(bench.transfer.confirmedBytes).toBe(10);
    expect(bench.asked()).toHaveLength(1);
  });

  it('an answer that is lost for good: all on its way is waited for, then it is asked where the file stands, and nothing is sent twice', () => {
    const { bench, flying } = begun();
    // Executed, and nobody ever says so.
    bench.execute(flying[0]!);
    bench.fail(flying[0]!);
    expect(bench.asked()).toEqual([]);
    bench.answer(flying[1]!);
    finish(bench);
    expect(bench.transfer.outcome).toEqual(DONE);
    expect(bench.transfer.resumptions).toBe(1);
  });

  it('neither executed nor answered: it is sent again', () => {
    const { bench, flying } = begun();
    bench.fail(flying[0]!);
    const reply = bench.execute(flying[1]!);
    expect(reply.status).toBe('gap');
    bench.answer(flying[1]!, reply);
    finish(bench);
    expect(bench.transfer.outcome).toEqual(DONE);
  });

  it('a commit whose answer is lost is not a failure', () => {
    const bench = new Bench();
    bench.answer(bench.asked()[0]!);
    bench.transfer.write(SOURCE.subarray(0, 100));
    bench.transfer.end();
    bench.answer(bench.asked()[0]!);
    const [commit] = bench.asked();
    bench.execute(commit!);
    bench.fail(commit!);
    bench.answer(bench.asked()[0]!);
    expect(bench.transfer.outcome).toMatchObject({ kind: 'committed', bytes: 100 });
  });

  it('fails when a question was not answered in all its time', () => {
    const { bench, flying } = begun();
    bench.now = PATIENCE_MS;
    bench.fail(flying[0]!, 'no answer in 1000 ms');
    expect(bench.transfer.outcome).toEqual({ kind: 'failed', reason: 'no answer in 1000 ms' });
    expect(bench.asked()).toEqual([]);
  });

  it('fails when asking brings nothing forward, again and again', () => {
    const bench = new Bench();
    for (let i = 0; i < 20 && bench.transfer.outcome === undefined; i++) for (const asked of bench.asked()) bench.fail(asked);
    expect(bench.transfer.outcome).toEqual({ kind: 'failed', reason: 'the session has expired' });
  });

  it('is refused when another has the name, also in the middle', () => {
    const first = new Bench();
    first.answer(first.asked()[0]!);
    const second = new Bench({ transferId: 'u' });
    const [open] = second.asked();
    second.answer(open!, first.execute(open!));
    expect(second.transfer.outcome).toEqual({ kind: 'refused', reason: '"a" is another sender\'s, 0 bytes so far: t' });
    const { bench, flying } = begun();
    const thief = new Bench({ transferId: 'u', takeOver: { from: 't', isAnew: false } });
    bench.execute(thief.asked()[0]!);
    bench.answer(flying[0]!);
    expect(bench.transfer.outcome).toEqual({ kind: 'refused', reason: '"a" is another sender\'s, 0 bytes so far: u' });
  });

  it('goes on where another has been, at any byte', () => {
    for (const known of [0, 100, APPEND_BYTES, 2 * APPEND_BYTES + 7]) {
      for (const isReadBefore of [false, true]) {
        const heir = new Bench({ transferId: 'u', takeOver: { from: 't', isAnew: false } }, storeWith(SOURCE.subarray(0, known)));
        // The source may be read before the group says where it stands, or after.
        if (isReadBefore) heir.transfer.write(SOURCE.subarray(0, APPEND_BYTES + 1));
        finish(heir);
        expect(heir.transfer.outcome, `${known}`).toEqual(DONE);
      }
    }
  });

  it('begins anew where that is wanted', () => {
    const heir = new Bench({ transferId: 'u', takeOver: { from: 't', isAnew: true } }, storeWith(new TextEncoder().encode('something else')));
    heir.finish(SOURCE);
    expect(heir.transfer.outcome).toEqual(DONE);
  });

  it.each([
    ['it is another\'s beginning', SOURCE, 'the 10 bytes that the group holds under this name are not the beginning of the source'],
    ['the source is shorter', new TextEncoder().encode('x'.repeat(9)), 'the group holds 10 bytes under this name, and the source has 9'],
  ])('says so when what is there does not fit: %s', (_what, source, reason) => {
    const heir = new Bench({ transferId: 'u', takeOver: { from: 't', isAnew: false } }, storeWith(new TextEncoder().encode('x'.repeat(10))));
    heir.answer(heir.asked()[0]!);
    heir.finish(source);
    expect(heir.transfer.outcome).toEqual({ kind: 'differs', reason });
    // Nor when it was read before.
    const other = new Bench({ transferId: 'v', takeOver: { from: 'u', isAnew: false } }, heir.store);
    other.finish(source);
    expect(other.transfer.outcome).toMatchObject({ kind: 'differs' });
  });

  it('finds a byte that is wrong at the member that answers', () => {
    const { bench, flying } = begun();
    const reply = bench.execute(flying[0]!);
    bench.answer(flying[0]!, { ...reply, body: Uint8Array.from(reply.body, (byte, i) => (i === 0 ? byte ^ 1 : byte)) });
    expect(bench.transfer.outcome).toEqual({ kind: 'differs', reason: `the group's first ${APPEND_BYTES} bytes have another SHA-256` });
  });

  it('finds bytes that were confirmed and are gone', () => {
    const { bench, flying } = begun();
    bench.answer(flying[0]!);
    bench.fail(flying[1]!);
    const [open] = bench.asked();
    bench.answer(open!, { ...bench.execute(open!), offset: 0 });
    expect(bench.transfer.outcome).toMatchObject({ kind: 'differs', reason: `the group had confirmed ${APPEND_BYTES} bytes, and now has 0` });
  });
});
