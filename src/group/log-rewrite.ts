import type { DiskOperation } from './disk.ts';
import { encodeLogRecord, type LogRecord } from './log-record.ts';
import { encodeRecords, type FileNames } from './record-file.ts';

/** Writes a log anew, in steps, while the old one goes on to be written: what is appended there meanwhile goes here as well. */
export class LogRewrite {
  readonly #names: FileNames;
  readonly #records: LogRecord[];
  #next = 0;
  lengthBytes = 0;

  constructor(records: LogRecord[], names: FileNames) {
    this.#records = records;
    this.#names = names;
  }

  add(record: LogRecord): void {
    this.#records.push(record);
  }

  /** Adds the next records, `maxBytes` of them or one, to `operations`. True: with these, the new log has taken the old one's place. */
  step(maxBytes: number, isSafe: boolean, operations: DiskOperation[]): boolean {
    const { part, file } = this.#names;
    const contents: Uint8Array[] = [];
    for (let taken = 0; this.#next < this.#records.length && taken < maxBytes; this.#next++) {
      const content = encodeLogRecord(this.#records[this.#next]!);
      contents.push(content);
      taken += content.length;
    }
    const isComplete = this.#next === this.#records.length;
    // Last of all: whoever finds the log without it knows that its end is gone.
    if (isComplete && isSafe) contents.push(encodeLogRecord({ kind: 'safe' }));
    const bytes = encodeRecords(contents, this.lengthBytes);
    if (this.lengthBytes === 0) operations.push({ kind: 'create', file: part });
    operations.push({ kind: 'write', file: part, offset: this.lengthBytes, bytes }, { kind: 'sync', file: part });
    this.lengthBytes += bytes.length;
    if (isComplete) operations.push({ kind: 'rename', file: part, to: file });
    return isComplete;
  }
}
