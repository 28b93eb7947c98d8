import type { Reply } from '../state-machine.ts';

/** What a register can be asked. */
export type RegisterRequest =
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'put'; readonly key: string; readonly value: Uint8Array };

/** In which words a service says get and put, so that its commands are the same in all modes. */
export interface RegisterWords {
  /** A text instead: why a register cannot do that. */
  read(operation: Uint8Array): RegisterRequest | string;
  /** The service's reply to a get; undefined: the key was never written. */
  found(value: Uint8Array | undefined): Reply;
  /** To a put. */
  written(): Reply;
}
