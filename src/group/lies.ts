import { decodeKvOperation, encodeKvOperation } from './kv/kv-operation.ts';
import { decodeKvResult, encodeKvResult, type KvResult } from './kv/kv-result.ts';
import { decodeQuorumAnswer, encodeQuorumAnswer } from './quorum/quorum-operation.ts';
import { decodeCommand, encodeCommand } from './log-command.ts';
import type { Role } from './replica.ts';
import type { Reply } from './state-machine.ts';
import type { StoredEntry } from './storage.ts';

/**
 * Wrong replies that look like right ones. `lie` is a whole number, at least 0: equal numbers give equal lies, and numbers that differ by
 * less than 61 give different ones wherever there are as many.
 */
export type ReplyLie = (reply: Reply, lie: number) => Reply;

/** What a member in that role says to a deceived one instead of this; undefined: it has nothing better to say than the truth. */
export type MessageLie = (body: Uint8Array, role: Role) => readonly Uint8Array[] | undefined;

/** What only an engine, or a service, knows how to do wrongly. */
export interface Lies {
  /** Another reply than the right one, as believable. */
  readonly reply?: ReplyLie;
  /** Two-faced only. */
  readonly message?: MessageLie;
}

const ALPHABET = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'].map((character) => character.charCodeAt(0));

/** Another last character; one character where there was none. */
export function alterValue(value: Uint8Array, lie: number): Uint8Array {
  const others = ALPHABET.filter((code) => code !== value.at(-1));
  const altered = new Uint8Array(Math.max(1, value.length));
  altered.set(value);
  altered[altered.length - 1] = others[lie % others.length]!;
  return altered;
}

/** Of a service that is not known: the last byte of what it says, if it says anything. */
export const alterLastByte: ReplyLie = (reply, lie) =>
  reply.status !== 'ok' || reply.body.length === 0 ? reply : { ...reply, body: alterValue(reply.body, lie) };

/** Of the key-value store. To a put there is nothing wrong to say: that it was done, it has to say. */
export const kvLie: ReplyLie = (reply, lie) => {
  const result = reply.status === 'ok' ? decodeKvResult(reply.body) : undefined;
  if (result === undefined || result.kind === 'done') return reply;
  return { ...reply, body: encodeKvResult(alterResult(result, lie)) };
};

function alterResult(result: Exclude<KvResult, { kind: 'done' }>, lie: number): KvResult {
  switch (result.kind) {
    case 'value':
      return { kind: 'value', value: alterValue(result.value, lie) };
    case 'absent':
      return { kind: 'value', value: alterValue(new Uint8Array(0), lie) };
    case 'truth':
      return { kind: 'truth', value: !result.value };
    case 'length':
      return { kind: 'length', bytes: result.bytes + 1 + (lie % ALPHABET.length) };
  }
}

/** Of a member of a quorum register with so many members: another value under the right tag. A read is believed, and written back. */
export function quorumLie(members: number): ReplyLie {
  return (reply, lie) => {
    const answer = reply.status === 'ok' ? decodeQuorumAnswer(reply.body, members) : undefined;
    if (answer === undefined || answer.tag.counter === 0) return reply;
    return { ...reply, body: encodeQuorumAnswer(answer.seat, answer.lives, answer.tag, alterValue(answer.value, lie)) };
  };
}

/**
 * Of a two-faced member of a quorum register: a value that nobody wrote, under a tag that is newer than all, another for each reader. It needs
 * no majority of liars: one such answer wins.
 */
export function quorumForgery(members: number): ReplyLie {
  return (reply, lie) => {
    const answer = reply.status === 'ok' ? decodeQuorumAnswer(reply.body, members) : undefined;
    if (answer === undefined || answer.tag.counter === 0) return reply;
    const tag = { ...answer.tag, counter: answer.tag.counter + 1 + (lie % ALPHABET.length) };
    return { ...reply, body: encodeQuorumAnswer(answer.seat, answer.lives, tag, alterValue(answer.value, lie)) };
  };
}

/** The same places in the order with other operations in them, as far as these write anything; undefined if none does. */
export function alterEntries(entries: readonly StoredEntry[]): StoredEntry[] | undefined {
  const altered = entries.map(alterEntry);
  return altered.some((entry, i) => entry !== entries[i]) ? altered : undefined;
}

function alterEntry(entry: StoredEntry): StoredEntry {
  const command = decodeCommand(entry.bytes);
  const operation = command?.kind === 'request' ? alterOperation(command.request.operation) : undefined;
  if (command?.kind !== 'request' || operation === undefined) return entry;
  return { ...entry, bytes: encodeCommand({ kind: 'request', request: { ...command.request, operation } }) };
}

/** Another value; another last byte of an operation that is not the key-value store's. Undefined: there is nothing to alter. */
function alterOperation(bytes: Uint8Array): Uint8Array | undefined {
  // The opening of a session.
  if (bytes.length === 0) return undefined;
  const operation = decodeKvOperation(bytes);
  if (typeof operation === 'string') return alterValue(bytes, 0);
  return 'value' in operation ? encodeKvOperation({ ...operation, value: alterValue(operation.value, 0) }) : undefined;
}
