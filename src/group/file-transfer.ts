import { createHash, type Hash } from 'node:crypto';

import { assert } from '../core/assert.ts';
import type { Millis } from '../core/machine.ts';
import { decodeText } from './byte-codec.ts';
import type { OperationOutcome } from './client.ts';
import type { FileOperation } from './file-operation.ts';
import { encodeFileStoreOperation, type FileStoreOperation } from './file-store-operation.ts';
import type { Reply } from './state-machine.ts';

const DEFAULT_APPEND_BYTES = 64 * 1024;
/** Questions where the file stands, one after the other, without a byte of progress. */
const MAX_FRUITLESS = 8;

export interface FileTransferOptions {
  /** What the file is to be called. */
  readonly name: string;
  /** Unique among all transfers. 1 … 64 bytes. */
  readonly transferId: string;
  /** Whose transfer is gone, and whether what he sent is to be thrown away or gone on with. */
  readonly takeOver?: { readonly from: string; readonly isAnew: boolean } | undefined;
  /** Appends on their way at a time: as many as the client keeps in order. */
  readonly window: number;
  /** Of one append, unless fewer are there. */
  readonly appendBytes?: number;
  /** As the client's operationTimeoutMs: an operation that was asked everywhere for so long and not answered ends the transfer. */
  readonly patienceMs: Millis;
}

export type FileTransferOutcome =
  /** The group has every byte, under this SHA-256. */
  | { readonly kind: 'committed'; readonly bytes: number; readonly sha256: string }
  /** The group says no, and will go on saying so. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** What the group has is not what was sent. */
  | { readonly kind: 'differs'; readonly reason: string }
  /** No answer. Whether the last of it was executed is not known. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Bytes that are kept until they are confirmed. */
interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Of everything up to its end. */
  readonly sha256: Uint8Array;
  state: 'waiting' | 'flying' | 'confirmed';
}

type Question = { readonly kind: 'open' | 'commit' } | { readonly kind: 'append'; readonly piece: Piece };
type Asked = Question & { readonly atMs: Millis };
type Step = FileStoreOperation & { readonly kind: 'file' | 'take-over' };

/**
 * The sender of one file to a group that keeps files, sans-I/O, on top of a GroupClient: open, append, commit. What was confirmed is on the disks
 * of so many members that it outlives any k of them, so only what is on its way is kept, and the source need not be read twice.
 *
 * The client repeats what is not answered, at another member and with the same serial, and that is all that a crash takes. When an answer
 * is lost for good (a session that has expired), or one append came before another, everything on its way is waited for, and the group
 * is asked where the file stands: the holder's `open` tells. From there it goes on. An append says where it belongs, so one that comes late changes nothing.
 * Each answer carries the SHA-256 of all there is and is compared, so a byte that is lost, doubled or wrong at the member that answers is found at once.
 */
export class FileTransfer {
  readonly #options: FileTransferOptions;
  #takeOver: FileTransferOptions['takeOver'];
  readonly #hash: Hash = createHash('sha256');
  /** Of the source: taken by write(). */
  #bytes = 0;
  #isEnded = false;
  /** The first not confirmed is the first. */
  #pieces: Piece[] = [];
  /** Not yet a piece. */
  readonly #tail: Uint8Array;
  #tailBytes = 0;
  #confirmedBytes = 0;
  /** Another sender has sent so much already: here it is only compared. */
  #skip: { readonly until: number; readonly sha256: Uint8Array } | undefined;
  #phase: 'opening' | 'sending' | 'committing' = 'opening';
  /** Something went wrong: all that is on its way is waited for, then it is asked where the file stands. */
  #trouble: string | undefined;
  #fruitless = 0;
  readonly #asked = new Map<number, Asked>();
  #nextNumber = 1;
  #outcome: FileTransferOutcome | undefined;

  constructor(options: FileTransferOptions) {
    this.#options = options;
    this.#tail = new Uint8Array(options.appendBytes ?? DEFAULT_APPEND_BYTES);
    this.#takeOver = options.takeOver;
  }

  get outcome(): FileTransferOutcome | undefined {
    return this.#outcome;
  }

  /** Bytes that the group has, for good. */
  get confirmedBytes(): number {
    return this.#confirmedBytes;
  }

  /** Taken from the source. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Times that it was asked where the file stands after something had gone wrong. */
  resumptions = 0;

  /** Takes as much as fits, and copies it. Returns how much that was. */
  write(bytes: Uint8Array): number {
    assert(!this.#isEnded, 'written to after its end');
    let taken = 0;
    while (taken < bytes.length && this.#outcome === undefined) {
      const rest = bytes.length - taken;
      const skipped = this.#skip === undefined ? 0 : Math.min(rest, this.#skip.until - this.#bytes);
      if (skipped === 0 && this.#pieces.length >= 2 * this.#options.window) break;
      const part = bytes.subarray(taken, taken + (skipped > 0 ? skipped : Math.min(rest, this.#tail.length - this.#tailBytes)));
      this.#hash.update(part);
      this.#bytes += part.length;
      taken += part.length;
      if (skipped > 0) this.#compareSkipped();
      else this.#keep(part);
    }
    return taken;
  }

  /** The source has no more. */
  end(): void {
    this.#isEnded = true;
    this.#seal();
    if (this.#skip !== undefined) this.#end({ kind: 'differs', reason: `the group holds ${this.#skip.until} bytes under this name, and the source has ${this.#bytes}` });
  }

  /** What to ask the group now; call it until it returns undefined. `number` is for settle(). */
  next(now: Millis): { readonly number: number; readonly operation: Uint8Array } | undefined {
    if (this.#outcome !== undefined) return undefined;
    const { name, transferId } = this.#options;
    if (this.#phase === 'opening' || this.#trouble !== undefined) {
      if (this.#asked.size > 0) return undefined;
      this.#trouble = undefined;
      this.#phase = 'opening';
      const step: Step = this.#takeOver === undefined
        ? { kind: 'file', name, operation: { kind: 'open', transferId } }
        : { kind: 'take-over', name, transferId, ...this.#takeOver };
      return this.#ask({ kind: 'open', atMs: now }, step);
    }
    if (this.#phase === 'committing') return undefined;
    // A source that is slow gives less than an append takes, and is not waited for.
    if (this.#asked.size === 0 && this.#pieces.length === 0) this.#seal();
    const piece = this.#asked.size < this.#options.window ? this.#pieces.find(({ state }) => state === 'waiting') : undefined;
    if (piece !== undefined) {
      piece.state = 'flying';
      return this.#askFile({ kind: 'append', piece, atMs: now }, { kind: 'append', transferId, offset: piece.offset, bytes: piece.bytes });
    }
    if (!this.#isEnded || this.#pieces.length > 0 || this.#asked.size > 0) return undefined;
    this.#phase = 'committing';
    return this.#askFile({ kind: 'commit', atMs: now }, { kind: 'commit', transferId, length: this.#bytes, sha256: this.#digest() });
  }

  /** How what next() gave has ended. */
  settle(number: number, outcome: OperationOutcome, now: Millis): void {
    const asked = this.#asked.get(number);
    this.#asked.delete(number);
    if (asked === undefined || this.#outcome !== undefined) return;
    if (outcome.kind === 'failed') {
      if (now - asked.atMs >= this.#options.patienceMs) return this.#end({ kind: 'failed', reason: outcome.reason });
      return this.#fail(asked, outcome.reason);
    }
    const { reply } = outcome;
    if (reply.status === 'busy' || reply.status === 'refused') return this.#end({ kind: 'refused', reason: decodeText(reply.body) });
    if (asked.kind === 'open') this.#opened(asked, reply);
    else if (asked.kind === 'append') this.#appended(asked, reply);
    else if (reply.status === 'committed') this.#committed(reply);
    else if (reply.status === 'mismatch') this.#end({ kind: 'differs', reason: decodeText(reply.body) });
    else this.#fail(asked, `the commit was answered with ${reply.status}`);
  }

  #askFile(asked: Asked, operation: FileOperation): ReturnType<FileTransfer['next']> {
    return this.#ask(asked, { kind: 'file', name: this.#options.name, operation });
  }

  #ask(asked: Asked, step: Step): ReturnType<FileTransfer['next']> {
    const number = this.#nextNumber++;
    this.#asked.set(number, asked);
    return { number, operation: encodeFileStoreOperation(step) };
  }

  #opened(asked: Asked, reply: Reply): void {
    if (reply.status === 'committed') return this.#committed(reply);
    if (reply.status !== 'ok') return this.#fail(asked, `the group answered ${reply.status}`);
    this.#takeOver = undefined;
    this.#phase = 'sending';
    this.#standAt(reply.offset, reply.body);
  }

  /** The group has the file up to here. What is behind it is sent again. */
  #standAt(offset: number, sha256: Uint8Array): void {
    if (offset < this.#confirmedBytes) {
      return this.#end({ kind: 'differs', reason: `the group had confirmed ${this.#confirmedBytes} bytes, and now has ${offset}` });
    }
    if (offset > this.#bytes - this.#tailBytes) this.#seal();
    const end = this.#pieces.find((piece) => piece.offset + piece.bytes.length === offset);
    if (end !== undefined && !isEqual(end.sha256, sha256)) return this.#end(differs(offset));
    const kept: Piece[] = [];
    for (const piece of this.#pieces) {
      const known = Math.max(0, offset - piece.offset);
      if (known < piece.bytes.length) kept.push({ ...piece, offset: piece.offset + known, bytes: piece.bytes.subarray(known), state: 'waiting' });
    }
    this.#pieces = kept;
    this.#confirm(offset);
    if (offset <= this.#bytes) return;
    this.#skip = { until: offset, sha256 };
    if (this.#isEnded) this.end();
  }

  #appended(asked: Asked & { readonly kind: 'append' }, reply: Reply): void {
    const { piece } = asked;
    const end = piece.offset + piece.bytes.length;
    if (reply.status !== 'ok' || reply.offset !== end) return this.#fail(asked, `bytes at ${piece.offset} were answered with ${reply.status} at ${reply.offset}`);
    if (!isEqual(reply.body, piece.sha256)) return this.#end(differs(end));
    piece.state = 'confirmed';
    const first = this.#pieces.findIndex(({ state }) => state !== 'confirmed');
    const confirmed = this.#pieces.splice(0, first < 0 ? this.#pieces.length : first).at(-1);
    if (confirmed !== undefined) this.#confirm(confirmed.offset + confirmed.bytes.length);
  }

  #committed({ offset, body }: Reply): void {
    if (this.#isEnded && offset === this.#bytes && isEqual(body, this.#digest())) {
      this.#confirmedBytes = offset;
      this.#end({ kind: 'committed', bytes: offset, sha256: this.#hash.copy().digest('hex') });
    } else {
      this.#end({ kind: 'differs', reason: `the group has committed ${offset} bytes with another SHA-256` });
    }
  }

  #confirm(offset: number): void {
    if (offset === this.#confirmedBytes) return;
    this.#confirmedBytes = offset;
    this.#fruitless = 0;
  }

  #fail(asked: Asked, reason: string): void {
    if (asked.kind === 'append') asked.piece.state = 'waiting';
    if (this.#trouble !== undefined) return;
    this.#trouble = reason;
    this.resumptions++;
    if (++this.#fruitless > MAX_FRUITLESS) this.#end({ kind: 'failed', reason });
  }

  #end(outcome: FileTransferOutcome): void {
    this.#outcome ??= outcome;
    this.#pieces = [];
  }

  #compareSkipped(): void {
    const { until, sha256 } = this.#skip!;
    if (this.#bytes < until) return;
    this.#skip = undefined;
    if (!isEqual(this.#digest(), sha256)) this.#end({ kind: 'differs', reason: `the ${until} bytes that the group holds under this name are not the beginning of the source` });
  }

  #keep(part: Uint8Array): void {
    this.#tail.set(part, this.#tailBytes);
    this.#tailBytes += part.length;
    if (this.#tailBytes === this.#tail.length) this.#seal();
  }

  #seal(): void {
    if (this.#tailBytes === 0) return;
    const bytes = this.#tail.slice(0, this.#tailBytes);
    this.#pieces.push({ offset: this.#bytes - this.#tailBytes, bytes, sha256: this.#digest(), state: 'waiting' });
    this.#tailBytes = 0;
  }

  #digest(): Uint8Array {
    return this.#hash.copy().digest();
  }
}

function differs(offset: number): FileTransferOutcome {
  return { kind: 'differs', reason: `the group's first ${offset} bytes have another SHA-256` };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
