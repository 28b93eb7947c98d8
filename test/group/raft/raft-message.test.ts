import { describe, expect, it } from 'vitest';

import { createRandom } from '../../../src/core/random.ts';
import { MAX_MESSAGE_BYTES } from '../../../src/group/framing.ts';
import { decodeCommand, encodeCommand, type LogCommand } from '../../../src/group/log-command.ts';
import { decodeRaftMessage, encodeRaftMessage, type RaftMessage } from '../../../src/group/raft/raft-message.ts';

const BIG = Number.MAX_SAFE_INTEGER;

const MESSAGES: readonly RaftMessage[] = [
  { kind: 'pre-vote', term: 1, lastIndex: 0, lastTerm: 0 },
  { kind: 'vote', term: BIG, lastIndex: BIG, lastTerm: BIG },
  { kind: 'pre-vote-reply', term: 3, isGranted: true },
  { kind: 'vote-reply', term: 3, isGranted: false },
  { kind: 'append', term: 4, prevIndex: 7, prevTerm: 2, commitIndex: 6, round: 9, lastIndex: 12, life: 0xffff_ffff, entries: [] },
  {
    kind: 'append', term: 4, prevIndex: 7, prevTerm: 2, commitIndex: 6, round: 9, lastIndex: 12, life: 0,
    entries: [{ index: 8, term: 3, bytes: Uint8Array.of(0) }, { index: 9, term: 4, bytes: new Uint8Array(70_000).fill(7) }],
  },
  { kind: 'append-reply', term: 4, isMatch: true, index: 9, hintTerm: 0, round: 9, life: 5 },
  { kind: 'append-reply', term: 4, isMatch: false, index: 3, hintTerm: 2, round: 0, life: 0xffff_ffff },
  { kind: 'chunk', term: 4, transfer: 2 ** 40, number: 3, isLast: true, index: 100, lastTerm: 4, meta: Uint8Array.of(1, 2), bytes: Uint8Array.of(9) },
  { kind: 'chunk-reply', term: 4, transfer: 2 ** 40, received: 4, isComplete: true },
];

const COMMANDS: readonly LogCommand[] = [
  { kind: 'no-op' },
  { kind: 'request', request: { kind: 'request', clientId: '#17', serial: BIG, acknowledged: 3, isStale: false, operation: Uint8Array.of(1, 2, 3) } },
  { kind: 'membership', members: [{ id: 'm1', address: '[::1]:99', isVoter: true }, { id: 'm2', address: '10.0.0.2:1', isVoter: false }] },
];

describe('messages and entries as bytes', () => {
  it.each(MESSAGES.map((message) => [message.kind, message] as const))('%s comes back as it was', (_kind, message) => {
    expect(decodeRaftMessage(encodeRaftMessage(message))).toEqual(message);
  });

  it.each(COMMANDS.map((command) => [command.kind, command] as const))('an entry with a %s comes back as it was', (_kind, command) => {
    expect(decodeCommand(encodeCommand(command))).toEqual(command);
  });

  it.each(MESSAGES.map((message) => [message.kind, message] as const))('%s, cut anywhere before its last field, is none', (kind, message) => {
    const bytes = encodeRaftMessage(message);
    // What ends with bytes of unknown length can be cut there without a trace: framing keeps it whole.
    const fixed = bytes.length - (kind === 'chunk' ? 1 : 0);
    for (let length = 0; length < Math.min(fixed, 200); length++) expect(decodeRaftMessage(bytes.slice(0, length))).toBeUndefined();
    if (kind !== 'chunk') expect(decodeRaftMessage(Uint8Array.of(...bytes.slice(0, 200), ...bytes.slice(200), 0))).toBeUndefined();
  });

  it('a number of entries or members that nobody sends is refused before anything is made of it', () => {
    const append = encodeRaftMessage({ kind: 'append', term: 4, prevIndex: 7, prevTerm: 2, commitIndex: 6, round: 9, lastIndex: 12, life: 1, entries: [] });
    append.set([0xff, 0xff], append.length - 2);
    expect(decodeRaftMessage(append)).toBeUndefined();
    const membership = encodeCommand({ kind: 'membership', members: [] });
    membership[1] = 255;
    expect(decodeCommand(membership)).toBeUndefined();
  });

  it('any bytes are a message or none, and never an error', () => {
    const random = createRandom(7);
    for (let i = 0; i < 20_000; i++) {
      const bytes = new Uint8Array(random.below(80)).map(() => random.below(256));
      if (bytes.length > 0 && random.chance(0.7)) bytes[0] = random.below(8);
      decodeRaftMessage(bytes);
      decodeCommand(bytes);
    }
  });

  it('the largest operation that a member takes fits a message', () => {
    const operation = new Uint8Array(MAX_MESSAGE_BYTES - 4096);
    const entry = encodeCommand({ kind: 'request', request: { kind: 'request', clientId: 'c'.repeat(64), serial: BIG, acknowledged: BIG, isStale: false, operation } });
    const message = encodeRaftMessage({ kind: 'append', term: BIG, prevIndex: 1, prevTerm: 1, commitIndex: 1, round: BIG, lastIndex: BIG, life: 1, entries: [{ index: 2, term: BIG, bytes: entry }] });
    expect(message.length).toBeLessThan(MAX_MESSAGE_BYTES);
  });
});
