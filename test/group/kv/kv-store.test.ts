import { describe, expect, it } from 'vitest';

import { DEFAULT_KV_LIMITS, KvStore } from '../../../src/group/kv/kv-store.ts';

describe('the store', () => {
  it('finds by a scrub what was not done by an operation', () => {
    const store = new KvStore(DEFAULT_KV_LIMITS);
    store.set('a', Uint8Array.of(1, 2, 3));
    store.set('b', Uint8Array.of(4));
    expect(store.scrub()).toBe(store.digest());
    store.get('a')![1]! ^= 1;
    expect(store.scrub()).not.toBe(store.digest());
    store.get('a')![1]! ^= 1;
    expect(store.scrub()).toBe(store.digest());
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
