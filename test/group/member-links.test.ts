import { describe, expect, it } from 'vitest';

import { MemberNode } from '../../src/group/member-node.ts';
import { encodeMessage, PROTOCOL_VERSION } from '../../src/group/message.ts';
import { ScriptedReplica } from './scripted-replica.ts';

interface Side {
  readonly replica: ScriptedReplica;
  readonly node: MemberNode;
}

function make(id: string, clusterId = 'blue'): Side {
  const replica = new ScriptedReplica(id);
  return { replica, node: new MemberNode({ replica, clusterId, memberId: id }) };
}

function persist({ node }: Side): void {
  while (node.takeReady() !== undefined) node.persisted();
}

/** Carries bytes both ways until neither side has any. */
function carry(a: Side, aConnection: number, b: Side, bConnection: number): void {
  persist(a);
  persist(b);
  for (let isMoving = true; isMoving;) {
    isMoving = false;
    for (const [from, connection, to, toConnection] of [[a.node, aConnection, b.node, bConnection], [b.node, bConnection, a.node, aConnection]] as const) {
      for (let bytes = from.output(connection); bytes !== undefined; bytes = from.output(connection)) {
        from.sent(connection, bytes.length);
        to.received(toConnection, bytes, 0);
        isMoving = true;
      }
    }
  }
}

/** Two members, and a connection that `a` has opened. */
function pair(): { a: Side; b: Side } {
  const a = make('a');
  const b = make('b');
  a.replica.wanted = [{ id: 'b', address: 'b:1' }];
  b.replica.wanted = [{ id: 'a', address: 'a:1' }];
  a.node.dialed(1, { id: 'b', address: 'b:1' });
  b.node.opened(1);
  carry(a, 1, b, 1);
  return { a, b };
}

describe('members and their links', () => {
  it('one connection serves both ways, whoever opened it', () => {
    const { a, b } = pair();
    expect([a.node.missingPeers(), b.node.missingPeers()]).toEqual([[], []]);
    a.replica.say('b', 'one');
    b.replica.say('a', 'two');
    carry(a, 1, b, 1);
    expect(b.replica.heard).toEqual(['a: one']);
    expect(a.replica.heard).toEqual(['b: two']);
  });

  it('a simultaneous open is one link', () => {
    const a = make('a');
    const b = make('b');
    a.node.dialed(1, { id: 'b', address: 'b:1' });
    b.node.dialed(1, { id: 'a', address: 'a:1' });
    a.replica.say('b', 'one');
    b.replica.say('a', 'two');
    carry(a, 1, b, 1);
    expect([a.replica.heard, b.replica.heard]).toEqual([['b: two'], ['a: one']]);
  });

  it('two connections crossing: each side keeps its own, and hears on both', () => {
    const a = make('a');
    const b = make('b');
    a.node.dialed(1, { id: 'b', address: 'b:1' });
    b.node.opened(1);
    b.node.dialed(2, { id: 'a', address: 'a:1' });
    a.node.opened(2);
    a.replica.say('b', 'one');
    b.replica.say('a', 'two');
    persist(a);
    persist(b);
    carry(a, 1, b, 1);
    carry(a, 2, b, 2);
    expect([a.replica.heard, b.replica.heard]).toEqual([['b: two'], ['a: one']]);
    a.node.closed(2, 0);
    expect(a.replica.lost).toEqual([]);
    b.node.closed(2, 0);
    expect(b.replica.lost).toEqual(['a']);
  });

  it('the death of a link is told, once, and the peer is missing again', () => {
    const { a, b } = pair();
    a.node.closed(1, 5);
    expect(a.replica.lost).toEqual(['b']);
    expect(a.node.missingPeers()).toEqual([{ id: 'b', address: 'b:1' }]);
    b.replica.say('a', 'into the void');
    b.node.closed(1, 5);
    persist(b);
    expect(b.node.counters.droppedMessages).toBe(1);
  });

  it('another life at the same address is not the member that was meant', () => {
    const a = make('a');
    const other = make('b2');
    a.node.dialed(1, { id: 'b', address: 'b:1' });
    other.node.opened(1);
    a.replica.say('b', 'secret');
    carry(a, 1, other, 1);
    expect(a.node.rejection(1)).toBe('here is b2, not b');
    expect(a.node.counters.wrongMember).toBe(1);
    expect(other.replica.heard).toEqual([]);
  });

  it('a member of another cluster is refused, and says nothing to the replica', () => {
    const a = make('a', 'red');
    const b = make('b');
    a.node.dialed(1, { id: 'b', address: 'b:1' });
    b.node.opened(1);
    a.replica.say('b', 'one');
    carry(a, 1, b, 1);
    expect(b.replica.heard).toEqual([]);
    expect(a.node.rejection(1)).toMatch(/cluster "red" instead of "blue"/);
  });

  it('a client that speaks as a member does is rejected', () => {
    const b = make('b');
    b.node.opened(1);
    b.node.received(1, encodeMessage({ kind: 'hello', version: PROTOCOL_VERSION, clusterId: 'blue', from: 'client', senderId: 'c' }), 0);
    b.node.received(1, encodeMessage({ kind: 'peer', body: Uint8Array.of(1) }), 0);
    expect(b.replica.heard).toEqual([]);
    expect(b.node.rejection(1)).toBe('a peer is not expected here');
  });

  it('a link that takes nothing drops what is too much, and the rest stays', () => {
    const a = make('a');
    a.node.dialed(1, { id: 'b', address: 'b:1' });
    a.node.received(1, encodeMessage({ kind: 'hello', version: PROTOCOL_VERSION, clusterId: 'blue', from: 'member', senderId: 'b' }), 0);
    const body = new Uint8Array(200 * 1024);
    for (let i = 0; i < 100; i++) a.replica.messages.push({ to: 'b', body });
    persist(a);
    const { droppedMessages } = a.node.counters;
    expect(droppedMessages).toBeGreaterThan(50);
    expect(droppedMessages).toBeLessThan(100);
  });
});

describe('before it is known who is there', () => {
  it('messages are held, some of them', () => {
    const a = make('a');
    const b = make('b');
    a.node.dialed(1, { id: 'b', address: 'b:1' });
    for (let i = 0; i < 70; i++) a.replica.say('b', String(i));
    b.node.opened(1);
    carry(a, 1, b, 1);
    expect(b.replica.heard.length).toBe(64);
    expect(a.node.counters.droppedMessages).toBe(6);
  });
});

describe('errands', () => {
  const request = { kind: 'request', clientId: 'a', serial: 1, acknowledged: 0, isStale: false, operation: Uint8Array.of(1) } as const;
  const to = { id: 'v', address: 'v:1' };

  it('wait for a connection, go as a client\'s request, and the answer comes back', () => {
    const a = make('a');
    const server = make('v');
    a.replica.errands.push({ to, request });
    persist(a);
    expect(a.node.missingErrandTargets()).toEqual([to]);
    a.node.dialedForErrands(1, to);
    server.node.opened(1);
    expect(a.node.missingErrandTargets()).toEqual([]);
    carry(a, 1, server, 1);
    expect(server.replica.requests).toMatchObject([{ clientId: 'a', serial: 1 }]);
    const reply = { kind: 'reply', memberId: 'v', clientId: 'a', serial: 1, reply: { status: 'ok', offset: 1, digest: new Uint8Array(0), body: new Uint8Array(0) } } as const;
    server.replica.replies.push(reply);
    carry(a, 1, server, 1);
    expect(a.replica.answers).toMatchObject([{ memberId: 'v', serial: 1 }]);
    expect(a.replica.lost).toEqual([]);
  });

  it('are bounded while nobody is there', () => {
    const a = make('a');
    for (let i = 0; i < 200; i++) a.replica.errands.push({ to, request });
    persist(a);
    expect(a.node.counters.droppedMessages).toBe(136);
  });
});
