import { describe, expect, it } from 'vitest';

import { decodeText, encodeText } from '../../../src/group/byte-codec.ts';
import { decodeKvOperation, encodeKvOperation } from '../../../src/group/kv/kv-operation.ts';
import { decodeCommand, encodeCommand } from '../../../src/group/log-command.ts';
import { raftLie } from '../../../src/group/raft/raft-lies.ts';
import { decodeRaftMessage, encodeRaftMessage, type RaftMessage } from '../../../src/group/raft/raft-message.ts';

function told(message: RaftMessage): (RaftMessage | undefined)[] | undefined {
  return raftLie(encodeRaftMessage(message), 'leader')?.map(decodeRaftMessage);
}

describe('a two-faced member of a Raft group', () => {
  it('gives another operation for the same place', () => {
    const operation = encodeKvOperation({ kind: 'append', key: 'x', value: encodeText('v0', 10) });
    const bytes = encodeCommand({ kind: 'request', request: { kind: 'request', clientId: '#1', serial: 1, acknowledged: 0, isStale: false, operation } });
    const append: RaftMessage & { kind: 'append' } = { kind: 'append', term: 2, prevIndex: 4, prevTerm: 2, commitIndex: 4, round: 9, lastIndex: 5, life: 1, entries: [{ index: 5, term: 2, bytes }] };
    const [lie] = told(append)!;
    expect(lie).toMatchObject({ ...append, entries: [{ index: 5, term: 2 }] });
    const command = decodeCommand((lie as typeof append).entries[0]!.bytes);
    const altered = command?.kind === 'request' ? decodeKvOperation(command.request.operation) : undefined;
    expect(altered).toMatchObject({ kind: 'append', key: 'x' });
    expect(decodeText((altered as { value: Uint8Array }).value)).toMatch(/^v[^0]$/);
    expect(told({ ...append, entries: [] })).toBeUndefined();
    expect(told({ ...append, entries: [{ index: 5, term: 2, bytes: encodeCommand({ kind: 'no-op' }) }] })).toBeUndefined();
  });

  it('votes for whoever asks, in this term or the next, and acknowledges what it has refused', () => {
    expect(told({ kind: 'vote-reply', term: 3, isGranted: false })).toEqual([{ kind: 'vote-reply', term: 3, isGranted: true }]);
    expect(told({ kind: 'pre-vote-reply', term: 3, isGranted: false })).toEqual([3, 4].map((term) => ({ kind: 'pre-vote-reply', term, isGranted: true })));
    const refusal: RaftMessage = { kind: 'append-reply', term: 3, isMatch: false, index: 7, hintTerm: 2, round: 1, life: 5 };
    expect(told(refusal)).toEqual([{ ...refusal, isMatch: true }]);
    expect(told({ ...refusal, isMatch: true })).toBeUndefined();
    expect(raftLie(Uint8Array.of(99), 'leader')).toBeUndefined();
  });
});
