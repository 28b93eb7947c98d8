import type { Millis } from '../core/machine.ts';

/** What is known of one member when the group's work is over. */
export type MemberFate =
  | { readonly kind: 'committed'; readonly member: string; readonly memberId: string; readonly atMs: Millis; readonly bytes: number }
  | {
      readonly kind: 'expelled';
      readonly member: string;
      /** Since the start. */
      readonly atMs: Millis;
      readonly reason: string;
      /** What ended its connection, where something did. */
      readonly error: Error | undefined;
      /** It was not its connection that said so, but it did not answer any more. */
      readonly isSilent: boolean;
      /** Bytes that it said it had written. */
      readonly bytes: number;
      /** It was asked to commit and did not answer: it may hold the whole file, or not. */
      readonly mayHaveCommitted: boolean;
    };

/** What a group answers for a file. */
export type GroupOutcome =
  /** At least one living member holds every byte, with the right SHA-256, fsynced. */
  | { readonly kind: 'committed'; readonly bytes: number; readonly sha256: string; readonly fates: readonly MemberFate[] }
  /** No member is left. `bytes` were taken from the source. */
  | { readonly kind: 'lost'; readonly bytes: number; readonly fates: readonly MemberFate[] };

/** What happened to a member, as it happens. */
export interface MemberEvent {
  readonly kind: 'joined' | 'expelled' | 'committed';
  readonly member: string;
  readonly atMs: Millis;
  readonly reason: string;
}
