import { decodeKvOperation } from '../kv/kv-operation.ts';
import { kvReply } from '../kv/kv-result.ts';
import type { RegisterWords } from './register-words.ts';

/** Get and put of the key-value store, as it says them in all modes. */
export const kvRegister: RegisterWords = {
  read(bytes) {
    const operation = decodeKvOperation(bytes);
    if (typeof operation === 'string' || operation.kind === 'get' || operation.kind === 'put') return operation;
    return `a register cannot ${operation.kind}: that takes an order of all operations, and here there is none`;
  },
  found: (value) => kvReply(value === undefined ? { kind: 'absent' } : { kind: 'value', value }),
  written: () => kvReply({ kind: 'done' }),
};
