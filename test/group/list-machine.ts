import { createHash } from 'node:crypto';

import { SnapshotError, type Reply, type StateMachine } from '../../src/group/state-machine.ts';

const NOTHING = new Uint8Array(0);

/** The smallest service that tells whether everybody applied the same: a list. `+text` appends, `?` reads all of it. */
export class ListMachine implements StateMachine {
  items: string[] = [];
  /** Of the items so far: each digest is made from the one before. */
  #digest = '';

  apply(operation: Uint8Array): Reply {
    const text = new TextDecoder().decode(operation);
    if (!text.startsWith('+')) return { status: 'refused', offset: 0, digest: NOTHING, body: NOTHING };
    this.items.push(text.slice(1));
    this.#digest = chain(this.#digest, text.slice(1));
    return { status: 'ok', offset: this.items.length, digest: NOTHING, body: NOTHING };
  }

  isReadOnly(operation: Uint8Array): boolean {
    return operation[0] === 0x3f;
  }

  query(): Reply {
    return { status: 'ok', offset: this.items.length, digest: NOTHING, body: new TextEncoder().encode(this.items.join()) };
  }

  takeWrites(): [] {
    return [];
  }

  snapshot(): Iterable<Uint8Array> {
    // In small chunks, so that a snapshot has many.
    return [...this.items, '.'].map((item) => new TextEncoder().encode(item));
  }

  restore(chunks: Iterable<Uint8Array>): void {
    const items = [...chunks].map((chunk) => new TextDecoder().decode(chunk));
    if (items.pop() !== '.') throw new SnapshotError('the list is cut short');
    this.items = items;
    this.#digest = items.reduce(chain, '');
  }

  digest(): string {
    return this.#digest;
  }
}

function chain(digest: string, item: string): string {
  return createHash('sha256').update(digest).update('\n').update(item).digest('hex').slice(0, 16);
}
