import { describe, expect, it } from 'vitest';
import {
  formatBytes, formatDuration, formatProbability, formatRate, parseDuration, parseProbability, parseRate, parseSize, parseWhole,
  spellDuration, spellProbability, spellRate,
} from '../../src/core/units.ts';
import { createRandom } from '../../src/core/random.ts';

describe('parse', () => {
  it.each([['20ms', 20], ['1.5s', 1500], ['2m', 120_000], ['250us', 0.25], ['0', 0], ['.5s', 500]])('duration %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
  it.each([['1452', 1452], ['64KiB', 65536], ['8MiB', 8388608], ['1GiB', 2 ** 30], ['100kB', 100_000], ['1.1MB', 1_100_000], ['0', 0]])(
    'size %s', (text, bytes) => expect(parseSize(text)).toBe(bytes));
  it.each([['50mbit', 5e7], ['9600bit', 9600], ['1.5Gbit', 1.5e9], ['64kbit', 64_000]])('rate %s', (text, rate) => {
    expect(parseRate(text)).toBe(rate);
  });
  it.each([['20%', 0.2], ['0.2', 0.2], ['0', 0], ['100%', 1], ['1', 1], ['0.1%', 0.001]])('probability %s', (text, p) => {
    expect(parseProbability(text)).toBe(p);
  });

  const refused: [string, (text: string) => number, string[]][] = [
    ['duration', parseDuration, ['', '20', '20 ms x', '-1s', '1h', 'NaN', 'Infinity', 'constructor', '1e999s', '1e308s']],
    ['size', parseSize, ['', '-1', '1.5', '1Mb', '8 Mi', '1e300GiB', 'toString']],
    ['rate', parseRate, ['', '0mbit', '50', '50mbps', '-1mbit', '1e308gbit']],
    ['probability', parseProbability, ['', '5', '101%', '-5%', '20%%', 'half']],
  ];
  for (const [what, parse, texts] of refused) {
    it.each(texts)(`refuses "%s" as a ${what}, in one line that quotes it`, (text) => {
      expect(() => parse(text)).toThrow(`"${text}" is not a ${what}: write `);
    });
  }
  it('whole numbers have a range', () => {
    expect(parseWhole('65535', 'port', 0, 65_535)).toBe(65_535);
    expect(() => parseWhole('65536', 'port', 0, 65_535)).toThrow('"65536" is not a port: write a whole number from 0 to 65535');
    expect(() => parseWhole('1.5', 'gap', 1)).toThrow('of at least 1');
  });
});

describe('spell', () => {
  it('writes short words', () => {
    expect(spellDuration(20)).toBe('20ms');
    expect(spellDuration(1500)).toBe('1.5s');
    expect(spellRate(5e7)).toBe('50mbit');
    expect(spellProbability(0.07)).toBe('7%');
  });
  it('is exact for any number', () => {
    const random = createRandom(1);
    for (let i = 0; i < 2000; i++) {
      const unit = random.unit() / 10 ** random.below(8);
      expect(parseProbability(spellProbability(unit))).toBe(unit);
      expect(parseDuration(spellDuration(unit * 1e6))).toBe(unit * 1e6);
      expect(parseRate(spellRate(unit * 1e10))).toBe(unit * 1e10);
    }
  });
});

describe('format', () => {
  it.each([[0, '0ms'], [0.25, '250us'], [20, '20ms'], [1234, '1.23s'], [59_990, '1m00s'], [125_000, '2m05s'], [Infinity, 'never']])(
    'duration %d', (ms, text) => expect(formatDuration(ms)).toBe(text));
  it('bytes are binary, rates decimal', () => {
    expect(formatBytes(512)).toBe('512 B');
    expect(formatBytes(1258291)).toBe('1.2 MiB');
    expect(formatRate(5e7)).toBe('50 Mbit/s');
    expect(formatRate(9600)).toBe('9.6 kbit/s');
    expect(formatProbability(0.0384)).toBe('3.84%');
  });
});
