import { withoutOutlived } from './lives.ts';
import { decodeQuorumAnswer, encodeQuorumOperation, type QuorumAnswer, type QuorumOperation } from './quorum-operation.ts';
import { compareTags, NO_TAG, type Tag } from './tag.ts';

/** An answer, and who gave it. */
export interface Vote extends QuorumAnswer {
  readonly memberId: string;
}

/** The newest of several answers. */
export interface Newest {
  readonly tag: Tag;
  readonly value: Uint8Array;
  /** Those that have it, and not less. */
  readonly holders: readonly Vote[];
}

export type Counted = 'counted' | 'malformed' | 'repeated';

/**
 * One question to all members, and the answers of so many that any other such set shares a member with them. Each seat counts once,
 * with its newest life; an answer of a life that another answer knows to be over does not count.
 */
export class QuorumPhase {
  readonly kind: 'read' | 'write';
  /** Of the requests: an answer to another question has another. */
  readonly serial: number;
  /** The same bytes for all members and all repetitions: a write that is repeated keeps its tag. */
  readonly operation: Uint8Array;
  readonly #quorum: number;
  readonly #seats: number;
  readonly #votes = new Map<number, Vote>();
  /** Who will not do it, and says why. */
  readonly #refusals = new Set<string>();

  private constructor(kind: 'read' | 'write', serial: number, operation: Uint8Array, quorum: number, seats: number) {
    this.kind = kind;
    this.serial = serial;
    this.operation = operation;
    this.#quorum = quorum;
    this.#seats = seats;
  }

  static read(serial: number, key: string, quorum: number, seats: number): QuorumPhase {
    return new QuorumPhase('read', serial, encodeQuorumOperation({ kind: 'read', key }), quorum, seats);
  }

  /** `holders` are known to have the value, or a newer one, and count as if they had answered. */
  static write(serial: number, write: QuorumOperation & { readonly kind: 'write' | 'write-back' }, holders: readonly Vote[], quorum: number, seats: number): QuorumPhase {
    const phase = new QuorumPhase('write', serial, encodeQuorumOperation(write), quorum, seats);
    for (const vote of holders) phase.#votes.set(vote.seat, vote);
    return phase;
  }

  /** The body of an `ok` reply. */
  answered(memberId: string, body: Uint8Array): Counted {
    const answer = decodeQuorumAnswer(body, this.#seats);
    if (answer === undefined) return 'malformed';
    for (const vote of this.#votes.values()) if (vote.memberId === memberId && vote.seat !== answer.seat) return 'malformed';
    const known = this.#votes.get(answer.seat);
    if (known !== undefined && known.lives[answer.seat]! >= answer.lives[answer.seat]!) return 'repeated';
    this.#votes.set(answer.seat, { ...answer, memberId });
    return 'counted';
  }

  refused(memberId: string): void {
    this.#refusals.add(memberId);
  }

  /** Even if all others did it, they would not be enough. */
  get isHopeless(): boolean {
    return this.#seats - this.#refusals.size < this.#quorum;
  }

  get isComplete(): boolean {
    return withoutOutlived(this.#votes.values()).length >= this.#quorum;
  }

  newest(): Newest {
    const votes = withoutOutlived(this.#votes.values());
    const { tag, value } = votes.reduce<Pick<Vote, 'tag' | 'value'>>((best, vote) => (compareTags(vote.tag, best.tag) > 0 ? vote : best), NOTHING_WRITTEN);
    return { tag, value, holders: votes.filter((vote) => compareTags(vote.tag, tag) === 0) };
  }
}

const NOTHING_WRITTEN = { tag: NO_TAG, value: new Uint8Array(0) };
