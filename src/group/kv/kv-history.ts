import { decodeText } from '../byte-codec.ts';
import type { OperationOutcome } from '../client.ts';
import type { HistoryEvent, HistoryValue } from '../history.ts';
import type { KvOperation } from './kv-operation.ts';
import { readKvReply, type KvResult } from './kv-result.ts';

/**
 * The record of one operation on the store whose values are text. `outcome` undefined: the run ended before there was one, which is as
 * good as unknown. Whoever gets a record with `ok` null goes on as another process. Times are nanoseconds since the start of the run; `complete` is when the outcome was there.
 */
export function kvHistoryEvent(process: number, operation: KvOperation, invoke: number, complete: number, outcome: OperationOutcome | undefined): HistoryEvent {
  const { kind, key } = operation;
  const event = {
    process, op: kind === 'delete' ? 'del' as const : kind, key,
    value: kind === 'get' || kind === 'delete' ? null : decodeText(operation.value),
    old: kind === 'cas' && operation.expected !== undefined ? decodeText(operation.expected) : null,
  };
  if (outcome?.kind === 'failed' && outcome.outcome === 'not-executed') return { ...event, result: null, invoke, complete, ok: false };
  // The service said no: it has not been carried out, and never will be under this serial.
  if (outcome?.kind === 'answered' && outcome.reply.status !== 'ok') return { ...event, result: null, invoke, complete, ok: false };
  const result = outcome?.kind === 'answered' ? readKvReply(outcome.reply) : undefined;
  if (result === undefined || typeof result === 'string' || !RESULTS[kind].includes(result.kind)) return { ...event, result: null, invoke, complete: null, ok: null };
  return { ...event, result: valueOf(result), invoke, complete, ok: true };
}

/** What can come of what. Anything else was made up by somebody, and says nothing. */
const RESULTS: Readonly<Record<KvOperation['kind'], readonly KvResult['kind'][]>> = {
  get: ['value', 'absent'], put: ['done'], cas: ['truth'], append: ['length'], delete: ['truth'],
};

function valueOf(result: KvResult): HistoryValue {
  switch (result.kind) {
    case 'value':
      return decodeText(result.value);
    case 'truth':
      return result.value;
    case 'length':
      return result.bytes;
    case 'absent':
    case 'done':
      return null;
  }
}
