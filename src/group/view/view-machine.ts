import { createHash } from 'node:crypto';

import { ByteReader, ByteWriter, encodeText } from '../byte-codec.ts';
import type { DiskOperation } from '../disk.ts';
import { MAX_REASON_BYTES } from '../message.ts';
import { SnapshotError, type Reply, type StateMachine, type Status } from '../state-machine.ts';
import { isIn, nextView, NO_VIEW, readView, writeView, type View } from './view.ts';

const GET = 1;
const PROPOSE = 2;
const NOTHING = new Uint8Array(0);
const NO_WRITES: readonly DiskOperation[] = [];

/** Asks for the current view. */
export function encodeGetView(): Uint8Array {
  return Uint8Array.of(GET);
}

/** Asks that this be the next view. */
export function encodeProposeView(view: View): Uint8Array {
  return writeView(new ByteWriter().u8(PROPOSE), view).finish();
}

/** The view in a reply's body; undefined if there is none in it. */
export function decodeViewReply(body: Uint8Array): View | undefined {
  const reader = new ByteReader(body);
  const view = readView(reader);
  return reader.end() ? view : undefined;
}

/**
 * The view service as a state machine, to be replicated by Raft: the fence that a majority outside the group holds. It says what
 * the current view is, and lets one take the place of the one before: the first that is proposed with the next number, if at least one
 * member stays who was there before. Everybody else comes in only through one who stays, and brings the state with him. Nobody comes in again
 * whom people have let go.
 */
export class ViewMachine implements StateMachine {
  #view: View = NO_VIEW;

  get view(): View {
    return this.#view;
  }

  /** The reply holds the view as it is afterwards: whose proposal came too late learns who was faster. */
  apply(operation: Uint8Array): Reply {
    if (operation[0] === GET) return this.query(operation);
    const reader = new ByteReader(operation.subarray(1));
    const proposed = readView(reader);
    if (operation[0] !== PROPOSE || !reader.end()) return this.#reply('refused', encodeText('the operation is malformed', MAX_REASON_BYTES));
    if (this.#mayFollow(proposed)) this.#view = nextView(this.#view, proposed.members, proposed.released);
    return this.#answer();
  }

  isReadOnly(operation: Uint8Array): boolean {
    return operation[0] === GET;
  }

  query(_operation: Uint8Array): Reply {
    return this.#answer();
  }

  takeWrites(): readonly DiskOperation[] {
    return NO_WRITES;
  }

  snapshot(): Iterable<Uint8Array> {
    return [writeView(new ByteWriter(), this.#view).finish()];
  }

  restore(chunks: Iterable<Uint8Array>): void {
    const [chunk, ...more] = chunks;
    const view = chunk === undefined ? undefined : decodeViewReply(chunk);
    if (view === undefined || more.length > 0) throw new SnapshotError('the snapshot holds no view');
    this.#view = view;
  }

  digest(): string {
    return createHash('sha256').update(writeView(new ByteWriter(), this.#view).finish()).digest('hex').slice(0, 16);
  }

  #mayFollow({ number, members }: View): boolean {
    if (number !== this.#view.number + 1 || members.length === 0) return false;
    if (members.some(({ id }) => this.#view.released.includes(id))) return false;
    if (new Set(members.map(({ id }) => id)).size !== members.length) return false;
    return this.#view.number === 0 || members.some(({ id }) => isIn(this.#view, id));
  }

  #answer(): Reply {
    return this.#reply('ok', writeView(new ByteWriter(), this.#view).finish());
  }

  #reply(status: Status, body: Uint8Array): Reply {
    return { status, offset: this.#view.number, digest: NOTHING, body };
  }
}
