import { describe, expect, it } from 'vitest';

import { createRandom } from '../../src/core/random.ts';
import { encodeRecords, readRecords, RECORD_HEAD_BYTES, type RecordFile } from '../../src/group/record-file.ts';
import { CorruptLogError } from '../../src/group/storage.ts';

const text = (...words: string[]): Uint8Array[] => words.map((word) => new TextEncoder().encode(word));
const contentsOf = ({ records }: RecordFile): string[] => records.map(({ content }) => new TextDecoder().decode(content));
const concat = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

const WORDS = ['a', 'second', 'the third one, longer than the others', 'x', 'last'];
const FILE = encodeRecords(text(...WORDS), 0);
const OFFSETS = readRecords('log', FILE).records.map(({ offset }) => offset);

/** What becomes of a damaged file, in one word. */
function verdict(bytes: Uint8Array): string {
  try {
    const file = readRecords('log', bytes);
    expect(contentsOf(file)).toEqual(WORDS.slice(0, file.records.length));
    return `${file.tail} ${file.records.length}`;
  } catch (error) {
    if (!(error instanceof CorruptLogError)) throw error;
    expect(error.file).toBe('log');
    return `corrupt ${error.offset}`;
  }
}

describe('a file of records', () => {
  it('is read as it was written, in one piece or in many', () => {
    expect(readRecords('log', FILE)).toMatchObject({ tail: 'clean', lengthBytes: FILE.length });
    expect(contentsOf(readRecords('log', FILE))).toEqual(WORDS);
    let file = new Uint8Array(0);
    for (const word of WORDS) file = concat(file, encodeRecords(text(word), file.length)) as typeof file;
    expect(file).toEqual(FILE);
    expect(readRecords('log', new Uint8Array(0))).toEqual({ records: [], lengthBytes: 0, tail: 'clean' });
  });

  it('holds no empty record', () => {
    expect(() => encodeRecords([new Uint8Array(0)], 0)).toThrow(RangeError);
  });

  it('cut at any byte is a prefix of its records, and torn in between', () => {
    for (let length = 0; length <= FILE.length; length++) {
      const whole = OFFSETS.filter((_, i) => (OFFSETS[i + 1] ?? FILE.length) <= length).length;
      const isBoundary = length === FILE.length || OFFSETS.includes(length);
      expect(verdict(FILE.subarray(0, length)), `${length} bytes`).toBe(`${isBoundary ? 'clean' : 'torn'} ${whole}`);
    }
  });

  it('with any one bit flipped: the last record is suspect, any other is refused with its offset', () => {
    for (let offset = 0; offset < FILE.length; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = FILE.slice();
        bytes[offset]! ^= 1 << bit;
        const record = OFFSETS.filter((start) => start <= offset).length - 1;
        expect(verdict(bytes), `bit ${bit} of byte ${offset}`).toBe(record === WORDS.length - 1 ? `suspect ${record}` : `corrupt ${OFFSETS[record]}`);
      }
    }
  });

  it('with any length in any head: never another content', () => {
    const random = createRandom(4);
    for (const [record, start] of OFFSETS.entries()) {
      const lengths = [...Array(FILE.length + 20).keys(), ...Array.from({ length: 200 }, () => random.uint32())];
      for (const length of lengths) {
        const bytes = FILE.slice();
        new DataView(bytes.buffer).setUint32(start, length);
        if (Buffer.compare(bytes, FILE) === 0) continue;
        expect(verdict(bytes), `length ${length} at ${start}`).toBe(record === WORDS.length - 1 ? `suspect ${record}` : `corrupt ${start}`);
      }
    }
  });

  it('with any stretch overwritten by noise: never another content', () => {
    const random = createRandom(5);
    for (let run = 0; run < 5000; run++) {
      const bytes = FILE.slice();
      const from = random.below(bytes.length);
      const to = from + 1 + random.below(bytes.length - from);
      for (let i = from; i < to; i++) bytes[i] = random.below(256);
      if (Buffer.compare(bytes, FILE) === 0) continue;
      expect(verdict(bytes), `${from} … ${to}`).toMatch(/^(suspect|corrupt)/);
    }
  });
});

describe('the end of a file', () => {
  it('of zeros, however many, had grown before its data came: torn', () => {
    for (const zeros of [1, RECORD_HEAD_BYTES, RECORD_HEAD_BYTES + 1, 4096]) expect(verdict(concat(FILE, new Uint8Array(zeros))), `${zeros}`).toBe('torn 5');
  });

  it('of garbage: torn when no record is so short, else suspect', () => {
    const garbage = new Uint8Array(100).fill(0xa5);
    expect(verdict(concat(FILE, garbage.subarray(0, RECORD_HEAD_BYTES)))).toBe('torn 5');
    expect(verdict(concat(FILE, garbage.subarray(0, RECORD_HEAD_BYTES + 1)))).toBe('suspect 5');
    expect(verdict(concat(FILE, garbage))).toBe('suspect 5');
  });

  it('a damaged record before a torn one: nothing good follows, so it was the last', () => {
    const bytes = FILE.slice(0, FILE.length - 1);
    bytes[OFFSETS[3]! + RECORD_HEAD_BYTES]! ^= 1;
    expect(verdict(bytes)).toBe('suspect 3');
    // Its head, too: where the torn one begins is not known then.
    bytes[OFFSETS[3]!]! ^= 1;
    expect(verdict(bytes)).toBe('suspect 3');
  });
});

describe('a record at another place', () => {
  it('is none: a value that is itself a file of records changes no verdict', () => {
    const file = encodeRecords([...text('before'), FILE], 0);
    const start = readRecords('log', file).records[1]!.offset;
    for (let length = start + 1; length < file.length; length++) {
      expect(readRecords('log', file.subarray(0, length)), `${length} bytes`).toMatchObject({ tail: 'torn', lengthBytes: start });
    }
    for (let offset = start; offset < file.length; offset++) {
      const bytes = file.slice();
      bytes[offset]! ^= 0x10;
      expect(readRecords('log', bytes), `byte ${offset}`).toMatchObject({ tail: 'suspect', lengthBytes: start });
    }
  });

  it('is refused when it was written astray', () => {
    const stray = encodeRecords(text('stray'), 1000);
    expect(verdict(concat(FILE, stray))).toBe('suspect 5');
    expect(() => readRecords('log', concat(stray, encodeRecords(text('next'), stray.length)))).toThrow(/^log, offset 0: a damaged record, and a good one after it at 17$/);
  });
});
