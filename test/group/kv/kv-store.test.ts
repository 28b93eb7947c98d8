import { describe, expect, it } from 'vitest';

import type { DiskOperation } from '../../../src/group/disk.ts';
import { KvSnapshot } from '../../../src/group/kv/kv-snapshot.ts';
import { DEFAULT_KV_LIMITS, KvStore } from '../../../src/group/kv/kv-store.ts';
import { SnapshotWriter } from '../../../src/group/snapshot-file.ts';
import { DamagedStateError } from '../../../src/group/state-machine.ts';

describe('the store', () => {
  it('scrubs itself with each snapshot: one of what no operation did never gets its name on disk', () => {
    const store = new KvStore(DEFAULT_KV_LIMITS);
    store.set('a', Uint8Array.of(1, 2, 3));
    store.set('b', new Uint8Array(200_000));
    let ended = 0;
    const save = (): DiskOperation[] => {
      const operations: DiskOperation[] = [];
      const writer = new SnapshotWriter({ index: 1, term: 1, meta: new Uint8Array(0) }, new KvSnapshot(store.freeze(), () => ended++), { part: 'new', file: 'snapshot' });
      while (!writer.step(65_536, operations));
      return operations;
    };
    expect(save().at(-1)).toMatchObject({ kind: 'rename', to: 'snapshot' });
    store.get('a')![1]! ^= 1;
    expect(save).toThrow(DamagedStateError);
    expect(save).toThrow(`and should have ${store.digest()}`);
    // Written over, it is as it should be.
    store.set('a', Uint8Array.of(9));
    expect(save().at(-1)).toMatchObject({ kind: 'rename' });
    expect(ended).toBe(4);
  });

  it('is frozen as it was', () => {
    const store = new KvStore(DEFAULT_KV_LIMITS);
    store.set('a', Uint8Array.of(1));
    const frozen = store.freeze();
    store.set('a', Uint8Array.of(2));
    store.set('b', Uint8Array.of(3));
    expect(frozen).toMatchObject({ size: 1 });
    expect(frozen.digest).not.toBe(store.digest());
    expect([...frozen.entries]).toEqual([['a', Uint8Array.of(1)]]);
  });
});
