import type { Millis } from '../../core/machine.ts';
import type { ReplicaId } from '../replica.ts';
import { SnapshotAssembly } from '../snapshot-transfer.ts';
import { SnapshotError } from '../state-machine.ts';
import type { ViewCore } from './view-core.ts';
import type { ViewMessage } from './view-message.ts';

/** What a member, or who wants to become one, does with what the leader of its view sends. */
export class Following {
  readonly #core: ViewCore;
  #incoming: SnapshotAssembly | undefined;
  /** What was acknowledged last. */
  #acknowledged = { view: 0, index: 0, round: 0 };
  /** The last snapshot that was taken over. */
  #adopted: { readonly view: number; readonly transfer: number } | undefined;

  constructor(core: ViewCore) {
    this.#core = core;
  }

  /** Entries in the leader's order. They are acknowledged when they are on disk, since messages wait for that. */
  order(from: ReplicaId, message: ViewMessage & { readonly kind: 'order' }, now: Millis): void {
    const { prevIndex, prevTerm, stableIndex, lastIndex, round, entries } = message;
    const core = this.#core;
    const { log } = core;
    const term = log.termAt(prevIndex);
    if (term === prevTerm) {
      const fresh = entries.filter(({ index }) => index > log.lastIndex);
      // The message's buffer is not ours to keep.
      core.append(fresh.map((entry) => ({ index: entry.index, term: entry.term, bytes: entry.bytes.slice() })), now);
      core.toldStable(Math.min(stableIndex, prevIndex + entries.length));
      // A leader sends nothing in its order before its own log holds all that the view begins with.
      if (log.lastIndex >= lastIndex) core.complete();
    } else if (term !== undefined) {
      core.counters.strange++;
      return;
    }
    const { number: view } = core.view;
    const { lastIndex: index } = log;
    const { view: toldView, index: toldIndex, round: toldRound } = this.#acknowledged;
    // It only said what is stable: nothing to answer. Should the acknowledgement have been lost, a new round asks for it.
    if (entries.length === 0 && view === toldView && index === toldIndex && round === toldRound) return;
    this.#acknowledged = { view, index, round };
    core.send(from, { kind: 'ack', view, index, round });
  }

  chunk(from: ReplicaId, message: ViewMessage & { readonly kind: 'chunk' }, now: Millis): void {
    const core = this.#core;
    const { transfer, number, index, term } = message;
    if (this.#adopted?.view === message.view && transfer <= this.#adopted.transfer) {
      // Late or doubled: what was acknowledged since must not be taken back.
      if (transfer === this.#adopted.transfer) core.send(from, { kind: 'chunk-reply', view: core.view.number, transfer, received: number + 1, isComplete: true });
      return;
    }
    if (this.#incoming?.from !== from || this.#incoming.transfer !== transfer) this.#incoming = new SnapshotAssembly(from, transfer);
    const incoming = this.#incoming;
    incoming.add(message);
    const { received, isComplete } = incoming;
    if (isComplete) {
      this.#incoming = undefined;
      this.#adopted = { view: message.view, transfer };
      try {
        core.adoptSnapshot({ index, term, meta: new Uint8Array(0) }, incoming.chunks, now);
      } catch (error) {
        if (!(error instanceof SnapshotError)) throw error;
        core.becomeFailed(`a snapshot from ${from} cannot be used: ${error.message}`, now);
        return;
      }
    }
    core.send(from, { kind: 'chunk-reply', view: core.view.number, transfer, received, isComplete });
  }
}
