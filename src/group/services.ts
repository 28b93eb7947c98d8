import type { ReadContent } from './file-sink.ts';
import { FileStore } from './file-store.ts';
import { KvMachine } from './kv/kv-machine.ts';
import { alterLastByte, kvLie, type ReplyLie } from './lies.ts';
import type { StateMachine } from './state-machine.ts';

/** The services that ship: the only place that knows them by name. A group replicates whatever is a StateMachine. */
export const SERVICES = ['kv', 'file'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** A member's own copy of the service. `readContent`: of its files, where it has any. */
export function createMachine(service: ServiceName, readContent: ReadContent): StateMachine {
  return service === 'kv' ? new KvMachine() : new FileStore({ readContent });
}

/** A reply that looks right and is not, for faulty members. */
export function replyLieOf(service: ServiceName): ReplyLie {
  return service === 'kv' ? kvLie : alterLastByte;
}
