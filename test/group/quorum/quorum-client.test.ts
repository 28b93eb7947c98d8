import { describe, expect, it } from 'vitest';

import { decodeText } from '../../../src/group/byte-codec.ts';
import type { OperationOutcome } from '../../../src/group/client.ts';
import { encodeKvOperation, type KvOperation } from '../../../src/group/kv/kv-operation.ts';
import { readKvReply, type KvResult } from '../../../src/group/kv/kv-result.ts';
import { kvRegister } from '../../../src/group/quorum/kv-register.ts';
import { QuorumClient } from '../../../src/group/quorum/quorum-client.ts';
import { decodeQuorumOperation, encodeQuorumAnswer } from '../../../src/group/quorum/quorum-operation.ts';
import type { Tag } from '../../../src/group/quorum/tag.ts';
import { QuorumWorld, text, textWords } from './quorum-world.ts';

function valueOf(outcome: OperationOutcome): string | undefined {
  if (outcome.kind !== 'answered') return `failed, ${outcome.outcome}`;
  return outcome.reply.offset === 0 ? undefined : decodeText(outcome.reply.body);
}

/** The client alone, and what each member would say. */
function alone(options: { members?: number; readQuorum?: number; writeQuorum?: number } = {}) {
  const client = new QuorumClient({ clientId: 'c', targets: 3, members: 3, words: textWords, deadlineMs: 1000, retryMs: 100, ...options });
  const sent = (): { target: number; serial: number; kind: string; tag?: Tag }[] => {
    const all = [];
    for (let next = client.nextSending(); next !== undefined; next = client.nextSending()) {
      const { target, request } = next;
      all.push({ target, serial: request.serial, ...decodeQuorumOperation(request.operation)! });
    }
    return all;
  };
  const answer = (seat: number, serial: number, tag?: Tag, value = '', lives = [1, 1, 1], memberId = `m${seat}`): void => {
    const body = encodeQuorumAnswer(seat, lives, tag, text(value));
    client.received(seat, { kind: 'reply', memberId, clientId: 'c', serial, reply: { status: 'ok', offset: 0, digest: new Uint8Array(0), body } }, 0);
  };
  return { client, sent, answer };
}

const tag = (counter: number, clientId = 'x'): Tag => ({ counter, clientId, number: 1 });

describe('get and put', () => {
  it('a put takes two round trips, a get of what a majority has takes one', () => {
    const world = new QuorumWorld(3);
    const client = world.addClient();
    expect(valueOf(world.ask(client, 'get k'))).toBeUndefined();
    const { counters } = world.clients[client]!;
    expect([counters.roundTrips, counters.messages, counters.fastGets]).toEqual([1, 3, 1]);
    expect(world.ask(client, 'put k one').kind).toBe('answered');
    expect([counters.roundTrips, counters.messages]).toEqual([3, 9]);
    expect(valueOf(world.ask(client, 'get k'))).toBe('one');
    expect([counters.roundTrips, counters.fastGets]).toEqual([4, 2]);
  });

  it('each client sees what another wrote, and the later put wins', () => {
    const world = new QuorumWorld(5);
    const [a, b] = [world.addClient(), world.addClient()];
    world.ask(a, 'put k one');
    world.ask(b, 'put k two');
    world.run(100);
    expect(valueOf(world.ask(a, 'get k'))).toBe('two');
    expect(new Set(world.replicas.map((replica) => replica!.status().digest)).size).toBe(1);
  });

  it('k members may stop; with k + 1 stopped, a put whose value never left was surely not executed', () => {
    const world = new QuorumWorld(5);
    const client = world.addClient({ deadlineMs: 2000 });
    world.crash(0);
    world.crash(3);
    expect(world.ask(client, 'put k one').kind).toBe('answered');
    world.crash(4);
    const started = world.now;
    expect(world.ask(client, 'put k two')).toMatchObject({ kind: 'failed', outcome: 'not-executed', reason: 'fewer than 3 of 5 members answered in 2000 ms', isLate: true });
    expect(world.now - started).toBe(2000);
    expect(world.ask(client, 'get k')).toMatchObject({ kind: 'failed', outcome: 'unknown' });
    world.restart(4);
    expect(valueOf(world.ask(client, 'get k'))).toBe('one');
  });

  it('a put that too many members have no room for fails at once, and says so; a minority may have it all the same', () => {
    const { client, sent, answer } = alone();
    const full = (seat: number, serial: number): void => client.received(seat, {
      kind: 'reply', memberId: `m${seat}`, clientId: 'c', serial, reply: { status: 'busy', offset: 0, digest: new Uint8Array(0), body: text('the store is full') },
    }, 0);
    for (const target of [0, 1, 2]) client.connected(target, 0);
    client.submit(text('put k v'), 0);
    for (const { target, serial } of sent()) answer(target, serial);
    const { serial } = sent()[0]!;
    full(0, serial);
    full(0, serial);
    answer(1, serial);
    expect(client.takeOutcome()).toBeUndefined();
    full(2, serial);
    expect(client.takeOutcome()).toMatchObject({ kind: 'failed', outcome: 'unknown', reason: 'too many members refuse (m2: the store is full)', isLate: false });
    expect([client.pending, client.nextTimeout()]).toEqual([0, Infinity]);
  });

  it('cas, append and delete fail at once, and say why', () => {
    const world = new QuorumWorld(3);
    const client = world.addClient();
    expect(world.ask(client, 'cas k one two')).toMatchObject({ kind: 'failed', outcome: 'not-executed', reason: 'a register cannot cas' });
    expect(world.now).toBe(0);
    expect(world.clients[client]!.counters.messages).toBe(0);
  });
});

describe('in the words of the key-value store', () => {
  it('get and put are answered as in every other mode, and what needs an order is refused', () => {
    const world = new QuorumWorld(3);
    const client = world.addClient({ words: kvRegister });
    const ask = (operation: KvOperation): KvResult | string => {
      const outcome = world.askBytes(client, encodeKvOperation(operation));
      return outcome.kind === 'answered' ? readKvReply(outcome.reply) : `${outcome.outcome}: ${outcome.reason}`;
    };
    const key = '\ufeffk';
    expect(ask({ kind: 'get', key })).toEqual({ kind: 'absent' });
    expect(ask({ kind: 'put', key, value: text('v') })).toEqual({ kind: 'done' });
    expect(ask({ kind: 'get', key })).toEqual({ kind: 'value', value: text('v') });
    expect(ask({ kind: 'get', key: 'k' })).toEqual({ kind: 'absent' });
    expect(ask({ kind: 'delete', key })).toBe('not-executed: a register cannot delete: that takes an order of all operations, and here there is none');
    expect(ask({ kind: 'cas', key, expected: undefined, value: text('v') })).toMatch(/^not-executed: a register cannot cas/);
    expect(new QuorumClient({ clientId: 'c', targets: 1, members: 3 }).submit(encodeKvOperation({ kind: 'get', key }), 0)).toBe(1);
  });
});

describe('the phases', () => {
  it('a put whose value left to one member is unknown, and its repetition has the same tag and serial', () => {
    const { client, sent, answer } = alone();
    const ticket = client.submit(text('put k v'), 0);
    client.connected(0, 0);
    client.connected(1, 0);
    expect(sent().map(({ target, kind }) => [target, kind])).toEqual([[0, 'read'], [1, 'read']]);
    answer(0, 1, tag(4));
    answer(1, 1, tag(7));
    const first = sent();
    expect(first).toMatchObject([{ target: 0, serial: 2, kind: 'write', tag: { counter: 8, clientId: 'c', number: ticket } }, { target: 1 }]);
    client.disconnected(1, 50);
    client.connected(1, 60);
    expect(sent()).toEqual([first[1]]);
    client.handleTimeout(client.nextTimeout());
    expect(sent()).toEqual(first);
    client.handleTimeout(1000);
    expect(client.takeOutcome()).toMatchObject({ ticket, kind: 'failed', outcome: 'unknown' });
    expect(client.pending).toBe(0);
    expect(client.nextTimeout()).toBe(Infinity);
  });

  it('a get writes back what too few have, and counts those that have it', () => {
    const { client, sent, answer } = alone();
    for (const target of [0, 1, 2]) client.connected(target, 0);
    client.submit(text('get k'), 0);
    sent();
    answer(0, 1, tag(2), 'new');
    answer(1, 1, tag(1), 'old');
    expect(client.takeOutcome()).toBeUndefined();
    expect(sent()).toMatchObject([{ kind: 'write-back', tag: tag(2) }, {}, {}]);
    // The member that had it before is no further one.
    answer(0, 2);
    expect(client.takeOutcome()).toBeUndefined();
    answer(2, 2);
    expect(valueOf(client.takeOutcome()!)).toBe('new');
    expect(client.counters.fastGets).toBe(0);
  });

  it('one member counts once, however often and under whatever seat it answers', () => {
    const { client, sent, answer } = alone();
    for (const target of [0, 1, 2]) client.connected(target, 0);
    client.submit(text('get k'), 0);
    sent();
    answer(0, 1, tag(1), 'v');
    answer(0, 1, tag(1), 'v');
    answer(1, 1, tag(1), 'v', [1, 1, 1], 'm0');
    answer(1, 1, tag(1), 'v', [1, 1]);
    expect(client.takeOutcome()).toBeUndefined();
    expect([client.counters.lateAnswers, client.counters.malformed]).toEqual([1, 2]);
    answer(1, 1, tag(1), 'v');
    expect(valueOf(client.takeOutcome()!)).toBe('v');
    answer(2, 1, tag(1), 'v');
    expect(client.counters.lateAnswers).toBe(2);
  });

  it('an answer of a life that is over does not count together with one that knows it', () => {
    const { client, sent, answer } = alone();
    for (const target of [0, 1, 2]) client.connected(target, 0);
    client.submit(text('get k'), 0);
    sent();
    answer(2, 1, tag(1), 'v', [1, 1, 1]);
    answer(0, 1, tag(1), 'v', [1, 1, 2]);
    expect(client.takeOutcome()).toBeUndefined();
    answer(2, 1, tag(1), 'v', [1, 1, 2], 'm2b');
    expect(valueOf(client.takeOutcome()!)).toBe('v');
  });

  it('a stale read asks one member, each in turn, and believes it', () => {
    const { client, sent, answer } = alone();
    client.connected(0, 0);
    client.connected(2, 0);
    client.submit(text('get k'), 0, { isStale: true });
    client.submit(text('get k'), 0, { isStale: true });
    expect(sent().map(({ target }) => target)).toEqual([0, 2]);
    answer(0, 1, tag(1), 'old');
    expect(valueOf(client.takeOutcome()!)).toBe('old');
  });

  it('refuses more operations than it can remember, and quorums that cannot be', () => {
    const client = new QuorumClient({ clientId: 'c', targets: 1, members: 3, words: textWords, maxPending: 1 });
    client.submit(text('get k'), 0);
    const ticket = client.submit(text('get k'), 0);
    expect(client.takeOutcome()).toMatchObject({ ticket, kind: 'failed', outcome: 'not-executed' });
    for (const readQuorum of [0, 4, 1.5]) expect(() => alone({ readQuorum }), `${readQuorum}`).toThrow(RangeError);
    expect(() => alone({ members: 0 })).toThrow(RangeError);
  });

  it('a key that is too long fails the operation, nothing else', () => {
    const world = new QuorumWorld(3);
    const client = world.addClient();
    expect(world.ask(client, `get ${'k'.repeat(1025)}`)).toMatchObject({ kind: 'failed', outcome: 'not-executed', reason: 'a key of 1025 bytes: the most is 1024' });
    expect(world.ask(client, 'get k').kind).toBe('answered');
  });
});
