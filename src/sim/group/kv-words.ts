import { encodeKvOperation, type KvOperation } from '../../group/kv/kv-operation.ts';
import { decodeKvResult } from '../../group/kv/kv-result.ts';
import type { Operation, OperationWords } from './workload.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The key-value store's language. */
export const KV_WORDS: OperationWords = {
  write: (operation) => encodeKvOperation(kvOperation(operation)),
  result: ({ op }, { status, body }) => {
    if (status !== 'ok') return undefined;
    const result = decodeKvResult(body);
    if (op === 'get' && result?.kind === 'value') return decoder.decode(result.value);
    if (op === 'get' && result?.kind === 'absent') return null;
    if (op === 'put' && result?.kind === 'done') return null;
    if ((op === 'cas' || op === 'del') && result?.kind === 'truth') return result.value;
    if (op === 'append' && result?.kind === 'length') return result.bytes;
    throw new Error(`a ${op} was answered with ${result?.kind ?? 'what is no result'}`);
  },
};

function kvOperation(operation: Operation): KvOperation {
  const { op, key } = operation;
  switch (op) {
    case 'get':
      return { kind: 'get', key };
    case 'del':
      return { kind: 'delete', key };
    case 'put':
    case 'append':
      return { kind: op, key, value: encoder.encode(operation.value) };
    case 'cas':
      return { kind: 'cas', key, expected: operation.old === null ? undefined : encoder.encode(operation.old), value: encoder.encode(operation.value) };
  }
}
