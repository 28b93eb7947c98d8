import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';

import type { OperationOutcome } from '../group/client.ts';
import { decodeFileEntries, encodeFileStoreOperation, isFileRead, type FileEntry } from '../group/file-store-operation.ts';
import { FileTransfer, type FileTransferOptions, type FileTransferOutcome } from '../group/file-transfer.ts';
import { traitsOf, type Mode } from '../group/modes.ts';
import type { ConnectionInfo } from '../tcp/connection.ts';
import { monotonicNow } from './driver.ts';
import { NoAnswerError, RemoteGroup, type GroupPlace } from './group-client.ts';

/** Appends on their way at a time. Where everybody is asked, nothing keeps more than one in order. */
function windowIn(mode: Mode): number {
  return traitsOf(mode).asks === 'leader' ? 16 : 1;
}

export interface FileSenderOptions extends Pick<FileTransferOptions, 'name' | 'takeOver'> {
  readonly place: Required<GroupPlace>;
  readonly input: Readable;
  /** Bytes that the input must have; undefined: as many as there are. */
  readonly expectedBytes?: number | undefined;
}

/** Sends a stream to a group that keeps files, as one of them. */
export class FileSender {
  readonly #options: FileSenderOptions;
  readonly #group: RemoteGroup;
  readonly #transfer: FileTransfer;
  readonly #over: Promise<FileTransferOutcome | undefined>;
  #end: (outcome: FileTransferOutcome | undefined) => void = () => {};
  #isOver = false;
  #roomMade: () => void = () => {};

  private constructor(options: FileSenderOptions, group: RemoteGroup) {
    const { name, takeOver, place } = options;
    this.#options = options;
    this.#group = group;
    this.#transfer = new FileTransfer({ name, takeOver, transferId: randomUUID(), window: windowIn(place.mode), patienceMs: place.operationTimeoutMs });
    this.#over = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Rejects with the resolver's or the system's error. */
  static async open(options: FileSenderOptions): Promise<FileSender> {
    return new FileSender(options, await RemoteGroup.open({ ...options.place, isReadOnly: isFileRead, window: windowIn(options.place.mode) }));
  }

  get confirmedBytes(): number {
    return this.#transfer.confirmedBytes;
  }

  /** To balancers or members. */
  connections(): ConnectionInfo[] {
    return this.#group.connections();
  }

  /** Times that an answer was lost for good, and the group was asked where the file stands. */
  get resumptions(): number {
    return this.#transfer.resumptions;
  }

  /** Resolves with the group's answer; undefined after abort(). Rejects when the input cannot be read to its end. */
  async run(): Promise<FileTransferOutcome | undefined> {
    this.#step();
    try {
      await Promise.race([this.#copy(), this.#over]);
      const outcome = await this.#over;
      const { rejection } = this.#group;
      return outcome?.kind === 'failed' && rejection !== undefined ? { kind: 'failed', reason: `${outcome.reason}; ${rejection}` } : outcome;
    } finally {
      this.abort();
    }
  }

  /** Nothing more is sent. What the group has is incomplete, and stays so until somebody takes the name over. */
  abort(): void {
    this.#isOver = true;
    this.#end(undefined);
    this.#roomMade();
    this.#group.close();
    this.#options.input.destroy();
  }

  async #copy(): Promise<void> {
    const transfer = this.#transfer;
    for await (const chunk of this.#options.input as AsyncIterable<Buffer>) {
      for (let position = 0; position < chunk.length && !this.#isOver;) {
        const taken = transfer.write(chunk.subarray(position));
        position += taken;
        if (taken > 0) this.#step();
        else {
          await new Promise<void>((resolve) => {
            this.#roomMade = resolve;
          });
        }
      }
      if (this.#isOver) return;
    }
    const { expectedBytes } = this.#options;
    if (this.#isOver) return;
    if (expectedBytes !== undefined && transfer.bytes !== expectedBytes) {
      throw new Error(`the file changed while it was sent: ${transfer.bytes} bytes instead of ${expectedBytes}`);
    }
    transfer.end();
    this.#step();
  }

  /** Asks what there is to ask, and looks for the answer. */
  #step(): void {
    const transfer = this.#transfer;
    for (let next = this.#isOver ? undefined : transfer.next(monotonicNow()); next !== undefined; next = transfer.next(monotonicNow())) {
      const { number } = next;
      void this.#group.execute(next.operation).then((outcome) => {
        transfer.settle(number, outcome, monotonicNow());
        this.#roomMade();
        this.#step();
      });
    }
    if (transfer.outcome === undefined) return;
    this.#isOver = true;
    this.#roomMade();
    this.#end(transfer.outcome);
  }
}

/** What a group holds. Rejects with what went wrong. */
export async function listFiles(place: GroupPlace): Promise<FileEntry[]> {
  const group = await RemoteGroup.open({ ...place, isReadOnly: isFileRead });
  try {
    return entriesOf(await group.execute(encodeFileStoreOperation({ kind: 'list' })), group.rejection);
  } finally {
    group.close();
  }
}

function entriesOf(outcome: OperationOutcome, rejection: string | undefined): FileEntry[] {
  if (outcome.kind === 'failed') throw new NoAnswerError(rejection === undefined ? outcome.reason : `${outcome.reason}; ${rejection}`);
  const entries = outcome.reply.status === 'ok' ? decodeFileEntries(outcome.reply.body) : undefined;
  if (entries === undefined) throw new Error(`the group does not say what it holds: ${outcome.reply.status}`);
  return entries;
}
