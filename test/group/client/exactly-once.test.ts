import { describe, expect, it } from 'vitest';

import { createRandom, type Random } from '../../../src/core/random.ts';
import type { GroupClient, OperationOutcome } from '../../../src/group/client.ts';
import { SingleClient } from '../../../src/group/client/single-client.ts';
import { VoteClient } from '../../../src/group/client/vote-client.ts';
import { KvMachine } from '../../../src/group/kv/kv-machine.ts';
import { encodeKvOperation, isKvRead } from '../../../src/group/kv/kv-operation.ts';
import { readKvReply } from '../../../src/group/kv/kv-result.ts';
import type { ReplyMessage, Request } from '../../../src/group/message.ts';
import { Service } from '../../../src/group/service.ts';
import { reply } from './script.ts';

const TARGETS = ['a:1', 'b:1', 'c:1'];
const APPEND_TO = 'list';

/**
 * Three members that agree on an order by magic, and everything else that can go wrong between them and a client: connections break with what is on
 * them, members refuse, lead in turns, lag, and forget sessions. `votes`: all apply and answer, and one of them lies.
 */
class Group {
  readonly random: Random;
  readonly isVoting: boolean;
  readonly client: GroupClient;
  now = 0;
  leader = 0;
  readonly order: Request[] = [];
  readonly services: Service[];
  readonly connections = TARGETS.map(() => ({ isOpen: false, requests: [] as Request[], replies: [] as ReplyMessage[] }));
  readonly outcomes = new Map<number, OperationOutcome>();
  readonly tokens = new Map<number, string>();

  constructor(client: GroupClient, isVoting: boolean, random: Random, maxSessions: number) {
    this.client = client;
    this.isVoting = isVoting;
    this.random = random;
    this.services = (isVoting ? TARGETS : ['all']).map(() => new Service(new KvMachine(), maxSessions));
  }

  submit(): void {
    const token = `${this.tokens.size};`;
    const ticket = this.client.submit(encodeKvOperation({ kind: 'append', key: APPEND_TO, value: new TextEncoder().encode(token) }), this.now);
    this.tokens.set(ticket, token);
    this.turn();
  }

  turn(): void {
    for (let next = this.client.nextSending(); next !== undefined; next = this.client.nextSending()) {
      const connection = this.connections[next.target]!;
      expect(connection.isOpen).toBe(true);
      connection.requests.push(next.request);
    }
    for (let next = this.client.takeOutcome(); next !== undefined; next = this.client.takeOutcome()) {
      expect(this.outcomes.has(next.ticket)).toBe(false);
      this.outcomes.set(next.ticket, next);
    }
  }

  open(target: number): void {
    if (this.connections[target]!.isOpen) return;
    this.connections[target]!.isOpen = true;
    this.client.connected(target, this.now);
  }

  break(target: number): void {
    if (!this.connections[target]!.isOpen) return;
    this.connections[target] = { isOpen: false, requests: [], replies: [] };
    this.client.disconnected(target, this.now);
  }

  /** A member takes the next request, if there is one. */
  handle(target: number, refuses: boolean): void {
    const request = this.connections[target]!.requests.shift();
    if (request === undefined) return;
    const send = (answer: ReplyMessage['reply']): void => this.send(target, request, answer);
    if (refuses) return send(reply('unavailable'));
    if (this.isVoting) {
      this.order.push(request);
      return;
    }
    if (target !== this.leader) return send(reply('not-leader', this.random.chance(0.5) ? TARGETS[this.leader]! : ''));
    if (this.random.chance(0.05)) return send(reply('busy'));
    send(this.services[0]!.apply(this.services[0]!.appliedIndex + 1, request));
  }

  /** In a voting group: a member applies what is next, and says what came of it. */
  apply(target: number): void {
    const service = this.services[target]!;
    const request = this.order[service.appliedIndex];
    if (request === undefined) return;
    const answer = service.apply(service.appliedIndex + 1, request);
    this.send(target, request, target === 2 ? { ...answer, offset: answer.offset + 1 } : answer);
  }

  send(target: number, { clientId, serial }: Request, answer: ReplyMessage['reply']): void {
    if (this.connections[target]!.isOpen) this.connections[target]!.replies.push({ kind: 'reply', memberId: `m${target}`, clientId, serial, reply: answer });
  }

  deliver(target: number): void {
    const message = this.connections[target]!.replies.shift();
    if (message !== undefined) this.client.received(target, message, this.now);
  }

  /** Time passes, but not beyond the next timeout. */
  timeout(atMost: number): void {
    const at = this.client.nextTimeout();
    expect(at).toBeGreaterThanOrEqual(this.now);
    // Whoever waits knows how long.
    expect(at === Infinity && this.client.pending > 0).toBe(false);
    if (at === Infinity) return;
    this.now = Math.min(at, this.now + atMost);
    if (at > this.now) return;
    this.client.handleTimeout(this.now);
    expect(this.client.nextTimeout()).toBeGreaterThan(this.now);
  }

  /** Others come and go, and old sessions are forgotten for theirs. */
  crowd(): void {
    const opening: Request = { kind: 'request', clientId: 'another', serial: 0, acknowledged: 0, isStale: false, operation: new Uint8Array(0) };
    if (this.isVoting) this.order.push(opening, opening, opening);
    else this.services[0]!.apply(this.services[0]!.appliedIndex + 1, opening);
  }

  step(): void {
    const { random } = this;
    const target = random.below(TARGETS.length);
    const what = random.below(100);
    if (what < 15 && this.tokens.size < 60 && this.client.pending < 10) this.submit();
    else if (what < 40) this.handle(target, random.chance(0.05));
    else if (what < 60) this.work(target);
    else if (what < 80) this.deliver(target);
    else if (what < 84) this.break(target);
    else if (what < 92) this.open(target);
    else if (what < 95) this.timeout(random.chance(0.2) ? 1500 : 50);
    else if (what < 98) this.leader = target;
    else if (random.chance(0.2)) this.crowd();
    this.turn();
  }

  /** A member gets on with its work. */
  work(target: number): void {
    if (this.isVoting) for (let i = 0; i < 4; i++) this.apply(target);
    else this.handle(target, false);
  }

  /** Everything works, and everything ends. */
  heal(): void {
    for (let i = 0; i < 20_000 && this.client.pending > 0; i++) {
      for (let target = 0; target < TARGETS.length; target++) {
        this.open(target);
        this.turn();
        this.handle(target, false);
        this.work(target);
        this.deliver(target);
        this.turn();
      }
      if (this.connections.every(({ requests, replies }) => requests.length + replies.length === 0)) this.timeout(Infinity);
      this.turn();
    }
    expect(this.client.pending).toBe(0);
  }

  /** What the group has in the end, in order. */
  list(): string[] {
    if (this.isVoting) while (this.services[0]!.appliedIndex < this.order.length) this.services[0]!.apply(this.services[0]!.appliedIndex + 1, this.order[this.services[0]!.appliedIndex]!);
    const request: Request = { kind: 'request', clientId: 'judge', serial: 1, acknowledged: 0, isStale: false, operation: encodeKvOperation({ kind: 'get', key: APPEND_TO }) };
    const result = readKvReply(this.services[0]!.query(request));
    return typeof result !== 'string' && result.kind === 'value' ? new TextDecoder().decode(result.value).match(/\d+;/g) ?? [] : [];
  }
}

function run(seed: number, isVoting: boolean): { readonly group: Group; readonly list: string[]; readonly ends: Record<string, number> } {
  const random = createRandom(seed);
  const options = {
    clientId: `client ${seed}`, targets: TARGETS, random: random.fork('client'), isReadOnly: isKvRead, window: random.chance(0.5) ? 1 : 1 + random.below(8),
    operationTimeoutMs: 2000 + random.below(20_000),
  };
  const client = isVoting ? new VoteClient({ ...options, members: 3 }) : new SingleClient(options);
  const group = new Group(client, isVoting, random, isVoting ? 6 : 2);
  for (let i = 0; i < 1500; i++) group.step();
  group.heal();
  const list = group.list();
  const ends: Record<string, number> = {};
  for (const [ticket, outcome] of group.outcomes) {
    const token = group.tokens.get(ticket)!;
    const times = list.filter((each) => each === token).length;
    const kind = outcome.kind === 'answered' ? outcome.reply.status : outcome.outcome;
    ends[kind] = (ends[kind] ?? 0) + 1;
    if (kind === 'ok') expect(times, token).toBe(1);
    else if (kind === 'not-executed') expect(times, token).toBe(0);
    else {
      expect(kind).toBe('unknown');
      expect(times, token).toBeLessThanOrEqual(1);
    }
  }
  expect(group.outcomes.size).toBe(group.tokens.size);
  // In the order in which they were submitted, as long as no session ends.
  const numbers = list.map((token) => parseInt(token, 10));
  if (options.window === 1) expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  return { group, list, ends };
}

describe.each([['a single client', false], ['a voting client', true]] as const)('%s', (_, isVoting) => {
  it('has each operation executed once, or says that it does not know: 150 seeds', () => {
    const total: Record<string, number> = {};
    for (let seed = 0; seed < 150; seed++) {
      for (const [kind, count] of Object.entries(run(seed, isVoting).ends)) total[kind] = (total[kind] ?? 0) + count;
    }
    // It would be easy never to know.
    expect(total['ok']! / ((total['unknown'] ?? 0) + (total['not-executed'] ?? 0) + total['ok']!)).toBeGreaterThan(0.6);
    expect(total['unknown']).toBeGreaterThan(0);
  });

  it('does the same from the same seed', () => {
    const [one, other] = [run(7, isVoting), run(7, isVoting)];
    expect(one.list).toEqual(other.list);
    expect([...one.group.outcomes]).toEqual([...other.group.outcomes]);
  });
});
