import type { OperationOutcome } from '../../group/client.ts';
import type { HistoryValue } from '../../group/history.ts';
import { decodeKvOperation } from '../../group/kv/kv-operation.ts';
import { decodeKvResult } from '../../group/kv/kv-result.ts';
import { decodeCommand } from '../../group/log-command.ts';
import type { ReplyMessage, Request } from '../../group/message.ts';
import type { Mode } from '../../group/modes.ts';
import { decodeQuorumAnswer, decodeQuorumOperation } from '../../group/quorum/quorum-operation.ts';
import { decodeRaftMessage } from '../../group/raft/raft-message.ts';
import type { Envelope } from '../../group/replica.ts';
import type { StoredEntry } from '../../group/storage.ts';
import { decodeViewMessage } from '../../group/view/view-message.ts';
import type { StoryEvent } from '../../report/space-time.ts';
import type { Words } from './english.ts';

/** Something that happened in a run. Times are the world's, in milliseconds. */
export type Step =
  | {
      readonly kind: 'request'; readonly at: number; readonly client: string; readonly member: string; readonly request: Request; readonly isLost: boolean;
      /** Where that matters; otherwise it is shown where it was sent. */
      readonly arrivesAt?: number;
    }
  | { readonly kind: 'reply'; readonly at: number; readonly client: string; readonly member: string; readonly reply: ReplyMessage; readonly isLie: boolean }
  | { readonly kind: 'message'; readonly at: number; readonly member: string; readonly envelope: Envelope; readonly isLie: boolean }
  | { readonly kind: 'crash'; readonly at: number; readonly member: string }
  | { readonly kind: 'note'; readonly at: number; readonly lane: string; readonly text: string; readonly symbol?: string }
  | {
      readonly kind: 'outcome'; readonly at: number; readonly client: string; readonly afterMs: number; readonly outcome: OperationOutcome | undefined;
      /** It must not happen. */
      readonly isWrong: boolean;
      /** What it should have been, where only one thing is right. */
      readonly right?: HistoryValue;
    };

/** Members that give up take a client's patience; those that contradict each other do not. */
const SHORTEST_PATIENCE_MS = 1000;

/**
 * The steps in words: what is said again is left out, and so is the opening of sessions. Times begin with the first step. `members`: how many
 * there are.
 */
export function narrate(steps: readonly Step[], mode: Mode, members: number, words: Words): StoryEvent[] {
  const began = steps[0]?.at ?? 0;
  const said = new Set<string>();
  /** By client and serial: what was asked since then, and whether a quorum's members were asked to write. */
  const asked = new Map<string, boolean>();
  return steps.flatMap((step): StoryEvent[] => {
    const tenths = (time: number): number => Math.round((time - began) * 10) / 10;
    const at = tenths(step.at);
    const tell = (lane: string, to: string, text: string | undefined, isLie: boolean, isLost = false, arrivesAt = step.at): StoryEvent[] => {
      const name = `${lane} ${to} ${text}`;
      if (text === undefined || said.has(name)) return [];
      said.add(name);
      return [{ at, lane, text: isLie ? `${text} (${words.lie})` : text, message: { to, receivedAt: isLost ? undefined : tenths(arrivesAt) } }];
    };
    switch (step.kind) {
      case 'request': {
        const { client, member, request, isLost, arrivesAt } = step;
        asked.set(`${client} ${request.serial}`, mode === 'quorum' && decodeQuorumOperation(request.operation)?.kind !== 'read');
        return tell(client, member, requestText(mode, request.operation, words), false, isLost, arrivesAt);
      }
      case 'reply': {
        const { client, member, reply, isLie } = step;
        const isWrite = asked.get(`${client} ${reply.serial}`);
        // A late answer to something else, or the opening of a session.
        if (isWrite === undefined || reply.serial === 0) return [];
        return tell(member, client, isWrite && reply.reply.status === 'ok' ? words.stored : replyText(mode, members, reply, words), isLie);
      }
      case 'message':
        return tell(step.member, step.envelope.to, messageText(mode, step.envelope, words), step.isLie);
      case 'crash':
        return [{ at, lane: step.member, text: words.crashes, symbol: '#' }];
      case 'note':
        return [{ at, lane: step.lane, text: step.text, ...(step.symbol === undefined ? {} : { symbol: step.symbol }) }];
      case 'outcome': {
        said.clear();
        return [{ at, lane: step.client, text: outcomeText(step, words), ...(step.isWrong ? { isWrong: true } : {}) }];
      }
    }
  });
}

export function outcomeText({ outcome, afterMs, right }: Step & { readonly kind: 'outcome' }, words: Words): string {
  if (outcome === undefined) return words.hangs;
  if (outcome.kind === 'failed') return afterMs < SHORTEST_PATIENCE_MS ? words.noMajority : words.noAnswer(Math.round(afterMs));
  const answer = kvText(outcome.reply.body, words);
  return right === undefined || right === null ? words.accepts(answer) : words.acceptsWrong(answer, typeof right === 'number' ? words.bytes(right) : JSON.stringify(right));
}

/** Undefined for the opening of a session. */
function requestText(mode: Mode, bytes: Uint8Array, words: Words): string | undefined {
  if (mode !== 'quorum') return operationText(bytes, words);
  const operation = decodeQuorumOperation(bytes);
  if (operation === undefined) return undefined;
  return operation.kind === 'read' ? words.readTag(operation.key) : words.writeTag(operation.key, show(operation.value), operation.tag.counter);
}

function operationText(bytes: Uint8Array, words: Words): string | undefined {
  const operation = decodeKvOperation(bytes);
  if (typeof operation === 'string') return undefined;
  return words.operation(operation.kind, operation.key, 'value' in operation ? show(operation.value) : undefined);
}

function replyText(mode: Mode, members: number, { reply: { status, body } }: ReplyMessage, words: Words): string {
  if (status === 'not-leader') return words.notLeader;
  if (status !== 'ok') return words.refused(status);
  if (mode !== 'quorum') return kvText(body, words);
  const answer = decodeQuorumAnswer(body, members);
  return answer === undefined || answer.tag.counter === 0 ? words.nothing : words.tagged(show(answer.value), answer.tag.counter);
}

function kvText(body: Uint8Array, words: Words): string {
  const result = decodeKvResult(body);
  switch (result?.kind) {
    case 'value':
      return show(result.value);
    case 'length':
      return words.bytes(result.bytes);
    case 'truth':
      return words.yesNo(result.value);
    case 'absent':
      return words.nothing;
    default:
      return words.done;
  }
}

/** What a member says to another about operations and their order; undefined: nothing of that. */
function messageText(mode: Mode, { body }: Envelope, words: Words): string | undefined {
  if (mode === 'raft') {
    const message = decodeRaftMessage(body);
    return message?.kind === 'append' ? entriesText(message.entries, words) : undefined;
  }
  const message = decodeViewMessage(body);
  if (message?.kind === 'final') return words.finalStamp(`m${message.id.seat}`, message.id.number, message.stamp.clock);
  return message?.kind === 'order' ? entriesText(message.entries, words) : undefined;
}

function entriesText(entries: readonly StoredEntry[], words: Words): string | undefined {
  const texts = entries.flatMap(({ index, bytes }) => {
    const command = decodeCommand(bytes);
    const text = command?.kind === 'request' ? operationText(command.request.operation, words) : words.noOperation;
    return text === undefined ? [] : [words.place(index, text)];
  });
  return texts.length === 0 ? undefined : texts.join(', ');
}

function show(value: Uint8Array): string {
  return JSON.stringify(new TextDecoder().decode(value));
}
