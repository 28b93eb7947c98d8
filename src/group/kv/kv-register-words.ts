import type { RegisterWords } from '../quorum/register-words.ts';
import { decodeKvOperation } from './kv-operation.ts';
import { kvReply } from './kv-result.ts';

/** The key-value store's words in a group that has only registers: get and put. */
export const KV_REGISTER_WORDS: RegisterWords = {
  read: (bytes) => {
    const operation = decodeKvOperation(bytes);
    if (typeof operation === 'string' || operation.kind === 'get' || operation.kind === 'put') return operation;
    return `a register has no ${operation.kind}: it needs an order, and in this mode there is none`;
  },
  found: (value) => kvReply(value === undefined ? { kind: 'absent' } : { kind: 'value', value }),
  written: () => kvReply({ kind: 'done' }),
};
