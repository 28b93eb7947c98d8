import { describe, expect, it } from 'vitest';

import type { HistoryEvent } from '../../../src/group/history.ts';
import { MODES, traitsOf } from '../../../src/group/modes.ts';
import { encodeKvOperation, MAX_KV_OPERATION_BYTES, type KvOperation } from '../../../src/group/kv/kv-operation.ts';
import { readKvReply } from '../../../src/group/kv/kv-result.ts';
import type { ReplyMessage, Request } from '../../../src/group/message.ts';
import { checkHistory } from '../../../src/sim/history-checks.ts';
import { KV_WORDS } from '../../../src/sim/group/kv-words.ts';
import type { Operation } from '../../../src/sim/group/workload.ts';
import { ConformanceGroup } from './conformance-group.ts';

/** What modes do that put operations into an order: operations that depend on what is there, each exactly once, and equal states. */
const GROUPS = MODES.filter((mode) => traitsOf(mode).isOrdered).flatMap((mode) => [3, 5].map((size) => ({ mode, size })));

const append = (key: string, text: string): Uint8Array => encodeKvOperation({ kind: 'append', key, value: new TextEncoder().encode(text) });
const sizeOf = (operation: Operation): number => KV_WORDS.write(operation).length;
const get = (key: string): Uint8Array => encodeKvOperation({ kind: 'get', key } satisfies KvOperation);

describe.each(GROUPS)('$mode, $size members', ({ mode, size }) => {
  it('cas: only if exactly that is there; also where there is nothing', () => {
    const group = new ConformanceGroup(mode, size);
    const cas = (old: string | null, value: string, client = 0): unknown => group.ask({ op: 'cas', key: 'k', old, value }, client);
    expect(cas('a', 'b')).toEqual({ result: false });
    expect(cas(null, 'a', 1)).toEqual({ result: true });
    expect(cas(null, 'b', 2)).toEqual({ result: false });
    expect(cas('a', 'b')).toEqual({ result: true });
    expect(cas('a', 'c', 1)).toEqual({ result: false });
    expect(group.get('k', 2)).toEqual({ result: 'b' });
  });

  it('the largest operation there may be: a cas of two values that together just fit', () => {
    const group = new ConformanceGroup(mode, size);
    const [old, value] = ['a', 'b'].map((letter) => letter.repeat(MAX_KV_OPERATION_BYTES / 2 - 8)) as [string, string];
    const cas = { op: 'cas', key: 'large', old, value: value.padEnd(value.length + MAX_KV_OPERATION_BYTES - sizeOf({ op: 'cas', key: 'large', old, value }), '.') } as const;
    expect(sizeOf(cas)).toBe(MAX_KV_OPERATION_BYTES);
    expect(group.put('large', old)).toEqual({ result: null });
    expect(group.ask(cas)).toEqual({ result: true });
    expect(group.get('large', 2)).toEqual({ result: cas.value });
  });

  it('append says how long it is now; del whether something was there', () => {
    const group = new ConformanceGroup(mode, size);
    expect(group.append('k', 'ab', 0)).toEqual({ result: 2 });
    expect(group.append('k', 'cde', 1)).toEqual({ result: 5 });
    expect(group.get('k', 2)).toEqual({ result: 'abcde' });
    expect(group.ask({ op: 'del', key: 'k' }, 1)).toEqual({ result: true });
    expect(group.ask({ op: 'del', key: 'k' }, 2)).toEqual({ result: false });
    expect(group.get('k')).toEqual({ result: null });
    expect(group.append('k', 'f', 2)).toEqual({ result: 1 });
  });

  it('clients at the same time, messages lost, doubled and overtaken, the leader killed now and then: each operation once, and states equal', () => {
    const group = new ConformanceGroup(mode, size, { weather: { delayMs: 3, jitterMs: 6, loss: 0.1, duplication: 0.3, reorders: true, kept: 0 } });
    const history: HistoryEvent[] = [];
    for (let round = 0; round < 8; round++) {
      const operations = [0, 1, 2].map((client): Operation => ((round + client) % 4 === 3 ? { op: 'get', key: 'log' } : { op: 'append', key: 'log', value: `${round}.${client};` }));
      const invoke = group.world.now;
      const outcomes = operations.map((operation, client) => group.submit(operation, client));
      const { leader } = group;
      if (round % 4 === 1) {
        group.world.run(group.world.now + round);
        group.crash([leader]);
      }
      group.world.run(group.world.now + 4500, () => outcomes.every((outcome) => outcome() !== undefined));
      outcomes.forEach((outcome, client) => {
        const answer = outcome()!;
        const { op, key, ...fields } = operations[client]!;
        const isAnswered = typeof answer !== 'string';
        if (answer === 'unknown') group.world.clients[client]!.startOver();
        history.push({
          process: 10 * round + client, op, key, value: null, old: null, ...fields, result: isAnswered ? answer.result : null,
          invoke: invoke * 1e6, complete: answer === 'unknown' ? null : group.world.now * 1e6, ok: isAnswered ? true : answer === 'unknown' ? null : false,
        });
      });
      group.start([leader]);
      group.settle();
    }
    const invoke = group.world.now * 1e6;
    const look = group.get('log') as { result: string };
    history.push({ process: 999, op: 'get', key: 'log', value: null, old: null, result: look.result, invoke, complete: group.world.now * 1e6, ok: true });
    expect(checkHistory(history)).toEqual([]);
    expect(history.filter(({ ok }) => ok === true).length).toBeGreaterThan(16);
    group.settle();
    expect(new Set(group.members.map(({ replica }) => replica!.status().digest)).size).toBe(1);
  });

  it('a request that is repeated, also at the next leader and after a restart of all, is carried out once and answered the same', () => {
    const group = new ConformanceGroup(mode, size);
    const clientId = group.openSession();
    const request = { clientId, serial: 1, operation: append('k', 'once') };
    const first = group.call(request);
    expect(readKvReply(first.reply)).toEqual({ kind: 'length', bytes: 4 });
    expect(group.call(request).reply).toEqual(first.reply);
    const { leader } = group;
    group.crash([leader]);
    group.settle();
    expect(group.call(request).reply).toEqual(first.reply);
    group.start([leader]);
    group.crash(group.members.filter((place) => place !== leader));
    group.crash([leader]);
    group.start(group.members);
    group.settle();
    expect(group.call(request).reply).toEqual(first.reply);
    expect(group.get('k')).toEqual({ result: 'once' });
  });

  it('the same from a snapshot: what was answered is in it', () => {
    const group = new ConformanceGroup(mode, size, { snapshotBytes: 2000, keptEntries: 1 });
    const clientId = group.openSession();
    const request = { clientId, serial: 1, operation: append('k', 'once') };
    group.call(request);
    for (let i = 0; i < 60; i++) group.put('other', `some longer value ${i}`);
    group.crash(group.members);
    group.start(group.members);
    group.settle();
    expect(readKvReply(group.call(request).reply)).toEqual({ kind: 'length', bytes: 4 });
    expect(group.get('k')).toEqual({ result: 'once' });
  });

  it('a session that has expired: an error, also for a repetition, and nothing is carried out', () => {
    const group = new ConformanceGroup(mode, size, { maxSessions: 2, clients: 0 });
    const clientId = group.openSession();
    const request = { clientId, serial: 1, operation: append('k', 'once') };
    expect(readKvReply(group.call(request).reply)).toEqual({ kind: 'length', bytes: 4 });
    const others = [group.openSession(), group.openSession()];
    expect(group.call(request).reply.status).toBe('expired');
    expect(group.call({ ...request, serial: 2 }).reply.status).toBe('expired');
    const look = group.call({ clientId: others[1]!, serial: 1, operation: get('k') });
    expect(readKvReply(look.reply)).toEqual({ kind: 'value', value: new TextEncoder().encode('once') });
  });

  it.each([
    ['is cut off', false],
    ['sleeps while it is cut off, and is asked before it knows that it has slept,', true],
  ])('a member that %s never reads the past for others, leader or not, unless it is asked for what it has, however old', (_, sleeps) => {
    const group = new ConformanceGroup(mode, size);
    const clientId = group.openSession();
    expect(group.put('k', 'old')).toEqual({ result: null });
    group.settle();
    for (const cutOff of new Set([group.leader, group.members[0]!, group.members[size - 1]!])) {
      const before = group.get('k', 0) as { result: string };
      isolate(group, cutOff, true);
      if (sleeps) group.world.pause(cutOff);
      group.world.run(group.world.now + 2000);
      expect(group.put('k', `without ${cutOff.name}`, 1)).toEqual({ result: null });
      const request: Request = { kind: 'request', clientId, serial: 1, acknowledged: 0, isStale: false, operation: get('k') };
      const replies = group.send(request, [cutOff]);
      group.world.resume(cutOff);
      group.world.run(group.world.now + 1000);
      expect(replies.filter(({ reply: { status } }) => status === 'ok')).toEqual([]);
      const stale = group.send({ ...request, isStale: true }, [cutOff]);
      group.world.run(group.world.now + 1000);
      expect(stale.map(textOf)).toEqual([before.result]);
      isolate(group, cutOff, false);
      group.settle();
    }
  });
});

function textOf({ reply }: ReplyMessage): string {
  const result = readKvReply(reply);
  return typeof result === 'object' && result.kind === 'value' ? new TextDecoder().decode(result.value) : reply.status;
}

/** Only who asks it himself still reaches it. */
function isolate({ world }: ConformanceGroup, place: { readonly name: string }, isCut: boolean): void {
  for (const { name } of [...world.places, ...world.clients]) {
    if (name === place.name) continue;
    for (const [from, to] of [[place.name, name], [name, place.name]] as const) {
      if (isCut) world.network.block(from, to);
      else world.network.unblock(from, to);
    }
  }
}
