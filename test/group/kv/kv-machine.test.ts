import { describe, expect, it } from 'vitest';

import { createRandom, type Random } from '../../../src/core/random.ts';
import { decodeText } from '../../../src/group/byte-codec.ts';
import { KvMachine } from '../../../src/group/kv/kv-machine.ts';
import { encodeKvOperation, MAX_VALUE_BYTES, type KvOperation } from '../../../src/group/kv/kv-operation.ts';
import { readKvReply, type KvResult } from '../../../src/group/kv/kv-result.ts';
import { ENTRY_OVERHEAD_BYTES } from '../../../src/group/kv/kv-store.ts';
import { Service } from '../../../src/group/service.ts';
import { SnapshotError } from '../../../src/group/state-machine.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function ask(machine: KvMachine, operation: KvOperation): KvResult | string {
  return readKvReply(machine.apply(encodeKvOperation(operation)));
}

const put = (machine: KvMachine, key: string, value: string): KvResult | string => ask(machine, { kind: 'put', key, value: bytes(value) });
const append = (machine: KvMachine, key: string, value: string): KvResult | string => ask(machine, { kind: 'append', key, value: bytes(value) });
const remove = (machine: KvMachine, key: string): KvResult | string => ask(machine, { kind: 'delete', key });
const cas = (machine: KvMachine, key: string, expected: string | undefined, value: string): KvResult | string =>
  ask(machine, { kind: 'cas', key, expected: expected === undefined ? undefined : bytes(expected), value: bytes(value) });

function get(machine: KvMachine, key: string): string | undefined {
  const result = ask(machine, { kind: 'get', key });
  if (typeof result === 'string') throw new Error(result);
  return result.kind === 'value' ? decodeText(result.value) : undefined;
}

function copyOf(chunks: Iterable<Uint8Array>): KvMachine {
  const copy = new KvMachine();
  copy.restore(chunks);
  return copy;
}

/** Throws when what is there is not what the digest says: a snapshot looks. */
function scrub(machine: KvMachine): void {
  for (const chunk of machine.snapshot()) expect(chunk.length).toBeGreaterThan(0);
}

describe('the key-value machine', () => {
  it('gets and puts', () => {
    const machine = new KvMachine();
    expect(ask(machine, { kind: 'get', key: 'k' })).toEqual({ kind: 'absent' });
    expect(put(machine, 'k', 'v')).toEqual({ kind: 'done' });
    expect(get(machine, 'k')).toBe('v');
    expect(put(machine, 'k', '')).toEqual({ kind: 'done' });
    expect(get(machine, 'k')).toBe('');
  });

  it('compares and sets, also with nothing', () => {
    const machine = new KvMachine();
    expect(cas(machine, 'k', 'u', 'v')).toEqual({ kind: 'truth', value: false });
    expect(get(machine, 'k')).toBeUndefined();
    expect(cas(machine, 'k', undefined, '')).toEqual({ kind: 'truth', value: true });
    expect(cas(machine, 'k', undefined, 'v')).toEqual({ kind: 'truth', value: false });
    expect(cas(machine, 'k', 'x', 'v')).toEqual({ kind: 'truth', value: false });
    expect(cas(machine, 'k', '', 'v')).toEqual({ kind: 'truth', value: true });
    expect(cas(machine, 'k', 'w', 'x')).toEqual({ kind: 'truth', value: false });
    expect(get(machine, 'k')).toBe('v');
  });

  it('appends and says how long it is now', () => {
    const machine = new KvMachine();
    expect(append(machine, 'k', 'ab')).toEqual({ kind: 'length', bytes: 2 });
    expect(append(machine, 'k', 'ä')).toEqual({ kind: 'length', bytes: 4 });
    expect(get(machine, 'k')).toBe('abä');
    ask(machine, { kind: 'put', key: 'long', value: new Uint8Array(MAX_VALUE_BYTES) });
    expect(append(machine, 'long', 'x')).toBe('refused: the value would have 131073 bytes: the most is 131072');
    expect(append(machine, 'long', '')).toEqual({ kind: 'length', bytes: MAX_VALUE_BYTES });
  });

  it('deletes and says whether anything was there', () => {
    const machine = new KvMachine();
    put(machine, 'k', 'v');
    expect(remove(machine, 'k')).toEqual({ kind: 'truth', value: true });
    expect(remove(machine, 'k')).toEqual({ kind: 'truth', value: false });
    expect(get(machine, 'k')).toBeUndefined();
    expect(machine).toMatchObject({ keys: 0, bytes: 0 });
  });

  it('refuses what is malformed, and answers queries that write with a refusal', () => {
    const machine = new KvMachine();
    const reply = machine.apply(Uint8Array.of(9, 0, 0));
    expect([reply.status, decodeText(reply.body)]).toEqual(['refused', 'operation kind 9 is unknown']);
    expect(machine.query(encodeKvOperation({ kind: 'put', key: 'k', value: bytes('v') })).status).toBe('refused');
    expect(machine.keys).toBe(0);
    put(machine, 'k', 'v');
    const read = encodeKvOperation({ kind: 'get', key: 'k' });
    expect(machine.isReadOnly(read)).toBe(true);
    expect(readKvReply(machine.query(read))).toEqual({ kind: 'value', value: bytes('v') });
    expect(machine.query(Uint8Array.of(1, 2)).status).toBe('refused');
  });

  it('keeps nothing of the message that an operation came in', () => {
    const machine = new KvMachine();
    const message = Buffer.from(encodeKvOperation({ kind: 'put', key: 'k', value: bytes('v') }));
    machine.apply(message);
    message.fill(0);
    expect(get(machine, 'k')).toBe('v');
  });

  it('is busy when it is full, of keys or of bytes, and goes on with what needs no room', () => {
    const few = new KvMachine({ maxKeys: 2 });
    put(few, 'a', '1');
    put(few, 'b', '1');
    expect(put(few, 'c', '1')).toBe('busy: the store is full: 2 keys');
    expect(cas(few, 'c', undefined, '1')).toBe('busy: the store is full: 2 keys');
    expect(put(few, 'a', '2')).toEqual({ kind: 'done' });
    remove(few, 'b');
    expect(put(few, 'c', '1')).toEqual({ kind: 'done' });
    const small = new KvMachine({ maxBytes: ENTRY_OVERHEAD_BYTES + 11 });
    expect(put(small, 'k', '0123456789')).toEqual({ kind: 'done' });
    expect(small.bytes).toBe(ENTRY_OVERHEAD_BYTES + 11);
    expect(append(small, 'k', '!')).toBe(`busy: the store is full: ${ENTRY_OVERHEAD_BYTES + 11} of ${ENTRY_OVERHEAD_BYTES + 11} bytes`);
    expect(get(small, 'k')).toBe('0123456789');
    expect(put(small, 'k', '01234')).toEqual({ kind: 'done' });
    expect(append(small, 'k', '56789')).toEqual({ kind: 'length', bytes: 10 });
    scrub(small);
  });

  it('has a digest of what is there, however it came there', () => {
    const one = new KvMachine();
    const other = new KvMachine();
    expect(one.digest()).toBe('0000000000000000');
    put(one, 'a', '1');
    put(one, 'b', '2');
    append(other, 'b', '2');
    put(other, 'c', '3');
    cas(other, 'a', undefined, '1');
    expect(other.digest()).not.toBe(one.digest());
    remove(other, 'c');
    expect(other.digest()).toBe(one.digest());
    put(other, 'a', '2');
    put(other, 'b', '1');
    expect(other.digest()).not.toBe(one.digest());
  });

  it.each([
    [[['a', 'bc']], [['ab', 'c']]], [[['', '']], []], [[['a', '']], [['', 'a']]], [[['a', '\0']], [['a', '']]], [[['a', '\0\0\0\0']], [['a', '\0\0\0']]],
    [[['a', '1'], ['b', '2']], [['a', '2'], ['b', '1']]],
  ])('has another digest for %j than for %j', (first, second) => {
    const [one, other] = [first, second].map((entries) => {
      const machine = new KvMachine();
      for (const [key, value] of entries) put(machine, key!, value!);
      return machine.digest();
    });
    expect(one).not.toBe(other);
  });

  it('has a digest in which every bit counts', () => {
    const digests = new Set<string>();
    const value = new Uint8Array(67);
    for (let bit = 0; bit < value.length * 8; bit++) {
      const flipped = Uint8Array.from(value);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const machine = new KvMachine();
      ask(machine, { kind: 'put', key: 'k', value: flipped });
      const digest = machine.digest();
      digests.add(digest.slice(0, 8)).add(digest.slice(8));
    }
    // Each lane alone tells them apart.
    expect(digests.size).toBe(2 * 67 * 8);
  });
});

describe('snapshots of the key-value machine', () => {
  function filled(): KvMachine {
    const machine = new KvMachine();
    for (let i = 0; i < 3000; i++) put(machine, `key ${i}`, `value ${i}`.repeat(1 + (i % 20)));
    ask(machine, { kind: 'put', key: 'large', value: new Uint8Array(MAX_VALUE_BYTES).fill(7) });
    put(machine, 'empty', '');
    return machine;
  }

  it('come in chunks of at most 64 KiB with many keys in each, and large values in several', () => {
    const machine = filled();
    const chunks = [...machine.snapshot()];
    const total = chunks.reduce((sum, { length }) => sum + length, 0);
    for (const { length } of chunks.slice(1, -1)) expect(length).toBe(65_536);
    expect(chunks.length).toBe(1 + Math.ceil((total - chunks[0]!.length) / 65_536));
    const copy = copyOf(chunks);
    expect([copy.digest(), copy.keys, copy.bytes]).toEqual([machine.digest(), machine.keys, machine.bytes]);
    scrub(copy);
    expect(get(copy, 'empty')).toBe('');
    put(copy, 'key 1', 'changed');
    expect(get(machine, 'key 1')).not.toBe('changed');
  });

  it('of nothing is a snapshot, too', () => {
    const copy = filled();
    copy.restore(new KvMachine().snapshot());
    expect(copy).toMatchObject({ keys: 0, bytes: 0 });
    expect(copy.digest()).toBe(new KvMachine().digest());
  });

  it('are equal for equal states, whatever came before', () => {
    const machine = new KvMachine();
    for (let i = 2999; i >= 0; i--) put(machine, `key ${i}`, `value ${i}`.repeat(1 + (i % 20)));
    put(machine, 'empty', '');
    put(machine, 'gone', 'x');
    ask(machine, { kind: 'put', key: 'large', value: new Uint8Array(MAX_VALUE_BYTES).fill(7) });
    remove(machine, 'gone');
    const chunks = [...machine.snapshot()].map((chunk) => Buffer.from(chunk).toString('latin1'));
    expect([...filled().snapshot()].map((chunk) => Buffer.from(chunk).toString('latin1'))).toEqual(chunks);
    const copy = new Service(new KvMachine());
    const service = new Service(machine);
    copy.restore(service.snapshot());
    expect([...copy.snapshot()]).toEqual([...service.snapshot()]);
  });

  it('are what was there at the call, however many are under way and whatever is applied meanwhile', () => {
    const random = createRandom(5);
    const machine = filled();
    const underWay: { expected: string; iterator: IterableIterator<Uint8Array>; chunks: Uint8Array[] }[] = [];
    const ended: (typeof underWay) = [];
    for (let step = 0; ended.length < 12; step++) {
      if (underWay.length < 3) underWay.push({ expected: machine.digest(), iterator: machine.snapshot(), chunks: [] });
      for (let i = 0; i < 50; i++) applyRandom(machine, random, 4000);
      const chosen = underWay[random.below(underWay.length)]!;
      const next = chosen.iterator.next();
      if (next.done !== true) chosen.chunks.push(next.value);
      else {
        underWay.splice(underWay.indexOf(chosen), 1);
        ended.push(chosen);
      }
    }
    for (const { expected, chunks } of ended) expect(copyOf(chunks).digest()).toBe(expected);
    expect(new Set(ended.map(({ expected }) => expected)).size).toBe(12);
    expect(machine.openSnapshots).toBe(underWay.length);
    scrub(machine);
  });

  it('are let go of by return(), at any time and once', () => {
    const machine = filled();
    const [begun, untouched] = [machine.snapshot(), machine.snapshot()];
    begun.next();
    begun.next();
    expect(machine.openSnapshots).toBe(2);
    for (const iterator of [begun, untouched, begun]) {
      expect(iterator.return?.()).toEqual({ done: true, value: undefined });
      expect(iterator.next()).toEqual({ done: true, value: undefined });
    }
    expect(machine.openSnapshots).toBe(0);
    for (const _ of machine.snapshot()) break;
    expect([...machine.snapshot()].length).toBeGreaterThan(3);
    expect(machine.openSnapshots).toBe(0);
  });

  it('are refused when anything is wrong with them, and change nothing', () => {
    const machine = filled();
    const chunks = [...machine.snapshot()];
    const [header, ...content] = chunks as [Uint8Array, ...Uint8Array[]];
    const flipped = (chunk: Uint8Array, at: number): Uint8Array => Uint8Array.from(chunk, (byte, i) => (i === at ? byte ^ 0x40 : byte));
    const bad: Record<string, readonly Uint8Array[]> = {
      'is empty': [],
      'is no snapshot of a key-value store': [flipped(header, 0), ...content],
      'snapshot version 65 is unknown': [flipped(header, 4), ...content],
      'header of the snapshot is damaged': [header.subarray(0, 10), ...content],
      'holds 0 keys of 3002': [header],
      'is cut short': [header, ...content.slice(0, -1), content.at(-1)!.subarray(0, -1)],
      'not what its digest says': [header, flipped(content[0]!, 3 + 'empty'.length + 3 + 4 + 2 + 'key 0'.length), ...content.slice(1)],
      'out of order': [header, ...content, ...content],
    };
    const victim = new KvMachine();
    put(victim, 'k', 'v');
    const before = victim.digest();
    for (const [reason, wrong] of Object.entries(bad)) {
      expect(() => victim.restore(wrong), reason).toThrow(SnapshotError);
      expect(() => victim.restore(wrong)).toThrow(reason);
    }
    const random = createRandom(6);
    for (let i = 0; i < 50; i++) {
      const which = random.below(chunks.length);
      const at = random.below(chunks[which]!.length);
      expect(() => victim.restore(chunks.map((chunk, each) => (each === which ? flipped(chunk, at) : chunk)))).toThrow(SnapshotError);
    }
    expect(() => new KvMachine({ maxKeys: 10 }).restore(chunks)).toThrow('the store is full: 10 keys');
    expect([victim.digest(), victim.keys]).toEqual([before, 1]);
    scrub(victim);
    expect(get(victim, 'k')).toBe('v');
  });

  it('of 100,000 keys of 2 KB cost nothing when they begin, and little a chunk', () => {
    const machine = new KvMachine();
    const value = new Uint8Array(2048);
    for (let i = 0; i < 100_000; i++) {
      value[0] = i;
      ask(machine, { kind: 'put', key: `key ${i}`, value });
    }
    expect(machine.bytes).toBeLessThan(250e6);
    const iterator = machine.snapshot();
    const copy = new KvMachine();
    const expected = machine.digest();
    // What is changed meanwhile is copied, nothing else.
    const changes = function* (): Generator<Uint8Array> {
      for (const chunk of iterator) {
        ask(machine, { kind: 'delete', key: 'key 5' });
        put(machine, 'key 99999', 'new');
        yield chunk;
      }
    };
    copy.restore(changes());
    expect(copy.digest()).toBe(expected);
    expect(copy.keys).toBe(100_000);
  });
});

function applyRandom(machine: KvMachine, random: Random, keys: number, model?: Map<string, string>): void {
  const key = `key ${random.below(keys)}`;
  const value = String(random.below(5)).repeat(random.below(40));
  const there = model?.get(key);
  switch (random.below(5)) {
    case 0:
      if (model !== undefined) expect(get(machine, key)).toBe(there);
      return;
    case 1:
      expect(put(machine, key, value)).toEqual({ kind: 'done' });
      model?.set(key, value);
      return;
    case 2: {
      const expected = random.chance(0.5) ? there : value;
      const result = cas(machine, key, expected, value);
      if (model === undefined) return;
      expect(result).toEqual({ kind: 'truth', value: expected === there });
      if (expected === there) model.set(key, value);
      return;
    }
    case 3: {
      const result = append(machine, key, value);
      if (model === undefined) return;
      model.set(key, (there ?? '') + value);
      expect(result).toEqual({ kind: 'length', bytes: model.get(key)!.length });
      return;
    }
    case 4: {
      const result = remove(machine, key);
      if (model !== undefined) expect(result).toEqual({ kind: 'truth', value: model.delete(key) });
    }
  }
}

describe('the key-value machine against a map', () => {
  it.each(Array.from({ length: 20 }, (_, seed) => seed))('agrees, through snapshots and restores, and digests are equal iff states are: seed %i', (seed) => {
    const random = createRandom(seed);
    const keys = 1 + random.below(300);
    let machine = new KvMachine();
    const model = new Map<string, string>();
    const digests = new Map<string, string>();
    for (let step = 0; step < 2000; step++) {
      applyRandom(machine, random, keys, model);
      expect(machine.keys).toBe(model.size);
      if (random.chance(0.02)) {
        machine = copyOf(machine.snapshot());
        scrub(machine);
      }
      if (keys > 20 && step % 20 !== 0) continue;
      const state = JSON.stringify([...model].sort(([a], [b]) => (a < b ? -1 : 1)));
      const known = digests.get(machine.digest());
      expect(known ?? state).toBe(state);
      digests.set(machine.digest(), state);
    }
    expect(new Set(digests.values()).size).toBe(digests.size);
    for (let i = 0; i < keys; i++) expect(get(machine, `key ${i}`)).toBe(model.get(`key ${i}`));
  });
});
