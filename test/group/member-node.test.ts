import { describe, expect, it } from 'vitest';

import { encodeFileOperation } from '../../src/group/file-operation.ts';
import { FileSink } from '../../src/group/file-sink.ts';
import { FrameReader } from '../../src/group/framing.ts';
import { MemberNode } from '../../src/group/member-node.ts';
import { decodeMessage, encodeMessage, PROTOCOL_VERSION, type Message } from '../../src/group/message.ts';
import { WriteAllReplica } from '../../src/group/write-all.ts';

const HELLO: Message = { kind: 'hello', version: PROTOCOL_VERSION, clusterId: 'blue', from: 'client', senderId: 'c' };
const OPEN: Message = {
  kind: 'request', clientId: 'c', serial: 1, acknowledged: 0, isStale: false, operation: encodeFileOperation({ kind: 'open', transferId: 't' }),
};

function make(): MemberNode {
  const replica = new WriteAllReplica('m1', new FileSink({ readContent: () => new Uint8Array(0) }));
  const node = new MemberNode({ replica, clusterId: 'blue', memberId: 'm1' });
  node.opened(1);
  return node;
}

/** Everything that the node wants to send. */
function drain(node: MemberNode, connection = 1): ReturnType<typeof decodeMessage>[] {
  const reader = new FrameReader();
  const messages: ReturnType<typeof decodeMessage>[] = [];
  // In pieces of seven bytes: a connection takes what it has room for.
  for (let bytes = node.output(connection); bytes !== undefined; bytes = node.output(connection)) {
    const taken = Math.min(7, bytes.length);
    messages.push(...reader.push(bytes.slice(0, taken)).map(decodeMessage));
    node.sent(connection, taken);
  }
  return messages;
}

describe('a member node', () => {
  it('greets who fits', () => {
    const node = make();
    node.received(1, encodeMessage(HELLO), 0);
    expect(drain(node)).toEqual([{ kind: 'welcome', version: PROTOCOL_VERSION, clusterId: 'blue', memberId: 'm1' }]);
    expect(node.clientOf(1)).toBe('c');
    expect(node.rejection(1)).toBeUndefined();
  });

  it('says nothing before it is on disk, and takes no more meanwhile', () => {
    const node = make();
    node.received(1, encodeMessage(HELLO), 0);
    drain(node);
    node.received(1, encodeMessage(OPEN), 0);
    const ready = node.takeReady()!;
    expect(ready.persist).toEqual([{ kind: 'create', file: 'part' }]);
    expect(node.wantsInput(1)).toBe(false);
    expect(node.output(1)).toBeUndefined();
    expect(node.takeReady()).toBeUndefined();
    node.persisted();
    expect(node.wantsInput(1)).toBe(true);
    expect(drain(node)).toMatchObject([{ kind: 'reply', serial: 1, reply: { status: 'ok' } }]);
  });

  it('says that the disk failed instead of what was to be said', () => {
    const node = make();
    node.received(1, encodeMessage(HELLO), 0);
    drain(node);
    node.received(1, encodeMessage(OPEN), 0);
    node.takeReady();
    node.persistFailed('EIO', 1);
    expect(node.takeReady()).toMatchObject({ persist: [], role: 'failed' });
    node.persisted();
    expect(drain(node)).toMatchObject([{ kind: 'reply', serial: 1, reply: { status: 'disk-error' } }]);
  });

  it.each([
    ['another version', { ...HELLO, version: 9 }, 'wrongVersion', /version 9 instead of 4/],
    ['another cluster', { ...HELLO, clusterId: 'red' }, 'wrongCluster', /cluster "red" instead of "blue"/],
    ['no hello', OPEN, 'protocolErrors', /request instead of a hello/],
  ] as const)('rejects %s, once, with the reason', (_name, message, counter, reason) => {
    const node = make();
    node.received(1, encodeMessage(message as Message), 0);
    node.received(1, encodeMessage(HELLO), 0);
    expect(drain(node)).toEqual([{ kind: 'reject', reason: expect.stringMatching(reason) }]);
    expect(node.counters[counter]).toBe(1);
    expect(node.wantsInput(1)).toBe(false);
    expect(node.takeReady()).toBeUndefined();
  });

  it('rejects plain bytes and messages that only members send', () => {
    const plain = make();
    plain.received(1, new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'), 0);
    expect(plain.rejection(1)).toMatch(/a message of \d+ bytes/);
    const node = make();
    node.received(1, encodeMessage(HELLO), 0);
    node.received(1, encodeMessage({ kind: 'welcome', version: 1, clusterId: 'blue', memberId: 'x' }), 0);
    expect(node.rejection(1)).toBe('a welcome is not expected here');
  });

  it('forgets a connection that is gone: its replies go nowhere', () => {
    const node = make();
    node.received(1, encodeMessage(HELLO), 0);
    node.received(1, encodeMessage(OPEN), 0);
    node.takeReady();
    node.closed(1, 0);
    node.opened(2);
    node.persisted();
    expect(node.output(1)).toBeUndefined();
    expect(node.output(2)).toBeUndefined();
  });

  it('answers on the connection on which the client asked last', () => {
    const node = make();
    node.received(1, encodeMessage(HELLO), 0);
    node.opened(2);
    node.received(2, encodeMessage(HELLO), 0);
    drain(node, 1);
    drain(node, 2);
    node.received(2, encodeMessage(OPEN), 0);
    node.takeReady();
    node.persisted();
    expect(drain(node, 1)).toEqual([]);
    expect(drain(node, 2)).toMatchObject([{ kind: 'reply', serial: 1 }]);
  });
});
