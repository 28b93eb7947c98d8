import type { ReplicaId } from '../replica.ts';
import type { SnapshotMark } from '../storage.ts';
import type { RaftCore } from './raft-core.ts';

/** Chunks on the way without an answer. At 64 KiB each, as much as a link holds. */
const WINDOW_CHUNKS = 16;

/**
 * A snapshot on its way to one follower (Raft paper, section 7), as it is at this moment: what is applied meanwhile goes to the log. Chunks are
 * kept until they are acknowledged, and sent again by resend().
 */
export class SnapshotSending {
  readonly mark: SnapshotMark;
  readonly #core: RaftCore;
  readonly #to: ReplicaId;
  readonly #transfer: number;
  readonly #chunks: Iterator<Uint8Array>;
  /** The one after the last that was made: needed to know which is the last. */
  #upcoming: IteratorResult<Uint8Array>;
  #acknowledged = 0;
  #window: { readonly number: number; readonly bytes: Uint8Array; readonly isLast: boolean }[] = [];
  #made = 0;
  #isAtEnd = false;
  /** Something was acknowledged since the last resend(). */
  #hasMoved = true;
  #hasForgotten = false;

  /** `transfer` tells this one from earlier ones. */
  constructor(core: RaftCore, to: ReplicaId, transfer: number) {
    this.#core = core;
    this.#to = to;
    this.#transfer = transfer;
    this.mark = core.mark();
    this.#chunks = core.service.snapshot()[Symbol.iterator]();
    this.#upcoming = this.#chunks.next();
    this.#fill();
  }

  /** The follower has so many chunks. */
  received(transfer: number, count: number): void {
    if (transfer !== this.#transfer || count > this.#made) return;
    // Late, or the follower began another life: nothing moves any more, then.
    if (count < this.#acknowledged) this.#hasForgotten = true;
    if (count <= this.#acknowledged) return;
    this.#acknowledged = count;
    this.#hasMoved = true;
    this.#window = this.#window.filter(({ number }) => number >= count);
    this.#fill();
  }

  isThis(transfer: number): boolean {
    return transfer === this.#transfer;
  }

  /**
   * Sends what is not acknowledged once more, if nothing has moved since the last call. False: the follower has lost what it had
   * acknowledged, and needs another snapshot from its beginning.
   */
  resend(): boolean {
    const isStuck = !this.#hasMoved;
    if (isStuck && this.#hasForgotten) return false;
    if (isStuck) for (const chunk of this.#window) this.#send(chunk);
    this.#hasMoved = false;
    this.#hasForgotten = false;
    return true;
  }

  /** Frees what the snapshot holds. */
  end(): void {
    this.#chunks.return?.();
  }

  #fill(): void {
    while (this.#window.length < WINDOW_CHUNKS && !this.#isAtEnd) {
      const bytes = this.#upcoming.value as Uint8Array;
      this.#upcoming = this.#chunks.next();
      this.#isAtEnd = this.#upcoming.done === true;
      const chunk = { number: this.#made++, bytes, isLast: this.#isAtEnd };
      this.#window.push(chunk);
      this.#send(chunk);
    }
  }

  #send({ number, bytes, isLast }: { readonly number: number; readonly bytes: Uint8Array; readonly isLast: boolean }): void {
    const { index, term, meta } = this.mark;
    this.#core.send(this.#to, {
      kind: 'chunk', term: this.#core.term, transfer: this.#transfer, number, isLast, index, lastTerm: term, meta, bytes,
    });
  }
}
